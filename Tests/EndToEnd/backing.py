"""Backups: made while the server writes, killed at random moments, and proven by starting a server from what they restore."""

import os
import random
import shutil
import threading
import time

from harness import (
    CHEAP_PASSWORDS, PASSWORD, UNLIMITED, Client, Options, Server, check, environment, equal, error_code, eventually,
    expect, plexichat, spawn, temporary_folder,
)

ROUNDS = 8
ROUNDS_LONG = 200


class Repository:
    """Places, and the commands on them."""

    def __init__(self, data, places=3, protection="2+1"):
        self.data = data
        folder = temporary_folder()
        self.places = [folder / str(number) for number in range(places)]
        self.common = ["--data", data] + [word for place in self.places for word in ("--place", place)]
        self.protection = ["--protection", protection]

    def run(self, *words, code=0):
        return plexichat("backup", *words, *self.common, code=code, timeout=120)

    def create(self, *words):
        return self.run("create", *self.protection, *words).stdout.split()[1].rstrip(":")

    def restored(self, backup="latest"):
        """A data folder, with the root key that belongs to it."""
        target = temporary_folder() / "restored"
        self.run("restore", backup, "--to", target)
        shutil.copy2(self.data / "root.key", target / "data" / "root.key")
        return target / "data"


def register(client, name):
    body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    client.call("POST", "/v1/auth/register", body).status_is(201)


def proven(data, names):
    """A server starts from the data, is well, and knows everybody."""
    with Server(*UNLIMITED, *CHEAP_PASSWORDS, data=data, password=None) as server:
        done = plexichat("doctor", *server.options(), "--listen", server.address, code=None)
        expect("ok  audit log" in done.stdout, done.stdout)
        for name in names:
            server.login(name)


@check
def a_drill_while_the_server_writes():
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server:
        repository = Repository(server.data)
        acknowledged, stop = [], threading.Event()

        def write():
            with Client(server) as client:
                while not stop.is_set():
                    register(client, f"user{len(acknowledged)}")
                    acknowledged.append(f"user{len(acknowledged)}")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            time.sleep(0.5)
            before = list(acknowledged)
            first = repository.create("--new")
            time.sleep(0.3)
            between = list(acknowledged)
            second = repository.create("--incremental", "--note", "the second")
        finally:
            stop.set()
            writer.join()
        listed = repository.run("list").stdout
        expect(first in listed and second in listed and "the second" in listed, listed)
        repository.run("verify")
    expect(before, "nothing was written before the first backup")
    proven(repository.restored(first), before[-5:])
    proven(repository.restored(second), between[-5:])
    # One of the three places burns: two of any three pieces are enough.
    shutil.rmtree(repository.places[1])
    proven(repository.restored(second), between[-5:])
    # Another one: there is too little left, and it says so.
    shutil.rmtree(repository.places[2])
    done = repository.run("restore", second, "--to", temporary_folder() / "no", code=1)
    expect("away" in done.stderr or "mounted" in done.stderr or "lost" in done.stderr, done.stderr)


@check
def killed_at_any_moment():
    """Backup, verification and restore: the last acknowledged backup stays whole, and the next one succeeds at once."""
    rounds = Options.rounds or (ROUNDS_LONG if Options.long else ROUNDS)
    dice = random.Random(Options.seed)
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server:
        with Client(server) as client:
            for number in range(5):
                register(client, f"kept{number}")
        repository = Repository(server.data)
        blobs = server.data / "blobs" / "ab" / "cd"
        blobs.mkdir(parents=True)
        repository.create("--new")
        for number in range(rounds):
            # Some come, some go.
            (blobs / f"{number % 10:064x}").write_bytes(dice.randbytes(dice.randrange(1, 4 << 20)))
            target = temporary_folder() / "target"
            words = dice.choice([
                ["create", "--incremental", *repository.protection], ["create", *repository.protection], ["verify"],
                ["restore", "latest", "--to", target]])
            child = spawn(
                [Options.binary, "backup", *words, *repository.common], env=environment(),
                stdout=open(os.devnull, "wb"), stderr=open(os.devnull, "wb"))
            time.sleep(dice.random() * 0.4)
            child.kill()
            child.wait()
            expect(words[0] != "restore" or not target.exists() or (target / "data" / "plexichat.db").exists(),
                   "a restore that was killed has left half a target")
            # The lock of the one that was killed is nobody's: no waiting.
            latest = repository.create("--incremental")
            repository.run("verify")
            data = repository.restored(latest)
            for name in os.listdir(blobs):
                expect((data / "blobs" / "ab" / "cd" / name).read_bytes() == (blobs / name).read_bytes(), name, "differs")
            shutil.rmtree(data.parent)
            shutil.rmtree(target, ignore_errors=True)
        data = repository.restored()
        repository.run("remove", "--keep-last", "2")
        repository.run("verify")
    proven(data, ["kept0", "kept4"])
    print(f"     {rounds} kills, every acknowledged backup whole", flush=True)


