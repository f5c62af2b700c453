"""The relay from outside: alone and inside the server, by our own doctor and by coturn's clients.

coturn's tools are taken from the PATH or from PLEXI_COTURN, the prefix that they were installed to. They are judged by
the bytes that they count: their exit codes say little.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request

from harness import (CHEAP_PASSWORDS, UNLIMITED, Options, Server, Skipped, certificate, check, environment, equal,
                     eventually, expect, plexichat, spawn)

SECRET = "a secret of the relay and of nobody else"
LOOPBACKS = ["--open", "--allow", "127.0.0.0/8", "--allow", "::1/128"]


class Relay:
    """`plexichat turn` on ports of the kernel's choice."""

    def __init__(self, *words, tls=True, secret=SECRET):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="plexi-relay-"))
        self.secret_file = self.folder / "secret"
        self.secret_file.write_text(secret + "\n")
        self.words = list(words) or LOOPBACKS
        self.tls = tls

    def __enter__(self):
        command = [Options.binary, "turn", "--listen", "127.0.0.1:0", "--secret-file", self.secret_file,
                   "--shards", "1", "--metrics", "127.0.0.1:0", *self.words]
        if self.tls:
            certificate(self.folder, "relay")
            self.certificate = self.folder / "server.pem"
            command += ["--certificate", self.certificate, "--key", self.folder / "server.key",
                        "--listen-tls", "127.0.0.1:0"]
        self.log = open(self.folder / "log", "ab")
        self.process = spawn(command, stdout=subprocess.PIPE, stderr=self.log, env=environment())
        self.ports = {}
        wanted = 4 if self.tls else 3
        while len(self.ports) < wanted:
            line = self.process.stdout.readline().decode()
            expect(line, "the relay ended:", (self.folder / "log").read_text())
            found = re.search(r"listens on (\w+) (?:127\.0\.0\.1|\[::1\]):(\d+)", line)
            if found:
                self.ports.setdefault(found.group(1), int(found.group(2)))
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, transport):
        return {
            "udp": f"turn:localhost:{self.ports['udp']}?transport=udp",
            "tcp": f"turn:localhost:{self.ports['tcp']}?transport=tcp",
            "tls": f"turns:localhost:{self.ports.get('tls')}?transport=tcp",
            "dtls": f"turns:localhost:{self.ports['udp']}?transport=udp",
        }[transport]

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['metrics']}/metrics", timeout=5) as answer:
            return answer.read().decode()

    def log_text(self):
        return (self.folder / "log").read_text()


def doctor(url, *words, **variables):
    return subprocess.run(
        [str(Options.binary), "turn", "doctor", url, *[str(word) for word in words]], capture_output=True, text=True,
        timeout=60, env=environment(variables), stdin=subprocess.DEVNULL)


# MARK: Our own doctor


@check
def the_doctor_sees_every_hop_of_a_relay_that_is_well():
    with Relay() as relay:
        for transport in ["udp", "tcp", "tls", "dtls"]:
            done = doctor(relay.url(transport), "--secret-file", relay.secret_file, "--authorities", relay.certificate)
            equal(done.returncode, 0, done.stdout, done.stderr)
            for hop in ["allocate", "permission", "echo"] + (["certificate", "TLS"] if transport == "tls" else []):
                expect(re.search(rf"^ok  {hop} ", done.stdout, re.M), hop, done.stdout)
        expect(SECRET not in relay.log_text(), "the secret is in the log")


@check
def the_doctor_names_the_hop_that_fails():
    def fails_at(hop, done):
        equal(done.returncode, 1, done.stdout, done.stderr)
        expect(re.search(rf"^!!  {hop} ", done.stdout, re.M) and f"fails at: {hop}" in done.stdout, hop, done.stdout)

    with Relay() as relay:
        secret = ["--secret-file", relay.secret_file, "--timeout", "2s"]
        fails_at("DNS", doctor("turn:relay.invalid", *secret))
        fails_at("UDP", doctor("turn:127.0.0.1:1", *secret))
        fails_at("TCP", doctor("turn:127.0.0.1:1?transport=tcp", *secret))
        fails_at("certificate", doctor(relay.url("tls"), *secret))
        fails_at("allocate", doctor(relay.url("udp"), "--timeout", "2s"))
        named = doctor(relay.url("udp"), TURN_USERNAME="9999999999:someone", TURN_PASSWORD="wrong")
        fails_at("allocate", named)
        equal(doctor("http://relay.example.org", *secret).returncode, 2)


# MARK: The relay alone


