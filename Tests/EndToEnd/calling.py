"""Calls and presence from outside, over REST: three dialects, one call; what a crash leaves; relay credentials."""

import base64
import hashlib
import hmac
import time

from harness import CHEAP_PASSWORDS, UNLIMITED, Server, check, equal, error_code, eventually, expect, plexichat

SETTINGS = UNLIMITED + CHEAP_PASSWORDS
RELAY = ["calls.relays=turn:relay.example.org:3478?transport=udp", "calls.relay_secret=relay and server know it",
         "calls.probe_relays=false"]


def people(server, *names):
    """(id, token) for each."""
    found = []
    for name in names:
        server.register(name)
        token = server.token(name)
        found.append((server.call("GET", "/v1/auth/me", token=token).status_is(200).json["data"]["id"], token))
    return found


def begin(server, caller, callee):
    answer = server.call("POST", "/calls/initiate", {"to_user_id": callee[0]}, caller[1]).status_is(202)
    return answer.json["call_id"]


@check
def a_call_is_one_thing_in_three_dialects():
    with Server(*SETTINGS) as server:
        alice, bob = people(server, "alice", "bob")
        call = begin(server, alice, bob)
        ringing = server.call("GET", "/api/v1/calls/", token=bob[1]).status_is(200).json["active_calls"]
        equal([one["id"] for one in ringing], [call])
        joined = server.call("POST", f"/v1/calls/{call}/join", token=bob[1]).status_is(200).json["data"]
        equal(joined["status"], "ongoing")
        equal(server.call("GET", f"/calls/presence/{bob[0]}", token=alice[1]).json["status"], "busy")
        refused = server.call(
            "POST", "/api/v1/calls/initiate", {"participants": [alice[0]], "call_type": "audio"}, bob[1])
        equal((refused.status, error_code(refused)), (400, "USER_ALREADY_IN_CALL"))
        equal(server.call("POST", f"/api/v1/calls/{call}/end", token=alice[1]).json, {"message": "Call ended"})
        log = server.call("GET", "/api/v1/calls/history", token=bob[1]).status_is(200).json
        equal((log["count"], log["data"][0]["id"], log["data"][0]["status"]), (1, call, "ended"))
        # Nothing was measured, so nothing is told.
        equal(log["data"][0]["call_metadata"], None)


@check
def a_place_that_no_socket_takes_is_given_up():
    with Server(*SETTINGS, "calls.resume_grace=5s") as server:
        alice, bob = people(server, "alice", "bob")
        call = begin(server, alice, bob)
        server.call("POST", f"/v1/calls/{call}/join", token=bob[1]).status_is(200)

        def state():
            return server.call("GET", f"/v1/calls/{call}", token=alice[1]).json["data"]

        eventually(lambda: state()["status"] == "ended", 15, "the call goes on without anybody")
        equal(state()["end_reason"], "connection_lost")


@check
def calls_that_a_kill_left_on_are_failed():
    with Server(*SETTINGS) as server:
        alice, bob = people(server, "alice", "bob")
        call = begin(server, alice, bob)
        server.call("POST", f"/v1/calls/{call}/join", token=bob[1]).status_is(200)
        server.kill()
        server.start()
        kept = server.call("GET", f"/v1/calls/{call}", token=alice[1]).status_is(200).json["data"]
        equal((kept["status"], kept["end_reason"]), ("failed", "server_restarted"))
        expect(kept["ended_at"] >= kept["started_at"], kept)
        begin(server, alice, bob)


@check
def a_server_leaves_the_calls_of_another_alone():
    with Server(*SETTINGS) as server:
        alice, bob = people(server, "alice", "bob")
        name = (server.data / "node.id").read_text()
        equal(len(name), 37, name)
        call = begin(server, alice, bob)
        server.call("POST", f"/v1/calls/{call}/join", token=bob[1]).status_is(200)
        server.kill()
        server.settings.append("server.node_id=another")
        server.start()
        kept = server.call("GET", f"/v1/calls/{call}", token=alice[1]).status_is(200).json["data"]
        equal(kept["status"], "ongoing")
        refused = server.call("POST", f"/v1/calls/{call}/join", token=bob[1])
        equal(refused.status, 503)
        server.kill()
        server.settings.pop()
        server.start()
        equal((server.data / "node.id").read_text(), name, "the name was made again:")
        kept = server.call("GET", f"/v1/calls/{call}", token=alice[1]).status_is(200).json["data"]
        equal(kept["status"], "failed")


@check
def relay_credentials_are_what_coturn_computes():
    with Server(*SETTINGS, *RELAY) as server:
        (alice,) = people(server, "alice")
        told = server.call("GET", "/calls/ice-config", token=alice[1]).status_is(200).json
        relay = told["ice_servers"][-1]
        expiry = int(relay["username"].split(":")[0])
        expect(abs(expiry - time.time() - told["ttl"]) < 60, told)
        mac = hmac.new(b"relay and server know it", relay["username"].encode(), hashlib.sha1).digest()
        equal(relay["credential"], base64.b64encode(mac).decode())
        expect("relay and server know it" not in server.log_text(), "the secret is in the log")