class Administrator:
    """Somebody who asks for backups over the API."""

    def __init__(self, server):
        self.server = server
        self.token = server.token()

    def call(self, method, path, *status, body=None):
        return self.server.call(method, path, body, token=self.token, timeout=60).status_is(*status or (200,))

    def start(self, **body):
        return self.call("POST", "/backups/create", 202, body=body).json

    def task(self, task):
        return self.call("GET", f"/tasks/{task}").json

    def ended(self, task, state="succeeded"):
        found = eventually(
            lambda: (now := self.task(task))["state"] != "running" and now, seconds=60, told=f"task {task} runs on")
        equal(found["state"], state, found)
        return found

    def made(self, **body):
        started = self.start(**body)
        self.ended(started["task_id"])
        return started["backup_id"]


def with_places(**more):
    """A server that knows three places, and has a repository in them."""
    folder = temporary_folder()
    places = [folder / str(number) for number in range(3)]
    data = temporary_folder() / "data"
    settings = [f"backup.places={','.join(map(str, places))}"]
    settings += [f"backup.{name}={value}" for name, value in more.items()]
    server = Server(*UNLIMITED, *CHEAP_PASSWORDS, *settings, data=data)
    # The first start makes the keys; the first backup by hand makes the places.
    with server:
        pass
    plexichat("backup", "create", "--new", "--note", "by hand", *server.options(), timeout=120)
    return server, places


def add_blob(server, size):
    blobs = server.data / "blobs" / "ab" / "cd"
    blobs.mkdir(parents=True, exist_ok=True)
    path = blobs / os.urandom(32).hex()
    path.write_bytes(os.urandom(size))
    return path


@check
def made_verified_restored_and_removed_over_the_api():
    server, places = with_places()
    with server:
        with Client(server) as client:
            register(client, "kept")
        blob = add_blob(server, 1 << 20)
        root = Administrator(server)
        first = root.made(type="full", include=["db", "attachments"], note="over the API",
                          encryption={"algorithm": "PQ-Kyber-AES-hybrid", "key_rotation": "auto"},
                          destination={"type": "distributed", "replication": 2})
        second = root.made(type="incremental")
        listed = root.call("GET", "/backups").json
        equal([backup["backup_id"] for backup in listed["backups"][:2]], [second, first])
        equal(listed["total"], 3)
        equal(listed["backups"][1]["protection"], {"data": 1, "parity": 1})
        expect(listed["backups"][0]["new_bytes"] < listed["backups"][1]["size_bytes"], "nothing was taken over", listed)
        # The command line sees the same.
        expect(second in plexichat("backup", "list", *server.options()).stdout, "the command line does not see it")

        report = root.call("POST", f"/backups/{first}/verify").json
        equal((report["verdict"], report["checksums_match"]), ("whole", True), report)
        pack = next(path for path in sorted(places[0].rglob("packs/*/*")))
        pack.write_bytes(pack.read_bytes()[:-1] + b"!")
        verdicts = {root.call("POST", f"/backups/{backup['backup_id']}/verify").json["verdict"]
                    for backup in listed["backups"]}
        expect("degraded" in verdicts and "damaged" not in verdicts, verdicts)

        started = root.call("POST", f"/backups/{second}/restore", 202, body={"restore_options": {"merge": True}}).json
        equal(root.ended(started["task_id"])["result"]["folder"], started["folder"])
        error = root.call("POST", f"/backups/{second}/restore", 409, body={})
        equal(error_code(error), "conflict")
        again = root.call(
            "POST", f"/backups/{second}/restore", 202, body={"restore_options": {"overwrite": True}}).json
        root.ended(again["task_id"])

        equal(error_code(root.call("DELETE", f"/backups/{second}", 409)), "conflict")
        root.call("DELETE", f"/backups/{first}", 204)
        root.call("GET", f"/backups/{first}", 404)
        by_reference = root.call("POST", "/api/v1/admin/backup", 202, body={"compression": "gzip"}).json
        equal(by_reference["compression"], "zstd")
        root.ended(by_reference["task_id"])
        logged = root.call("GET", "/v1/admin/audit-logs?type=backup&per_page=100").body.decode()
        for action in ["started", "made", "verified", "restored", "removed"]:
            expect(f'"backup.{action}"' in logged, f"backup.{action} was not noted")
        folder = root.server.data / "restored" / second
        equal(str(folder), started["folder"])
    shutil.copy2(server.data / "root.key", folder / "data" / "root.key")
    equal((folder / "data" / "blobs" / "ab" / "cd" / blob.name).read_bytes(), blob.read_bytes())
    proven(folder / "data", ["kept"])


