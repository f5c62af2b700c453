"""The measurements. Each takes the options and gives rows; what is compared runs in turn, round by round."""

import os
import re
import shutil
import statistics
import time

import report
from processes import CORES, Failure, free_port, run, wait_until
from report import Row, number
from servers import PLEXIBENCH, PLEXICHAT, ROOT, PlexiChat, request

MIB = 1 << 20


# MARK: requests

REQUEST_TARGET = 0.30


def requests(options):
    """Authenticated GETs against a static file of the same size."""
    with PlexiChat(options.workspace.folder("http")) as ours, options.nginx("static") as peer:
        ours.wait()
        token = ours.login()
        status, body = request(ours.port, "GET", "/api/v1/users/me", token=token)
        if status != 200:
            raise Failure(f"/api/v1/users/me was answered {status}")
        peer.serve_file("me.json", body)
        own_url, peer_url = f"http://127.0.0.1:{ours.port}/api/v1/users/me", f"http://127.0.0.1:{peer.port}/me.json"
        wrk(own_url, 1, token)
        wrk(peer_url, 1)
        rates, costs = {ours: [], peer: []}, {ours: [], peer: []}
        for _ in range(options.rounds):
            for server, url, bearer in [(peer, peer_url, None), (ours, own_url, token)]:
                before = server.cpu_seconds()
                count, rate = wrk(url, options.seconds, bearer)
                rates[server].append(rate)
                costs[server].append(count / (server.cpu_seconds() - before))
    return [
        report.compared(
            f"GET /api/v1/users/me with a token, {len(body)} bytes, against a static file", "per second", rates[ours],
            rates[peer], REQUEST_TARGET),
        report.compared("the same", "per second of the server's CPU", costs[ours], costs[peer], None),
    ]


def wrk(url, seconds, token=None):
    command = ["wrk", "--threads", "1", "--connections", "64", "--duration", f"{seconds}s"]
    if token:
        command += ["--header", f"Authorization: Bearer {token}"]
    output = run([*command, url], seconds + 30)
    if trouble := re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", output):
        raise Failure(f"wrk on {url}: {trouble[0]}")
    count = re.search(r"(\d+) requests in", output)[1]
    return int(count), float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])


# MARK: start, memory, size

READY_TARGET_MS = 150
IDLE_TARGET = 40 * MIB
GROWTH_TARGET = 12 * MIB
STARTS = 10


def start(options):
    """From the start of the process to the first 200 of /readyz, and what it holds after five quiet seconds."""
    empty, again = [], []
    for _ in range(STARTS):
        folder = options.workspace.folder("start")
        empty.append(milliseconds_to_ready(folder))
        again.append(milliseconds_to_ready(folder))
        shutil.rmtree(folder)
    ready = statistics.median(empty)
    with PlexiChat(options.workspace.folder("idle"), cores=CORES, shards=0) as server:
        server.wait()
        time.sleep(5)
        resident = server.resident_bytes()
    return [
        Row(f"ready with an empty data folder, median of {STARTS}", f"{ready:.0f} ms",
            target=f"≤ {READY_TARGET_MS} ms", is_met=ready <= READY_TARGET_MS),
        Row("ready with that folder again: no keys, tables, password to make", f"{statistics.median(again):.0f} ms"),
        Row("resident when idle, a shard per core", f"{resident / MIB:.1f} MiB", target=f"≤ {IDLE_TARGET // MIB} MiB",
            is_met=resident <= IDLE_TARGET),
    ]


def milliseconds_to_ready(folder):
    port = free_port()
    with PlexiChat(folder, cores=CORES, shards=0, port=port) as server:
        wait_until(lambda: is_ready(server), "readiness", pause=0.001)
        return (time.monotonic() - server.begun) * 1_000


def is_ready(server):
    if server.popen.poll() is not None:
        raise Failure(f"plexichat ended: {server.errors()[-500:]}")
    try:
        return request(server.port, "GET", "/readyz")[0] == 200
    except OSError:
        return False


def size(options):
    """How much larger the program is than one that says hello, built in the same way."""
    hello = options.hello
    shipped = growth("as make build leaves it", stripped_size(options, PLEXICHAT), stripped_size(options, hello))
    shipped.target = f"≤ {GROWTH_TARGET // MIB} MiB"
    shipped.is_met = stripped_size(options, PLEXICHAT) - stripped_size(options, hello) <= GROWTH_TARGET
    # The symbols stand in a file of their own, which nobody needs to install.
    return [shipped, growth("with its symbols", os.path.getsize(PLEXICHAT), os.path.getsize(hello))]


def growth(form, own, floor):
    return Row(
        f"program, {form}: growth over one that says hello", f"{(own - floor) / MIB:.1f} MiB",
        f"{own / MIB:.1f} less {floor / MIB:.1f} MiB")


