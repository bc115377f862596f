"""When the search index is brought up to date: in the quiet after writes, a little at a time.

The law of this file: everything here is touched in the reactor thread only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from moximap.store.housework import QUIET, Housework, Turn

#: Seconds after which indexing begins, writes or not.
PATIENCE: Final = 20.0
#: Seconds after which it is looked at again whether another process, which was at it, has done all.
OTHERS_PAUSE: Final = 2.0
#: Messages in a batch, which takes some 50 ms.
BATCH: Final = 64


class IndexSoon(Housework):
    """Calls ``step`` with BATCH until it has nothing to do."""

    def __init__(self, step: Callable[[int], Deferred[int | None]], failed: Callable[[Failure], None],
                 reactor: IReactorTime, turn: Turn) -> None:
        super().__init__(failed, reactor, turn)
        self._step = step
        self._since: float | None = None     # when what waits began to wait
        self._last = 0.0

    def soon(self) -> None:
        """Something was written."""
        self._last = self._turn.written = self._reactor.seconds()
        if self._since is None:
            self._since = self._last
            self._wait(QUIET)

    def _due(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        assert self._since is not None
        due = min(self._last + QUIET, self._since + PATIENCE)
        if now < due:                        # not: now - last < QUIET, which may stay true when it is due
            self._wait(due - now)
        else:
            super()._due()

    def _work(self) -> Deferred[int | None]:
        return self._step(BATCH)

    def _done(self, result: int | None, started: float) -> bool:
        if result is None:
            self._wait(OTHERS_PAUSE)
        elif result:
            self._due()
        else:
            self._since = None
            if self._last >= started:        # written while nothing was found: perhaps just after
                self.soon()
        return bool(result)

    def _give_up(self, failure: Failure) -> bool:
        self._since = None
        return super()._give_up(failure)