@check
def a_relay_alone_says_what_it_was_not_told():
    def refused(*words):
        done = subprocess.run(
            [str(Options.binary), "turn", *words], capture_output=True, text=True, timeout=30, env=environment())
        equal(done.returncode, 2, words, done.stdout, done.stderr)
        return done.stderr

    with tempfile.TemporaryDirectory() as folder:
        secret = pathlib.Path(folder) / "secret"
        secret.write_text(SECRET)
        good = ["--listen", "127.0.0.1:0", "--secret-file", str(secret)]
        expect("--peer" in refused(*good))
        expect("--listen" in refused("--secret-file", str(secret), "--open"))
        expect("--secret-file" in refused("--listen", "127.0.0.1:0", "--open"))
        expect("stands for all" in refused("--listen", "0.0.0.0:0", "--secret-file", str(secret), "--open"))
        expect("--ports" in refused(*good, "--open", "--ports", "50000-50001"))
        expect("--certificate" in refused(*good, "--open", "--listen-tls", "127.0.0.1:0"))
        secret.write_text("short")
        done = subprocess.run(
            [str(Options.binary), "turn", *good, "--open"], capture_output=True, text=True, timeout=30)
        equal(done.returncode, 1)
        expect("fewer than 16 bytes" in done.stderr, done.stderr)


@check
def a_relay_takes_the_new_secret_and_lets_the_old_one_go():
    with Relay() as relay:
        old = relay.folder / "old"
        old.write_text(SECRET)
        relay.secret_file.write_text("another secret, which is as long as it must be\n")
        equal(doctor(relay.url("udp"), "--secret-file", relay.secret_file).returncode, 1)
        relay.process.send_signal(signal.SIGHUP)
        eventually(lambda: doctor(relay.url("udp"), "--secret-file", relay.secret_file).returncode == 0, 10,
                   "the new secret is not taken")
        equal(doctor(relay.url("udp"), "--secret-file", old).returncode, 1)


@check
def a_relay_counts_and_ends_when_it_is_told():
    with Relay() as relay:
        equal(doctor(relay.url("udp"), "--secret-file", relay.secret_file).returncode, 0)

        def counted():
            return re.search(r"^plexichat_relay_allocated_total 1(?:\.0)?$", relay.metrics(), re.M)

        eventually(counted, 5, "the allocation is not counted")
        relay.process.send_signal(signal.SIGTERM)
        equal(relay.process.wait(10), 0)


# MARK: The relay inside


@check
def a_server_tells_its_own_relay_and_it_works():
    with Server(*UNLIMITED, *CHEAP_PASSWORDS, "relay.port=0") as server:
        server.register("alice")
        token = server.token("alice")
        told = server.call("GET", "/calls/ice-config", token=token).status_is(200).json["ice_servers"]
        relay = told[-1]
        expect(any(url.startswith("stun:127.0.0.1:") for url in told[0]["urls"]), told)
        expect(any("transport=tcp" in url for url in relay["urls"]), told)
        for url in relay["urls"]:
            done = doctor(url, TURN_USERNAME=relay["username"], TURN_PASSWORD=relay["credential"])
            equal(done.returncode, 0, done.stdout, done.stderr)
            # Its policy reaches media sockets only, and the doctor is none.
            expect("403" in done.stdout, done.stdout)
        expect(relay["credential"] not in server.log_text(), "a password is in the log")


@check
def a_relay_that_does_not_answer_is_not_told_until_it_does():
    with Relay(tls=False) as relay:
        url = relay.url("udp")
        dead = "turn:127.0.0.1:9?transport=tcp"
        with Server(*UNLIMITED, *CHEAP_PASSWORDS, "relay.enabled=false", f"calls.relays={url},{dead}",
                    "calls.relay_probe_interval=5s", f"calls.relay_secret={SECRET}") as server:
            server.register("alice")
            token = server.token("alice")

            def told():
                servers = server.call("GET", "/calls/ice-config", token=token).status_is(200).json["ice_servers"]
                return [one for entry in servers for one in entry["urls"]]

            eventually(lambda: told() == [url], 20, "the dead relay is told, or the good one is not")
            expect("a relay does not answer" in server.log_text(), server.log_text())
            expect("plexichat_relays_unhealthy 1" in server.call("GET", "/metrics").body.decode(), "no metric")
            relay.process.terminate()
            relay.process.wait(20)
            eventually(lambda: told() == [], 40, "a relay that has gone is told")


