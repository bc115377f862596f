"""How moximap's time and memory grow with size: `python -m benchmarks.sweep` in a checkout.

Sweeps over messages in a mailbox, mailboxes in an account, idle connections, octets of a message, and
sessions with the same mailbox selected.  Figures are medians, printed as tables and written as JSON; with
matplotlib (`pip install '.[benchmarks]'`) also drawn, as PNGs.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from benchmarks import report, sweeps
from benchmarks.report import short
from benchmarks.servers import end_in_order
from benchmarks.sweeps import Points

#: name: what is measured, its sizes, and what the sizes are.
SWEEPS: dict[str, tuple[Callable[[Path, list[int]], Points], list[int], str]] = {
    "messages": (sweeps.messages, [10_000, 100_000, 1_000_000], "messages in the mailbox"),
    "mailboxes": (sweeps.mailboxes, [1, 100, 1000], "mailboxes in the account"),
    "connections": (sweeps.connections, [100, 1000, 10_000], "idle connections"),
    "octets": (sweeps.octets, [10 ** power for power in range(3, 9)], "octets of a message"),
    "sessions": (sweeps.sessions, [1, 10, 100], "sessions with 50,000 messages selected")}


def table(points: Points, label: str) -> str:
    """A row for each figure, a column for each size."""
    sizes = sorted(points)
    names = list(dict.fromkeys(name for size in sizes for name in points[size]))
    lines = [f"| {label} | {' | '.join(f'{size:,}' for size in sizes)} |", "|---" * (len(sizes) + 1) + "|"]
    for name in names:
        cells = [short(points[size][name]) if name in points[size] else "–" for size in sizes]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def raise_descriptors() -> None:
    """As many open files as we may have; a server that is started from here inherits it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--only", default=",".join(SWEEPS), help="sweeps, with commas")
    parser.add_argument("--most", type=int, default=1 << 40, help="leave out larger sizes")
    parser.add_argument("--json", type=Path, help="write all figures there; those of other sweeps in it stay")
    parser.add_argument("--plots", type=Path, help="a directory for the PNGs")
    options = parser.parse_args()
    chosen = options.only.split(",")
    if not set(chosen) <= set(SWEEPS):
        parser.error(f"sweeps: {', '.join(SWEEPS)}")
    if any(options.most < min(SWEEPS[name][1]) for name in chosen):
        parser.error("--most leaves nothing to measure")
    if options.plots and find_spec("matplotlib") is None:
        parser.error("--plots needs matplotlib (pip install '.[benchmarks]')")
    raise_descriptors()
    end_in_order()
    found = json.loads(options.json.read_text())["sweeps"] if options.json and options.json.exists() else {}
    for name in chosen:
        measure, sizes, label = SWEEPS[name]
        with tempfile.TemporaryDirectory(prefix="moximap-sweep-") as folder:
            points = measure(Path(folder), [size for size in sizes if size <= options.most])
        print(f"\n{table(points, label)}", flush=True)
        found[name] = {"label": label, "points": points}
        if options.json:
            options.json.write_text(json.dumps({"machine": report.machine(), "sweeps": found}, indent=1))
    if options.plots:
        from benchmarks import plots
        plots.draw(json.loads(json.dumps(found)), options.plots)
    return 0


if __name__ == "__main__":
    sys.exit(main())
