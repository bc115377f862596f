"""moximap with a watchdog: how long its reactors did not turn, and what they did then.

    python -m benchmarks.watchdog DIRECTORY --nodaemon moximap --data ...

runs `twistd --nodaemon moximap --data ...`, whose workers are watched as well.  At its end each process
leaves DIRECTORY/PID.json with its stalls.  A beat is due every BEAT seconds in the reactor thread; how late
it comes is the stall, whatever the cause: work, a collection of garbage, another thread's hold on the
interpreter, or a processor that was busy with something else.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from threading import Thread, get_ident
from types import FrameType
from typing import Any, Final

import attrs

#: Seconds between beats, and between looks at a reactor that is late.
BEAT: Final = 0.01
#: Stalls that are kept, in seconds, and when their stacks begin to be looked at.
KEPT, LOOK = 0.02, 0.015
#: Functions of a stack that are kept, the innermost first.
DEPTH: Final = 14


@attrs.frozen
class Stall:
    """``at``: Unix seconds of its end.  ``cpu``: seconds of it in which the reactor thread ran.

    ``queued``: seconds in which it could have run, had a processor been free.  ``garbage``: seconds of
    collecting garbage.  ``stack``: where it was seen most often.
    """

    process: int
    at: float
    seconds: float
    cpu: float
    queued: float
    garbage: float
    stack: list[str]


class Watchdog:
    """Watches the reactor of this process from its start to its end."""

    def __init__(self, directory: Path, reactor: Any) -> None:
        self._path = directory / f"{os.getpid()}.json"
        self._reactor = reactor
        self._due = float("inf")
        self._cpu = self._queued = self._garbage = self._began = 0.0
        self._seen: Counter[tuple[str, ...]] = Counter()
        self._stalls: list[Stall] = []
        self._running = True

    def start(self) -> None:
        self._reactor.callWhenRunning(self._begin)
        self._reactor.addSystemEventTrigger("after", "shutdown", self._end)

    def _begin(self) -> None:
        gc.callbacks.append(self._collected)
        self._due = time.perf_counter()
        Thread(target=self._look, args=(get_ident(),), daemon=True).start()
        self._beat()

    def _beat(self) -> None:
        now, cpu, queued = time.perf_counter(), time.thread_time(), waited()
        late = now - self._due
        if late > KEPT:
            common = self._seen.most_common(1)
            self._stalls.append(Stall(
                os.getpid(), time.time(), late, cpu - self._cpu, queued - self._queued, self._garbage,
                list(common[0][0]) if common else []))
        self._seen, self._garbage, self._cpu, self._queued = Counter(), 0.0, cpu, queued
        self._due = now + BEAT
        self._reactor.callLater(BEAT, self._beat)

    def _look(self, thread: int) -> None:
        while self._running:
            if time.perf_counter() - self._due > LOOK:
                frame = sys._current_frames().get(thread)
                if frame is not None:
                    self._seen[stack(frame)] += 1
            time.sleep(BEAT / 2)

    def _collected(self, phase: str, info: object) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self._garbage += time.perf_counter() - self._began

    def _end(self) -> None:
        self._running = False
        gc.callbacks.remove(self._collected)
        self._path.write_text(json.dumps([attrs.asdict(stall) for stall in self._stalls]))


def waited() -> float:
    """Seconds for which this thread has waited for a processor; 0 where the system does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def stack(frame: FrameType) -> tuple[str, ...]:
    """Functions, the innermost first."""
    found = traceback.extract_stack(frame)[-DEPTH:]
    return tuple(f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in reversed(found))


def read(directory: Path, start: float, end: float) -> list[Stall]:
    """Of all processes, those that ended between two times, the longest first."""
    found = [Stall(**each) for path in directory.glob("*.json") for each in json.loads(path.read_text())]
    return sorted((stall for stall in found if start <= stall.at <= end), key=lambda stall: -stall.seconds)


def main() -> None:
    directory, arguments = Path(sys.argv[1]).absolute(), sys.argv[2:]
    from twisted.internet import reactor
    Watchdog(directory, reactor).start()
    if arguments == ["worker"]:
        from moximap import worker
        worker.main()
        return
    from moximap import tap
    from moximap.net.workers import Workers
    from twisted.scripts.twistd import run

    def watched(reactor: Any, count: int, command: object) -> Workers:
        return Workers(reactor, count, ["-m", "benchmarks.watchdog", str(directory), "worker"])

    tap.Workers = watched  # type: ignore[assignment,misc]
    sys.argv = ["twistd", *arguments]
    run()


if __name__ == "__main__":
    main()
