"""What is done behind the mail: a little at a time, for one account of a process after the other.

The law of this file: everything here is touched in the reactor thread only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

#: Seconds without a write after which a process is quiet.
QUIET: Final = 1.5
#: Seconds between two batches, and with writes to any account going on: at the least so many, and
#: at the least so many times what the batch took.
PAUSE: Final = (0.05, 1)
BUSY_PAUSE: Final = (0.5, 15)
#: Seconds that are waited at the least, so that rounding is no reason to wait for nothing again and again.
LEAST: Final = 0.001
#: Seconds after which what was expunged is erased, and messages that are let go in a batch.
ERASE_DELAY = 20.0
ERASE_BATCH: Final = 50


class Turn:
    """What the accounts of a process share: one batch at a time, when one was last written to, and until
    when all rest for the sake of those that are."""

    def __init__(self) -> None:
        self.lock = DeferredLock()
        self.written = -QUIET
        self.rest = 0.0

    def pause(self, started: float, now: float) -> float:
        """Seconds until the next batch of who had one from ``started`` to ``now``."""
        busy = now - self.written < QUIET
        least, times = BUSY_PAUSE if busy else PAUSE
        pause = max(least, times * (now - started))
        if busy:
            self.rest = now + pause
        return pause


class Housework(ABC):
    """One kind of it, for one account: ``_work`` is a batch, ``_done`` says how it goes on."""

    def __init__(self, failed: Callable[[Failure], None], reactor: IReactorTime, turn: Turn) -> None:
        self._failed = failed
        self._reactor = reactor
        self._turn = turn
        self._timer: IDelayedCall | None = None
        self._stopped = False

    @abstractmethod
    def _work(self) -> Deferred[Any]: ...

    @abstractmethod
    def _done(self, result: Any, started: float) -> None: ...

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
        self._turn.lock.run(self._batch).addErrback(self._give_up)

    def _batch(self) -> Deferred[None] | None:
        if self._stopped:
            return None
        now = self._reactor.seconds()
        if now < self._turn.rest:
            self._wait(max(self._turn.rest - now, LEAST))
            return None
        return self._work().addCallback(self._done, now)

    def _give_up(self, failure: Failure) -> None:
        """What asks for it the next time is the next chance."""
        if not self._stopped:
            self._failed(failure)


class EraseSoon(Housework):
    """Calls ``step`` with ERASE_BATCH, some time after something was expunged, until nothing is left."""

    def __init__(self, step: Callable[[int], Deferred[bool]], failed: Callable[[Failure], None],
                 reactor: IReactorTime, turn: Turn) -> None:
        super().__init__(failed, reactor, turn)
        self._step = step
        self._asked = self._again = False

    def soon(self) -> None:
        """Something was expunged, or may be let go now."""
        if self._asked:
            self._again = self._again or self._timer is None     # a batch is at it, or next
        else:
            self._asked = True
            self._wait(ERASE_DELAY)

    def _work(self) -> Deferred[bool]:
        self._again = False
        return self._step(ERASE_BATCH)

    def _done(self, result: bool, started: float) -> None:
        pause = self._turn.pause(started, self._reactor.seconds())
        if result:
            self._wait(pause)
        else:
            self._asked = False
            if self._again:
                self.soon()

    def _give_up(self, failure: Failure) -> None:
        self._asked = False
        super()._give_up(failure)
