"""Chat from outside, over REST: four dialects and one conversation, and what a killed server still knows of it."""

import http.client
import json
import random
import threading
import time

from calling import people
from harness import (
    CHEAP_PASSWORDS, UNLIMITED, Client, Options, PostgreSQL, Server, check, equal, error_code, expect,
)
from websocket import WebSocket

SETTINGS = UNLIMITED + CHEAP_PASSWORDS
WRITERS = 4
ROUNDS = 4
GONE = (http.client.HTTPException, OSError)
BOX = {"encrypted_data": "c2VhbGVk", "iv": "aXY=", "key_version": 1}


def room_of(server, owner, *others):
    body = {"name": "Lobby", "members": [other[0] for other in others]}
    return server.call("POST", "/v1/channels", body, owner[1]).status_is(201).json["data"]["id"]


def talk(server):
    """What is written in one dialect is read in the others."""
    alice, bob, eve = people(server, "alice", "bob", "eve")
    room = room_of(server, alice, bob)
    said = server.call("POST", "/api/v1/messages", {"channel_id": room, "content": "Hällo 👋"}, alice[1])
    first = said.status_is(201).json["id"]
    server.call("POST", f"/v1/channels/{room}/messages", {"sealed": BOX}, bob[1]).status_is(201)
    rooms = server.call("GET", f"/chatrooms/{room}/messages", token=bob[1]).status_is(200).json["data"]["messages"]
    equal([message["content"].get("text") for message in rooms], [None, "Hällo 👋"])
    equal(rooms[0]["content"], BOX)
    calls = server.call("GET", f"/api/v1/messages/?conversation_id={room}", token=alice[1]).status_is(200).json
    equal((calls["count"], calls["data"][0]["sealed"], calls["data"][1]["content"]), (2, BOX, "Hällo 👋"))
    found = server.call("POST", f"/chatrooms/{room}/search", {"query": "hällo"}, bob[1]).status_is(200).json["data"]
    equal([hit["message"]["id"] for hit in found["results"]], [first])
    foreign = [("GET", f"/v1/messages/{first}"), ("GET", f"/chatrooms/{room}"), ("DELETE", f"/v1/channels/{room}")]
    for method, path in foreign:
        refused = server.call(method, path, token=eve[1])
        equal(refused.status, 404, method, path)
    code = server.call("POST", f"/chatrooms/{room}/invite", {}, alice[1]).status_is(201).json["data"]["invitation"]
    server.call("POST", f"/chatrooms/join/{code['invite_code']}", token=eve[1]).status_is(200)
    server.call("DELETE", f"/v1/channels/{room}/members/{eve[0]}", token=alice[1]).status_is(204)
    refused = server.call("POST", f"/chatrooms/join/{code['invite_code']}", token=eve[1])
    expect(refused.status in (403, 404), refused.status, error_code(refused))
    # An account that goes takes its words along, and leaves the room to who is in it.
    server.call("DELETE", "/v1/auth/me", token=alice[1]).status_is(204)
    gone = server.call("GET", f"/v1/messages/{first}", token=bob[1]).status_is(200).json["data"]
    equal((gone["content"], gone["is_deleted"]), (None, True))
    equal(server.call("GET", f"/chatrooms/{room}", token=bob[1]).json["data"]["user_role"], "owner")


@check
def a_conversation_is_one_thing_in_four_dialects():
    with Server(*SETTINGS) as server:
        talk(server)


@check
def a_conversation_is_one_thing_on_postgresql():
    cluster = PostgreSQL()
    try:
        with Server(*SETTINGS, *cluster.settings) as server:
            talk(server)
    finally:
        cluster.remove()


class Acknowledged:
    """What the server has said yes to."""

    def __init__(self):
        self.lock = threading.Lock()
        self.messages = {}  # client_id: (id, sequence)
        self.attempted = set()


