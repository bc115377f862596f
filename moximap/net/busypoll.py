"""Busy polling: the reactor's thread stays awake for a moment where the next command is about to come.

Who sleeps is woken by the system in 20 to 40 µs, with cold caches: a third of what a small command takes
for a client on the same machine, such as a webmail, which asks again as soon as it was answered.  And where
it is the same client that asks again, and nothing else has happened, it is read at once: a turn of the
reactor for each command is as much as a NOOP.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from select import EPOLLIN, epoll
from time import perf_counter
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: Seconds to stay awake.  Over a real network nobody answers so soon.
AWAKE: Final = 100e-6
#: A look for events takes a microsecond.  Where one took so many seconds somebody else had the
#: processor, and may have waited for it: perhaps the client.
TAKEN: Final = 40e-6
#: Seconds to do without then, and where two were there at once: while many are served nobody sleeps.
REST: Final = 10e-3
#: Seconds in which another reading may begin in the same turn: meanwhile the reactor calls nothing.
TURN: Final = 0.5e-3


def can_poll(reactor: object) -> bool:
    """Whether this process has a processor besides the one that its client may need, and a reactor that waits
    by epoll, which can be asked whether anything has happened."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors > 1 and isinstance(getattr(reactor, "_poller", None), epoll)


class BusyPoll:
    """Reads from the connections of one reactor, and does not let it sleep after those that came soon
    after what their connection had been answered.

    If nothing came while it was awake it sleeps, until that happens again: what is wasted is at most one
    ``AWAKE`` for each of these.
    """

    def __init__(self, reactor: Any, now: Callable[[], float] = perf_counter) -> None:
        """``reactor``: one that waits by epoll.  ``now``: seconds, by a clock that tells microseconds."""
        self._events: Callable[[float, int], list[tuple[int, int]]] = reactor._poller.poll
        self._timeout: Callable[[], float | None] = reactor.timeout
        self._now = now
        self.latest = 0.0                          # when reading ended last
        self._rested = 0.0
        self._stopped = False

    def start(self) -> None:
        """Go on after a stop; a new one need not be told."""
        self._stopped = False

    def stop(self) -> None:
        """Let the reactor sleep from now on."""
        self._stopped = True

    def during(self, read: Callable[[], T | None], before: float = 0.0,
               fileno: Callable[[], int] = lambda: -1) -> T | None:
        """Read from a connection whose last reading ended at ``before``, and read on while only it has sent.

        ``read`` gives None unless the connection is to end.  ``before`` 0: it had none, or connections are
        taken; that may come soon after what another one was answered.
        """
        begun = self._now()
        soon = begun - (before or self.latest) < AWAKE
        while True:
            try:
                ending = read()
            finally:
                now = self.latest = self._now()
            if ending is not None or not soon or now < self._rested or self._stopped:
                return ending
            if self._awaited(now) != [(fileno(), EPOLLIN)] or self.latest - begun > TURN:
                return None

    def _awaited(self, now: float) -> list[tuple[int, int]]:
        """What has happened (descriptor, event), one or two, or none for as long as it is worth to wait."""
        until = now + AWAKE
        events = self._events(0, 2)
        if not events and self._timeout() == 0:    # the reactor's own calls are due
            return events
        while not events and now < until:
            looked, now = now, self._now()
            if now - looked > TAKEN:
                self._rested = now + REST
                break
            events = self._events(0, 2)
        if len(events) > 1:
            self._rested = now + REST
        return events
