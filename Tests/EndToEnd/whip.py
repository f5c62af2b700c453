"""WHIP and WHEP from outside: recorded offers of browsers and GStreamer, over HTTP and to the UDP ports they name."""

import hashlib
import hmac
import os
import re
import signal
import socket
import struct
import zlib

from harness import CHEAP_PASSWORDS, ROOT, UNLIMITED, Client, Server, check, end, equal, eventually, expect, plexichat

OFFERS = ROOT / "Tests/Vectors/sdp"
PUBLISHERS = [
    "chromium156-local-whip-sendonly-maxbundle-offer", "chromium156-local-whip-sendonly-maxbundle-offer-trickle",
    "firefox153esr-local-whip-sendonly-maxbundle-offer", "firefox153esr-local-simulcast3-rid-vp8-offer",
    "chromium156-local-simulcast3-rid-av1-offer", "gstreamer1.22-local-sendrecv-opus-vp8-offer",
    "gstreamer1.22-local-sendrecv-opus-h265-offer", "gstreamer1.22-local-vp8-bundle-maxcompat-offer",
]
VIEWERS = ["firefox153esr-local-whep-recvonly-offer", "firefox153esr-local-whep-recvonly-offer-trickle"]
SETTINGS = UNLIMITED + CHEAP_PASSWORDS


def offer(name):
    return (OFFERS / f"{name}.sdp").read_bytes()


class Endpoint:
    def __init__(self, server):
        self.server = server
        self.token = server.token()

    def __call__(self, method, path, body=None, kind="application/sdp", **headers):
        """Status, headers in lower case, body."""
        fields = {"Authorization": f"Bearer {self.token}"}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        if body is not None:
            fields["Content-Type"] = kind
        with Client(self.server) as client:
            answer = client.call(method, path, body, headers=fields)
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.body

    def join(self, path, name):
        status, headers, body = self("POST", path, offer(name))
        equal(status, 201, name, body)
        return headers, body.decode()

    def metric(self, name):
        """The sum over all shards."""
        _, _, text = self("GET", "/metrics")
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text.decode(), re.M)
        expect(found, f"no metric {name}")
        return sum(float(value) for value in found)


def sections(sdp):
    return re.split(r"(?m)^(?=m=)", sdp)[1:]


def looks_sound(name, sdp, direction):
    """What every answer must have; the negotiation itself is tested elsewhere."""
    expect("a=ice-lite\r\n" in sdp, name)
    expect(all(line.endswith("\r") for line in sdp.split("\n")[:-1]), name, "a line without CR")
    offered = sections(offer(name).decode(errors="replace"))
    answered = sections(sdp)
    equal(len(answered), len(offered), name)
    equal([s.split()[0] for s in answered], [s.split()[0] for s in offered], name)
    open_ones = [s for s in answered if s.split()[1] != "0"]
    expect(open_ones, name, "everything is rejected")
    for section in open_ones:
        expect("a=setup:passive" in section or "a=setup:active" in section, name, section)
        expect("a=rtcp-mux" in section or section.startswith("m=application"), name)
    expect(re.search(r"a=fingerprint:sha-256 ", sdp), name)
    expect(re.search(r"a=candidate:1 1 udp \d+ 127\.0\.0\.1 \d+ typ host", sdp), name)
    if direction:
        expect(any(f"a={direction}" in s for s in open_ones), name, sdp)


def attribute(sdp, name):
    return re.search(rf"a={name}:(\S+)", sdp)[1]


# MARK: STUN, enough to see that the address in the answer is the session's


def stun_check(sdp, offered):
    """A check with the session's credentials to the address that the answer names; the type of what comes back."""
    host, port = re.search(r"a=candidate:1 1 udp \d+ (\S+) (\d+) typ host", sdp).groups()
    local, password = attribute(sdp, "ice-ufrag"), attribute(sdp, "ice-pwd").encode()
    remote = attribute(offered, "ice-ufrag")

    def add(kind, value):
        return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)

    body = add(0x0006, f"{local}:{remote}".encode()) + add(0x0024, struct.pack("!I", 1853824767))
    body += add(0x802A, os.urandom(8)) + add(0x0025, b"")
    cookie = struct.pack("!I", 0x2112A442) + os.urandom(12)
    signed = struct.pack("!HH", 1, len(body) + 24) + cookie + body
    body += add(0x0008, hmac.new(password, signed, hashlib.sha1).digest())
    printed = struct.pack("!HH", 1, len(body) + 8) + cookie + body
    body += add(0x8028, struct.pack("!I", zlib.crc32(printed) ^ 0x5354554E))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(5)
        udp.sendto(struct.pack("!HH", 1, len(body)) + cookie + body, (host, int(port)))
        return struct.unpack("!H", udp.recv(2048)[:2])[0]


# MARK: Checks


