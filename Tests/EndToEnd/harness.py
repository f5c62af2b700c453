"""What the end-to-end checks share: the server as a process, an HTTP client, peers, and the report.

A check is a function with the decorator `check`; it passes unless it raises. Every process is a child of ours and is
ended by its pid; every folder is temporary. All traffic is on loopback, on ports that the kernel chose.
"""

import atexit
import base64
import concurrent.futures
import ctypes
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARENT = os.getpid()
PASSWORD = "correct horse 1"
# Checks that are not about the documents' rate limits, or about how dear a password hash is, run without them.
UNLIMITED = ["rate_limits.scale=0"]
CHEAP_PASSWORDS = ["accounts.argon2.memory=64KiB", "accounts.argon2.iterations=1"]


class Options:
    """The command line of this run."""

    binary = ROOT / ".build/release/plexichat"
    long = False
    seed = 1
    only = ""
    rounds = None


# MARK: Checks


class Skipped(Exception):
    """What this machine does not allow. Said in the report, never silent."""


CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def break_off(*_):
    """For SIGTERM and SIGINT: the other threads are not waited for."""
    clean_up()
    os._exit(1)


def run_checks(groups, jobs):
    """A few groups side by side: most of the time is spent waiting for time-outs."""
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    lock = threading.Lock()

    def report(verdict, function, seconds, note=""):
        with lock:
            counts[verdict] += 1
            name = f"{function.__module__}.{function.__name__}"
            print(f"{verdict:4} {name} ({seconds:.1f} s){': ' + note if note else ''}", flush=True)

    def run(function):
        begun = time.monotonic()
        try:
            function()
        except Skipped as reason:
            report("skip", function, time.monotonic() - begun, str(reason))
        except BaseException as error:  # noqa: BLE001 - a failed check must not end the others
            where = "".join(traceback.format_exception(error)[-6:])
            report("FAIL", function, time.monotonic() - begun, f"{error}\n{where}")
        else:
            report("ok", function, time.monotonic() - begun)

    def run_group(functions):
        for function in functions:
            run(function)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run_group, groups))
    skipped = f", {counts['skip']} skipped" if counts["skip"] else ""
    print(f"{counts['ok']} passed, {counts['FAIL']} failed{skipped}")
    return counts["FAIL"] == 0


def expect(condition, *told):
    if not condition:
        raise AssertionError(" ".join(str(item) for item in told) or "not as expected")


def equal(found, wanted, *told):
    expect(found == wanted, *told, f"found {found!r}, wanted {wanted!r}")


def eventually(condition, seconds=5.0, told="", pause=0.05):
    """Waits until `condition()` is true and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        expect(time.monotonic() < deadline, told or "it did not come about", f"within {seconds} s")
        time.sleep(pause)


# MARK: Processes and folders

_children = []
_is_closing = threading.Event()
_folders = []
_mounts = []


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != PARENT:  # it was gone before
        os._exit(1)


def spawn(command, **arguments):
    expect(not _is_closing.is_set(), "the checks are being broken off")
    child = subprocess.Popen([str(word) for word in command], **arguments)
    _children.append(child)
    return child


def end(child, number=signal.SIGTERM, within=30):
    if child.poll() is None:
        child.send_signal(number)
        try:
            child.wait(within)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise AssertionError(f"process {child.pid} did not end within {within} s") from None
    return child.returncode


def temporary_folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="plexi-e2e-"))
    _folders.append(path)
    return path


def mount_tmpfs(size):
    """A small disk of its own, where we may mount one."""
    path = temporary_folder()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", path], capture_output=True)
    if done.returncode != 0:
        raise Skipped(f"no tmpfs can be mounted: {done.stderr.decode().strip()}")
    _mounts.append(path)
    return path


def fill_with(ballast):
    """Writes a file until its disk is full."""
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4_096))
        except OSError:
            pass


@atexit.register
def clean_up():
    _is_closing.set()
    for child in _children:
        if child.poll() is None:
            child.kill()
            child.wait()
    for path in _mounts:
        subprocess.run(["umount", path], check=False)
    for path in _folders:
        shutil.rmtree(path, ignore_errors=True)


def plexichat(*words, stdin=None, env=None, code=0, timeout=30):
    """Runs a command to its end; returns what it printed."""
    done = subprocess.run(
        [str(Options.binary), *map(str, words)], input=stdin, capture_output=True, text=True, timeout=timeout,
        env=environment(env))
    expect(
        code is None or done.returncode == code,
        f"plexichat {' '.join(map(str, words))} exits with {done.returncode}: {done.stdout}{done.stderr}")
    return done


def environment(extra=None):
    """Ours, without what would configure a server from outside."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PLEXICHAT_")}
    own.update(extra or {})
    return own