@check
def one_at_a_time_cancelled_and_killed():
    # Slow enough to be met while they run.
    server, _ = with_places(bandwidth="64KiB")
    with server:
        root = Administrator(server)
        add_blob(server, 16 << 20)
        running = root.start()
        seen = eventually(
            lambda: (now := root.task(running["task_id"]))["progress"]["bytes"] and now, seconds=30, told="no progress")
        equal(len(seen["progress"]["details"]["shards"]), 3)
        busy = root.call("POST", "/backups/create", 409, body={})
        equal((error_code(busy), busy.json["info"]["task_id"]), ("backup_in_progress", running["task_id"]))
        # The command line is another process: the repository's own lock holds it off.
        done = plexichat("backup", "create", *server.options(), code=1, timeout=120)
        expect("is at work here" in done.stderr, done.stderr)
        root.call("DELETE", f"/tasks/{running['task_id']}", 202)
        root.ended(running["task_id"], "cancelled")
        equal(root.call("GET", f"/backups/{running['backup_id']}").json["status"], "cancelled")

        killed = root.start(type="incremental")
        eventually(lambda: root.task(killed["task_id"])["progress"]["bytes"], seconds=30, told="no progress")
        server.kill()
        server.start()
        root = Administrator(server)
        task = root.task(killed["task_id"])
        equal(task["state"], "interrupted", task)
        expect("stopped" in task["error"], task)
        equal(root.call("GET", f"/backups/{killed['backup_id']}").json["status"], "interrupted")
        # Without the large one the next is made at once: the lock of the dead is nobody's.
        root.made(type="incremental", include=["db"])

        stopped = root.start()
        eventually(lambda: root.task(stopped["task_id"])["progress"]["bytes"], seconds=30, told="no progress")
        # A stop does not wait for a backup to be done.
        began = time.monotonic()
        server.restart()
        expect(time.monotonic() - began < 20, "the stop waited for the backup")
        equal(Administrator(server).task(stopped["task_id"])["state"], "interrupted")


@check
def refused_where_there_is_nothing_to_write_to():
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server:
        root = Administrator(server)
        for method, path in [("GET", "/backups"), ("POST", "/backups/create"), ("POST", "/api/v1/admin/backup")]:
            answer = root.call(method, path, 503, body={} if method == "POST" else None)
            expect("backup.places" in answer.body.decode(), answer.body)
    places = temporary_folder()
    with Server(*UNLIMITED, *CHEAP_PASSWORDS, f"backup.places={places / 'a'}") as server:
        answer = Administrator(server).call("GET", "/backups", 503)
        expect("--new" in answer.body.decode() or "mounted" in answer.body.decode(), answer.body)
        expect(not (places / "a").exists(), "a place was made that nobody asked for")
