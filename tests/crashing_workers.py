"""kill -9 of one worker of two under load: the other serves on, and nothing that was acknowledged is lost.

    python -m tests.crashing_workers --rounds 50 --seed 1
"""

from __future__ import annotations

import argparse
import os
import re
import select
import signal
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

from moximap.testing import STOP_SECONDS
from tests import server
from tests.crashing import EAGER, PASSWORD, USER, Crashing
from tests.wire import Wire

_STARTED = re.compile(r"worker (\d) is process (\d+)")


class WorkerCrashing(Crashing):
    """As Crashing, with two workers: one is killed in the midst of the load, later all of them are."""

    def _start(self) -> int:
        self._child = server.Child.start(
            sys.executable, "-c", EAGER, "--nodaemon", "--pidfile=", "moximap", "--data", self._data,
            "--plaintext-login", "--workers", "2", *server.listen("imap"), directory=self._directory)
        self._child.wait_until(lambda lines: sum("worker" in line and "listening: imap" in line
                                                 for line in lines) >= 2)
        return server.ports_in(self._child.lines)["imap"]

    def _pids(self) -> list[int]:
        assert self._child is not None
        found = {match[1]: int(match[2]) for line in self._child.lines if (match := _STARTED.search(line))}
        return list(found.values())

    def _load(self, port: int) -> None:
        ready = Event()
        threads = [Thread(target=worker.work, args=(port, ready), daemon=True) for worker in self._workers]
        for thread in threads:
            thread.start()
        ready.wait(server.PROGRAM_SECONDS)
        Event().wait(self._random.uniform(0.02, 0.3))
        os.kill(self._random.choice(self._pids()), signal.SIGKILL)
        with closing(Wire(port)) as wire:              # whoever is left answers
            wire.login(USER, PASSWORD)
            wire.must(b"NOOP")
        Event().wait(self._random.uniform(0.02, 0.2))
        self._end_all()
        for thread in threads:
            thread.join(server.PROGRAM_SECONDS)
        for worker in self._workers:
            self._problem(worker.refused)
            self.result.acknowledged += worker.acknowledged
            worker.acknowledged.clear()

    def _end_all(self) -> None:
        """Kill the supervisor and its workers, and wait until none of them writes any more."""
        assert self._child is not None
        self._child.process.kill()
        for pid in self._pids():
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], STOP_SECONDS)
            os.close(descriptor)
        self._end(kill=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="moximap-crash-") as folder:
        result = WorkerCrashing(Path(folder), options.seed).run(options.rounds)
    sys.stdout.write(f"{result}\n" + "\n".join(result.problems))
    sys.exit(bool(result.problems))


if __name__ == "__main__":
    main()
