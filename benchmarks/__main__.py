"""moximap beside Dovecot, on this machine: `python -m benchmarks` in a checkout.

Both are started on loopback with directories of their own, filled with the same mail, and measured in turns,
A B A B.  Every answer is checked: a wrong one has no figure and makes the exit code 1.  Before each turn
both servers must have come to rest.  Dovecot is left out where it is not installed (Debian: dovecot-imapd),
or where this does not run as root, as Dovecot's master must.  Figures are medians.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path

import attrs

from benchmarks import adding, changing, connections, idling, parallel, reading, report, stalls
from benchmarks.bench import Bench, Sizes, Workload, fill
from benchmarks.client import Wrong
from benchmarks.indexed import wait_for_index, without_index
from benchmarks.mail import Mail
from benchmarks.servers import Running, dovecot, end_in_order, moximap

WORKLOADS: list[Workload] = [*connections.WORKLOADS, *adding.WORKLOADS, *reading.WORKLOADS,
                             *changing.WORKLOADS, *parallel.WORKLOADS, *idling.WORKLOADS]
INDEX_SECONDS = 900.0
#: After so many seconds a workload takes no more turns than it has, if these are MOST_NEEDED.
BUDGET, MOST_NEEDED = 150.0, 5


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@attrs.define
class Comparison:
    """Figures by name and server, and what went wrong."""

    benches: list[Bench]
    turns: int
    figures: dict[str, dict[str, list[float]]] = attrs.field(factory=dict)
    units: dict[str, str] = attrs.field(factory=dict)
    wrong: list[str] = attrs.field(factory=list)

    def run(self, workloads: list[Workload], rest: bool = True) -> None:
        for workload in workloads:
            began = time.monotonic()
            self.units |= workload.units
            for name in workload.units:
                self.figures[name] = {}
            self._measure(workload, rest)
            for name, unit in workload.units.items():
                say(f"{report.row(name, unit, self.figures[name])} {time.monotonic() - began:.0f} s")

    def _measure(self, workload: Workload, rest: bool) -> None:
        ready = []
        for bench in self.benches:
            if (workload.borrows and bench.server.name != "moximap") or not bench.offers(workload.needs):
                continue
            try:
                ready.append((bench, workload.prepare(bench)))
            except (Wrong, OSError) as error:
                self._failed(bench, workload, error)
        start = time.monotonic()
        for turn in range(-workload.warm, self.turns):
            if turn >= MOST_NEEDED and time.monotonic() - start > BUDGET:
                break
            for bench, once in list(ready):
                try:
                    self._rest(workload if rest else None)
                    found = once()
                except (Wrong, OSError) as error:
                    self._failed(bench, workload, error)
                    ready.remove((bench, once))
                    continue
                for name, value in found.items() if turn >= 0 else ():
                    self.figures[name].setdefault(bench.server.name, []).append(value)

    def _rest(self, workload: Workload | None) -> None:
        for bench in self.benches:
            users = [f"u{user}" for user in workload.users] if workload else []
            if not bench.server.settle(users):
                say(f"{bench.server.name} does not come to rest")

    def _failed(self, bench: Bench, workload: Workload, error: Exception) -> None:
        bench.forget()
        self.wrong.append(f"{workload.name}, {bench.server.name}: {error}")
        say(f"WRONG: {self.wrong[-1]}")
        for name in workload.units:
            self.figures[name].pop(bench.server.name, None)

    def borrow(self, workloads: list[Workload]) -> None:
        """What Dovecot needs for a search does not depend on our index."""
        borrows = {name: lender for workload in workloads for name, lender in workload.borrows.items()}
        for name, lender in borrows.items():
            if name in self.figures and "Dovecot" in self.figures.get(lender, {}):
                self.figures[name]["Dovecot"] = self.figures[lender]["Dovecot"]


def compare(options: argparse.Namespace, servers: list[Running], home: Path) -> Comparison:
    """Fill the servers and measure everything but the stalls."""
    mail = Mail()
    comparison = Comparison([Bench(server, mail, options.sizes) for server in servers], options.turns)
    unindexed = chosen(reading.UNINDEXED, options.only)
    if unindexed or any(each in reading.WORKLOADS + changing.WORKLOADS for each in options.workloads):
        start = time.monotonic()
        targets = [(server.client(), "Big") for server in servers]
        for client, mailbox in targets:
            client.fresh(mailbox)
        fill(mail, options.sizes.messages, targets)
        say(f"filled with {options.sizes.messages} messages in {time.monotonic() - start:.0f} s")
        if unindexed:
            with without_index(home / "data", "u0"):
                comparison.run(unindexed, rest=False)
        for client, _ in targets:                      # a write, after which indexing begins
            client.ask(b"APPEND INBOX {5+}\r\na: b\n")
            client.close()
        say(f"indexed after {wait_for_index(home / 'data', 'u0', INDEX_SECONDS):.0f} s")
    comparison.run(options.workloads)
    comparison.borrow(unindexed)
    return comparison


def chosen(workloads: list[Workload], patterns: str) -> list[Workload]:
    return [each for each in workloads if any(fnmatch(each.name, one) for one in patterns.split(","))]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    defaults = Sizes()
    for field in attrs.fields(Sizes):
        parser.add_argument("--" + field.name.replace("_", "-"), type=type(getattr(defaults, field.name)),
                            default=getattr(defaults, field.name), metavar="N")
    parser.add_argument("--turns", type=int, default=5, help="repetitions, after one to warm up")
    parser.add_argument("--workers", type=int, default=2, help="of moximap")
    parser.add_argument("--only", default="*", help="workloads, by patterns with commas")
    parser.add_argument("--without-dovecot", action="store_true")
    parser.add_argument("--stall-seconds", type=float, default=20.0, help="under the watchdog; 0: none")
    parser.add_argument("--keep", type=Path, help="directory for the servers' files, which stay there")
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    options.sizes = Sizes(**{field.name: getattr(options, field.name) for field in attrs.fields(Sizes)})
    options.workloads = chosen(WORKLOADS, options.only)
    if options.turns < 1 or not options.workloads and not chosen(reading.UNINDEXED, options.only):
        parser.error(f"nothing to do; workloads: {', '.join(each.name for each in WORKLOADS)}")
    return options


def main() -> int:
    options = parse()
    end_in_order()
    with ExitStack() as stack:
        folder = options.keep
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moximap-benchmark-")))
        homes = [folder / name for name in ("moximap", "dovecot")]
        for home in homes:
            home.mkdir(parents=True)
        found = [moximap(homes[0], options.workers), None if options.without_dovecot else dovecot(homes[1])]
        servers = [server for server in found if server is not None]
        for server in servers:
            stack.callback(server.stop)
            server.start()
        comparison = compare(options, servers, homes[0])
        for server in servers:
            server.stop()
        seconds = options.stall_seconds
        stalled = None
        if seconds:
            stalled = stalls.measure(homes[0], options.workers, Mail(), options.sizes, seconds)
    finish(options, servers, comparison, stalled)
    return 1 if comparison.wrong else 0


def finish(options: argparse.Namespace, servers: list[Running], comparison: Comparison,
           stalled: list[stalls.watchdog.Stall] | None) -> None:
    """The table, and the JSON file."""
    print(report.HEAD)
    for name in [name for each in [*WORKLOADS, *reading.UNINDEXED] for name in each.units]:
        if comparison.figures.get(name):
            print(report.row(name, comparison.units[name], comparison.figures[name]))
    print()
    for server in servers:
        print(f"{server.name}: {server.fsync}.")
    if stalled is not None:
        stalls.report(stalled, options.stall_seconds, print)
    for wrong in comparison.wrong:
        print(f"WRONG: {wrong}")
    if options.json:
        options.json.write_text(json.dumps({
            "machine": report.machine(), "sizes": attrs.asdict(options.sizes), "turns": options.turns,
            "workers": options.workers, "fsync": {server.name: server.fsync for server in servers},
            "units": comparison.units, "figures": comparison.figures, "wrong": comparison.wrong,
            "stalls": None if stalled is None else [attrs.asdict(stall) for stall in stalled]}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