def ongoing(server):
    """A call of alice and bob, who are (id, token) each."""
    alice, bob = people(server, "alice", "bob")
    call = begin(server, alice, bob)
    server.call("POST", f"/v1/calls/{call}/join", token=bob[1]).status_is(200)
    return call, alice, bob


def recordings(server, *words, code=0):
    return plexichat("recordings", *words, "--data", server.data, code=code).stdout


@check
def a_recording_is_begun_consented_to_ended_verified_and_deleted():
    with Server(*SETTINGS) as server:
        call, alice, bob = ongoing(server)
        mallory, = people(server, "mallory")
        wish = {"enable": True, "encryption_key_id": "recording", "store": "backup"}
        equal(error_code(server.call("POST", f"/calls/{call}/record", wish, bob[1]).status_is(403)),
              "recording_not_allowed")
        server.call("POST", f"/calls/{call}/record", wish, mallory[1]).status_is(404)
        answer = server.call("POST", f"/calls/{call}/recording/consent", {"agree": True}, bob[1]).status_is(409)
        equal(error_code(answer), "not_recording")
        equal(server.call("GET", "/recordings", token=alice[1]).status_is(200).json, {"recordings": [], "total": 0})

        task = server.call("POST", f"/calls/{call}/record", wish, alice[1]).status_is(202).json["task_id"]
        equal(server.call("GET", f"/tasks/{task}", token=alice[1]).status_is(200).json["state"], "running")
        server.call("GET", f"/tasks/{task}", token=bob[1]).status_is(404)
        equal(error_code(server.call("POST", f"/calls/{call}/record", wish, alice[1]).status_is(409)),
              "recording_in_progress")

        def consents():
            state = server.call("GET", f"/calls/{call}/recording", token=bob[1]).status_is(200).json
            return state["state"], {one["user_id"]: one["consent"] for one in state["participants"]}

        equal(consents(), ("recording", {alice[0]: "agreed", bob[0]: "asked"}))
        for agrees, word in [(False, "refused"), (True, "agreed"), (False, "withdrawn")]:
            server.call("POST", f"/calls/{call}/recording/consent", {"agree": agrees}, bob[1]).status_is(200)
            equal(consents()[1][bob[0]], word)
        server.call("POST", f"/calls/{call}/record", {"enable": False}, alice[1]).status_is(202)
        done = server.call("GET", f"/tasks/{task}", token=alice[1]).status_is(200).json
        equal((done["state"], done["result"]["end_reason"]), ("succeeded", "stopped"))

        one = server.call("GET", "/recordings", token=alice[1]).status_is(200).json["recordings"][0]
        equal((one["recording_id"], one["state"]), (done["result"]["recording_id"], "finished"))
        server.call("GET", f"/recordings/{one['recording_id']}", token=bob[1]).status_is(404)
        expect(one["recording_id"] in recordings(server, "list"), "it is not listed")
        expect("whole" in recordings(server, "verify"), "it is not whole")
        folder = server.data / "recordings" / one["recording_id"]
        expect((folder / "manifest.age").is_file(), "no manifest")
        server.call("DELETE", f"/recordings/{one['recording_id']}", token=alice[1]).status_is(204)
        expect(not folder.exists(), "the folder is still there")
        words = server.log_text()
        expect("alice" not in words and "bob" not in words, "a name is in the log")


@check
def a_recording_of_a_server_that_was_killed_is_interrupted_and_verifies():
    with Server(*SETTINGS) as server:
        call, alice, _ = ongoing(server)
        task = server.call("POST", f"/calls/{call}/record", {"enable": True}, alice[1]).status_is(202).json["task_id"]
        folder = server.data / "recordings"
        eventually(lambda: list(folder.glob("*/00000001.age")), 10, "no segment was written")
        server.kill()
        server.start()
        alice = (alice[0], server.token("alice"))
        one = server.call("GET", "/recordings", token=alice[1]).status_is(200).json["recordings"][0]
        equal((one["state"], one["end_reason"]), ("interrupted", "server_restarted"))
        equal(server.call("GET", f"/tasks/{task}", token=alice[1]).status_is(200).json["state"], "interrupted")
        expect("interrupted" in recordings(server, "verify"), "it is not said to be interrupted")


@check
def a_recording_that_is_cancelled_ends():
    with Server(*SETTINGS) as server:
        call, alice, _ = ongoing(server)
        task = server.call("POST", f"/calls/{call}/record", {"enable": True}, alice[1]).status_is(202).json["task_id"]
        server.call("DELETE", f"/tasks/{task}", token=alice[1]).status_is(202)

        def state():
            return server.call("GET", f"/calls/{call}/recording", token=alice[1]).status_is(200).json["state"]

        eventually(lambda: state() == "off", 10, "it is still on")


@check
def the_operator_says_that_nobody_records():
    with Server(*SETTINGS, "recording.allowed=nobody") as server:
        alice, bob = people(server, "alice", "bob")
        call = begin(server, alice, bob)
        server.call("POST", f"/v1/calls/{call}/join", token=bob[1]).status_is(200)
        refused = server.call("POST", f"/calls/{call}/record", {"enable": True}, alice[1]).status_is(403)
        equal(error_code(refused), "recording_not_allowed")
