"""Files: throughput beside nginx, memory of many transfers, a client's setting, pictures."""

import contextlib
import http.client
import json
import os
import re
import socket
import time

import report
from figures import REQUEST_TARGET, wrk
from processes import Failure, run
from report import Row, number
from servers import PLEXIBENCH, PlexiChat, request

MIB = 1 << 20

# Of one file, and how many of it go one after the other in a run.
FILE_BYTES = 64 * MIB
FILES = 8
THROUGHPUT_TARGET = 0.50
# What the client reads into: it stays in a near cache, so that reading costs the client little.
CLIENT_BUFFER = 256 << 10

UNLIMITED = {
    "files.thumbnails": "false", "files.max_size": "1GiB", "files.user_quota": "1TiB",
    "rate_limits.design.upload": "unlimited",
}


# MARK: a client

class Peer:
    """One connection of a client that costs little: files go out by sendfile, what comes is read and dropped."""

    def __init__(self, server, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(120)
        self.socket.connect(("127.0.0.1", server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send_file(self, file, end=b""):
        """One that is refused on the way is told so by its answer."""
        file.seek(0)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendfile(file)
            self.socket.sendall(end)

    def head(self, method, path, token=None, **fields):
        lines = [f"{method} {path} HTTP/1.1", "Host: bench"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def answer(self, method, wanted, buffer):
        """Reads it to its end; the last piece of the body, and its length."""
        answer = http.client.HTTPResponse(self.socket, method=method)
        answer.begin()
        last, total = b"", 0
        while count := answer.readinto(buffer):
            total += count
            last = buffer[:count]
        if answer.status not in wanted:
            raise Failure(f"{method} was answered {answer.status}: {bytes(last)[:300]!r}")
        return last, total


FORM_HEAD = (
    b'--bench\r\nContent-Disposition: form-data; name="file"; filename="bench.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n")
FORM_END = b"\r\n--bench--\r\n"


def begin_form(peer, token, count):
    peer.head(
        "POST", "/v1/files", token, Content_Type="multipart/form-data; boundary=bench",
        Content_Length=len(FORM_HEAD) + count + len(FORM_END))
    peer.socket.sendall(FORM_HEAD)


def upload(peer, token, file, buffer):
    """By a form; the id of the file."""
    begin_form(peer, token, FILE_BYTES)
    peer.send_file(file, FORM_END)
    last, _ = peer.answer("POST", [201], buffer)
    return json.loads(bytes(last))["data"]["id"]


def put(peer, file, buffer):
    peer.head("PUT", "/put.bin", Content_Length=FILE_BYTES)
    peer.send_file(file)
    peer.answer("PUT", [201, 204], buffer)


def download(peer, path, token, buffer):
    peer.head("GET", path, token)
    _, total = peer.answer("GET", [200], buffer)
    if total != FILE_BYTES:
        raise Failure(f"{path} has {total} bytes")


@contextlib.contextmanager
def source(options):
    """A file that does not compress, in memory of the kernel before the first run."""
    path = os.path.join(options.workspace.folder("source"), "bench.bin")
    with open(path, "wb") as file:
        for _ in range(FILE_BYTES // MIB):
            file.write(os.urandom(MIB))
    with open(path, "rb") as file:
        yield file


# MARK: throughput

def alternate(options, legs):
    """Runs of each leg in turn: MiB per second, and per second of the server's CPU."""
    rates = {server: [] for server in legs}
    costs = {server: [] for server in legs}
    for round_index in range(options.rounds + 1):
        for server, transfer in legs.items():
            with Peer(server) as peer:
                before, begun = server.cpu_seconds(), time.monotonic()
                for _ in range(FILES):
                    transfer(peer)
                passed = time.monotonic() - begun
                spent = max(server.cpu_seconds() - before, 0.01)
            if round_index == 0:
                continue  # the first run makes folders, pages and buffers
            rates[server].append(FILES * FILE_BYTES / MIB / passed)
            costs[server].append(FILES * FILE_BYTES / MIB / spent)
    return rates, costs


def compare(what, options, ours, mine, peer, its):
    rates, costs = alternate(options, {peer: its, ours: mine})
    size = f"a file of {FILE_BYTES // MIB} MiB"
    return [
        report.compared(
            f"{what} of {size}, one connection, MiB", "per second", rates[ours], rates[peer], THROUGHPUT_TARGET),
        report.compared("the same", "per second of the server's CPU", costs[ours], costs[peer], None),
    ]


def uploads(options):
    """A form to us: searched for its end, hashed, synced, its row written. A PUT to nginx: written, and no more."""
    buffer = memoryview(bytearray(CLIENT_BUFFER))
    with source(options) as file, options.nginx("files") as peer:
        with PlexiChat(options.workspace.folder("uploads"), settings=UNLIMITED) as ours:
            ours.wait()
            token = ours.login()
            return compare(
                "upload", options, ours, lambda connection: upload(connection, token, file, buffer), peer,
                lambda connection: put(connection, file, buffer))


def downloads(options):
    """Whose right is looked at, and whose bytes the kernel sends; beside nginx with sendfile."""
    buffer = memoryview(bytearray(CLIENT_BUFFER))
    with source(options) as file, options.nginx("files") as peer:
        with PlexiChat(options.workspace.folder("downloads"), settings=UNLIMITED) as ours:
            ours.wait()
            token = ours.login()
            with Peer(ours) as connection:
                path = f"/v1/files/{upload(connection, token, file, buffer)}/download"
            with Peer(peer) as connection:
                put(connection, file, buffer)
            return compare(
                "download", options, ours, lambda connection: download(connection, path, token, buffer), peer,
                lambda connection: download(connection, "/put.bin", None, buffer))


# MARK: memory

TRANSFERS = 100
TRANSFER_TARGET = 1 * MIB
# What each brings or takes, and how much of it at one time.
SLOW_BYTES, SLOW_PIECE = 4 * MIB, 64 << 10


def transfers(options):
    """Growth of resident memory with a hundred slow ones at one time, at its highest."""
    buffer = memoryview(bytearray(CLIENT_BUFFER))
    with source(options) as file, PlexiChat(options.workspace.folder("transfers"), settings=UNLIMITED) as ours:
        ours.wait()
        token = ours.login()
        with Peer(ours) as connection:
            path = f"/v1/files/{upload(connection, token, file, buffer)}/download"
            download(connection, path, token, buffer)
        rows = []
        for what, body in [
            ("uploads", lambda: slow_uploads(ours, token)), ("downloads", lambda: slow_downloads(ours, token, path)),
        ]:
            before = ours.resident_bytes()
            growth = (body() - before) / TRANSFERS
            rows.append(Row(
                f"server's memory for each of {TRANSFERS} slow {what}", f"{growth / 1_024:,.0f} KiB",
                target=f"≤ {TRANSFER_TARGET >> 10:,} KiB", is_met=growth <= TRANSFER_TARGET))
        return rows


def slow_uploads(server, token):
    """The highest resident memory on the way."""
    piece = os.urandom(SLOW_PIECE)
    highest = 0
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Peer(server)) for _ in range(TRANSFERS)]
        for peer in peers:
            begin_form(peer, token, SLOW_BYTES)
        for _ in range(SLOW_BYTES // SLOW_PIECE):
            for peer in peers:
                peer.socket.sendall(piece)
            highest = max(highest, server.resident_bytes())
        for peer in peers:
            peer.socket.sendall(FORM_END)
        buffer = memoryview(bytearray(SLOW_PIECE))
        for peer in peers:
            peer.answer("POST", [201], buffer)
            highest = max(highest, server.resident_bytes())
    return highest


def slow_downloads(server, token, path):
    buffer = bytearray(SLOW_PIECE)
    highest = 0
    with contextlib.ExitStack() as stack:
        # Small windows, so that what is sent waits in the server and not in the kernel.
        peers = [stack.enter_context(Peer(server, receive_buffer=SLOW_PIECE)) for _ in range(TRANSFERS)]
        for peer in peers:
            peer.head("GET", path, token)
        for _ in range(SLOW_BYTES // SLOW_PIECE):
            for peer in peers:
                if not peer.socket.recv_into(buffer, SLOW_PIECE):
                    raise Failure("a download ended too early")
            highest = max(highest, server.resident_bytes())
    return highest


# MARK: client settings

SETTING = "/client-settings/theme"


def settings(options):
    """The GET of one setting, beside a static file of the same bytes and beside the plain GET of bench-http."""
    with PlexiChat(options.workspace.folder("settings")) as ours, options.nginx("static") as peer:
        ours.wait()
        token = ours.login()
        request(ours.port, "PUT", SETTING, {"setting_value": "dark"}, token)
        status, body = request(ours.port, "GET", SETTING, token=token)
        if status != 200:
            raise Failure(f"{SETTING} was answered {status}: {body[:300]!r}")
        peer.serve_file("setting.json", body)
        own = f"http://127.0.0.1:{ours.port}"
        legs = {
            "nginx": (f"http://127.0.0.1:{peer.port}/setting.json", None),
            "plain": (f"{own}/api/v1/users/me", token),
            "setting": (f"{own}{SETTING}", token),
        }
        rates = {name: [] for name in legs}
        for url, bearer in legs.values():
            wrk(url, 1, bearer)
        for _ in range(options.rounds):
            for name, (url, bearer) in legs.items():
                rates[name].append(wrk(url, options.seconds, bearer)[1])
    return [
        report.compared(
            f"GET {SETTING} with a token, {len(body)} bytes, against a static file", "per second", rates["setting"],
            rates["nginx"], REQUEST_TARGET),
        report.compared("the same against our own GET /api/v1/users/me", "per second", rates["setting"], rates["plain"],
                        None),
    ]


# MARK: images

IMAGES = 40
THUMBNAILS_TARGET = 1_000


def images(_):
    """What thumbnails and clean images of a picture of 12 megapixels cost a core."""
    output = run([PLEXIBENCH, "images", "--count", str(IMAGES)], 300)
    rate = re.search(r"thumbnails a minute per core: (\d+)", output)
    steps = re.findall(r"^(.+): ([\d.]+ ms) of processor", output, re.MULTILINE)
    if not rate or not steps:
        raise Failure(f"plexibench images said: {output[-300:]}")
    rate = int(rate[1])
    return [
        Row("thumbnails of a JPEG of 12 megapixels, a minute per core", number(rate),
            target=f"≥ {THUMBNAILS_TARGET:,}", is_met=rate >= THUMBNAILS_TARGET),
        *(Row(f"{what}, processor", time_spent) for what, time_spent in steps),
    ]