@check
def recorded_offers_are_answered():
    with Server(*SETTINGS) as server:
        ask = Endpoint(server)
        places = []
        for name in PUBLISHERS:
            headers, sdp = ask.join("/whip/stage", name)
            equal(headers["content-type"], "application/sdp")
            equal(headers["etag"], f'"{attribute(sdp, "ice-ufrag")}"')
            looks_sound(name, sdp, "recvonly" if "sendonly" in name else None)
            equal(stun_check(sdp, offer(name).decode(errors="replace")), 0x0101, name)
            places.append(headers["location"])
        for name in VIEWERS:
            headers, sdp = ask.join("/whep/stage", name)
            looks_sound(name, sdp, "sendonly")
            equal(stun_check(sdp, offer(name).decode()), 0x0101, name)
            places.append(headers["location"])
        equal(len(set(places)), len(places))
        eventually(lambda: ask.metric("plexichat_media_participants") == len(places), told="the gauge does not follow")
        for place in places:
            equal(ask("DELETE", place)[0], 200)
            equal(ask("DELETE", place)[0], 404)
        eventually(lambda: ask.metric("plexichat_media_participants") == 0, told="the gauge does not follow")
        equal(ask.metric("plexichat_media_ended_total"), len(places))


@check
def fragments_and_restarts():
    kind = "application/trickle-ice-sdpfrag"
    candidate = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.7 50000 typ host\r\n"
    fresh = "a=ice-ufrag:NewU\r\na=ice-pwd:0123456789012345678901\r\n"
    with Server(*SETTINGS) as server:
        ask = Endpoint(server)
        headers, sdp = ask.join("/whip/stage", PUBLISHERS[0])
        place, tag = headers["location"], headers["etag"]
        equal(ask("PATCH", place, candidate.encode(), kind, If_Match=tag)[0], 204)
        equal(ask("PATCH", place, (fresh + candidate).encode(), kind)[0], 428)
        equal(ask("PATCH", place, b"nonsense", kind, If_Match=tag)[0], 422)
        status, headers, body = ask("PATCH", place, (fresh + candidate).encode(), kind, If_Match="*")
        equal(status, 200)
        expect(headers["etag"] != tag)
        answer = body.decode()
        equal(headers["etag"], f'"{attribute(answer, "ice-ufrag")}"')
        # The old credentials count until a check with the new ones has come.
        offered = offer(PUBLISHERS[0]).decode()
        equal(stun_check(sdp, offered), 0x0101, "old")
        equal(stun_check(answer, fresh), 0x0101, "new")
        equal(stun_check(sdp, offered), 0x0111, "old, afterwards")
        equal(ask("PATCH", place, candidate.encode(), kind, If_Match=tag)[0], 412)
        equal(ask("DELETE", place)[0], 200)


@check
def what_is_refused():
    with Server(*SETTINGS, "media.max_sessions_per_room=1") as server:
        ask = Endpoint(server)
        equal(ask("POST", "/whip/stage", b"v=0\r\n")[0], 422)
        equal(ask("POST", "/whip/stage", b"{}", "application/json")[0], 415)
        equal(ask("POST", "/whip/stage", offer(PUBLISHERS[0]), Accept="text/html")[0], 406)
        equal(ask("GET", "/whip/stage")[0], 405)
        status, headers, _ = ask("OPTIONS", "/whip/stage")
        equal((status, headers["accept-post"]), (204, "application/sdp"))
        ask.join("/whip/stage", PUBLISHERS[0])
        status, headers, body = ask("POST", "/whip/stage", offer(PUBLISHERS[0]))
        equal((status, headers["content-type"]), (503, "application/problem+json"))
        expect(b'"room_full"' in body, body)
        ask.token = "nonsense"
        equal(ask("POST", "/whip/stage", offer(PUBLISHERS[0]))[0], 401)
    with Server(*SETTINGS, "media.enabled=false") as server:
        ask = Endpoint(server)
        expect(b'"media_disabled"' in ask("POST", "/whip/stage", offer(PUBLISHERS[0]))[2])


@check
def a_port_that_is_taken_is_named():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]
        server = Server(*SETTINGS, f"media.port={port}", "media.shards=1")
        done = plexichat("serve", *server.options(), "--listen", "127.0.0.1:0", code=1)
        expect(f"127.0.0.1:{port}" in done.stderr and "media.port" in done.stderr, done.stderr)
        done = plexichat("doctor", *server.options(), code=None)
        expect(re.search(rf"!! +media.*127\.0\.0\.1:{port}", done.stdout), done.stdout)


@check
def a_stop_with_calls_does_not_wait_for_them():
    with Server(*SETTINGS) as server:
        ask = Endpoint(server)
        for name in PUBLISHERS:
            ask.join("/whip/stage", name)
        equal(end(server.process, signal.SIGTERM, within=10), 0)