class Server:
    """A `plexichat serve`. `with Server(…) as server:` starts it and ends it with SIGTERM, which must succeed."""

    def __init__(self, *settings, data=None, password=PASSWORD, env=None, listen="127.0.0.1:0"):
        self.settings = list(settings)
        self.data = data or temporary_folder() / "data"
        self.env = dict(env or {})
        if password is not None:
            self.env["PLEXICHAT_ADMIN_PASSWORD"] = password
        self.listen = listen
        self.log = temporary_folder() / "log"
        self.process = None
        self.lines = []

    def options(self):
        return ["--data", self.data] + [word for setting in self.settings for word in ("--set", setting)]

    def start(self, within=20, before=None):
        # Servers run side by side; a fixed UDP port has room for one. What a check sets wins.
        command = [Options.binary, "serve", "--set", "media.port=0", *self.options(), "--listen", self.listen]
        with open(self.log, "ab") as log:
            self.process = spawn(
                command, stdout=subprocess.PIPE, stderr=log, env=environment(self.env),
                preexec_fn=before or _die_with_parent)
        self.lines = []
        self._read_lines(within)
        return self

    def _read_lines(self, within):
        lines = queue.Queue()

        def pump(stream):
            for line in iter(stream.readline, b""):
                lines.put(line.decode().rstrip("\n"))
            lines.put(None)

        threading.Thread(target=pump, args=(self.process.stdout,), daemon=True).start()
        self._queue = lines
        while True:
            try:
                line = lines.get(timeout=within)
            except queue.Empty:
                raise AssertionError(f"the server is not up after {within} s: {self.log_text()}") from None
            if line is None:
                raise AssertionError(f"the server ended with {self.process.wait(10)}: {self.log_text()}")
            self.lines.append(line)
            found = re.search(r"listens on (https?)://(\S+)", line)
            if found:
                self.scheme, self.address = found.groups()
                host, _, port = self.address.rpartition(":")
                self.host, self.port = host.strip("[]"), int(port)
                return

    def output(self):
        """All that it has printed; complete once it has ended."""
        while True:
            try:
                line = self._queue.get(timeout=0.2)
            except queue.Empty:
                return "\n".join(self.lines)
            if line is None:
                self._queue.put(None)
                return "\n".join(self.lines)
            self.lines.append(line)

    def log_text(self):
        return self.log.read_text(errors="replace")[-4_000:]

    def stop(self, within=30):
        code = end(self.process, within=within)
        expect(code == 0, f"the server stopped with {code}: {self.log_text()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.stop()
        return self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            if kind is None:
                self.stop()
            else:
                self.kill()
        elif kind is None:
            expect(self.process.returncode == 0, f"the server ended with {self.process.returncode}: {self.log_text()}")

    # What it takes

    def resident(self):
        """Bytes of memory."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) << 10

    def descriptor_count(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def open_files(self):
        """What the server's descriptors lead to. One that it closes between the listing and the look is left out."""
        files = []
        for path in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                files.append(os.readlink(path))
            except FileNotFoundError:
                pass
        return files

    # Asking it

    @property
    def url(self):
        return f"{self.scheme}://{self.address}"

    def call(self, method, path, body=None, token=None, headers=None, source=None, timeout=20):
        """One request on a connection of its own."""
        with Client(self, source=source, timeout=timeout) as client:
            return client.call(method, path, body, token, headers)

    def login(self, name="admin", password=PASSWORD, **more):
        answer = self.call("POST", "/api/v1/auth/login", {"username": name, "password": password, **more})
        return answer.status_is(200).json

    def token(self, name="admin", password=PASSWORD):
        return self.login(name, password)["access_token"]

    def register(self, name, password=PASSWORD):
        body = {"username": name, "email": f"{name}@example.org", "password": password}
        return self.call("POST", "/v1/auth/register", body).status_is(201).json["data"]


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def status_is(self, *wanted):
        expect(self.status in wanted, f"status {self.status} instead of {wanted}: {self.body[:500]!r}")
        return self


class Client:
    """One connection, kept open."""

    def __init__(self, server, source=None, timeout=20):
        self.connection = http.client.HTTPConnection(
            server.host, server.port, timeout=timeout, source_address=source and (source, 0))

    def call(self, method, path, body=None, token=None, headers=None):
        fields = dict(headers or {})
        if token:
            fields["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            fields.setdefault("Content-Type", "application/json")
        try:
            self.connection.request(method, path, body, fields)
        except BrokenPipeError:
            pass  # refused before it was sent whole; the answer is there
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


def connect(server, timeout=20, source=None):
    return socket.create_connection((server.host, server.port), timeout, source and (source, 0))


def read_to_end(stream, limit=1 << 24):
    """All that comes until the other side closes. A reset is an end, too."""
    data = b""
    while len(data) < limit:
        try:
            piece = stream.recv(65_536)
        except ConnectionResetError:
            break
        if not piece:
            break
        data += piece
    return data


def error_code(answer):
    """The machine-readable code of any dialect's error."""
    value = answer.json
    if isinstance(value.get("error"), dict):
        return value["error"].get("code")
    return value.get("code") or value.get("error_code") or value.get("error")


# MARK: Codes


def totp(secret, moment=None, digits=6, step=30):
    """RFC 6238 with SHA-1, as authenticator apps do."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    counter = struct.pack(">Q", int((time.time() if moment is None else moment) // step))
    digest = hmac.new(key, counter, hashlib.sha1).digest()
    start = digest[-1] & 15
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


# MARK: Peers


class MailServer:
    """Tests/Peers/smtp_peer.py: takes mails and tells them."""

    def __init__(self):
        self.process = spawn(
            [sys.executable, ROOT / "Tests/Peers/smtp_peer.py", "plain"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, preexec_fn=_die_with_parent)
        self.port = int(self.process.stdout.readline())
        self.mails = queue.Queue()
        threading.Thread(target=self._pump, daemon=True).start()

    def _pump(self):
        for line in iter(self.process.stdout.readline, b""):
            sender, recipients, _, _, message = line.decode().split(" ")
            self.mails.put((sender, recipients, bytes.fromhex(message.strip()).decode()))

    def settings(self):
        return [f"mail.url=smtp://127.0.0.1:{self.port}", "mail.encryption=off", "mail.from=chat@example.org"]

    def take(self, within=10):
        return self.mails.get(timeout=within)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Gateway:
    """A gateway for text messages that keeps what it is sent."""

    secret = "gateway-secret"

    def __init__(self):
        self.calls = queue.Queue()
        calls = self.calls

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                calls.put((self.headers, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def settings(self):
        return [f"sms.webhook_url=http://127.0.0.1:{self.server.server_port}/sms", f"sms.secret={self.secret}"]

    def take(self, within=10):
        """The next message, after its signature has been checked."""
        headers, body = self.calls.get(timeout=within)
        time_sent = headers["X-PlexiChat-Timestamp"]
        expect(abs(time.time() - int(time_sent)) < 60, "the timestamp is not now:", time_sent)
        wanted = hmac.new(self.secret.encode(), time_sent.encode() + b"." + body, hashlib.sha256).hexdigest()
        equal(headers["X-PlexiChat-Signature"], f"v1={wanted}")
        return json.loads(body)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class PostgreSQL:
    """A private cluster (scripts/test-postgres)."""

    def __init__(self):
        parent = temporary_folder()
        parent.chmod(0o711)  # it runs as another user
        self.folder = parent / "cluster"
        begun = self._run("start", check=False)
        if begun.returncode != 0:
            raise Skipped(f"no PostgreSQL: {begun.stderr.strip().splitlines()[-1:]}")
        parts = dict(part.split("=", 1) for part in begun.stdout.split())
        host = parts["host"].replace("/", "%2F")
        self.settings = [f"store.url=postgresql://{parts['user']}:{parts['password']}@{host}/{parts['dbname']}"]

    def _run(self, word, check=True):
        done = subprocess.run(
            [ROOT / "scripts/test-postgres", word], capture_output=True, text=True, timeout=60,
            env={**os.environ, "PLEXI_PG_DIR": str(self.folder)})
        expect(not check or done.returncode == 0, done.stderr)
        return done

    def start(self):
        self._run("start")

    def halt(self):
        """The server goes, the data stays: what `test-postgres` does between the two halves of a restart."""
        pid = int((self.folder / "data/postmaster.pid").read_text().split("\n")[0])
        os.kill(pid, signal.SIGINT)  # PostgreSQL's fast shutdown
        eventually(lambda: not (self.folder / "data/postmaster.pid").exists(), 20, "PostgreSQL does not stop")

    def remove(self):
        self._run("stop", check=False)


# MARK: Certificates


def certificate(folder, name):
    """Self-signed, for 127.0.0.1."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", folder / "new.key", "-out", folder / "new.pem"],
        check=True, capture_output=True, env={**os.environ, "OPENSSL_CONF": str(openssl_configuration(folder))})
    (folder / "new.key").rename(folder / "server.key")
    (folder / "new.pem").rename(folder / "server.pem")


def openssl_configuration(folder):
    """One of our own: not every machine has the system's."""
    path = folder / "openssl.cnf"
    path.write_text("[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = e2e\n")
    return path
