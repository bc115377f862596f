"""When the search index is brought up to date: in the quiet after writes, a little at a time.

The law of this file: everything here is touched in the reactor thread only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

#: Seconds without a write after which indexing begins, and after which it begins anyway.
QUIET: Final = 1.5
PATIENCE: Final = 20.0
#: Seconds between two batches, and with writes to any account going on: at the least so many, and
#: at the least so many times what the batch took.
PAUSE: Final = (0.05, 1)
BUSY_PAUSE: Final = (0.5, 15)
#: Seconds after which it is looked at again whether another process, which was at it, has done all.
OTHERS_PAUSE: Final = 2.0
#: Messages in a batch, which takes some 50 ms.
BATCH: Final = 64
#: Seconds that are waited at the least, so that rounding is no reason to wait for nothing again and again.
LEAST: Final = 0.001


class Turn:
    """What the accounts of a process share: one batch at a time, when one was last written to, and until
    when all rest for the sake of those that are."""

    def __init__(self) -> None:
        self.lock = DeferredLock()
        self.written = -QUIET
        self.rest = 0.0


class IndexSoon:
    """Calls ``step`` with BATCH until it has nothing to do."""

    def __init__(self, step: Callable[[int], Deferred[int | None]], failed: Callable[[Failure], None],
                 reactor: IReactorTime, turn: Turn) -> None:
        self._step = step
        self._failed = failed
        self._reactor = reactor
        self._turn = turn
        self._timer: IDelayedCall | None = None
        self._stopped = False
        self._since: float | None = None     # when what waits began to wait
        self._last = 0.0

    def soon(self) -> None:
        """Something was written."""
        self._last = self._turn.written = self._reactor.seconds()
        if self._since is None:
            self._since = self._last
            self._wait(QUIET)

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, seconds: float) -> None:
        if not self._stopped:
            self._timer = self._reactor.callLater(seconds, self._due)

    def _due(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        assert self._since is not None
        due = min(self._last + QUIET, self._since + PATIENCE)
        if now < due:                        # not: now - last < QUIET, which may stay true when it is due
            self._wait(due - now)
        else:
            self._turn.lock.run(self._batch).addErrback(self._give_up)

    def _batch(self) -> Deferred[None] | None:
        if self._stopped:
            return None
        now = self._reactor.seconds()
        if now < self._turn.rest:
            self._wait(max(self._turn.rest - now, LEAST))
            return None
        return self._step(BATCH).addCallback(self._done, now)

    def _done(self, count: int | None, started: float) -> None:
        now = self._reactor.seconds()
        if count is None:
            self._wait(OTHERS_PAUSE)
            return
        if count:
            busy = now - self._turn.written < QUIET
            least, times = BUSY_PAUSE if busy else PAUSE
            pause = max(least, times * (now - started))
            if busy:
                self._turn.rest = now + pause
            self._wait(pause)
            return
        self._since = None
        if self._last >= started:            # written while nothing was found: perhaps just after
            self.soon()

    def _give_up(self, failure: Failure) -> None:
        """The next write is the next chance."""
        self._since = None
        if not self._stopped:
            self._failed(failure)
