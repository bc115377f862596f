"""moximap beside Dovecot, on this machine: `python -m benchmarks` in a checkout.

Both are started on loopback with directories of their own, filled with the same mail, and measured in turns.
Every answer is checked.  Dovecot is left out where it is not installed (Debian: dovecot-imapd), or where
this does not run as root, as Dovecot's master must.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.mail import Mail
from benchmarks.servers import Running, dovecot, moximap
from benchmarks.workloads import WORKLOADS, Bench

Figures = dict[str, dict[str, list[float]]]


def measure(servers: list[Running], names: list[str], size: int, turns: int) -> Figures:
    """Figures by workload and server, taken in turns: A B A B."""
    benches = [Bench(server, Mail(), size) for server in servers]
    figures: Figures = {}
    for name in names:
        unit, prepare = WORKLOADS[name]
        ready = [(bench.server.name, prepare(bench)) for bench in benches]
        figures[name] = {server: [] for server, _ in ready}
        for turn in range(turns + 1):
            for server, once in ready:
                figure = once()
                if turn:                              # the first one warms up
                    figures[name][server].append(figure)
        print(row(name, unit, figures[name]), flush=True)
    return figures


def row(name: str, unit: str, by_server: dict[str, list[float]]) -> str:
    medians = {server: statistics.median(values) for server, values in by_server.items()}
    cells = [f"| {name} ({unit})",
             *(f"{medians[server]:.1f}" if server in medians else "–" for server in ("moximap", "Dovecot"))]
    if "Dovecot" in medians:
        ours, theirs = medians["moximap"], medians["Dovecot"]
        cells.append(f"{(ours / theirs if unit == '/s' else theirs / ours):.2f}")
    return " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--messages", type=int, default=10000, help="in the big mailbox")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2, help="of moximap")
    parser.add_argument("--only", default="*", help="workloads, by patterns with commas")
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    names = [name for name in WORKLOADS if any(fnmatch(name, p) for p in options.only.split(","))]
    if not names:
        parser.error(f"--only matches none of: {', '.join(WORKLOADS)}")
    with tempfile.TemporaryDirectory(prefix="moximap-benchmark-") as folder:
        homes = [Path(folder) / name for name in ("moximap", "dovecot")]
        for home in homes:
            home.mkdir()
        servers: list[Running] = []
        try:
            servers.append(moximap(homes[0], options.workers))
            other = dovecot(homes[1])
            servers += [other] if other is not None else []
            print("| workload | moximap | Dovecot | ratio (over 1: moximap is ahead) |\n|---|---|---|---|")
            figures = measure(servers, names, options.messages, options.turns)
        finally:
            for server in servers:
                subprocess.run(server.stop, check=False)
    if options.json:
        options.json.write_text(json.dumps({"options": vars(options) | {"json": str(options.json)},
                                            "figures": figures}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
