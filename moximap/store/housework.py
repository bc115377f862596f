"""What is done behind the mail: a little at a time, for one account of a process after the other.

The law of this file: everything here is touched in the reactor thread only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from math import inf
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

#: Seconds without a write in any process after which it is quiet.
QUIET: Final = 1.5
#: Seconds between two batches, and with writes to any account going on: at the least so many, where there is
#: more to do, and at the least so many times what the batch took.
PAUSE: Final = (0.05, 1)
BUSY_PAUSE: Final = (0.5, 15)
#: Seconds that a pause has at the most: a batch that took long may have waited for a thread, or for a lock.
LONGEST_PAUSE: Final = 30.0
#: Seconds after which what was expunged is erased; messages that are let go in a batch, at first and at most.
ERASE_DELAY = 20.0
ERASE_BATCH: Final = 50
LARGEST_BATCH: Final = 1600
#: Seconds of a batch: while it is quiet the next one is larger after a quick one, and smaller after a slow
#: one.  Of copies, whose contents stay, the largest is let go in that time.
BATCH_TIME: Final = (0.005, 0.02)


class More(IntEnum):
    """Whether there is more to do, and whether it is so much that nobody should be spared."""

    NOTHING = 0
    LATER = 1
    NOW = 2


#: Gives what there is to do when it is done; it never fails.
Batch = Callable[[], Deferred[More]]


class Turn:
    """What the accounts of a process share: one batch at a time, in the order in which they asked, and
    rests between them.

    ``written``: when one of them was last written to.  ``elsewhere``: seconds since another process wrote.
    ``pause``: as PAUSE.
    """

    def __init__(self, reactor: IReactorTime, elsewhere: Callable[[], float] = lambda: inf,
                 pause: tuple[float, float] = PAUSE) -> None:
        self.written = -QUIET
        self._pause = pause
        self._reactor = reactor
        self._elsewhere = elsewhere
        self._asked: deque[Batch] = deque()
        self._working = False
        self._rest = 0.0                           # until when
        self._timer: IDelayedCall | None = None

    @property
    def busy(self) -> bool:
        """Somebody writes, in whatever process."""
        return self.silent() < QUIET

    def silent(self) -> float:
        """Seconds since anybody wrote."""
        return min(self._reactor.seconds() - self.written, self._elsewhere())

    def ask(self, batch: Batch) -> None:
        """Run a batch, when those that were asked for before are done."""
        self._asked.append(batch)
        self._go_on()

    def forget(self, batch: Batch) -> None:
        """A batch is not wanted any more; harmless for one that was not asked for."""
        with suppress(ValueError):
            self._asked.remove(batch)
        if not self._asked and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        if self._working or self._timer is not None or not self._asked:
            return
        now = self._reactor.seconds()
        if now < self._rest:
            self._timer = self._reactor.callLater(self._rest - now, self._rested)
            return
        self._working = True
        self._asked.popleft()().addCallback(self._done, now)

    def _rested(self) -> None:
        self._timer, self._rest = None, 0.0
        self._go_on()

    def _done(self, more: More, started: float) -> None:
        self._working = False
        if more is not More.NOW:
            now = self._reactor.seconds()
            least, times = BUSY_PAUSE if self.busy else self._pause
            self._rest = now + min(max(least * more, times * (now - started)), LONGEST_PAUSE)
        self._go_on()


class Housework(ABC):
    """One kind of it, for one account: ``_work`` is a batch, ``_done`` says what more there is to do."""

    def __init__(self, failed: Callable[[Failure], None], reactor: IReactorTime, turn: Turn) -> None:
        self._failed = failed
        self._reactor = reactor
        self._turn = turn
        self._timer: IDelayedCall | None = None
        self._stopped = False

    @abstractmethod
    def _work(self) -> Deferred[Any]: ...

    @abstractmethod
    def _done(self, result: Any, started: float) -> More: ...

    def stop(self) -> None:
        self._stopped = True
        self._turn.forget(self._batch)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, seconds: float) -> None:
        if not self._stopped:
            self._timer = self._reactor.callLater(seconds, self._due)

    def _due(self) -> None:
        self._timer = None
        if not self._stopped:
            self._turn.ask(self._batch)

    def _batch(self) -> Deferred[More]:
        working: Deferred[Any] = maybeDeferred(self._work)
        return working.addCallback(self._done, self._reactor.seconds()).addErrback(self._give_up)

    def _give_up(self, failure: Failure) -> More:
        """What asks for it the next time is the next chance."""
        if not self._stopped:
            self._failed(failure)
        return More.NOTHING


class EraseSoon(Housework):
    """Calls ``step`` with a limit, some time after something was expunged, until nothing is left."""

    def __init__(self, step: Callable[[int], Deferred[bool]], failed: Callable[[Failure], None],
                 reactor: IReactorTime, turn: Turn) -> None:
        super().__init__(failed, reactor, turn)
        self._step = step
        self._limit = ERASE_BATCH
        self._asked = self._again = False

    def soon(self) -> None:
        """Something was expunged, or may be let go now."""
        if self._asked:
            self._again = self._again or self._timer is None     # a batch is at it, or next
        else:
            self._asked = True
            self._limit = ERASE_BATCH
            self._wait(ERASE_DELAY)

    def _work(self) -> Deferred[bool]:
        self._again = False
        return self._step(ERASE_BATCH if self._turn.busy else self._limit)

    def _done(self, result: bool, started: float) -> More:
        if result:
            if not self._turn.busy:
                self._measure(self._reactor.seconds() - started)
            self._due()
        else:
            self._asked = False
            if self._again:
                self.soon()
        return More.LATER if result else More.NOTHING

    def _measure(self, took: float) -> None:
        short, long = BATCH_TIME
        if took < short:
            self._limit = min(self._limit * 2, LARGEST_BATCH)
        elif took > long:
            self._limit = max(self._limit // 2, ERASE_BATCH)

    def _give_up(self, failure: Failure) -> More:
        self._asked = False
        return super()._give_up(failure)
