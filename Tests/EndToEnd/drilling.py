"""Drills of backups, and what is left when all but the places and the root key is gone."""

import os
import re
import shutil
import sqlite3

from backing import Repository, proven, register
from harness import (
    CHEAP_PASSWORDS, UNLIMITED, Client, Server, check, expect, plexichat, temporary_folder,
)
from keeping import png, upload

SETTINGS = UNLIMITED + CHEAP_PASSWORDS


def filled():
    """A server that has stopped, with people and an image, and a repository with one backup of it."""
    server = Server(*SETTINGS)
    with server:
        with Client(server) as client:
            for number in range(3):
                register(client, f"person{number}")
        token = server.token("person0")
        upload(server, "picture", png(), token).status_is(200, 201)
        repository = Repository(server.data)
        repository.create("--new")
    return server, repository


def leftovers(folder):
    return sorted(os.listdir(folder)) if folder.exists() else []


@check
def a_drill_starts_a_server_and_leaves_nothing():
    server, repository = filled()
    scratch = temporary_folder() / "scratch"
    told = repository.run("drill", "--scratch", scratch).stdout
    for part in ("restored", "root key", "audit log", "rows", "blobs", "server"):
        expect(f"ok  {part}" in told, part, "is missing:", told)
    expect(re.search(r"\b4 users\b", told), "an administrator and three people:", told)
    expect(re.search(r"blobs +[1-9]", told), told)
    expect("a server comes back from it" in told, told)
    expect(not leftovers(scratch), "a drill has left", leftovers(scratch))
    # Beside a server that runs, without a word where to: in the data folder, and nothing of it stays.
    with Server(*SETTINGS, data=server.data, password=None):
        repository.run("drill")
    expect(not leftovers(server.data / "restored"), leftovers(server.data / "restored"))
    told = repository.run("drill", "--scratch", scratch, "--keep").stdout
    kept = re.search(r"what was restored is in (\S+)", told).group(1)
    expect(os.path.exists(f"{kept}/data/plexichat.db"), told)


@check
def a_drill_fails_where_a_server_would():
    server, repository = filled()
    scratch = temporary_folder()
    # Somebody has changed the audit log by hand.
    with sqlite3.connect(server.data / "plexichat.db") as database:
        database.execute("UPDATE audit_events SET action = 'nothing' WHERE seq = 1")
    database.close()
    repository.create()
    done = repository.run("drill", "--scratch", scratch, code=1)
    expect("audit log" in done.stderr and "does not follow" in done.stderr, done.stderr)
    expect(not leftovers(scratch), leftovers(scratch))
    # A file that somebody has is not among the blobs.
    server, repository = filled()
    for folder, _, names in os.walk(server.data / "blobs"):
        for name in names:
            os.unlink(os.path.join(folder, name))
    repository.create()
    done = repository.run("drill", "--scratch", scratch, code=1)
    expect("is not in the backup" in done.stderr, done.stderr)


@check
def nothing_left_but_the_places_and_the_root_key():
    server, repository = filled()
    data = temporary_folder() / "data"
    data.mkdir()
    shares = plexichat("vault", "shares", "--of", "3", "--needed", "2", "--data", server.data).stdout.split()
    shutil.copy2(server.data / "root.key", data / "root.key")
    shutil.rmtree(server.data)
    places = [word for place in repository.places for word in ("--place", place)]
    target = temporary_folder() / "restored"
    plexichat("backup", "restore", "latest", "--data", data, *places, "--to", target, timeout=120)
    shutil.copy2(data / "root.key", target / "data" / "root.key")
    proven(target / "data", ["person0", "person2"])
    # The root key is gone, too: from two of its shares.
    written = temporary_folder() / "root.key"
    plexichat(
        "vault", "recover", "--data", temporary_folder() / "none", "--output", written, *places,
        stdin="\n".join(shares[:2]) + "\n")
    expect(written.read_bytes() == (data / "root.key").read_bytes(), "another key")
    os.unlink(data / "root.key")
    done = plexichat("backup", "list", "--data", data, *places, code=None)
    expect(done.returncode == 2 and "root key" in done.stderr, done.returncode, done.stderr)
    expect(not (data / "root.key").exists(), "a root key was made that opens nothing")


@check
def after_the_root_key_was_replaced():
    server, repository = filled()
    plexichat("vault", "rekey-root", "--data", server.data)
    plexichat("vault", "rotate", "backup", "--data", server.data)
    repository.create("--incremental")
    repository.run("drill", "--scratch", temporary_folder())
    data = temporary_folder() / "data"
    data.mkdir()
    shutil.copy2(server.data / "root.key", data / "root.key")
    places = [word for place in repository.places for word in ("--place", place)]
    listed = plexichat("backup", "list", "--data", data, *places).stdout
    expect(len(listed.splitlines()) == 2, listed)
    plexichat("backup", "verify", "--data", data, *places, timeout=120)


@check
def a_passphrase_is_no_obstacle():
    words = temporary_folder() / "words"
    words.write_text("some words that nobody guesses\n")
    words.chmod(0o600)
    root = f"vault.root_key=passphrase:file:{words}"
    server = Server(*SETTINGS, root)
    with server:
        with Client(server) as client:
            register(client, "person0")
    repository = Repository(server.data)
    repository.common += ["--set", root]
    repository.create("--new")
    repository.run("drill", "--scratch", temporary_folder())
    shutil.rmtree(server.data)
    target = temporary_folder() / "restored"
    repository.run("restore", "latest", "--to", target)
    with Server(*SETTINGS, root, data=target / "data", password=None) as again:
        again.login("person0")


@check
def places_from_the_configuration():
    server = Server(*SETTINGS)
    with server:
        pass
    folder = temporary_folder()
    configuration = folder / "plexichat.yaml"
    configuration.write_text(
        f"data:\n  folder: {server.data}\nbackup:\n  places: [{folder}/one, {folder}/two, {folder}/three]\n"
        "  protection: 2+1\n")
    plexichat("backup", "create", "--new", "--config", configuration)
    listed = plexichat("backup", "list", "--config", configuration).stdout
    expect("2+1" in listed, listed)
    plexichat("backup", "restore", "latest", "--config", configuration)
    expect(len(leftovers(server.data / "restored")) == 1, leftovers(server.data / "restored"))
    done = plexichat(
        "backup", "create", "--config", configuration, "--set", "backup.max_size=1MiB", "--set", "data.folder="
        + str(server.data), code=None)
    size = (server.data / "plexichat.db").stat().st_size
    expect(done.returncode == (1 if size > 1 << 20 else 0), size, done.returncode, done.stderr)
    # The keys of a new repository are those of the data, or it is not made.
    other = folder / "other.key"
    other.write_bytes(os.urandom(32))
    other.chmod(0o600)
    done = plexichat(
        "backup", "create", "--new", "--data", server.data, "--set", f"vault.root_key=file:{other}", "--place",
        folder / "new", code=2)
    expect("is not the one that this data was sealed with" in done.stderr, done.stderr)
    expect(not (folder / "new" / "config").exists() or not os.listdir(folder / "new" / "config"), "it was made")
    done = plexichat("backup", "list", "--data", server.data, code=2)
    expect("no place of backups is named" in done.stderr, done.stderr)
    done = plexichat("backup", "list", "--data", server.data, "--place", "s3://bucket/prefix", code=2)
    expect("backup.s3.endpoint" in done.stderr, done.stderr)
