"""An HTTP/1.1 server for the tests of the HTTP client. Python's, so that no mistake of ours is on both sides.

Prints its port, serves until standard input ends, and at most for two minutes.
usage: http_peer.py [certificate.pem key.pem]
"""

import hashlib
import hmac
import http.server
import itertools
import os
import signal
import ssl
import sys
import threading
import time
import urllib.parse

connections = itertools.count(1)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.number = next(connections)

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("X-Connection", str(self.number))
        self.send_header("X-Spaces", "  \t kept inside  ")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def serve(self):
        url = urllib.parse.urlsplit(self.path)
        count = int(urllib.parse.parse_qs(url.query).get("n", ["0"])[0])
        if url.path == "/hello":
            self.answer(200, b"hello")
        elif url.path == "/echo":
            body = self.body()
            lines = [f"{self.command} {self.path}", hashlib.sha256(body).hexdigest(), str(len(body))]
            lines += [f"{name.lower()}: {value}" for name, value in self.headers.items()]
            self.answer(200, "\n".join(lines).encode())
        elif url.path == "/large":
            self.answer(200, b"x" * count)
        elif url.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, count, 10_000):
                piece = b"y" * min(10_000, count - start)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif url.path == "/slow":
            time.sleep(20)
        elif url.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"ten bytes.")
            self.close_connection = True
        elif url.path == "/redirect":
            self.answer(302, Location="/hello")
        elif url.path == "/headers":
            self.send_response(200)
            for number in range(count):
                self.send_header(f"X-{number}", "z" * 60_000)
            self.end_headers()
        elif url.path.startswith("/bucket"):
            body = self.body()
            self.answer(*verify(self.command, self.path, self.headers, body))
        else:
            self.answer(404)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = serve


def verify(method, target, headers, body):
    """Signature Version 4, from Amazon's description, for the key AKID / topsecret."""

    def mac(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()

    fields = dict(
        part.strip().split("=", 1) for part in headers["Authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(",")
    )
    key_id, day, region, service, end = fields["Credential"].split("/")
    names = fields["SignedHeaders"].split(";")
    declared = headers["x-amz-content-sha256"]
    if declared not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        return 400, b"another body"
    url = urllib.parse.urlsplit(target)
    pairs = urllib.parse.parse_qsl(url.query, keep_blank_values=True)
    quote = lambda text: urllib.parse.quote(text, safe="-_.~")
    query = "&".join(sorted(f"{quote(name)}={quote(value)}" for name, value in pairs))
    signed = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    canonical = "\n".join([method, url.path, query, signed, ";".join(names), declared])
    scope = "/".join([day, region, service, end])
    text = "\n".join(
        ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = b"AWS4topsecret"
    for part in (day, region, service, end):
        key = mac(key, part)
    if key_id != "AKID" or mac(key, text).hex() != fields["Signature"]:
        return 403, canonical.encode()
    return 200, body


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Clients that break off are what some tests are about."""


def main():
    signal.alarm(120)
    server = Server(("127.0.0.1", 0), Handler)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


main()
