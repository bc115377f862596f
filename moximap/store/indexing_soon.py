"""When the search index is brought up to date: in the quiet after writes, a little at a time.

The law of this file: everything here is touched in the reactor thread only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from moximap.store.housework import PAUSE, QUIET, Housework, More, Turn
from moximap.store.interfaces import IAccount

#: Seconds after which indexing begins, writes or not.
PATIENCE: Final = 20.0
#: Seconds after which it is looked at again whether another process, which was at it, has done all.
OTHERS_PAUSE: Final = 2.0


@attrs.frozen
class Pace:
    """``look``: seconds after which it is looked at, writes or not.  ``batch``: messages at a time.
    ``pause``: between two batches, as housework's PAUSE."""

    look: float
    batch: int
    pause: tuple[float, float]


#: In this process, where the mail waits for each batch, of some 50 ms; and in one that gives way to it.
HERE: Final = Pace(look=PATIENCE, batch=64, pause=PAUSE)
ELSEWHERE: Final = Pace(look=1.0, batch=256, pause=(0.0, 0.0))


@attrs.frozen
class Step:
    """A batch: ``done``, as IAccount.index, or None where it can wait; ``many``: so many are left that nobody
    is spared."""

    done: int | None
    many: bool = False


class IIndexer(Protocol):
    """Where the accounts of a process are indexed."""

    @property
    def pace(self) -> Pace: ...

    def step(self, account: IAccount, limit: int, spare: bool) -> Deferred[Step]:
        """Do a batch.  ``spare``: somebody writes, and nobody has waited for long."""


@attrs.frozen
class IndexHere:
    """In the threads of this process."""

    call: Callable[..., Deferred[int | None]]
    pace: Pace = HERE

    def step(self, account: IAccount, limit: int, spare: bool) -> Deferred[Step]:
        return self.call(account.index, limit).addCallback(Step)


class IndexSoon(Housework):
    """Indexes an account batch by batch, until there is nothing to do."""

    def __init__(self, account: IAccount, indexer: IIndexer, failed: Callable[[Failure], None],
                 reactor: IReactorTime, turn: Turn) -> None:
        super().__init__(failed, reactor, turn)
        self._account = account
        self._indexer = indexer
        self._since: float | None = None     # when what waits began to wait
        self._last = 0.0

    def soon(self) -> None:
        """Something was written."""
        self._last = self._reactor.seconds()
        if self._since is None:
            self._since = self._last
            self._wait(min(QUIET, self._indexer.pace.look))

    def _due(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        assert self._since is not None
        due = min(self._last + QUIET, self._since + self._indexer.pace.look)
        if now < due:                        # not: now - last < QUIET, which may stay true when it is due
            self._wait(due - now)
        else:
            super()._due()

    def _work(self) -> Deferred[Step]:
        spare = self._turn.busy and self._since is not None \
            and self._reactor.seconds() < self._since + PATIENCE
        return self._indexer.step(self._account, self._indexer.pace.batch, spare)

    def _done(self, result: Step, started: float) -> More:
        if result.done is None:
            self._wait(OTHERS_PAUSE)
        elif result.done:
            self._due()
            return More.NOW if result.many else More.LATER
        else:
            self._since = None
            if self._last >= started:        # written while nothing was found: perhaps just after
                self.soon()
        return More.NOTHING

    def _give_up(self, failure: Failure) -> More:
        self._since = None
        return super()._give_up(failure)
