"""First start, refused starts, and the commands beside a running server."""

import json
import os
import pathlib
import re
import secrets
import signal
import socket
import sqlite3
import subprocess

from harness import (
    CHEAP_PASSWORDS, UNLIMITED, Options, Server, check, end, environment, equal, eventually, expect, plexichat, spawn,
    temporary_folder,
)


@check
def first_start_shows_a_password_once():
    with Server(password=None) as server:
        printed = re.search(r"password: +(\S+)", server.output())
        expect(printed, "no password was printed:", server.output())
        password = printed[1]
        expect(len(password) >= 16, "the password is short:", password)
        expect(server.login("admin", password)["access_token"], "the printed password does not log in")
        first = password
        server.restart()
        expect("password:" not in server.output(), "the second start prints a password")
        expect(server.login("admin", password)["access_token"], "the password is gone after a restart")
        expect(first not in server.log_text(), "the password is in the log")
    with Server(password=None) as other:
        expect(first not in other.output(), "two servers made the same password")
        for guess in ("admin", "password", "plexichat", "changeme", "admin123", ""):
            answer = other.call("POST", "/api/v1/auth/login", {"username": "admin", "password": guess})
            expect(answer.status in (401, 422, 429), f"{guess!r} answers {answer.status}")


@check
def chosen_administrator_password_is_taken_and_not_shown():
    with Server(password="chosen password 7") as server:
        expect("chosen password 7" not in server.output(), "the password is printed")
        expect("password:" not in server.output(), "another password is printed")
        server.login("admin", "chosen password 7")
        server.env["PLEXICHAT_ADMIN_PASSWORD"] = "another password 7"
        server.restart()
        server.login("admin", "chosen password 7")


@check
def too_short_administrator_password_stops_the_start():
    folder = temporary_folder()
    done = plexichat("serve", "--data", folder / "data", "--listen", "127.0.0.1:0", code=1,
                     env={"PLEXICHAT_ADMIN_PASSWORD": "short"})
    expect("PLEXICHAT_ADMIN_PASSWORD" in done.stderr, done.stderr)


@check
def settings_of_administrators_outlive_the_server_and_stand_below_the_operators():
    path = "/v1/admin/settings"
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server:
        def setting(key):
            found = server.call("GET", path, token=server.token()).status_is(200).json["data"]["settings"]
            return next(entry for entry in found if entry["key"] == key)

        wanted = {"accounts.registration": "closed", "calls.ring_time": "90s"}
        server.call("PUT", path, {"settings": wanted}, token=server.token()).status_is(200)
        newcomer = {"username": "mary", "email": "mary@example.org", "password": "securepassword123"}
        server.call("POST", "/v1/auth/register", newcomer).status_is(403)
        expect(setting("calls.ring_time")["pending"] == "90s", "the next start would not take it")
        server.restart()
        equal(setting("calls.ring_time")["value"], "90s")
        server.call("POST", "/v1/auth/register", newcomer).status_is(403)
        server.env["PLEXICHAT_ACCOUNTS_REGISTRATION"] = "open"
        server.restart()
        expect(not setting("accounts.registration")["is_changeable"], "the operator's setting can be changed")
        server.call("POST", "/v1/auth/register", newcomer).status_is(201)


@check
def second_server_on_the_same_port_is_refused():
    with Server() as server:
        done = plexichat("serve", "--data", temporary_folder() / "data", "--listen", server.address, code=1)
        expect("listening" in done.stderr and "--listen" in done.stderr, done.stderr)
        expect("Traceback" not in done.stderr and "Fatal" not in done.stderr, done.stderr)
        server.call("GET", "/healthz").status_is(200)


@check
def second_server_on_the_same_data_does_no_harm():
    """SQLite takes several processes; two servers on one folder must at least keep the data whole."""
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as first:
        second = Server(*UNLIMITED, *CHEAP_PASSWORDS, data=first.data)
        with second:
            for number in range(10):
                (first if number % 2 else second).register(f"shared{number}")
            for number in range(10):
                (second if number % 2 else first).login(f"shared{number}")
        done = plexichat("doctor", *first.options(), "--listen", first.address, code=None)
        expect("the chain is whole" in done.stdout, done.stdout)


@check
def wrong_configuration_exits_with_2_and_names_what_is_wrong():
    folder = temporary_folder()
    cases = [
        ("server.header_limit=3", ["server.header_limit", "3", "1KiB to 1MiB"]),
        ("rate_limits.scale=-1", ["rate_limits.scale", "-1", "0.0 to 1000.0"]),
        ("logging.level=loud", ["logging.level", "loud", "trace, debug, info, warning, error"]),
        ("server.listn=1", ["server.listn", "server.listen"]),
        ("accounts.tokens.access_lifetime=soon", ["accounts.tokens.access_lifetime", "soon", "1m to 24h"]),
        ("store.url=mysql://x", ["store.url", "sqlite"]),
        ("tls.certificate=/nowhere.pem", ["tls."]),
    ]
    for setting, wanted in cases:
        done = plexichat("serve", "--data", folder / "data", "--set", setting, code=2)
        for text in wanted:
            expect(text in done.stderr, f"{setting}: {text!r} is not in {done.stderr!r}")
        plexichat("config", "check", "--set", setting, code=2)
    expect(not (folder / "data").exists(), "a refused start made the data folder")


