"""What `bench-http` and `bench-files` have in common: words of the command line, the build, the rounds, the table."""

import argparse
import os
import shutil
import subprocess
import sys

import report
from processes import BUSY, Failure, Workspace, busy_share, prepared_machine
from servers import ROOT, Nginx

PAGE = os.path.join(ROOT, "docs", "benchmarks.md")


class Options:
    """What the figures need to know, and where they find things."""

    def __init__(self, arguments, workspace):
        self.rounds = arguments.rounds
        self.seconds = arguments.seconds
        self.workspace = workspace
        self.descriptors = 0
        self.hello = None

    def nginx(self, name):
        return Nginx(self.workspace, name, self.descriptors)

    @staticmethod
    def swift_build(*arguments):
        swift = os.environ.get("SWIFT") or subprocess.check_output(
            [os.path.join(ROOT, "scripts", "find-swift")], text=True).strip()
        command = [swift, "build", "--configuration", "release", "--static-swift-stdlib", *arguments]
        # Its words are kept for the case that it fails.
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Failure(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")


class Suite:
    """Figures by name. `prepare` is called with their names after the build, while all cores may still be used.
    `on_disk`: folders lie on the disk that holds the build, for /tmp may be memory."""

    def __init__(
            self, name, description, figures, tools, prepare=lambda names, options: None, on_disk=False):
        self.name = name
        self.description = description
        self.figures = figures
        self.tools = tools
        self.prepare = prepare
        self.parent = os.path.join(ROOT, ".build") if on_disk else None

    def run(self):
        arguments = self._arguments()
        if missing := [tool for tool in self.tools if not shutil.which(tool)]:
            sys.exit(f"{self.name}: {', '.join(missing)} not found; scripts/install bench installs them")
        try:
            with Workspace(self.parent) as workspace:
                options = Options(arguments, workspace)
                names = arguments.figures or list(self.figures)
                self._build(names, options, arguments.no_build)
                # After the builds, which use all cores.
                with prepared_machine() as options.descriptors:
                    busy = busy_share()
                    if busy > BUSY:
                        print(f"other work takes {busy:.0%} of the cores: figures will be off", file=sys.stderr)
                    rows = self._measure(names, options)
        except Failure as failure:
            sys.exit(f"{self.name}: {failure}")
        facts = report.machine(busy)
        print("\n".join(f"{name}: {value}" for name, value in facts), end="\n\n")
        print(report.table(rows))
        if arguments.write:
            report.write(rows, facts, PAGE, self.name)
        sys.exit(0 if all(row.is_met is not False for row in rows) else 1)

    def _arguments(self):
        parser = argparse.ArgumentParser(
            prog=f"scripts/{self.name}", description=self.description,
            epilog="SWIFT in the environment names the compiler.")
        parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"any of: {', '.join(self.figures)}")
        parser.add_argument("--write", action="store_true", help="bring docs/benchmarks.md up to date")
        parser.add_argument("--rounds", type=int, default=3, help="pairs of runs of what is compared (default 3)")
        parser.add_argument("--seconds", type=int, default=5, help="how long a run lasts (default 5)")
        parser.add_argument("--no-build", action="store_true", help="measure what is built already")
        arguments = parser.parse_args()
        if unknown := [name for name in arguments.figures if name not in self.figures]:
            parser.error(f"no figure is called {', '.join(unknown)}")
        if arguments.write and arguments.figures:
            parser.error("--write needs all figures")
        if not 1 <= arguments.rounds <= 20 or not 1 <= arguments.seconds <= 60:
            parser.error("1 to 20 rounds of 1 to 60 seconds")
        return arguments

    def _build(self, names, options, is_built):
        print("building (release) …", file=sys.stderr, flush=True)
        if not is_built:
            for product in ["plexichat", "plexibench"]:
                options.swift_build("--product", product)
        self.prepare(names, options)

    def _measure(self, names, options):
        """All rows; a figure that cannot be measured is a missed one, and the others go on."""
        rows = []
        for name in names:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            try:
                rows += self.figures[name](options)
            except (Failure, OSError) as failure:
                print(f"{name}: {failure}", file=sys.stderr)
                rows.append(report.Row(f"{name}: not measured", "–", is_met=False))
        return rows