@check
def when_a_relay_is_killed_clients_are_told_the_other_one_and_it_relays():
    with Relay(tls=False) as first, Relay(tls=False) as second:
        urls = [first.url("udp"), second.url("udp")]
        with Server(*UNLIMITED, *CHEAP_PASSWORDS, "relay.enabled=false", f"calls.relays={','.join(urls)}",
                    "calls.relay_probe_interval=5s", f"calls.relay_secret={SECRET}") as server:
            server.register("alice")
            token = server.token("alice")

            def told():
                return server.call("GET", "/calls/ice-config", token=token).status_is(200).json["ice_servers"]

            eventually(lambda: [url for one in told() for url in one["urls"]] == urls, 20, "not both are told")
            first.process.kill()
            eventually(lambda: [url for one in told() for url in one["urls"]] == urls[1:], 40, "a dead relay is told")
            left = told()[-1]
            done = doctor(urls[1], TURN_USERNAME=left["username"], TURN_PASSWORD=left["credential"])
            equal(done.returncode, 0, done.stdout, done.stderr)
            expect(re.search(r"^ok  echo ", done.stdout, re.M), done.stdout)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@check
def a_server_is_a_relay_on_the_port_of_http_too():
    port = free_port()
    url = f"turn:127.0.0.1:{port}?transport=tcp"
    with Server(*UNLIMITED, *CHEAP_PASSWORDS, "relay.port=0", "relay.share_https=true", "relay.peers=open",
                "relay.allowed_peers=127.0.0.0/8", "relay.max_allocations_per_user=100",
                f"calls.relay_secret={SECRET}", listen=f"127.0.0.1:{port}") as server:
        server.register("alice")
        relay = server.call("GET", "/calls/ice-config", token=server.token("alice")).status_is(200).json
        relay = relay["ice_servers"][-1]
        expect(relay["urls"][-1] == url, relay)
        done = doctor(url, TURN_USERNAME=relay["username"], TURN_PASSWORD=relay["credential"])
        equal(done.returncode, 0, done.stdout, done.stderr)
        expect(re.search(r"^ok  echo ", done.stdout, re.M), done.stdout)
        looked = plexichat("doctor", *server.options(), "--listen", server.address, code=None).stdout
        expect(f"TURN is answered at 127.0.0.1:{port}" in looked, looked)
        # HTTP is there as before, and garbage is nobody's.
        equal(server.call("GET", "/healthz").status, 200)
        with socket.create_connection(("127.0.0.1", port), 5) as stranger:
            stranger.sendall(b"\0GET / HTTP/1.1\r\n\r\n")
            try:
                equal(stranger.recv(100), b"")
            except ConnectionResetError:
                pass
        try:
            client, peer = coturn("turnutils_uclient"), coturn("turnutils_peer")
        except Skipped:
            return
        echo_port = free_port()
        echo = spawn([peer, "-L", "127.0.0.1", "-p", str(echo_port)], stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
        try:
            # By indications: its channel numbers are those of before RFC 8656.
            sent, received = count_bytes_at(port, client, echo_port, ["-c", "-X", "-t", "-s", "-m", "5"])
            expect(sent and sent == received, sent, received)
        finally:
            echo.terminate()
            echo.wait(10)


@check
def a_relay_on_the_port_of_https_is_found_by_name():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="plexi-shared-"))
    try:
        certificate(folder, "shared")
        port = free_port()
        url = f"turns:localhost:{port}?transport=tcp"
        tls = [f"tls.certificate={folder / 'server.pem'}", f"tls.key={folder / 'server.key'}"]
        shared = ["relay.port=0", "relay.tls_port=0", "relay.share_https=true", "relay.peers=open",
                  "relay.allowed_peers=127.0.0.0/8", f"calls.relay_secret={SECRET}"]
        command = [Options.binary, "serve", "--data", folder / "data", "--listen", f"127.0.0.1:{port}"]
        words = [word for one in [*tls, *shared] for word in ("--set", one)]
        refused = subprocess.run([*command, *words], capture_output=True, text=True, timeout=30, env=environment())
        equal(refused.returncode == 0, False)
        expect("relay.host" in refused.stderr, refused.stderr)
        secret = folder / "secret"
        secret.write_text(SECRET + "\n")
        with Server(*UNLIMITED, *CHEAP_PASSWORDS, *tls, *shared, "relay.host=localhost", "calls.probe_relays=false",
                    listen=f"127.0.0.1:{port}") as server:
            equal(server.port, port)
            done = doctor(url, "--secret-file", secret, "--authorities", folder / "server.pem")
            equal(done.returncode, 0, done.stdout, done.stderr)
            expect(re.search(r"^ok  echo ", done.stdout, re.M), done.stdout)
            # A renewed certificate is that of the relay's own port, too.
            own = re.search(r"tls 127\.0\.0\.1:(\d+)", server.log_text())
            expect(own, server.log_text())
            certificate(folder, "renewed")
            server.process.send_signal(signal.SIGHUP)
            own_url = f"turns:localhost:{own.group(1)}?transport=tcp"
            for one in [own_url, url]:
                eventually(lambda one=one: doctor(one, "--secret-file", secret, "--authorities",
                                                  folder / "server.pem").returncode == 0,
                           10, "the renewed certificate is not shown")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@check
