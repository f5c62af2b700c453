"""Chat from outside, over REST: four dialects and one conversation, and what a killed server still knows of it."""

import http.client
import random
import threading
import time

from calling import people
from harness import (
    CHEAP_PASSWORDS, UNLIMITED, Client, Options, PostgreSQL, Server, check, equal, error_code, expect,
)

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
