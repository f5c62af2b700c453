"""A WebSocket client of the tests' own (RFC 6455): text messages, one after the other."""

import base64
import hashlib
import json
import os
import struct

from harness import connect, expect


class WebSocket:
    def __init__(self, server, path, token=None, timeout=20):
        self.stream = connect(server, timeout)
        self.kept = b""
        self.code = None
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET {path} HTTP/1.1\r\nHost: e2e\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        head += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        head += f"Authorization: Bearer {token}\r\n" if token else ""
        self.stream.sendall((head + "\r\n").encode())
        while b"\r\n\r\n" not in self.kept:
            more = self.stream.recv(4_096)
            expect(more, "closed during the handshake:", self.kept)
            self.kept += more
        answer, self.kept = self.kept.split(b"\r\n\r\n", 1)
        expect(b" 101 " in answer.split(b"\r\n")[0], answer)
        proof = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        expect(base64.b64encode(proof) in answer, answer)

    def say(self, **message):
        self._send(1, json.dumps(message).encode())

    def _send(self, opcode, payload):
        mask = os.urandom(4)
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        self.stream.sendall(
            bytes([0x80 | opcode]) + length + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)))

    def _take(self, count):
        while len(self.kept) < count:
            more = self.stream.recv(65_536)
            expect(more, "the server broke off")
            self.kept += more
        taken, self.kept = self.kept[:count], self.kept[count:]
        return taken

    def hear(self):
        """The next message; None after a close, whose code is in `code` then."""
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            if size == 126:
                size = struct.unpack(">H", self._take(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self._take(8))[0]
            payload = self._take(size)
            opcode = first & 15
            if opcode == 1:
                return json.loads(payload)
            if opcode == 9:
                self._send(10, payload)
            if opcode == 8:
                self.code = struct.unpack(">H", payload[:2])[0]
                return None

    def hear_until(self, wanted, member="type"):
        """The first message whose type is `wanted`; those before it are passed over."""
        for _ in range(100):
            message = self.hear()
            expect(message is not None, f"closed with {self.code} while waiting for", wanted)
            if message[member] == wanted:
                return message
        raise AssertionError(f"{wanted} did not come")

    def break_off(self):
        self.stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