def a_server_without_a_relay_tells_none():
    with Server(*UNLIMITED, *CHEAP_PASSWORDS, "relay.enabled=false") as server:
        server.register("alice")
        told = server.call("GET", "/calls/ice-config", token=server.token("alice")).status_is(200).json
        equal(told["ice_servers"], [])


# MARK: coturn's clients


def coturn(tool):
    prefix = os.environ.get("PLEXI_COTURN")
    path = f"{prefix}/bin/{tool}" if prefix else shutil.which(tool)
    if not path or not os.access(path, os.X_OK):
        raise Skipped(f"{tool} is not installed (Debian's coturn, or PLEXI_COTURN)")
    return path


# The modes of coturn's client, what they want of the relay, and how much they send.
PACKED = ["-m", "10", "-n", "200", "-l", "1200", "-z", "5"]
MODES = {
    "channels over UDP": ("udp", ["-c", "-X", "-g"]),
    "indications over UDP": ("udp", ["-c", "-X", "-s"]),
    "with the pair of RTCP": ("udp", ["-X"]),
    "relay to relay": ("udp", ["-c", "-X", "-y"]),
    "mobility": ("udp", ["-c", "-X", "-M"]),
    "more requests": ("udp", ["-c", "-X", "-G"]),
    "TCP": ("tcp", ["-c", "-X", "-t"]),
    "indications over TCP": ("tcp", ["-c", "-X", "-t", "-s"]),
    "TLS": ("tls", ["-c", "-X", "-t", "-S"]),
    "DTLS": ("udp", ["-c", "-X", "-S"]),
    "TCP to peers": ("tcp", ["-T"]),
    "TCP to peers over TLS": ("tls", ["-T", "-S"]),
    "IPv6": ("udp", ["-c", "-x"]),
    "both families": ("udp", ["-Z"]),
}


def count_bytes(relay, client, peer_port, port, words):
    return count_bytes_at(relay.ports[port], client, peer_port, words)


def count_bytes_at(port, client, peer_port, words):
    peer = "::1" if "-x" in words else "127.0.0.1"
    done = subprocess.run(
        [client, "-W", SECRET, "-u", "u", "-e", peer, "-r", str(peer_port), "-p", str(port), *PACKED, *words,
         "127.0.0.1"], capture_output=True, text=True, timeout=60)
    text = done.stdout + done.stderr
    found = re.findall(r"tot_send_bytes ~ (\d+), tot_recv_bytes ~ (\d+)", text)
    expect(found, words, text[-800:])
    return [int(count) for count in found[-1]]


@check
def coturns_clients_get_back_every_byte():
    client, peer = coturn("turnutils_uclient"), coturn("turnutils_peer")
    with Relay(*LOOPBACKS, "--listen", "[::1]:0", "--bandwidth", "0", "--allocations-per-user", "1000",
               "--old-channels") as relay:
        port = 20_000 + os.getpid() % 10_000
        echo = spawn([peer, "-L", "127.0.0.1", "-L", "::1", "-p", str(port)], stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
        try:
            lost = []
            for name, (listener, words) in MODES.items():
                try:
                    sent, received = count_bytes(relay, client, port, listener, words)
                except (AssertionError, subprocess.TimeoutExpired) as error:
                    lost.append(f"{name}: {str(error)[-200:]}")
                    continue
                if not sent or sent != received:
                    lost.append(f"{name}: {received} of {sent} bytes came back")
            expect(not lost, "; ".join(lost))
        finally:
            echo.terminate()
            echo.wait(10)


@check
def coturns_stun_client_learns_its_address():
    client = coturn("turnutils_stunclient")
    with Relay(tls=False) as relay:
        done = subprocess.run(
            [client, "-p", str(relay.ports["udp"]), "127.0.0.1"], capture_output=True, text=True, timeout=30)
        expect("UDP reflexive addr: 127.0.0.1:" in done.stdout + done.stderr, done.stdout, done.stderr)
