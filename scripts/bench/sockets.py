"""WebSockets: our engine (`plexibench ws-server`) beside nginx with nchan, with the same client of our own."""

import re
import statistics

import report
from processes import Failure, run
from report import Row
from servers import PLEXIBENCH, WebSocketServer

IDLE_SOCKETS = 10_000
IDLE_TARGET = 8_192
HANDSHAKE_TARGET = 1.0
FAN_OUT_SOCKETS = 1_000
FAN_OUT_BYTES = 128
FAN_OUT_TARGET = 1.0
# Longer than the slowest of both takes on a busy machine.
CLIENT_SECONDS = 120


def sockets(options):
    return idle(options) + handshakes(options) + fan_out(options)


def client(mode, server, **options):
    command = [PLEXIBENCH, mode, "--url", f"ws://127.0.0.1:{server.port}{server.subscribe}", "--pid", str(server.worker)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    return run(command, CLIENT_SECONDS)


def read(pattern, output):
    if not (found := re.search(pattern, output)):
        raise Failure(f"plexibench said: {output[-300:]}")
    return [float(group) for group in found.groups()]


# MARK: idle

def idle(options):
    """Resident bytes for each of many sockets that say nothing."""
    needed = IDLE_SOCKETS + 512
    if options.descriptors < needed:
        raise Failure(f"{needed} descriptors are needed (ulimit -n), {options.descriptors} are allowed")
    ours, peers = [], []
    for _ in range(options.rounds):
        with options.nginx("nchan") as server:
            peers.append(bytes_per_socket(server))
        with WebSocketServer() as server:
            ours.append(bytes_per_socket(server))
    own, peer = statistics.median(ours), statistics.median(peers)
    return [Row(
        f"server's memory for each of {IDLE_SOCKETS:,} idle WebSockets", f"{own:,.0f} bytes", f"{peer:,.0f} bytes",
        f"{own / peer:.2f}", f"≤ {IDLE_TARGET:,} bytes", own <= IDLE_TARGET)]


def bytes_per_socket(server):
    """The first sockets of a fresh server: what it allocates once counts as theirs."""
    output = client("ws-idle", server, sockets=IDLE_SOCKETS, hold=2)
    before, after = read(r"RSS (\d+) KiB before, (\d+) KiB after", output)
    return (after - before) * 1_024 / IDLE_SOCKETS


# MARK: handshakes

def handshakes(options):
    """Connections that become WebSockets and are reset, 64 at one time."""
    with WebSocketServer() as ours, options.nginx("nchan") as peer:
        rates, costs = {ours: [], peer: []}, {ours: [], peer: []}
        for _ in range(options.rounds):
            for server in (peer, ours):
                output = client("ws-handshakes", server, seconds=options.seconds, concurrency=64)
                rate, microseconds = read(r": (\d+) per second, ([\d.]+) µs of server time each", output)
                rates[server].append(rate)
                costs[server].append(1e6 / microseconds)
    return [
        report.compared("WebSocket handshakes", "per second", rates[ours], rates[peer], HANDSHAKE_TARGET),
        report.compared("the same", "per second of the server's CPU", costs[ours], costs[peer], None),
    ]


# MARK: fan-out

def fan_out(options):
    """One message to many sockets: deliveries for a second of the server's CPU."""
    with WebSocketServer() as ours, options.nginx("nchan") as peer:
        costs, rates = {ours: [], peer: []}, {ours: [], peer: []}
        for _ in range(options.rounds):
            for server in (peer, ours):
                output = client(
                    "ws-fanout", server, publish=f"http://127.0.0.1:{server.port}{server.publish}",
                    sockets=FAN_OUT_SOCKETS, size=FAN_OUT_BYTES, seconds=options.seconds)
                rate, cost = read(r"(\d+) deliveries per second, (\d+) per server CPU-second", output)
                rates[server].append(rate)
                costs[server].append(cost)
    return [
        report.compared(
            f"deliveries of {FAN_OUT_BYTES} bytes to {FAN_OUT_SOCKETS:,} WebSockets", "per second of the server's CPU",
            costs[ours], costs[peer], FAN_OUT_TARGET),
        report.compared("the same", "per second", rates[ours], rates[peer], None),
    ]
