"""Webhooks from outside: a receiver of our own that refuses, hangs and comes back, and a server that is killed."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time

from calling import people
from harness import CHEAP_PASSWORDS, UNLIMITED, Server, check, equal, error_code, eventually, expect

SETTINGS = UNLIMITED + CHEAP_PASSWORDS
INSIDE = ["webhooks.allow_http=true", "webhooks.allowed_networks=127.0.0.1"]
# Retries come after 5, 10, 20 s; a lease of a killed server runs out after 30.
PATIENCE = 60


class Receiver:
    """Takes deliveries on the loopback, and answers with `status`."""

    def __init__(self):
        self.status, self.got, self.lock = 200, [], threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    status = receiver.status
                    receiver.got.append((status, dict((name.lower(), value) for name, value in self.headers.items()), body))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        # The server is killed in the middle of what it says.
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/in?key=secret"

    def taken(self):
        """What was answered with 200: texts of messages, each id once, in the order of their first taking."""
        with self.lock:
            seen = {}
            for status, headers, body in self.got:
                if status == 200:
                    seen.setdefault(headers["webhook-id"], json.loads(body)["data"].get("content"))
            return list(seen.values())

    def verify(self, secret):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        for _, headers, body in self.got:
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
            equal(headers["webhook-signature"], f"v1,{wanted}")
            expect(abs(int(headers["webhook-timestamp"]) - time.time()) < 300, "a time that is off")

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def room_of(server, owner):
    return server.call("POST", "/v1/channels", {"name": "Hooked"}, owner[1]).status_is(201).json["data"]["id"]


def say(server, room, owner, text):
    server.call("POST", f"/v1/channels/{room}/messages", {"content": text}, owner[1]).status_is(201)


@check
def a_webhook_gets_everything_over_failures_and_a_kill():
    receiver = Receiver()
    server = Server(*SETTINGS, *INSIDE)
    try:
        with server:
            alice, = people(server, "alice")
            room = room_of(server, alice)
            body = {"url": receiver.url, "events": ["message.created"]}
            made = server.call("POST", f"/v1/channels/{room}/webhooks", body, alice[1]).status_is(201).json["data"]
            say(server, room, alice, "m0")
            eventually(lambda: receiver.taken() == ["m0"], 10, "the first delivery")
            receiver.status = 500
            for number in range(1, 6):
                say(server, room, alice, f"m{number}")
            state = eventually(
                lambda: server.call("GET", f"/v1/webhooks/{made['id']}", token=alice[1]).json["data"]["state"]["attempts"],
                10, "a failed try")
            expect(state >= 1 and receiver.taken() == ["m0"], receiver.taken())
            server.kill()
            # A redirect is no success, and is not followed.
            receiver.status = 302
            server.start()
            for number in range(6, 10):
                say(server, room, alice, f"m{number}")
            eventually(lambda: any(status == 302 for status, *_ in receiver.got), PATIENCE, "a try after the restart")
            receiver.status = 200
            wanted = [f"m{number}" for number in range(10)]
            eventually(lambda: len(receiver.taken()) >= 10, PATIENCE, "all deliveries")
            equal(receiver.taken(), wanted)
            receiver.verify(made["secret"])
            # Killed in the middle of deliveries: none is lost, whatever comes twice.
            stop = threading.Event()

            def talk():
                for number in range(10, 40):
                    try:
                        say(server, room, alice, f"m{number}")
                    except Exception:  # noqa: BLE001 - the server is being killed
                        return
                stop.set()

            talker = threading.Thread(target=talk)
            talker.start()
            eventually(lambda: len(receiver.taken()) >= 15, 20, "deliveries under way")
            server.kill()
            talker.join()
            server.start()
            said = server.call("GET", f"/v1/channels/{room}/messages?per_page=100", token=alice[1]).status_is(200)
            texts = [message["content"] for message in said.json["data"]]
            texts.sort(key=lambda text: int(text[1:]))
            eventually(lambda: len(receiver.taken()) >= len(texts), PATIENCE, "deliveries after the kill")
            equal(receiver.taken(), texts)
            # From the beginning again, with the ids of before.
            before = len(receiver.got)
            server.call("POST", f"/v1/webhooks/{made['id']}/replay", {"offset": 0}, alice[1]).status_is(200)
            eventually(lambda: len(receiver.got) >= before + len(texts), 20, "the replay")
            equal(receiver.taken(), texts)
    finally:
        receiver.close()


@check
def a_webhook_leads_nowhere_inside():
    receiver = Receiver()
    try:
        with Server(*SETTINGS, "webhooks.allow_http=true") as server:
            alice, = people(server, "alice")
            room = room_of(server, alice)
            port = receiver.server.server_port
            for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1"]:
                refused = server.call(
                    "POST", f"/v1/channels/{room}/webhooks", {"url": f"http://{host}:{port}/"}, alice[1])
                equal((refused.status, error_code(refused)), (400, "VALIDATION_ERROR"), host)
            # Names, and numbers that only a resolver knows for an address, are found out when they are called.
            for host in ["localhost", "2130706433", "0x7f.1"]:
                body = {"url": f"http://{host}:{port}/"}
                made = server.call("POST", f"/v1/channels/{room}/webhooks", body, alice[1]).status_is(201).json["data"]
                say(server, room, alice, host)
                failure = eventually(
                    lambda: server.call("GET", f"/v1/webhooks/{made['id']}", token=alice[1])
                    .json["data"]["state"]["last_failure"], 15, f"a failure for {host}")
                equal(failure, "address_refused", host)
            equal(receiver.got, [])
    finally:
        receiver.close()


@check
def an_address_to_post_to_works_without_any_token_until_it_is_revoked():
    with Server(*SETTINGS) as server:
        alice, = people(server, "alice")
        room = room_of(server, alice)
        made = server.call("POST", f"/v1/channels/{room}/incoming-webhooks", {"name": "CI"}, alice[1]).status_is(201)
        path = made.json["data"]["url"]
        path = path[path.index("/v1/hooks/"):]
        server.call("POST", path, {"content": "built"}).status_is(201)
        said = server.call("GET", f"/v1/channels/{room}/messages", token=alice[1]).status_is(200).json["data"]
        equal([message["content"] for message in said], ["built"])
        expect(path.rsplit("/", 1)[1] not in server.log_text(), "the address is in the log")
        statuses = [server.call("POST", path, {"content": f"{number}"}).status for number in range(25)]
        expect(statuses.count(201) >= 19 and 429 in statuses, statuses)
        server.call("DELETE", f"/v1/incoming-webhooks/{made.json['data']['id']}", token=alice[1]).status_is(204)
        equal(server.call("POST", path, {"content": "late"}).status, 404)
