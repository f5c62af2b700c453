"""Backups: made while the server writes, killed at random moments, and proven by starting a server from what they restore."""

import os
import random
import shutil
import threading
import time

from harness import (
    CHEAP_PASSWORDS, PASSWORD, UNLIMITED, Client, Options, Server, check, environment, expect, plexichat, spawn,
    temporary_folder,
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