@check
def data_folder_that_cannot_be_made_says_so():
    done = plexichat("serve", "--data", "/proc/nowhere/data", "--listen", "127.0.0.1:0", code=1)
    expect("data folder" in done.stderr and "--data" in done.stderr, done.stderr)


@check
def wrong_root_key_stops_the_start():
    with Server() as server:
        server.stop()
        key = next(server.data.glob("root.key"))
        good = key.read_bytes()
        key.write_text(secrets.token_hex(32) + "\n")
        done = plexichat("serve", *server.options(), "--listen", "127.0.0.1:0", code=1)
        expect("vault" in done.stderr and "root key" in done.stderr, done.stderr)
        ill = plexichat("doctor", *server.options(), "--listen", "127.0.0.1:0", code=1)
        expect("!!  vault" in ill.stdout, ill.stdout)
        key.write_bytes(good)
        server.start()


@check
def data_and_key_are_readable_by_their_owner_only():
    with Server() as server:
        for path in [server.data, *server.data.iterdir()]:
            expect(path.stat().st_mode & 0o077 == 0, f"{path.name} has mode {path.stat().st_mode:o}")


# What a test machine need not have.
WELL = ["--set", "docs.enabled=false", "--set", "web.enabled=false", "--set", "server.max_connections=2000"]


def doctor(server, *words, code=0, listen=None):
    return plexichat("doctor", *server.options(), "--listen", listen or server.address, *words, code=code).stdout


@check
def doctor_finds_a_healthy_server_well():
    with Server() as server:
        running = doctor(server, *WELL)
        expect("All is well." in running and "a server answers there" in running, running)
        server.stop()
        still = doctor(server, *WELL)
        expect("All is well." in still and "is free" in still, still)
        server.start()


@check
def doctor_names_what_is_ill():
    with Server() as server, socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        told = doctor(server, *WELL, listen=taken, code=1)
        expect("is taken by another program" in told, told)
        told = doctor(server, "--set", "docs.assets=/nowhere", code=1)
        expect("!!  documentation" in told, told)
        told = doctor(server, "--set", "web.folder=/nowhere", code=1)
        expect("!!  pages" in told and "web.folder" in told, told)
        refused = plexichat("serve", *server.options(), "--listen", "127.0.0.1:0", "--set", "web.folder=/nowhere", code=1)
        expect("web: open the folder /nowhere" in refused.stderr, refused.stderr)
        told = doctor(server, "--set", "server.max_connections=1000000", code=None)
        expect("descriptors" in told, told)
        server.stop()
        (server.data / "plexichat.db").write_bytes(b"this is no database, but long enough to be looked at" * 100)
        told = doctor(server, *WELL, code=1)
        expect("!!  database" in told and "troubleshooting" in told or "->" in told, told)
        done = plexichat("serve", *server.options(), "--listen", "127.0.0.1:0", code=1)
        expect("database" in done.stderr, done.stderr)


@check
def doctor_notices_a_changed_audit_log():
    with Server(*CHEAP_PASSWORDS) as server:
        for number in range(3):
            server.register(f"watched{number}")
        server.stop()
        database = sqlite3.connect(server.data / "plexichat.db")
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = next(name for name in tables if "audit" in name and "event" in name or name == "audit")
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        column = next(name for name in columns if name in ("outcome", "action", "kind", "type", "severity"))
        row = database.execute(f"SELECT rowid FROM {table} ORDER BY rowid LIMIT 1 OFFSET 1").fetchone()[0]
        value = database.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()[0]
        other = database.execute(
            f"SELECT {column} FROM {table} WHERE {column} <> ? LIMIT 1", (value,)).fetchone()
        database.execute(
            f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (other[0] if other else value + 1, row))
        database.commit()
        database.close()
        told = doctor(server, *WELL, code=1)
        expect("!!  audit log" in told, told)
        server.start()


def as_ada(server):
    """What a route for administrators answers."""
    return server.call("GET", "/api/v1/users", token=server.token("ada", "first password")).status


