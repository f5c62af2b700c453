"""Stopping, reloading, TLS, and what a service manager sees."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time

from harness import (
    CHEAP_PASSWORDS, UNLIMITED, Options, Server, _die_with_parent, certificate, check, connect, environment, equal,
    eventually, expect, read_to_end, spawn, temporary_folder,
)


def post_head(length):
    return (
        "POST /v1/auth/login HTTP/1.1\r\nHost: e2e\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n").encode()


def statuses(data):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


@check
def sigterm_lets_requests_finish():
    body = b'{"username": "admin", "password": "wrong password"}'
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server:
        upload, half, idle = connect(server), connect(server), connect(server)
        upload.sendall(post_head(len(body)) + body[:10])
        half.sendall(b"GET /readyz HTTP/1.1\r\n")
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: e2e\r\n\r\n")
        expect(b" 200 " in idle.recv(4_096), "no answer before the stop")
        time.sleep(0.2)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        equal(idle.recv(10), b"", "an idle connection is not closed:")
        eventually(lambda: is_refused(server), 3, "new connections are still taken")
        half.sendall(b"Host: e2e\r\n\r\n")
        answer = read_to_end(half)
        equal(statuses(answer), [503], "readyz while draining:")
        expect(b"connection: close" in answer.lower(), answer)
        for byte in body[10:]:
            upload.sendall(bytes([byte]))
            time.sleep(0.01)
        equal(statuses(read_to_end(upload)), [401], "the upload in progress:")
        equal(server.process.wait(5), 0)
        expect(time.monotonic() - begun < 5, "the drain waited for nothing")


def is_refused(server):
    try:
        connect(server, timeout=1).close()
        return False
    except OSError:
        return True


def open_socket(server):
    stream = connect(server)
    stream.sendall(
        b"GET /calls/ws HTTP/1.1\r\nHost: e2e\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Authorization: Bearer " + server.token("admin").encode() + b"\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = stream.recv(1)
        expect(piece, f"no socket: {head!r}")
        head += piece
    equal(statuses(head), [101])
    return stream


def frame(stream):
    """(opcode, payload) of one short frame."""
    head = stream.recv(2, socket.MSG_WAITALL)
    length = head[1]
    if length == 126:
        length = int.from_bytes(stream.recv(2, socket.MSG_WAITALL), "big")
    return head[0] & 15, stream.recv(length, socket.MSG_WAITALL)


@check
def sockets_are_told_that_the_server_stops_and_where_to_go():
    closing = (8, (1001).to_bytes(2, "big") + b"the server stops")
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server:
        stream = open_socket(server)
        server.process.send_signal(signal.SIGTERM)
        equal(frame(stream), closing)
        stream.close()
        equal(server.process.wait(10), 0)
    with Server(
            *UNLIMITED, *CHEAP_PASSWORDS, "calls.reconnect_url=https://other.example", "calls.drain_time=1s") as server:
        stream = open_socket(server)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        opcode, text = frame(stream)
        equal((opcode, json.loads(text)), (1, {"type": "reconnect-to", "url": "https://other.example", "seconds": 1}))
        equal(frame(stream), closing)
        expect(time.monotonic() - begun > 0.8, "clients had no time to go")
        stream.close()
        equal(server.process.wait(10), 0)


@check
def drain_ends_within_its_bound():
    with Server(*UNLIMITED, "server.drain_timeout=1s") as server:
        upload = connect(server)
        upload.sendall(post_head(1_000) + b"{")
        time.sleep(0.2)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        equal(server.process.wait(10), 0)
        took = time.monotonic() - begun
        expect(0.8 < took < 4, f"the drain took {took:.1f} s")


@check
def slow_answer_is_finished_while_draining():
    with Server(*UNLIMITED) as server:
        whole = len(server.call("GET", "/openapi.json").body)
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader.connect((server.host, server.port))
        reader.settimeout(20)
        reader.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: e2e\r\n\r\n")
        data = reader.recv(1_000)
        server.process.send_signal(signal.SIGTERM)
        while piece := reader.recv(2_048):
            data += piece
            time.sleep(0.002)
        head, _, body = data.partition(b"\r\n\r\n")
        equal(len(body), whole, "the answer was cut:")
        equal(server.process.wait(10), 0)


@check
def second_sigterm_ends_at_once():
    with Server(*UNLIMITED) as server:
        upload = connect(server)
        upload.sendall(post_head(1_000) + b"{")
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        equal(server.process.wait(3), 1)
        server.start()


# MARK: TLS


def tls_server(*settings):
    folder = temporary_folder()
    certificate(folder, "first")
    server = Server(
        *UNLIMITED, f"tls.certificate={folder}/server.pem", f"tls.key={folder}/server.key", *settings)
    return folder, server


def s_client(server, *words):
    """What `openssl s_client` says of one request."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{server.host}:{server.port}", "-ign_eof", *words],
        input=b"GET /healthz HTTP/1.1\r\nHost: e2e\r\nConnection: close\r\n\r\n", capture_output=True, timeout=20)
    return (done.stdout + done.stderr).decode(errors="replace")


