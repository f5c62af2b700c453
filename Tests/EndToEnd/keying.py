"""Keys from outside: `plexichat vault` beside a running server and without one, over the API, and killed in between."""

import random
import re
import subprocess
import time

from harness import (
    CHEAP_PASSWORDS, UNLIMITED, Options, Server, check, environment, equal, eventually, expect, plexichat, spawn,
    temporary_folder)

ROUNDS = 10
ROUNDS_LONG = 100
# Of a command of this program on an idle machine: opening the data, changing it, closing it.
COMMAND_SECONDS = 0.4


def vault(server, *words, code=0, stdin=None):
    return plexichat("vault", words[0], *server.options(), *words[1:], code=code, stdin=stdin)


def versions(server, name):
    """Of a key, newest first, as `vault status` shows them: (number, state)."""
    lines = vault(server, "status").stdout.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(f"{name}  ("))
    found = []
    for line in lines[start + 1:]:
        match = re.match(r"  (\d+)  ([a-z-]+),", line)
        if not match:
            break
        found.append((int(match[1]), match[2]))
    return found


@check
def keys_are_rotated_and_destroyed_beside_a_running_server():
    with Server(*CHEAP_PASSWORDS, *UNLIMITED) as server:
        token = server.token()
        vault(server, "rotate", "accounts.tokens")
        equal(versions(server, "accounts.tokens"), [(2, "active"), (1, "opening-only")])
        # What the server signed before, and what it signs with what it knows, counts.
        server.call("GET", "/api/v1/users/me", token=token).status_is(200)
        server.call("GET", "/api/v1/users/me", token=server.token()).status_is(200)
        shown = server.call("GET", "/security/keys/accounts.tokens", token=token).status_is(200).json
        equal(shown["active_version"], 2)
        refused = vault(server, "destroy", "accounts.tokens:2", code=1)
        expect("rotate the key first" in refused.stderr, refused.stderr)
        vault(server, "destroy", "accounts.tokens:1", "--wait", "2h")
        equal(versions(server, "accounts.tokens")[1], (1, "destroy-scheduled"))
        fresh = plexichat("admin", "token", "admin", *server.options()).stdout.strip()
        # Asked for keys, the server reads the book again. What it remembers of a token is over within seconds.
        server.call("GET", "/security/keys", token=fresh).status_is(200)
        eventually(
            lambda: server.call("GET", "/api/v1/users/me", token=token).status == 401, seconds=30, pause=0.5,
            told="the old token counts on")
        vault(server, "keep", "accounts.tokens:1")
        vault(server, "enable", "accounts.tokens:1")
        server.call("GET", "/security/keys", token=fresh).status_is(200)
        eventually(
            lambda: server.call("GET", "/api/v1/users/me", token=token).status == 200, seconds=30, pause=0.5,
            told="the old token does not count again")
        log = server.call("GET", "/v1/admin/audit-logs", token=fresh).status_is(200).body.decode()
        for action in ["key.rotated", "key.destroy_scheduled", "key.destroy_cancelled", "key.enabled"]:
            expect(action in log, f"{action} is not in the audit log")


@check
def shares_bring_a_lost_root_key_back():
    with Server(*CHEAP_PASSWORDS) as server:
        token = server.token()
        server.stop()
        shares = vault(server, "shares", "--of", "4", "--needed", "2").stdout.split()
        equal(len(shares), 4)
        key = server.data / "root.key"
        content = key.read_bytes()
        key.unlink()
        missing = plexichat("serve", *server.options(), "--listen", "127.0.0.1:0", code=1)
        expect("vault recover" in missing.stderr, missing.stderr)
        few = vault(server, "recover", code=1, stdin=shares[0])
        expect("2 different recovery shares are needed" in few.stderr, few.stderr)
        typing_error = shares[1][:-1] + ("Q" if shares[1][-1] != "Q" else "P")
        wrong = vault(server, "recover", code=1, stdin=f"{shares[0]}\n{typing_error}\n")
        expect("typing error" in wrong.stderr, wrong.stderr)
        expect(not key.exists(), "a key was written all the same")
        vault(server, "recover", stdin=f"{shares[3].lower()}\n\n{shares[1]}\n")
        equal(key.read_bytes(), content)
        equal(key.stat().st_mode & 0o777, 0o600)
        server.start()
        server.call("GET", "/api/v1/users/me", token=token).status_is(200)


@check
def a_root_key_is_replaced_beside_a_running_server():
    with Server(*CHEAP_PASSWORDS) as server:
        token = server.token()
        before = (server.data / "root.key").read_bytes()
        vault(server, "rekey-root")
        expect((server.data / "root.key").read_bytes() != before, "the key is the same")
        equal((server.data / "root.key.old").read_bytes(), before)
        body = {"key_id": "backup"}
        rotated = server.call("POST", "/security/keys/rotate", body, token=token).status_is(200).json
        equal(rotated["active_version"], 2)
        server.restart()
        server.call("GET", "/api/v1/users/me", token=token).status_is(200)
        server.stop()
        (server.data / "root.key").write_bytes(before)
        done = plexichat("serve", *server.options(), "--listen", "127.0.0.1:0", code=1)
        expect("not the one that this data was sealed with" in done.stderr, done.stderr)


@check
def a_passphrase_takes_the_root_keys_place():
    words = temporary_folder() / "words"
    words.write_text("correct horse battery staple\n")
    words.chmod(0o600)
    with Server(*CHEAP_PASSWORDS) as server:
        token = server.token()
        server.stop()
        vault(server, "rekey-root", "--to", f"passphrase:file:{words}")
        server.settings.append(f"vault.root_key=passphrase:file:{words}")
        server.start()
        server.call("GET", "/api/v1/users/me", token=token).status_is(200)
        server.stop()
        words.write_text("correct horse battery stable\n")
        done = plexichat("serve", *server.options(), "--listen", "127.0.0.1:0", code=1)
        expect("not the one that this data was sealed with" in done.stderr, done.stderr)
        words.write_text("correct horse battery staple\n")
        server.start()


@check
def killed_at_any_moment_keys_are_the_old_ones_or_the_new_ones():
    chance = random.Random(Options.seed)
    rounds = Options.rounds or (ROUNDS_LONG if Options.long else ROUNDS)
    with Server(*CHEAP_PASSWORDS) as server:
        token = server.token()
        server.stop()
        for number in range(rounds):
            words = chance.choice([["rekey-root"], ["rotate", "backup"], ["rotate", "accounts.tokens"]])
            before = versions(server, "backup")[0][0] + versions(server, "accounts.tokens")[0][0]
            command = [Options.binary, "vault", words[0], *server.options(), *words[1:]]
            child = spawn(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
            time.sleep(chance.uniform(0, COMMAND_SECONDS))
            child.kill()
            child.wait()
            after = versions(server, "backup")[0][0] + versions(server, "accounts.tokens")[0][0]
            expect(after - before in ([0] if words == ["rekey-root"] else [0, 1]), f"round {number}: {before}, {after}")
        done = plexichat("doctor", *server.options(), "--listen", "127.0.0.1:0", code=None)
        expect("the chain is whole" in done.stdout, done.stdout)
        server.start()
        server.call("GET", "/api/v1/users/me", token=token).status_is(200)