@check
def admin_commands_are_seen_by_the_running_server():
    with Server(*UNLIMITED) as server:
        options = server.options()
        plexichat("admin", "create-user", "ada", "--email", "ada@example.org", *options, stdin="first password\n")
        token = server.token("ada", "first password")
        equal(server.call("GET", "/api/v1/users", token=token).status, 403)

        done = plexichat("admin", "grant", "ada", "admin", *options)
        expect("admin" in done.stdout, done.stdout)
        eventually(lambda: as_ada(server) == 200, 10, "the new role is not seen")
        plexichat("admin", "grant", "ada", "admin", "--revoke", *options)
        eventually(lambda: as_ada(server) == 403, 10, "the lost role is not seen")

        plexichat("admin", "set-password", "ada", *options, stdin="second password\n")
        server.token("ada", "second password")
        old = server.call("POST", "/api/v1/auth/login", {"username": "ada", "password": "first password"})
        equal(old.status, 401)
        eventually(lambda: server.call("GET", "/api/v1/users/me", token=token).status == 401, 30,
                   "an old token outlives the password")

        issued = plexichat("admin", "token", "admin", "--lifetime", "15m", *options).stdout.strip()
        equal(server.call("GET", "/api/v1/users/me", token=issued).status_is(200).json["username"], "admin")


@check
def a_command_beside_the_server_leaves_its_log_in_place():
    """Who closes a SQLite file last deletes its log. A command must see that it is not the last."""
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server:
        for number in range(3):
            plexichat("admin", "token", "admin", *server.options())
            server.register(f"kept{number}")
        files = server.open_files()
        expect(not any("(deleted)" in name for name in files), "the server writes to deleted files:", files)
        server.kill()
        server.start()
        for number in range(3):
            server.login(f"kept{number}")


@check
def admin_commands_refuse_nonsense():
    with Server() as server:
        options = server.options()
        cases = [
            (("create-user", "ada", "--email", "ada@example.org"), "", 2, "password"),
            (("create-user", "ada", "--email", "ada@example.org"), "short\n", 1, "password"),
            (("create-user", "ada"), "long enough\n", 2, "--email"),
            (("create-user", "admin", "--email", "x@example.org"), "long enough\n", 1, "taken"),
            (("create-user", "a b", "--email", "x@example.org"), "long enough\n", 1, "username"),
            (("set-password", "nobody"), "long enough\n", 1, "no such user"),
            (("grant", "admin", "king"), "", 2, "role"),
            (("grant", "admin", "admin", "--revoke"), "", 1, "last administrator"),
            (("token", "nobody"), "", 1, "no such user"),
            (("token", "admin", "--lifetime", "long"), "", 2, "duration"),
            (("token", "admin", "--scope", "everything"), "", 2, "scope"),
            (("token",), "", 2, "NAME"),
        ]
        for words, typed, code, told in cases:
            done = plexichat("admin", *words, *options, stdin=typed, code=code)
            expect(told in done.stderr, f"{words}: {told!r} is not in {done.stderr!r}")


@check
def openapi_command_prints_what_the_server_serves():
    printed = plexichat("openapi").stdout
    document = json.loads(printed)
    expect(document["openapi"].startswith("3.1"), document["openapi"])
    with Server() as server:
        served = server.call("GET", "/openapi.json").status_is(200)
        equal(served.json, document)
        for dialect in ("manual", "reference", "design", "calls", "rooms"):
            own = json.loads(plexichat("openapi", "--dialect", dialect).stdout)
            equal(server.call("GET", f"/openapi/{dialect}").json, own, dialect)
    plexichat("openapi", "--dialect", "klingon", code=2)
    target = temporary_folder() / "openapi.json"
    plexichat("openapi", "--output", target)
    equal(json.loads(target.read_text()), document)
    plexichat("openapi", "--output", "/nowhere/openapi.json", code=1)


def commands(words=()):
    """Every command, found by reading the helps."""
    told = plexichat(*words, "--help").stdout
    expect("Usage: plexichat" in told, told)
    yield words
    part = re.search(r"^Commands:\n((?:  .*\n?)+)", told, re.MULTILINE)
    for name in re.findall(r"^  ([a-z-]+)", part[1], re.MULTILINE) if part else []:
        yield from commands((*words, name))


@check
def every_command_helps():
    found = list(commands())
    expect(len(found) >= 14, "only these commands have a help:", found)
    for words in found:
        plexichat(*words, "--no-such-option", code=2)
    equal(plexichat("--version", code=None).returncode in (0, 2), True)


@check
def a_stop_while_starting_or_twice_is_clean():
    with Server() as server:
        server.process.send_signal(signal.SIGINT)
        equal(server.process.wait(20), 0, "SIGINT")
        server.start()
    command = ["serve", "--data", temporary_folder() / "data", "--listen", "127.0.0.1:0"]
    for delay in (0.0, 0.01, 0.03, 0.06, 0.1):
        child = spawn([Options.binary, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())
        try:
            child.wait(delay)
        except subprocess.TimeoutExpired:
            pass
        code = end(child, within=10)
        expect(code in (0, -signal.SIGTERM), f"SIGTERM after {delay} s ends with {code}: {child.stderr.read()}")