def subject(server):
    return re.search(r"subject=CN *= *(\w+)", s_client(server))[1]


@check
def tls_1_2_and_1_3_are_spoken_and_nothing_older():
    _, server = tls_server()
    with server:
        for word, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            said = s_client(server, word)
            expect(name in said and "200 OK" in said, word, said)
            expect("strict-transport-security" in said.lower(), "no HSTS:", said)
        for word in ("-tls1_1", "-tls1"):
            said = s_client(server, word, "-cipher", "ALL:@SECLEVEL=0")
            expect("200 OK" not in said, word, "is spoken")
        cookie = s_client(server, "-alpn", "h2,http/1.1")
        expect("ALPN protocol: http/1.1" in cookie, cookie)
        # Plain HTTP on the secure port ends without an answer, and harms nobody.
        plain = connect(server)
        plain.sendall(b"GET / HTTP/1.1\r\nHost: e2e\r\n\r\n")
        expect(b"200" not in read_to_end(plain), "plain HTTP was answered")
        expect("200 OK" in s_client(server), "the server is gone")


@check
def tls_1_3_only_can_be_asked_for():
    _, server = tls_server("tls.min_version=1.3")
    with server:
        expect("200 OK" in s_client(server, "-tls1_3"), "1.3 is refused")
        expect("200 OK" not in s_client(server, "-tls1_2"), "1.2 is spoken")


@check
def sighup_takes_the_new_certificate():
    folder, server = tls_server()
    with server:
        equal(subject(server), "first")
        context = ssl._create_unverified_context()
        kept = context.wrap_socket(connect(server))
        certificate(folder, "second")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: subject(server) == "second", 5, "the new certificate is not used")
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: e2e\r\n\r\n")
        expect(b"200" in kept.recv(1_000), "an open connection was lost")
        kept.close()
        (folder / "server.pem").write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "could not be read" in server.log_text(), 5, "a bad certificate is not reported")
        equal(subject(server), "second")


@check
def sighup_without_tls_is_survived():
    with Server() as server:
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        server.call("GET", "/healthz").status_is(200)


# MARK: Service manager


@check
def service_manager_is_told():
    path = str(temporary_folder() / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(10)
        server = Server(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        with server:
            expect("READY=1" in manager.recv(1_000).decode(), "the start is not told")
            server.call("GET", "/readyz").status_is(200)
            times = []
            for _ in range(3):
                equal(manager.recv(1_000).decode(), "WATCHDOG=1")
                times.append(time.monotonic())
            expect(times[-1] - times[0] < 1, "the watchdog is fed too seldom")
            server.process.send_signal(signal.SIGTERM)
            said = ""
            while "STOPPING=1" not in said:
                said = manager.recv(1_000).decode()
            equal(server.process.wait(20), 0)


@check
def socket_activation_serves_the_handed_socket():
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    waiting = socket.create_connection(("127.0.0.1", port))
    waiting.settimeout(20)
    waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: e2e\r\nConnection: close\r\n\r\n")
    # A shell knows its own pid, which the environment must name.
    words = 'exec 3<&"$0"; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
    server = Server(*UNLIMITED)
    number = listener.fileno()
    server.process = spawn(
        ["bash", "-c", words, number, Options.binary, "serve", *server.options(), "--listen", "127.0.0.1:1"],
        stdout=subprocess.PIPE, stderr=open(server.log, "ab"), env=environment(server.env), pass_fds=(number,),
        preexec_fn=_die_with_parent)
    server._read_lines(20)
    equal(server.port, port)
    expect(b"200" in read_to_end(waiting), "a client that came before the server is not answered")
    server.call("GET", "/readyz").status_is(200)
    # The socket outlives the server, so that a restart refuses nobody.
    server.stop()
    early = socket.create_connection(("127.0.0.1", port))
    early.close()
    listener.close()
