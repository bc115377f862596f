"""Reads that follow one another, such as the pieces of a FETCH of many messages."""

from __future__ import annotations

from collections.abc import Callable
from resource import RUSAGE_THREAD, getrusage
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorTime

if TYPE_CHECKING:
    from moximap.store.threads import Pool

_T = TypeVar("_T")
#: Seconds of the reactor's time that a series takes before the others have their turn.
TURN: Final = 0.001
#: Seconds after which one does not belong here, whatever the reason.
SLOW: Final = 0.003


class Series:
    """Each read is done in a thread, or here, in the reactor thread, where it will be quick: two wake-ups are
    a tenth of what rendering and sending a piece takes, and more on a busy machine.

    Here: after one that asked no disk, as long as nothing runs in a thread of the pool, and no other series
    is here.  What computes in a thread would have the interpreter at each row, and the reactor would wait
    for it.  One that is slow here sends the rest through threads.
    """

    def __init__(self, pool: Pool, reactor: IReactorTime) -> None:
        self._pool = pool
        self._reactor = reactor
        self._warm = self._slow = False
        self._since = 0.0

    def call(self, function: Callable[..., _T], /, *args: Any) -> Deferred[_T]:
        """Run a read that takes about a millisecond or less when no disk is asked."""
        if self._slow or not self._warm or self._pool.busy or self._pool.waiting:
            return self._pool.call(_watched, function, *args).addCallback(self._note)
        if perf_counter() - self._since < TURN:
            return execute(self._here, function, *args)
        turn: Deferred[None] = Deferred()
        self._pool.waiting = True
        self._reactor.callLater(0, self._begin, turn)
        return turn.addCallback(lambda _: self._here(function, *args))

    def _begin(self, turn: Deferred[None]) -> None:
        self._pool.waiting = False
        self._since = perf_counter()
        turn.callback(None)

    def _here(self, function: Callable[..., _T], /, *args: Any) -> _T:
        began = perf_counter()
        try:
            return self._note(_watched(function, *args))
        finally:
            self._slow = perf_counter() - began > SLOW

    def _note(self, found: tuple[_T, bool]) -> _T:
        result, self._warm = found
        return result


def _watched(function: Callable[..., _T], /, *args: Any) -> tuple[_T, bool]:
    """What it gives, and whether this thread read nothing from the disk meanwhile."""
    before = getrusage(RUSAGE_THREAD).ru_inblock
    result = function(*args)
    return result, getrusage(RUSAGE_THREAD).ru_inblock == before