def build_hello(options):
    """The smallest program with the same options."""
    folder = options.workspace.folder("hello")
    source = os.path.join(folder, "Sources", "hello")
    os.makedirs(source)
    with open(os.path.join(folder, "Package.swift"), "w") as manifest:
        manifest.write(
            "// swift-tools-version: 6.2\nimport PackageDescription\n"
            'let package = Package(name: "hello", targets: [.executableTarget(name: "hello")])\n')
    with open(os.path.join(source, "main.swift"), "w") as program:
        program.write('print("hello")\n')
    options.swift_build("--package-path", folder)
    return os.path.join(folder, ".build", "release", "hello")


def stripped_size(options, program):
    copy = os.path.join(options.workspace.folder("strip"), "program")
    run(["strip", "-o", copy, program], 60)
    return os.path.getsize(copy)


# MARK: logins

LOGINS = 50
LOGIN_TARGET_MS = 20
LOGIN_PREFIX = "bench-user-"
LOGIN_PASSWORD = "another-password-for-benchmarks"
GETS_PER_SECOND = 200


def logins(options):
    """How long a GET takes while passwords are hashed as fast as the server will."""
    with PlexiChat(options.workspace.folder("logins"), cores=CORES, shards=0) as server:
        server.wait()
        token = server.login()
        for index in range(LOGINS):
            create_user(server, token, f"{LOGIN_PREFIX}{index}")
        results = []
        for _ in range(options.rounds):
            output = run([
                PLEXIBENCH, "logins", "--port", str(server.port), "--users", str(LOGINS), "--prefix", LOGIN_PREFIX,
                "--password", LOGIN_PASSWORD, "--token", token, "--rate", str(GETS_PER_SECOND), "--seconds", "10",
            ], 60)
            results.append(read_logins(output))
    p50, p99, longest, rate = (statistics.median(column) for column in zip(*results))
    return [
        Row(f"GET during {LOGINS} logins at one time, 99 of 100 within", f"{p99:.1f} ms",
            target=f"< {LOGIN_TARGET_MS} ms", is_met=p99 < LOGIN_TARGET_MS),
        Row("the same: half within, longest, logins/s meanwhile", f"{p50:.1f} ms, {longest:.1f} ms, {rate:.0f}/s"),
    ]


def create_user(server, token, name):
    status, body = request(server.port, "POST", "/api/v1/users", {
        "username": name, "email": f"{name}@example.org", "password": LOGIN_PASSWORD}, token)
    if status != 201:
        raise Failure(f"creating {name} was answered {status}: {body[:300]!r}")


def read_logins(output):
    gets = re.search(r"GET: \d+ answers, p50 ([\d.]+) ms, p99 ([\d.]+) ms, max ([\d.]+) ms", output)
    rate = re.search(r"logins: ([\d.]+)/s", output)
    if not gets or not rate:
        raise Failure(f"plexibench logins said: {output[-300:]}")
    return float(gets[1]), float(gets[2]), float(gets[3]), float(rate[1])


# MARK: commits

COMMIT_TARGET = 10


def commits(options):
    """Group commit on the disk that holds the build: /tmp may be memory.

    One writer waits for a sync each time, so other work on the machine slows it far more than it slows 64 of them, and
    flatters the ratio. Hence the smallest ratio of all runs is the one that counts.
    """
    folder = os.path.join(ROOT, ".build", f"bench-store-{os.getpid()}")
    os.mkdir(folder)
    try:
        runs = [commit_rates(folder) for _ in range(options.rounds)]
    finally:
        shutil.rmtree(folder)
    one, many, _ = min(runs, key=lambda run: run[1] / run[0])
    ratio = many / one
    ratios = ", ".join(f"{many / one:.0f}" for one, many, _ in runs)
    syncs = ", ".join(number(syncs) for *_, syncs in runs)
    return [
        Row("durable commits, 64 writers against one, per second; smallest ratio", number(many), number(one),
            f"{ratio:.1f}", f"ratio ≥ {COMMIT_TARGET}", ratio >= COMMIT_TARGET),
        Row("the same: ratio of each run", ratios),
        Row("the same: bare syncs per second before each run", syncs),
    ]


def commit_rates(folder):
    output = run([PLEXIBENCH, "store", "--folder", folder, "--seconds", "1"], 300, cores=CORES)
    # The first line of so many writers is of writers alone; later ones have readers beside them.
    rates = [
        re.search(rf"^{what}: (\d+)/s", output, re.MULTILINE)
        for what in ("1 writers", "64 writers", "bare 4 KiB write and fdatasync")]
    if not all(rates):
        raise Failure(f"plexibench store said: {output[-300:]}")
    return [float(rate[1]) for rate in rates]
