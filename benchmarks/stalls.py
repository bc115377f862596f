"""The longest time for which moximap's reactors did not turn under the mixed load."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import watchdog
from benchmarks.bench import Bench, Sizes
from benchmarks.mail import Mail
from benchmarks.parallel import fill_mixed, mix
from benchmarks.servers import moximap


def measure(home: Path, workers: int, mail: Mail, sizes: Sizes, seconds: float) -> list[watchdog.Stall]:
    """Stalls of all processes of a moximap on the data of ``home``, the longest first."""
    folder = home / "stalls"
    folder.mkdir()
    server = moximap(home, workers, watch=folder)
    server.start()
    try:
        bench = Bench(server, mail, sizes)
        fill_mixed(bench)
        server.settle()
        start = time.time()
        mix(bench, seconds)
        end = time.time()
    finally:
        server.stop()
    return watchdog.read(folder, start, end)


def report(stalls: list[watchdog.Stall], seconds: float, say: Callable[[str], None]) -> None:
    """The longest, and of those over 50 ms where they were."""
    longest = stalls[0].seconds * 1000 if stalls else watchdog.KEPT * 1000
    over = [stall for stall in stalls if stall.seconds > 0.05]
    own = max((stall.seconds - stall.queued for stall in stalls), default=watchdog.KEPT) * 1000
    say(f"Longest stall of a reactor under {seconds:.0f} s of the mixed load: "
        f"{'' if stalls else 'under '}{longest:.0f} ms; over 50 ms: {len(over)}.  "
        f"Without the time in which no processor was free for it: {max(own, 0):.0f} ms.")
    for stall in over[:5]:
        total, ran, queued, garbage = (
            round(each * 1000) for each in (stall.seconds, stall.cpu, stall.queued, stall.garbage))
        say(f"  {total} ms in process {stall.process}: the thread ran {ran} ms, waited for a processor "
            f"{queued} ms, garbage {garbage} ms: {' < '.join(stall.stack)}")
