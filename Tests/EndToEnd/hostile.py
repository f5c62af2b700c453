"""Clients that mean no good: slow, many, large, malformed, ambiguous. The server stays up, bounded and useful."""

import json
import random
import re
import resource
import selectors
import socket
import time

from harness import (
    CHEAP_PASSWORDS, ROOT, UNLIMITED, Client, Options, Server, check, connect, equal, error_code, eventually,
    expect, read_to_end,
)

# What all of a check's mischief may leave behind. The allocator keeps some of what it was given.
LEFT_BEHIND = 24 << 20
CANARY = b"GET /healthz HTTP/1.1\r\nHost: canary\r\nX-Request-ID: canary-canary\r\nConnection: close\r\n\r\n"


LOGIN_HEAD = (
    b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n")


def statuses(data):
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", data)]


def is_useful(server, source="127.0.0.9"):
    """Others are served, and soon."""
    begun = time.monotonic()
    server.call("GET", "/readyz", source=source, timeout=5).status_is(200)
    took = time.monotonic() - begun
    expect(took < 2, f"an ordinary request took {took:.1f} s")


def exchange(server, data, timeout=10):
    """Sends bytes, and reads until the server closes."""
    with connect(server, timeout) as stream:
        try:
            stream.sendall(data)
        except OSError:
            pass  # it may have closed already
        return read_to_end(stream)


class Bounded:
    """The server's memory and descriptors after what happens within are near to what they were before."""

    def __init__(self, server, left_behind=LEFT_BEHIND):
        self.server = server
        self.left_behind = left_behind

    def __enter__(self):
        is_useful(self.server)
        self.memory = self.server.resident()
        self.descriptors = self.server.descriptor_count()

    def __exit__(self, kind, *_):
        if kind:
            return
        is_useful(self.server)
        eventually(lambda: self.server.descriptor_count() <= self.descriptors + 4, 15, "descriptors are left open")
        grown = self.server.resident() - self.memory
        expect(grown < self.left_behind, f"{grown >> 20} MiB more memory than before")


# MARK: Slow


@check
def slow_heads_are_cut_off():
    with Server(*UNLIMITED, "server.header_timeout=2s") as server, Bounded(server):
        slow = [connect(server) for _ in range(200)]
        begun = time.monotonic()
        head = b"GET /healthz HTTP/1.1\r\nHost: slow\r\nX-A: b\r\n"
        open_still, answers = set(slow), []
        while open_still and time.monotonic() - begun < 8:
            for stream in list(open_still):
                position = int((time.monotonic() - begun) * 2)
                try:
                    stream.sendall(head[position : position + 1])
                    stream.setblocking(False)
                    data = stream.recv(4_096)
                    answers += statuses(data)
                    if not data:
                        open_still.discard(stream)
                except BlockingIOError:
                    pass
                except OSError:
                    open_still.discard(stream)
                finally:
                    stream.setblocking(True)
            is_useful(server)
            time.sleep(0.3)
        expect(not open_still, f"{len(open_still)} slow connections are open after 8 s")
        expect(answers and set(answers) == {408}, "not 408:", answers[:5])
        for stream in slow:
            stream.close()


@check
def slow_bodies_are_cut_off():
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server, Bounded(server):
        head = LOGIN_HEAD % 500
        slow = [connect(server, timeout=40) for _ in range(50)]
        begun = time.monotonic()
        for stream in slow:
            stream.sendall(head)
        while time.monotonic() - begun < 9:
            for stream in slow:
                stream.sendall(b" ")
            time.sleep(1)
        for stream in slow:
            answer = read_to_end(stream)
            equal(statuses(answer), [408], answer[:200])
            stream.close()
        took = time.monotonic() - begun
        expect(took < 25, f"it took {took:.0f} s")


@check
def slow_readers_are_bounded():
    """The same large answer asked for many times and never read: neither kept in memory nor kept open."""
    with Server(*UNLIMITED, "server.write_timeout=2s") as server, Bounded(server):
        ask = b"GET /openapi.json HTTP/1.1\r\nHost: slow\r\n\r\n"
        before = server.resident()
        slow = []
        for _ in range(50):
            stream = socket.socket()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            stream.connect((server.host, server.port))
            stream.setblocking(False)
            try:
                stream.send(ask * 200)
            except BlockingIOError:
                pass
            slow.append(stream)
        most = 0
        for _ in range(10):
            time.sleep(0.1)
            is_useful(server)
            most = max(most, server.resident() - before)
        expect(most < 96 << 20, f"50 readers cost {most >> 20} MiB")
        begun = time.monotonic()
        eventually(lambda: connections(server) <= 2, 15, "slow readers are kept")
        for stream in slow:
            stream.close()


def connections(server):
    text = server.call("GET", "/metrics").body.decode()
    return int(float(re.search(r"^plexi_http_connections (\S+)", text, re.MULTILINE)[1]))


# MARK: Many


def attempt(server, count, at_once):
    """Connects `count` times from a few addresses and keeps what it can. Returns how many were taken and refused."""
    selector = selectors.DefaultSelector()
    taken = refused = begun = 0
    while begun < count or selector.get_map():
        while begun < count and len(selector.get_map()) < at_once:
            stream = socket.socket()
            stream.setblocking(False)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # leave no TIME_WAIT
            stream.bind((f"127.0.0.{20 + begun % 4}", 0))
            stream.connect_ex((server.host, server.port))
            selector.register(stream, selectors.EVENT_WRITE | selectors.EVENT_READ)
            begun += 1
        for key, _ in selector.select(1):
            stream = key.fileobj
            if stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                refused += 1
            else:
                taken += 1
            selector.unregister(stream)
            stream.close()
    return taken, refused


@check
def floods_of_connections_are_bounded():
    count = 100_000 if Options.long else 10_000
    with Server(*UNLIMITED, "server.max_connections=2000", "server.max_connections_per_address=500") as server:
        with Bounded(server), Client(server, source="127.0.0.10") as friend:
            friend.call("GET", "/healthz").status_is(200)
            begun = time.monotonic()
            for part in range(10):
                attempt(server, count // 10, 500)
                friend.call("GET", "/healthz").status_is(200)
                expect(server.descriptor_count() < 2_400, "too many descriptors:", server.descriptor_count())
            expect(time.monotonic() - begun < (240 if Options.long else 40), "the flood stops the server")


@check
def one_address_cannot_have_all_connections():
    with Server(*UNLIMITED, "server.max_connections=400", "server.max_connections_per_address=100") as server:
        with Bounded(server):
            greedy = [connect(server, source="127.0.0.20") for _ in range(300)]
            time.sleep(0.3)
            is_useful(server)
            expect(connections(server) <= 105, connections(server), "connections of one address")
            others = [connect(server, source=f"127.0.0.{21 + number % 9}") for number in range(600)]
            time.sleep(0.5)
            expect(server.descriptor_count() < 480, server.descriptor_count(), "descriptors")
            for stream in greedy + others:
                stream.close()
            eventually(lambda: server.call("GET", "/healthz").status == 200, 5, "it does not serve again")


@check
def out_of_descriptors_is_survived():
    with Server(*UNLIMITED) as server:
        _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (server.descriptor_count() + 30, hard))
        streams = []
        for _ in range(100):
            try:
                streams.append(connect(server, timeout=2))
            except OSError:
                pass
        time.sleep(0.5)
        expect(server.process.poll() is None, "the server is gone")
        for stream in streams:
            stream.close()
        eventually(lambda: reached(server), 10, "it does not serve again")


def reached(server):
    try:
        return server.call("GET", "/healthz", timeout=2).status == 200
    except OSError:
        return False


# MARK: Large and deep


@check
def large_and_deep_requests_are_refused_in_the_owner_s_words():
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server, Bounded(server):
        token = server.token()
        large_head = b"GET /v1/users HTTP/1.1\r\nHost: x\r\n" + b"X-A: " + b"a" * 40_000 + b"\r\n\r\n"
        equal(statuses(exchange(server, large_head))[:1], [431])
        many_heads = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: b\r\n" % n for n in range(5_000)) + b"\r\n"
        equal(statuses(exchange(server, many_heads))[:1], [431])
        long_target = b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        expect(statuses(exchange(server, long_target))[:1] in ([414], [431]), "a long target is taken")

        large = json.dumps({"username": "a" * (2 << 20), "password": "b"})
        deep = "[" * 100_000 + "]" * 100_000
        deep_object = '{"a":' * 200 + "1" + "}" * 200
        many = json.dumps({"a": [1] * 200_000})
        for path in ("/v1/auth/login", "/api/v1/auth/login", "/auth/login"):
            answer = server.call("POST", path, large, headers={"Content-Type": "application/json"})
            equal(answer.status, 413, path)
            expect(error_code(answer), "no code:", answer.body)
            for body in (deep, deep_object, many, '{"a": 1, "a": 2}', '{"username": "\\ud800"}', "nonsense", "\0"):
                answer = server.call("POST", path, body, headers={"Content-Type": "application/json"})
                expect(answer.status in (400, 422), path, body[:20], answer.status)
                expect(error_code(answer), "no code:", answer.body)
        # Promised and never sent: refused by its length, before a byte of it.
        equal(statuses(exchange(server, LOGIN_HEAD % 99_999_999))[:1], [413])
        server.call("GET", "/api/v1/users/me", token=token).status_is(200)


@check
def paths_stay_within_their_folder():
    folder = ROOT / "Tests/EndToEnd"
    with Server(*UNLIMITED, f"web.folder={folder}", f"docs.assets={folder}") as server, Bounded(server):
        targets = [
            "/../README.md", "/%2e%2e/Package.swift", "/..%2f..%2fPackage.swift", "/%2e%2e%2f%2e%2e%2fPackage.swift",
            "/docs/assets/../../../../Package.swift", "/docs/assets/..%2f..%2f..%2fPackage.swift",
            "/....//Package.swift",
            "/docs/assets/%252e%252e/Package.swift", "//etc/passwd", "/%00", "/docs/assets/harness.py%00.js",
            "/docs/assets//proc/self/environ", "/%5c..%5c..%5cPackage.swift", "/docs/assets/%ff%fe", "/%zz",
            "http://elsewhere/../../Package.swift", "/./../Package.swift",
        ]
        for target in targets:
            with connect(server) as stream:
                stream.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                answer = read_to_end(stream)
            expect(statuses(answer) and statuses(answer)[0] in (400, 404), target, answer[:200])
            expect(b"swift-tools-version" not in answer and b"root:" not in answer, target, "shows a file")


# MARK: Malformed and ambiguous


@check
def smuggling_matrix_over_a_socket():
    """Every case on a connection of its own, with a request behind it. Its answer must come only where the case is a
    whole request; where we refuse, the connection ends there and nothing behind it is read."""
    cases = json.loads((ROOT / "Tests/Vectors/http/smuggling-matrix.json").read_text())
    with Server(*UNLIMITED, *CHEAP_PASSWORDS, "server.header_timeout=1s", "server.idle_timeout=1s") as server:
        with Bounded(server):
            for case in cases:
                smuggled(server, case)


def smuggled(server, case):
    data = bytes.fromhex(case["input_hex"])
    answer = exchange(server, data + CANARY)
    found = statuses(answer)
    canary = b"x-request-id: canary-canary" in answer.lower()
    expected = case["expected"]
    if expected.startswith("400 (or 501") or expected.startswith("501 or 400"):
        # 413 for a length beyond any limit is as good (RFC 9110 §15.5.14). 404 is the path's, where the fault is in a
        # body that nobody reads; the connection ends all the same.
        expect(found in ([400], [501], [413], [404]), case["name"], f"is answered {found} instead of 400 or 501")
        expect(not canary, case["name"], "lets a second request through")
        expect(b"connection: close" in answer.lower(), case["name"], "does not say that it closes")
    elif expected.startswith("4") and found:
        expect(all(400 <= status < 500 or status in (501, 505) for status in found) or canary, case["name"], found)
    expect(found.count(500) == 0, case["name"], "is an internal error")


@check
def llhttp_cases_over_a_socket():
    """What one parser accepts and refuses, as bytes that come in pieces: no crash, no internal error."""
    cases = json.loads((ROOT / "Tests/Vectors/http/llhttp.json").read_text())
    dice = random.Random(Options.seed)
    with Server(*UNLIMITED, *CHEAP_PASSWORDS, "server.header_timeout=1s", "server.idle_timeout=1s") as server:
        with Bounded(server):
            for case in cases:
                if not case["type"].startswith("request"):
                    continue
                data = bytes.fromhex(case["input_hex"])
                cut = dice.randrange(len(data) + 1)
                with connect(server, 10) as stream:
                    try:
                        stream.sendall(data[:cut])
                        time.sleep(0.002)
                        stream.sendall(data[cut:])
                        stream.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                    found = statuses(read_to_end(stream))
                expect(500 not in found, case["name"], found)


@check
def malformed_requests_are_refused_in_the_owner_s_words():
    shapes = {
        "/v1/users": lambda value: value["success"] is False and value["error"]["code"] == "BAD_REQUEST",
        "/api/v1/users": lambda value: value["error"]["code"] == "BAD_REQUEST",
        "/users/me": lambda value: value["error"]["code"] == "VALIDATION_INVALID_FORMAT",
        "/nodes": lambda value: "invalid_payload" in json.dumps(value),
    }
    faults = [
        "GET {} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "GET {} HTTP/1.1\r\n\r\n",
        "GET {} HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET {} HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n",
        "GET {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "GET {} HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
        "GET {} HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
    ]
    with Server(*UNLIMITED) as server, Bounded(server):
        for path, fits in shapes.items():
            for fault in faults:
                answer = exchange(server, fault.format(path).encode() + CANARY)
                equal(statuses(answer), [400], path, fault)
                head, _, body = answer.partition(b"\r\n\r\n")
                expect(b"connection: close" in head.lower() and b"x-request-id" in head.lower(), head)
                expect(fits(json.loads(body)), path, fault, body)


@check
def duplicate_headers_are_not_ambiguous():
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server, Bounded(server):
        token = server.token()
        twice = (
            f"GET /api/v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            "Authorization: Bearer other\r\nConnection: close\r\n\r\n").encode()
        expect(statuses(exchange(server, twice))[0] in (400, 401), "two credentials are taken")
        for name in ("Host", "Content-Length", "Transfer-Encoding"):
            value = {"Host": "a", "Content-Length": "2", "Transfer-Encoding": "chunked"}[name]
            other = {"Host": "b", "Content-Length": "3", "Transfer-Encoding": "identity"}[name]
            host = "" if name == "Host" else "Host: x\r\n"
            data = f"POST /v1/auth/login HTTP/1.1\r\n{host}{name}: {value}\r\n{name}: {other}\r\n\r\n".encode()
            answer = exchange(server, data + CANARY)
            expect(statuses(answer) in ([400], [501]), name, answer[:200])


@check
def garbage_and_tls_on_the_plain_port():
    dice = random.Random(Options.seed)
    hello = bytes.fromhex("16030100c8010000c40303") + dice.randbytes(32) + bytes(100)
    with Server(*UNLIMITED, "server.header_timeout=1s") as server, Bounded(server):
        known = [
            hello, b"\0" * 1_000, b"\r\n" * 5_000, b"SSH-2.0-OpenSSH\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ]
        for data in known + [dice.randbytes(dice.randrange(1, 2_000)) for _ in range(300)]:
            found = statuses(exchange(server, data))
            expect(all(400 <= status < 500 or status == 505 for status in found), data[:20], found)


@check
def random_mutations_of_good_requests():
    dice = random.Random(Options.seed)
    body = b'{"username": "admin", "password": "wrong password", "remember_me": true}'
    good = [
        b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nRange: bytes=0-10\r\nAccept-Encoding: gzip\r\n\r\n",
        b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body),
        b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
        % (len(body), body),
        b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        b"GET /v1/users?page=1&per_page=5 HTTP/1.1\r\nHost: x\r\nCookie: plx_session=abc\r\nIdempotency-Key: k\r\n\r\n",
    ]
    with Server(*UNLIMITED, *CHEAP_PASSWORDS, "server.header_timeout=1s") as server, Bounded(server):
        for _ in range(4_000 if Options.long else 800):
            data = bytearray(dice.choice(good))
            for _ in range(dice.randrange(1, 6)):
                place = dice.randrange(len(data))
                action = dice.randrange(3)
                if action == 0:
                    data[place] = dice.randrange(256)
                elif action == 1:
                    del data[place : place + dice.randrange(1, 8)]
                else:
                    data[place:place] = dice.choice([b"\r\n", b"\0", b":", b"  ", b"\xff" * 20, b"%00", b"{" * 40])
            with connect(server, 10) as stream:
                stream.sendall(bytes(data))
                stream.shutdown(socket.SHUT_WR)
                found = statuses(read_to_end(stream))
            expect(500 not in found, bytes(data), found)


@check
def a_server_that_worked_hard_keeps_its_memory():
    """The same work twice: what the second time adds is a leak."""
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server:
        token = server.token()

        def work():
            with Client(server) as client:
                for number in range(3_000):
                    client.call("GET", "/api/v1/users/me", token=token).status_is(200)
                    if number % 20 == 0:
                        client.call("GET", "/openapi.json", headers={"Accept-Encoding": "gzip"})
                        client.call("POST", "/v1/auth/login", {"username": "nobody", "password": "wrong"})
            for _ in range(300):
                server.call("GET", "/healthz")

        work()
        before = server.resident()
        work()
        grown = server.resident() - before
        expect(grown < 6 << 20, f"{grown >> 10} KiB more after the same work again")
