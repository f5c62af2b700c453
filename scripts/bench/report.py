"""The figures as a table, and as a page."""

import datetime
import os
import platform
import statistics
from dataclasses import dataclass

from processes import CORES
from servers import Nginx, version_of_package


@dataclass
class Row:
    figure: str
    ours: str
    peer: str = "–"
    ratio: str = "–"
    target: str = "–"
    # None: nothing was promised, the figure is for orientation.
    is_met: bool | None = None

    @property
    def verdict(self):
        return {None: "", True: "met", False: "MISSED"}[self.is_met]

    def cells(self):
        return [self.figure, self.ours, self.peer, self.ratio, self.target, self.verdict]


HEAD = ["figure", "ours", "peer", "ratio", "target", "verdict"]


def compared(figure, unit, ours, peers, target):
    """A row from rounds of pairs: medians, and the median of the pairs' ratios. `target` may be `None`."""
    ratio = statistics.median(own / peer for own, peer in zip(ours, peers))
    row = Row(
        f"{figure}, {unit}", number(statistics.median(ours)), number(statistics.median(peers)), f"{ratio:.2f}")
    if target is not None:
        row.target, row.is_met = f"ratio ≥ {target:.2f}", ratio >= target
    return row


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(rows):
    cells = [HEAD] + [row.cells() for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in cells)


def markdown(rows):
    lines = [HEAD, ["---"] * len(HEAD)] + [row.cells() for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine(busy):
    """What the figures were measured on, as names and values. `busy` is `busy_share` before the first of them."""
    model = "unknown"
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo") as info:
        memory = int(info.readline().split()[1]) >> 20
    return [
        ("date", datetime.date.today().isoformat()),
        ("machine", f"{model}, {len(CORES)} cores, {memory} GiB"),
        ("other work", f"took {busy:.0%} of the cores before the first figure"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("nginx", Nginx.version()),
        ("nchan", version_of_package("libnginx-mod-nchan")),
        ("wrk", version_of_package("wrk")),
    ]


END = "<!-- end of measured -->"


def write(rows, facts, page, script):
    """Replaces the part between the marks of `script`; what people wrote around it stays."""
    begin = f"<!-- measured: written by scripts/{script} --write -->"
    with open(page) as file:
        text = file.read()
    lines = "\n".join(f"- {name}: {value}" for name, value in facts)
    before, rest = text.split(begin, 1)
    after = rest.split(END, 1)[1]
    temporary = page + ".new"
    with open(temporary, "w") as file:
        file.write(f"{before}{begin}\n\n{lines}\n\n{markdown(rows)}\n\n{END}{after}")
    os.replace(temporary, page)
