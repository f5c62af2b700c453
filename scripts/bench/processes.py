"""Processes under measurement: started on a core of their own, looked at through /proc, ended by their number."""

import contextlib
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time

# Servers run on the first core that we may use, clients on the second.
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
CLIENT_CORE = CORES[min(1, len(CORES) - 1)]

# What a process gets to end by itself before it is killed.
STOP_SECONDS = 10
# No server needs longer to answer for the first time, even on a busy machine.
START_SECONDS = 20

# Where we may, we run before other work: a busy machine then disturbs a figure less.
PRIORITY = -10

# Above this share of the cores in other hands, figures are not worth keeping.
BUSY = 0.1

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """A measurement that cannot be made, in words for who reads the table."""


AUTOGROUP = "/proc/self/autogroup"


@contextlib.contextmanager
def prepared_machine():
    """As many descriptors as we may have; and, where that is allowed, before other work, peers and ours alike."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, {CLIENT_CORE})
    group = autogroup()
    try:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        set_autogroup(PRIORITY)
        yield hard
    finally:
        set_autogroup(group)


def autogroup():
    """The niceness of our session: where the kernel groups by session, that of a process counts only within it."""
    try:
        with open(AUTOGROUP) as file:
            return int(file.read().split()[-1])
    except (OSError, ValueError, IndexError):
        return None


def set_autogroup(niceness):
    if niceness is not None:
        with contextlib.suppress(OSError), open(AUTOGROUP, "w") as file:
            file.write(str(niceness))


def busy_share(seconds=3):
    """How much of all cores' time others take while we take none."""
    before, idle_before = processor_ticks()
    time.sleep(seconds)
    after, idle_after = processor_ticks()
    return 1 - (idle_after - idle_before) / max(1, after - before)


def processor_ticks():
    with open("/proc/stat") as stat:
        fields = [int(field) for field in stat.readline().split()[1:9]]
    return sum(fields), fields[3] + fields[4]  # idle, and idle while a disk works


def free_port():
    """A port of the kernel's choice, for a server that cannot ask for one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def child_environment(**extra):
    """No setting of the caller's shell may reach a server under test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PLEXICHAT_", "PLEXI_PG"))}
    return {**kept, **extra}


class Workspace:
    """A folder that goes when the measurements are done; in `parent` where the disk matters."""

    def __init__(self, parent=None):
        self.path = tempfile.mkdtemp(prefix="plexi-bench-", dir=parent)
        os.chmod(self.path, 0o755)  # nginx's worker may be another user
        self._count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def folder(self, name):
        self._count += 1
        path = os.path.join(self.path, f"{self._count}-{name}")
        os.mkdir(path)
        return path


class Process:
    """A child on a given set of cores. `with` ends it."""

    def __init__(self, command, cores, environment=None, stdin=None):
        pinned = ["taskset", "-c", ",".join(str(core) for core in cores), *command]
        self.name = os.path.basename(command[0])
        self._errors = tempfile.TemporaryFile()
        self.popen = subprocess.Popen(
            pinned, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors,
            env=environment or child_environment())
        # taskset becomes the command, under the same number.
        self.pid = self.popen.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self.popen.stdout.close()
        self._errors.close()

    def errors(self):
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip()

    def line(self):
        """The next line of its output; fails when it ends instead."""
        line = self.popen.stdout.readline().decode(errors="replace")
        if not line:
            raise Failure(f"{self.name} ended: {self.errors()[-500:]}")
        return line.rstrip("\n")

    def line_with(self, text):
        while text not in (line := self.line()):
            pass
        return line

    def finish(self, seconds):
        """Waits for its end; what it wrote."""
        try:
            output, _ = self.popen.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} took longer than {seconds} s") from None
        if self.popen.returncode != 0:
            raise Failure(f"{self.name} failed: {self.errors()[-500:] or output.decode(errors='replace')[-500:]}")
        return output.decode(errors="replace")

    @property
    def worker(self):
        """The process that does the work: nginx has a master above it."""
        return self.pid

    def resident_bytes(self):
        with open(f"/proc/{self.worker}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) << 10
        raise Failure(f"{self.name} has no memory any more: {self.errors()[-500:]}")

    def cpu_seconds(self):
        with open(f"/proc/{self.worker}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def wait_until(condition, what, seconds=START_SECONDS, pause=0.02):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(pause)


def run(command, seconds, cores=(CLIENT_CORE,), environment=None):
    """A client that runs to its end."""
    with Process(command, cores, environment) as process:
        return process.finish(seconds)
