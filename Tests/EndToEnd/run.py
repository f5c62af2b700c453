"""Runs the end-to-end checks against a real server. usage: scripts/e2e --help"""

import argparse
import importlib
import os
import pathlib
import random
import resource
import signal
import sys

import harness

# One thread each; the first ones take longest.
MODULES = [
    "hostile", "killing", "flows", "whip", "calling", "chatting", "hooking", "keeping", "keying", "filing", "storing",
    "smuggling", "relaying", "starting", "stopping", "failing", "backing", "drilling", "scheduling", "scripts",
]


def main():
    parser = argparse.ArgumentParser(prog="scripts/e2e", description=__doc__.split(" usage")[0])
    parser.add_argument("binary", nargs="?", default=str(harness.Options.binary), help="the plexichat to try")
    parser.add_argument("--only", default="", help="checks whose name (module.function) contains this")
    parser.add_argument("--long", action="store_true", help="200 kills, 100,000 connections")
    parser.add_argument("--rounds", type=int, help="how often to kill the server")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 16), help="of what is random")
    parser.add_argument("--jobs", type=int, default=3, help="modules that run side by side")
    arguments = parser.parse_args()
    harness.Options.binary = pathlib.Path(arguments.binary).resolve()
    harness.Options.long = arguments.long
    harness.Options.seed = arguments.seed
    harness.Options.rounds = arguments.rounds
    if not os.access(harness.Options.binary, os.X_OK):
        parser.error(f"{harness.Options.binary} is missing (make build)")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, harness.break_off)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536) if most > 0 else 65_536, most))
    print(f"seed {arguments.seed}", flush=True)

    groups = []
    for name in MODULES:
        before = len(harness.CHECKS)
        importlib.import_module(name)
        wanted = [check for check in harness.CHECKS[before:] if arguments.only in f"{name}.{check.__name__}"]
        if wanted:
            groups.append(wanted)
    if not groups:
        parser.error(f"no check is called {arguments.only}")
    sys.exit(0 if harness.run_checks(groups, arguments.jobs) else 1)


main()
