"""Many sessions with NOTIFY over many mailboxes, one delivery after the other: `python -m benchmarks.notify`.

Each session must be told of each delivery once: that is checked.  Printed are the times from the APPEND until
the first and the last session have read it, and what the server takes of memory (PSS) before and after.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

from benchmarks.client import Client, Wrong
from benchmarks.servers import PASSWORD, Running, moximap

USER = "u0"
MESSAGE = b"From: ada@example.org\r\nSubject: number %d\r\n\r\nHello.\r\n"
GROUPS = b"NOTIFY SET (PERSONAL (MailboxName MessageNew MessageExpunge FlagChange))"
#: Seconds after the last telling in which nothing more may come.
SILENCE = 0.2


class Listeners:
    """The sessions that are told."""

    def __init__(self, port: int, count: int) -> None:
        self.clients = [Client(port, USER, PASSWORD) for _ in range(count)]
        self._selector = DefaultSelector()
        for number, client in enumerate(self.clients):
            client.ask(GROUPS)
            self._selector.register(client.socket, EVENT_READ, number)

    def hear(self, line: bytes, began: float) -> list[float]:
        """Until each has read the line, and nothing else; when that was, in milliseconds.  Wrong."""
        waiting, times = {*range(len(self.clients))}, []
        while waiting:
            ready = self._selector.select(30)
            if not ready:
                raise Wrong(f"{len(waiting)} were not told")
            for key, _ in ready:
                got = self.clients[key.data].socket.recv(65536)
                if got != line or key.data not in waiting:
                    raise Wrong(f"{key.data} was told {got!r}, not {line!r} once")
                waiting.discard(key.data)
                times.append(1000 * (time.perf_counter() - began))
        if self._selector.select(SILENCE):
            raise Wrong("somebody was told twice")
        return times


def row(name: str, times: list[float]) -> str:
    return f"{name}: median {statistics.median(times):.1f} ms, worst {max(times):.1f}"


def measure(server: Running, sessions: int, mailboxes: int, deliveries: int) -> None:
    owner = Client(server.port, USER, PASSWORD)
    for number in range(mailboxes):
        owner.ask(b"CREATE M%d" % number)
    empty = server.memory()
    listeners = Listeners(server.port, sessions)
    answers, firsts, lasts, before = [], [], [], 0
    for number in range(deliveries + 1):
        box, count = number * 7 % mailboxes, number // mailboxes + 1
        line = b"* STATUS M%d (UIDNEXT %d MESSAGES %d UNSEEN %d)\r\n" % (box, count + 1, count, count)
        began = time.perf_counter()
        message = MESSAGE % number
        owner.ask(b"APPEND M%d {%d+}\r\n%b" % (box, len(message), message))
        answered = 1000 * (time.perf_counter() - began)
        times = listeners.hear(line, began)
        if number:                                    # the first one warms up
            answers.append(answered)
            firsts.append(times[0])
            lasts.append(times[-1])
        else:
            before = server.memory()
    after = server.memory()
    print(f"{sessions} sessions, {mailboxes} mailboxes, {deliveries} deliveries: each told once.\n"
          f"{row('APPEND answered', answers)}\n{row('first told', firsts)}\n{row('last told', lasts)}\n"
          f"all told within 100 ms: {sum(last <= 100 for last in lasts)} of {deliveries} times\n"
          f"memory: {empty} KiB without them, {before} after the first delivery, {after} after the last,"
          f" {(before - empty) / sessions:.0f} for a session")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notify", description=__doc__)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--mailboxes", type=int, default=500)
    parser.add_argument("--deliveries", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="moximap-benchmark-") as folder:
        server = moximap(Path(folder), options.workers, users=1)
        server.start()
        try:
            measure(server, options.sessions, options.mailboxes, options.deliveries)
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