def write(server, number, token, room, told, stop, dice):
    serial = 0
    try:
        with Client(server) as client:
            while not stop.is_set():
                serial += 1
                name = f"{number}-{serial}-{dice.getrandbits(32):08x}"
                told.attempted.add(name)
                body = {"content": name, "client_id": name}
                answer = client.call("POST", f"/v1/channels/{room}/messages", body, token).status_is(201)
                message = answer.json["data"]
                with told.lock:
                    told.messages[name] = (message["id"], message["sequence"])
    except GONE:
        pass


def history(server, token, room):
    found, page = [], 1
    while True:
        answer = server.call("GET", f"/v1/channels/{room}/messages?per_page=100&page={page}", token=token)
        found += answer.status_is(200).json["data"]
        if not answer.json["pagination"]["has_next"]:
            return found[::-1]
        page += 1


def kill_while_writing(server, token, room, told, dice):
    stop = threading.Event()
    failures = []

    def run(number, seed):
        try:
            write(server, number, token, room, told, stop, random.Random(seed))
        except BaseException as error:  # noqa: BLE001 - told below, on the check's own thread
            failures.append(error)

    writers = [threading.Thread(target=run, args=(number, dice.random())) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    time.sleep(0.3 + dice.random())
    server.kill()
    stop.set()
    for writer in writers:
        writer.join()
    if failures:
        raise failures[0]


@check
def every_acknowledged_message_outlives_a_kill_once_and_in_order():
    dice = random.Random(Options.seed)
    with Server(*SETTINGS) as server:
        (alice,) = people(server, "alice")
        room = room_of(server, alice)
        told = Acknowledged()
        for _ in range(Options.rounds or ROUNDS):
            kill_while_writing(server, alice[1], room, told, dice)
            server.start()
            found = history(server, alice[1], room)
            equal([message["sequence"] for message in found], list(range(1, len(found) + 1)), "the order has a gap:")
            names = [message["client_id"] for message in found]
            equal(len(names), len(set(names)), "a message is there twice:")
            expect(set(names) <= told.attempted, "a message is there that nobody sent")
            kept = {message["client_id"]: (message["id"], message["sequence"]) for message in found}
            lost = [name for name, what in told.messages.items() if kept.get(name) != what]
            equal(lost, [], "acknowledged, and not there as it was:")
        expect(len(told.messages) > 50, "too few messages to tell:", len(told.messages))
        # Who did not get an answer asks again, under the same name, and finds it stored once.
        for name in sorted(told.attempted - set(told.messages)):
            body = {"content": name, "client_id": name}
            server.call("POST", f"/v1/channels/{room}/messages", body, alice[1]).status_is(201)
        equal(len(history(server, alice[1], room)), len(told.attempted))


# MARK: Sockets


@check
def what_is_said_reaches_the_sockets_of_all_dialects():
    with Server(*SETTINGS) as server:
        alice, bob, eve = people(server, "alice", "bob", "eve")
        room = room_of(server, alice, bob)
        device = "00000000-0000-4000-8000-000000000001"
        reference = WebSocket(server, f"/ws?token={bob[1]}")
        reference.say(type="subscribe", channels=[room])
        rooms = WebSocket(server, "/ws", bob[1])
        rooms.say(event="join_chatroom", data={"chatroom_id": room})
        design = WebSocket(server, f"/v1/ws/channels/{room}", bob[1])
        calls = WebSocket(server, f"/api/v1/chat/ws/{device}")
        calls.say(type="auth", token=bob[1])
        calls.say(type="join_conversation", conversation_id=room)
        expect(reference.hear_until("subscribed")["data"]["recovered"], "subscribed with a gap")
        rooms.hear_until("chatroom_joined", "event")
        design.hear_until("subscribed")
        calls.hear_until("conversation_joined")
        server.call("POST", f"/v1/channels/{room}/messages", {"content": "to all"}, alice[1]).status_is(201)
        equal(reference.hear_until("message")["data"]["content"], "to all")
        heard = rooms.hear_until("message_received", "event")["data"]["message"]
        equal((heard["username"], heard["content"]["text"]), ("alice", "to all"))
        equal(design.hear_until("message.created")["data"]["content"], "to all")
        equal(calls.hear_until("message_received")["data"]["conversation_id"], room)
        reference.say(type="send_message", id=7, data={"channel_id": room, "content": "back", "client_id": "c1"})
        sent = reference.hear_until("message_sent")
        equal((sent["ref"], sent["data"]["client_id"]), (7, "c1"))
        equal(design.hear_until("message.created")["data"]["content"], "back")
        # Others find nothing, in each style's words.
        outside = WebSocket(server, "/ws", eve[1])
        outside.say(event="join_chatroom", data={"chatroom_id": room})
        equal(outside.hear_until("error", "event")["data"]["code"], "CHATROOM_NOT_FOUND")
        shut = WebSocket(server, f"/v1/ws/channels/{room}", eve[1])
        while shut.hear() is not None:
            pass
        equal(shut.code, 4004)
        # Who logs out is not followed by what is said.
        server.call("POST", "/v1/auth/logout", token=bob[1]).status_is(200)
        while design.hear() is not None:
            pass
        equal(design.code, 4001)


@check
def who_comes_back_misses_nothing_that_was_said():
    with Server(*SETTINGS) as server:
        alice, bob = people(server, "alice", "bob")
        room = room_of(server, alice, bob)
        socket = WebSocket(server, "/v1/ws/connect", bob[1])
        socket.say(type="subscribe", channels="*")
        place = socket.hear_until("subscribed")
        said = 0

        def say(count):
            nonlocal said
            for _ in range(count):
                server.call("POST", f"/v1/channels/{room}/messages", {"content": str(said)}, alice[1]).status_is(201)
                said += 1

        say(3)
        for number in range(3):
            heard = socket.hear_until("message.created")
            equal(heard["data"]["content"], str(number))
        socket.break_off()
        say(40)
        server.kill()
        server.start()
        say(2)
        again = WebSocket(server, "/v1/ws/connect", server.token("bob"))
        again.say(type="subscribe", channels=[{"id": room, "epoch": heard["epoch"], "offset": heard["offset"]}])
        told = again.hear_until("subscribed")
        equal((told["epoch"], told["data"]["recovered"]), (place["epoch"], True))
        for number in range(3, said):
            equal(again.hear_until("message.created")["data"]["content"], str(number))
        wrong = WebSocket(server, "/v1/ws/connect", server.token("bob"))
        wrong.say(type="subscribe", channels=[{"id": room, "epoch": heard["epoch"] + 1, "offset": 1}])
        equal(wrong.hear_until("subscribed")["data"]["recovered"], False)


@check
def a_channel_has_a_call_and_who_is_removed_is_out_of_it():
    with Server(*SETTINGS) as server:
        alice, bob = people(server, "alice", "bob")
        room = room_of(server, alice, bob)
        joined = server.call("POST", f"/v1/channels/{room}/voice/join", token=alice[1]).status_is(200).json["data"]
        equal(joined["signaling_url"], f"/v1/ws/voice/{room}")
        socket = WebSocket(server, f"/v1/ws/voice/{room}?token={bob[1]}")
        equal(socket.hear_until("joined")["call_id"], joined["id"])
        there = server.call("GET", f"/v1/channels/{room}/voice/participants", token=alice[1]).json["data"]
        equal({one["user_id"] for one in there["participants"]}, {alice[0], bob[0]})
        server.call("DELETE", f"/v1/channels/{room}/members/{bob[0]}", token=alice[1]).status_is(204)
        while socket.hear() is not None:
            pass
        expect(socket.code in (4004, 4005), "closed with", socket.code)
        there = server.call("GET", f"/v1/channels/{room}/voice/participants", token=alice[1]).json["data"]
        equal([one["user_id"] for one in there["participants"]], [alice[0]])
        refused = WebSocket(server, f"/v1/ws/voice/{room}", bob[1])
        expect(refused.hear() is None and refused.code == 4004, refused.code)


@check
def who_comes_and_goes_is_told_to_who_looks_and_ends_with_the_lease():
    with Server(*SETTINGS, "calls.presence_lease=10s") as server:
        alice, bob, eve = people(server, "alice", "bob", "eve")
        room = room_of(server, alice, bob)
        reference = WebSocket(server, f"/ws?token={bob[1]}")
        reference.say(type="subscribe", channels=[room])
        rooms = WebSocket(server, "/ws", bob[1])
        rooms.say(event="join_chatroom", data={"chatroom_id": room})
        calls = WebSocket(server, "/api/v1/chat/ws/00000000-0000-4000-8000-000000000001", bob[1])
        calls.say(type="join_conversation", conversation_id=room)
        other = WebSocket(server, "/v1/ws/connect", eve[1])
        reference.hear_until("subscribed")
        rooms.hear_until("chatroom_joined", "event")
        calls.hear_until("conversation_joined")
        socket = WebSocket(server, "/v1/ws/connect", alice[1])
        came = reference.hear_until("presence")["data"]
        equal((came["user_id"], came["status"]), (alice[0], "online"))
        equal(rooms.hear_until("user_online", "event")["data"], {"user_id": alice[0], "username": "alice"})
        equal(calls.hear_until("user_status")["data"]["status"], "online")
        shown = server.call("GET", f"/v1/users/{alice[0]}/presence", token=bob[1]).status_is(200).json["data"]
        equal(shown["status"], "online")
        server.call("PUT", f"/v1/users/{alice[0]}/presence", {"status": "busy"}, alice[1]).status_is(200)
        equal(reference.hear_until("presence")["data"]["status"], "busy")
        # A network that changes is not somebody who goes; the end of a login is.
        socket.break_off()
        server.call("POST", "/v1/auth/logout", token=alice[1]).status_is(200)
        equal(calls.hear_until("user_status")["data"]["status"], "busy")
        equal(calls.hear_until("user_status")["data"]["status"], "offline")
        equal(rooms.hear_until("user_offline", "event")["data"]["user_id"], alice[0])
        # Whoever shares nothing with her has heard nothing.
        other.say(type="ping", id=1)
        equal(other.hear_until("connected")["type"], "connected")
        equal(other.hear()["type"], "pong")


@check
def a_message_that_cannot_be_read_is_answered_under_its_name():
    with Server(*SETTINGS, "chat.text_bytes=256", "chat.sockets_per_user=1") as server:
        alice, bob = people(server, "alice", "bob")
        room = room_of(server, alice, bob)
        socket = WebSocket(server, "/v1/ws/connect", alice[1])
        socket.say(type="send_message", id="a", client_id="c1", channel_id=room, content=7)
        told = socket.hear_until("error")
        equal((told["ref"], told["client_id"], told["data"]["code"]), ("a", "c1", "VALIDATION_ERROR"))
        socket.say(type="send_message", id="b", client_id="c2", channel_id=room, content="x" * 257)
        told = socket.hear_until("error")
        equal((told["ref"], told["client_id"], told["data"]["code"]), ("b", "c2", "MESSAGE_TOO_LONG"))
        second = WebSocket(server, "/v1/ws/connect", alice[1])
        expect(second.hear() is None and second.code == 4003, second.code)


@check
def ones_own_data_comes_as_lines_that_end_with_their_number():
    with Server(*SETTINGS) as server:
        alice, bob = people(server, "alice", "bob")
        room = room_of(server, alice, bob)
        for number in range(130):
            server.call("POST", f"/v1/channels/{room}/messages", {"content": f"line {number}"}, bob[1]).status_is(201)
        answer = server.call("GET", "/api/v1/users/me/export", token=bob[1]).status_is(200)
        lines = [json.loads(line) for line in answer.body.decode().splitlines()]
        equal([line["content"] for line in lines if line["type"] == "message"], [f"line {n}" for n in range(130)])
        equal(lines[-1], {"type": "end", "lines": len(lines) - 1})
