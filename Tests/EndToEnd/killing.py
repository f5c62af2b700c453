"""`kill -9` at random moments under write load over HTTP: what was acknowledged is there, and nothing is torn.

What a transaction loses when it is cut is scripts/kill-test's subject, on the store alone. Here a whole server is cut,
and what a client was told is compared with what it is told after the restart.
"""

import http.client
import random
import threading
import time

from harness import CHEAP_PASSWORDS, PASSWORD, UNLIMITED, Client, Options, Server, check, equal, expect, plexichat

ROUNDS = 12
ROUNDS_LONG = 200
# A fresh folder now and then: opening one, too, is a moment to be killed in.
ROUNDS_PER_FOLDER = 20
WRITERS = 4
GONE = (http.client.HTTPException, OSError)


class Acknowledged:
    """What the server has said yes to, and what it was asked and has not answered."""

    def __init__(self):
        self.lock = threading.Lock()
        self.users = {}  # name: its id
        self.attempted = set()
        self.names = {}  # user: (last display name acknowledged, last one asked for)
        self.sessions = {}  # user: the last refresh token
        self.repeatable = {}  # Idempotency-Key: (body, answer)
        self.count = 0


def write(server, number, told, stop, dice):
    """One client: registers, changes its profile, logs in, until the server is gone."""
    serial = 0
    try:
        with Client(server) as client:
            while not stop.is_set():
                serial += 1
                name = f"w{number}x{serial}x{dice.getrandbits(32):08x}"
                register(client, name, told)
                for _ in range(dice.randrange(3)):
                    rename(client, name, told)
                if dice.random() < 0.5:
                    login(client, name, told)
    except GONE:
        pass


def register(client, name, told):
    body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    told.attempted.add(name)
    answer = client.call("POST", "/v1/auth/register", body, headers={"Idempotency-Key": name}).status_is(201)
    data = answer.json["data"]
    with told.lock:
        told.users[name] = data["user"]["id"]
        told.names[name] = (name, name)
        told.sessions[name] = (data["access_token"], data["refresh_token"])
        told.repeatable[name] = (body, data)
        told.count += 1


def rename(client, name, told):
    wanted = f"{name} {time.monotonic_ns()}"
    with told.lock:
        told.names[name] = (told.names[name][0], wanted)
    token = told.sessions[name][0]
    client.call("PUT", "/api/v1/users/me", {"display_name": wanted}, token).status_is(200)
    with told.lock:
        told.names[name] = (wanted, wanted)
        told.count += 1


def login(client, name, told):
    body = {"username": name, "password": PASSWORD}
    tokens = client.call("POST", "/api/v1/auth/login", body).status_is(200).json
    with told.lock:
        told.sessions[name] = (tokens["access_token"], tokens["refresh_token"])
        told.count += 1


def run_until_killed(server, told, dice):
    stop = threading.Event()
    failures = []

    def run(number, seed):
        try:
            write(server, number, told, stop, random.Random(seed))
        except BaseException as error:  # noqa: BLE001 - told below, on the check's own thread
            failures.append(error)

    writers = [threading.Thread(target=run, args=(number, dice.random())) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    time.sleep(dice.choice([dice.uniform(0, 0.05), dice.uniform(0.05, 0.9)]))
    server.kill()
    stop.set()
    for writer in writers:
        writer.join()
    if failures:
        raise failures[0]


def users_of(server, token):
    """All of them, page by page: each once, and whole."""
    found = {}
    page = 1
    while True:
        answer = server.call(
            "GET", f"/api/v1/admin/users?page={page}&limit=100&include_inactive=true", token=token).status_is(200).json
        for user in answer["users"]:
            expect(user["id"] not in found, "a user is listed twice:", user)
            expect(user["username"] and user["display_name"] and user["roles"], "a torn user:", user)
            found[user["id"]] = user
        if not answer["pagination"]["has_more"]:
            return found
        page += 1


def verify(server, told, dice, admin):
    there = users_of(server, admin)
    for name, identifier in told.users.items():
        expect(identifier in there, "an acknowledged user is lost:", name)
        shown = there[identifier]["display_name"]
        expect(shown in told.names[name], f"{name} is called {shown!r}, acknowledged was {told.names[name]!r}")
        told.names[name] = (shown, shown)
    acknowledged = set(told.users.values())
    for user in there.values():
        name = user["username"]
        if user["id"] in acknowledged or name == "admin":
            continue
        # Asked for, not acknowledged: it may be there, but then it is all there.
        expect(name in told.attempted, "a user that nobody asked for:", user)
        server.login(name)
    with Client(server) as client:
        for name in dice.sample(sorted(told.users), min(15, len(told.users))):
            client.call("GET", "/api/v1/users/me", token=told.sessions[name][0]).status_is(200)
            refreshed = client.call(
                "POST", "/api/v1/auth/refresh", {"refresh_token": told.sessions[name][1]}).status_is(200).json
            told.sessions[name] = (refreshed["access_token"], refreshed["refresh_token"])
            body, data = told.repeatable[name]
            again = client.call("POST", "/v1/auth/register", body, headers={"Idempotency-Key": name}).status_is(201)
            equal(again.json["data"], data, "another answer to the same Idempotency-Key:")


def audit_is_whole(server):
    done = plexichat("doctor", *server.options(), "--listen", server.address, code=None)
    expect("ok  audit log" in done.stdout, done.stdout)


@check
def nothing_acknowledged_is_lost():
    rounds = Options.rounds or (ROUNDS_LONG if Options.long else ROUNDS)
    dice = random.Random(Options.seed)
    server = told = None
    total = 0
    for number in range(rounds):
        if number % ROUNDS_PER_FOLDER == 0:
            if server:
                server.stop()
            server, told = Server(*UNLIMITED, *CHEAP_PASSWORDS, "accounts.sessions_per_user=1000"), Acknowledged()
            server.start()
            admin = server.token()
        before = told.count
        try:
            run_until_killed(server, told, dice)
            server.start()
            verify(server, told, dice, admin)
            audit_is_whole(server)
        except BaseException as error:
            place = f"round {number + 1}, seed {Options.seed}, {told.count} acknowledged"
            raise AssertionError(f"{place}: {error}") from error
        total += told.count - before
    server.stop()
    expect(total > rounds, f"only {total} writes were acknowledged in {rounds} rounds")
    print(f"     {rounds} kills, {total} acknowledged writes, all there", flush=True)


@check
def killed_while_starting():
    """The first start makes tables, keys and the administrator: each may be the last thing that it did."""
    dice = random.Random(Options.seed)
    server = Server(*CHEAP_PASSWORDS)
    for _ in range(40 if Options.long else 12):
        launched = threading.Thread(target=lambda: _try_to_start(server))
        launched.start()
        time.sleep(dice.uniform(0.0, 0.12))
        if server.process:
            server.process.kill()
        launched.join()
    with server:
        server.token()
        audit_is_whole(server)


def _try_to_start(server):
    try:
        server.start()
    except AssertionError:
        pass
