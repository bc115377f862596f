"""Busy polling: the reactor stays awake for a moment where the next command is about to come.

Who sleeps is woken by the system in 20 to 40 µs, with cold caches: a third of what a small command takes
for a client on the same machine, such as a webmail, which asks again as soon as it was answered.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")

#: Seconds to stay awake.  Over a real network nobody answers so soon.
AWAKE: Final = 100e-6
#: A turn of a reactor that finds nothing takes a few µs.  In one of so many seconds somebody else had the
#: processor, and may have waited for it: perhaps the client.
TURN: Final = 40e-6
#: Seconds to do without, then.
REST: Final = 10e-3


def can_poll() -> bool:
    """Whether this process has a processor besides the one that its client may need."""
    return len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) > 1


class BusyPoll:
    """Told of each reading from a connection, keeps one reactor from sleeping after those that came soon
    after what their connection had been answered.

    If nothing came while it was awake it sleeps, until that happens again: what is wasted is at most one
    ``AWAKE`` for each of these.
    """

    def __init__(self, reactor: IReactorTime, now: Callable[[], float] = perf_counter) -> None:
        """``now``: seconds, by a clock that tells microseconds."""
        self._reactor: Any = reactor
        self._now = now
        self.latest = 0.0                          # when reading ended last
        self._looked = self._until = self._rested = 0.0
        self._turn: IDelayedCall | None = None
        self._stopped = False

    def start(self) -> None:
        """Go on after a stop; a new one need not be told."""
        self._stopped = False

    def during(self, read: Callable[[], T], before: float = 0.0) -> T:
        """Read from a connection whose last reading ended at ``before``.

        0: it had none, or connections are taken; that may come soon after what another one was answered.
        """
        now = self._now()
        soon = now - (before or self.latest) < AWAKE
        if self._turn is not None:
            self._look(now)
        try:
            return read()
        finally:
            self._served(soon)

    def _served(self, soon: bool) -> None:
        """Something was read, and answered as far as that could be done at once."""
        now = self.latest = self._looked = self._now()
        if soon and now >= self._rested and not self._stopped:
            self._until = now + AWAKE
            if self._turn is None:
                self._turn = self._reactor.callLater(0, self._stay)

    def stop(self) -> None:
        """Leave nothing to be called."""
        self._stopped = True
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _stay(self) -> None:
        """What is due at once lets the reactor look for events, and wait for none."""
        now = self._now()
        self._look(now)
        self._turn = self._reactor.callLater(0, self._stay) if now < self._until else None

    def _look(self, now: float) -> None:
        if now - self._looked > TURN:
            self._until, self._rested = now, now + REST
        self._looked = now
