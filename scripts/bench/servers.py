"""The servers under test: nginx, nginx with nchan, PlexiChat, and PlexiChat's WebSocket engine by itself."""

import getpass
import http.client
import json
import os
import re
import socket
import time

from processes import (
    CORES, SERVER_CORE, Failure, Process, child_environment, free_port, run, wait_until)

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PRODUCTS = os.path.join(ROOT, ".build", "release")
PLEXICHAT = os.path.join(PRODUCTS, "plexichat")
PLEXIBENCH = os.path.join(PRODUCTS, "plexibench")
NGINX_MODULES = "/usr/lib/nginx/modules"

ADMIN_PASSWORD = "a-password-for-benchmarks"
# The limiter stays in the path, with a rate that nobody reaches.
UNREACHED_RATE = "1000000000/min"
SETTINGS = {
    "logging.level": "warning",
    "media.enabled": "false",
    "rate_limits.scale": "1",
    "rate_limits.tiers.anonymous": UNREACHED_RATE,
    "rate_limits.tiers.user": UNREACHED_RATE,
    "rate_limits.tiers.admin": UNREACHED_RATE,
    "rate_limits.reference.auth": UNREACHED_RATE,
    "rate_limits.reference.admin": UNREACHED_RATE,
    "rate_limits.load.cpu_percent": "100",
}


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def request(port, method, path, body=None, token=None):
    """One request; the status and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, path, body=json.dumps(body) if body is not None else None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Nginx(Process):
    """One worker, with the configuration of the given name."""

    subscribe, publish = "/subscribe", "/publish"  # nchan.conf.in

    def __init__(self, workspace, name, descriptors):
        folder = workspace.folder(name)
        self.root = os.path.join(folder, "root")
        os.mkdir(self.root)
        self.port = free_port()
        values = {
            "FOLDER": folder, "PORT": self.port, "USER": getpass.getuser(), "MODULES": NGINX_MODULES,
            "DESCRIPTORS": descriptors, "CONNECTIONS": max(512, descriptors - 512),
        }
        with open(os.path.join(HERE, "nginx", f"{name}.conf.in")) as template:
            text = re.sub("@([A-Z]+)@", lambda match: str(values[match[1]]), template.read())
        configuration = os.path.join(folder, "nginx.conf")
        with open(configuration, "w") as file:
            file.write(text)
        super().__init__(["nginx", "-p", folder, "-e", "stderr", "-c", configuration], [SERVER_CORE])
        try:
            wait_until(self._is_ready, f"nginx ({name})")
        except Failure as failure:
            raise Failure(f"{failure}: {self._ended()}") from None

    def _is_ready(self):
        if self.popen.poll() is not None:
            raise Failure("nginx ended")
        return answers(self.port) and self.worker

    def _ended(self):
        errors = self.errors()[-500:]
        self.stop()
        return errors

    @property
    def worker(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as children:
            numbers = children.read().split()
        return int(numbers[0]) if numbers else None

    def serve_file(self, name, content):
        with open(os.path.join(self.root, name), "wb") as file:
            file.write(content)

    @staticmethod
    def version():
        with Process(["nginx", "-v"], CORES) as process:
            process.finish(10)
            return process.errors().rsplit("/", 1)[-1]


class PlexiChat(Process):
    """The server as `make build` makes it, on one core and one shard unless told otherwise."""

    def __init__(self, folder, cores=(SERVER_CORE,), shards=1, port=0, settings=None):
        values = dict(SETTINGS, **(settings or {}))
        if shards:
            values["server.shards"] = shards
        command = [PLEXICHAT, "serve", "--data", folder, "--listen", f"127.0.0.1:{port}"]
        for key, value in values.items():
            command += ["--set", f"{key}={value}"]
        self.begun = time.monotonic()
        super().__init__(command, cores, child_environment(PLEXICHAT_ADMIN_PASSWORD=ADMIN_PASSWORD))
        self.port = port

    def wait(self):
        """Until it says where it listens, and is ready."""
        self.port = int(self.line_with("listens on").rsplit(":", 1)[1])
        wait_until(lambda: request(self.port, "GET", "/readyz")[0] == 200, "readiness")
        return self

    def login(self, name="admin", password=ADMIN_PASSWORD):
        status, body = request(
            self.port, "POST", "/api/v1/auth/login", {"username": name, "password": password})
        if status != 200:
            raise Failure(f"login was answered {status}: {body[:300]!r}")
        return json.loads(body)["access_token"]


class WebSocketServer(Process):
    """The same engine with nothing but a channel on it: what nchan is compared with."""

    subscribe, publish = "/sub", "/pub"

    def __init__(self):
        super().__init__([PLEXIBENCH, "ws-server", "--port", "0"], [SERVER_CORE])
        self.port = int(re.search(r":(\d+), process", self.line_with("process"))[1])


def version_of_package(name):
    """`1:1.3.6+dfsg-2`, or `unknown` where dpkg is not."""
    try:
        return run(["dpkg-query", "-W", "-f", "${Version}", name], 10).strip()
    except (Failure, OSError):
        return "unknown"
