"""What the server stands on gives way: a full disk, a file that may not grow, a PostgreSQL that goes and comes back."""

import resource
import time

from harness import (
    CHEAP_PASSWORDS, PASSWORD, UNLIMITED, Client, PostgreSQL, Server, check, equal, error_code,
    eventually, expect, fill_with, mount_tmpfs, plexichat,
)


class Writes:
    """Registrations, and which of them were acknowledged."""

    def __init__(self, server):
        self.server = server
        self.serial = 0
        self.acknowledged = []

    def one(self):
        self.serial += 1
        name = f"user{self.serial}"
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        answer = self.server.call("POST", "/v1/auth/register", body)
        if answer.status == 201:
            self.acknowledged.append(name)
        return answer

    def until_refused(self, most=3_000):
        for _ in range(most):
            answer = self.one()
            if answer.status != 201:
                return answer
        raise AssertionError(f"{most} writes went through")

    def all_there(self):
        with Client(self.server) as client:
            for name in self.acknowledged[:: max(1, len(self.acknowledged) // 50)] + self.acknowledged[-3:]:
                body = {"username": name, "password": PASSWORD}
                answer = client.call("POST", "/v1/auth/login", body)
                expect(answer.status == 200, f"{name} was acknowledged and cannot log in: {answer.body[:300]!r}")


def is_unavailable(answer, word):
    equal(answer.status, 503, answer.body[:300])
    equal(error_code(answer), "SERVICE_UNAVAILABLE")
    expect(word in answer.body.decode().lower(), f"the reason does not say {word!r}: {answer.body[:300]!r}")
    expect(int(answer.headers["Retry-After"]) >= 1, "no Retry-After")


def disk_is_full_and_heals(server, fill, free, word):
    token = server.token()
    writes = Writes(server)
    for _ in range(5):
        writes.one().status_is(201)
    fill()
    is_unavailable(writes.until_refused(), word)
    for _ in range(3):
        server.call("GET", "/api/v1/users/me", token=token).status_is(200)  # remembered
        server.call("GET", "/api/v1/users", token=token).status_is(200)  # read from the file
    server.call("GET", "/healthz").status_is(200)
    equal(server.call("GET", "/readyz").status, 503, "it calls itself ready:")
    free()
    eventually(lambda: writes.one().status == 201, 15, "writes do not go on", pause=0.2)
    eventually(lambda: server.call("GET", "/readyz").status == 200, 15, "it does not become ready")
    writes.all_there()
    server.kill()
    server.start()
    writes.all_there()
    done = plexichat("doctor", *server.options(), "--listen", server.address, code=None)
    expect("ok  audit log" in done.stdout and "ok  database" in done.stdout, done.stdout)


@check
def full_disk_answers_503_and_heals():
    disk = mount_tmpfs("6m")
    ballast = disk / "ballast"

    with Server(*UNLIMITED, *CHEAP_PASSWORDS, data=disk / "data") as server:
        disk_is_full_and_heals(server, lambda: fill_with(ballast), ballast.unlink, "disk is full")


@check
def file_that_may_not_grow_answers_503_and_heals():
    """What a quota looks like; needs no rights."""
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server:
        size = max(path.stat().st_size for path in server.data.iterdir())

        def allow(limit):
            _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (limit, hard))

        disk_is_full_and_heals(server, lambda: allow(size + 65_536), lambda: allow(resource.RLIM_INFINITY), "written")


@check
def start_on_a_full_disk_says_so():
    disk = mount_tmpfs("64k")
    (disk / "ballast").write_bytes(bytes(48 << 10))
    done = plexichat("serve", "--data", disk / "data", "--listen", "127.0.0.1:0", code=1)
    expect("disk" in done.stderr and "->" not in done.stderr, done.stderr)


@check
def lost_postgresql_answers_503_and_heals():
    cluster = PostgreSQL()
    try:
        with Server(*UNLIMITED, *CHEAP_PASSWORDS, *cluster.settings) as server:
            writes = Writes(server)
            for _ in range(5):
                writes.one().status_is(201)
            cluster.halt()
            begun = time.monotonic()
            is_unavailable(writes.one(), "database")
            login = {"username": "user1", "password": PASSWORD}
            is_unavailable(server.call("POST", "/api/v1/auth/login", login), "database")
            expect(time.monotonic() - begun < 12, "a refusal takes long")
            eventually(lambda: server.call("GET", "/readyz").status == 503, 10, "it calls itself ready")
            server.call("GET", "/healthz").status_is(200)
            equal(server.call("GET", "/health").status, 503)
            cluster.start()
            eventually(lambda: server.call("GET", "/readyz").status == 200, 20, "it does not become ready")
            writes.one().status_is(201)
            writes.all_there()
            cluster.halt()
            cluster.start()  # a restart that nobody saw
            eventually(lambda: writes.one().status == 201, 20, "writes do not go on")
            writes.all_there()
            # A stop does not wait for a database that is away.
            cluster.halt()
            begun = time.monotonic()
            server.stop()
            expect(time.monotonic() - begun < 15, "the stop waits for the database")
            done = plexichat("serve", *server.options(), "--listen", "127.0.0.1:0", code=1)
            expect("database" in done.stderr and "PostgreSQL" in done.stderr, done.stderr)
    finally:
        cluster.remove()
