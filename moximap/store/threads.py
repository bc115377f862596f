"""A thread pool with a light hand-off: `call` is deferToThread at less than half its price.

Each trip costs one queue put and, for all results that are ready at the same moment, one wake-up of
the reactor through an eventfd.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from resource import RUSAGE_THREAD, getrusage
from threading import Thread
from time import perf_counter
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorFDSet, IReactorFromThreads, IReactorTime, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from moximap.store.series import Series

_T = TypeVar("_T")
#: Seconds that a quick call may take if it asked the disk, and in any case: on a busy machine it may just
#: not have had its turn.  How many calls avoid the reactor thread after one that took more.
SLOW = 0.003
TOO_SLOW = 0.03
DISTRUST = 200
#: Seconds after which a call that runs in a thread waits for SQLite: then the reactor thread may compute.
#: A reactor that has nothing else to do wakes at a full millisecond.
MEANWHILE = 0.0005

_Job = tuple["Deferred[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]


@implementer(IReadDescriptor)
class Pool(Service):
    """``size`` threads that run blocking functions, started with the first call.

    Calls that are still running when the service stops are waited for; their results are given.
    """

    def __init__(self, reactor: IReactorFDSet, size: int = 8) -> None:
        self._reactor = reactor
        self._size = size
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._results: deque[tuple[Deferred[Any], Any]] = deque()
        self._threads: list[Thread] = []
        self._wakeup = -1
        self._idle = 0
        self._distrust = 0
        self.waiting = False                       # a series waits for its turn here
        self._blocks = 0                           # read from the disk by this thread up to the last of them

    def call(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Deferred[_T]:
        """Run a blocking function in a thread; in the reactor thread only."""
        deferred: Deferred[_T] = Deferred()
        if self._wakeup < 0:
            self._open()
        if self._idle <= 0 and len(self._threads) < self._size:
            self._start_thread()
        self._idle -= 1
        self._jobs.put((deferred, function, args, kwargs))
        return deferred

    def quick(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Deferred[_T]:
        """Run a small read, or a write that needs no sync, at once, here, while such calls are quick: a trip
        through a thread costs more.

        One that took long, because the disk was asked, sends the next ones through threads.
        """
        if self._distrust:
            self._distrust -= 1
            return self.call(function, *args, **kwargs)
        return self._judged(execute, function, *args, **kwargs)

    def at_once(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T | Deferred[_T]:
        """The same; what was done here is given, or raised, as it is, which costs less than a Deferred."""
        if self._distrust:
            self._distrust -= 1
            return self.call(function, *args, **kwargs)
        return self._judged(function, *args, **kwargs)

    def _judged(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        start = perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            took = perf_counter() - start
            blocks = getrusage(RUSAGE_THREAD).ru_inblock     # of each: this one alone is judged
            if took > TOO_SLOW or took > SLOW and blocks > self._blocks:
                self._distrust = DISTRUST
            self._blocks = blocks

    def series(self) -> Callable[..., Deferred[Any]]:
        """What runs reads that follow one another, here or in threads: each when the one before has ended."""
        return Series(self, IReactorTime(self._reactor)).call

    @property
    def busy(self) -> bool:
        """Whether anything runs in a thread."""
        return self._idle < len(self._threads)

    def soon(self, function: Callable[[], None]) -> None:
        """From a call that runs in a thread: do something in the reactor thread meanwhile.

        Not at once: it would have the interpreter before the call is where it needs none.
        """
        later = IReactorTime(self._reactor).callLater
        IReactorFromThreads(self._reactor).callFromThread(later, MEANWHILE, function)

    def halves(self, function: Callable[..., Callable[[], _T]], /, *args: Any, **kwargs: Any) -> Deferred[_T]:
        """Run a function as `quick` does, and what it gives in a thread; or both in one thread.

        All threads may be waiting for what the second half lets go: there must be one more for it.
        """
        if self._distrust or len(self._threads) - self._idle >= self._size:
            self._distrust = max(self._distrust - 1, 0)
            return self.call(both, function, *args, **kwargs)
        return self.quick(function, *args, **kwargs).addCallback(self._elsewhere)

    def _elsewhere(self, second: Callable[[], _T]) -> Deferred[_T]:
        """The second half must be done, even here where the system has no more threads."""
        try:
            return self.call(second)
        except RuntimeError:
            return execute(second)

    def stopService(self) -> None:
        """Let the running calls end, then the threads."""
        super().stopService()  # type: ignore[no-untyped-call]
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        if self._wakeup >= 0:
            self.doRead()
            self._reactor.removeReader(self)
            os.close(self._wakeup)
        self._threads, self._wakeup, self._idle = [], -1, 0

    # the reactor's side of the eventfd

    def fileno(self) -> int:
        return self._wakeup

    def logPrefix(self) -> str:
        return "moximap.store.threads"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor dropped the eventfd; nothing is to be done."""

    def doRead(self) -> None:
        """Hand over all results that are there."""
        try:
            os.eventfd_read(self._wakeup)
        except BlockingIOError:
            pass
        while self._results:
            deferred, result = self._results.popleft()
            self._idle += 1
            if not deferred.called:
                deferred.callback(result)         # a Failure goes the errback way

    def _open(self) -> None:
        self._wakeup = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._reactor.addReader(self)

    def _start_thread(self) -> None:
        thread = Thread(target=self._work, name=f"store-{len(self._threads)}", daemon=True)
        thread.start()
        self._threads.append(thread)
        self._idle += 1

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            deferred, function, args, kwargs = job
            try:
                result: Any = function(*args, **kwargs)
            except BaseException:
                result = Failure()  # type: ignore[no-untyped-call]
            self._results.append((deferred, result))
            os.eventfd_write(self._wakeup, 1)
            del job, deferred, function, args, kwargs, result


def both(function: Callable[..., Callable[[], _T]], /, *args: Any, **kwargs: Any) -> _T:
    """The two halves, one after the other."""
    return function(*args, **kwargs)()


class DirectPool:
    """Runs each call at once, in the calling thread: for tests and for programs without a reactor."""

    def call(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Deferred[_T]:
        return execute(function, *args, **kwargs)

    def quick(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Deferred[_T]:
        return self.call(function, *args, **kwargs)

    def at_once(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T | Deferred[_T]:
        tried = self.quick(function, *args, **kwargs)
        result: Any = getattr(tried, "result", tried)
        return tried if isinstance(result, Failure) else result

    def series(self) -> Callable[..., Deferred[Any]]:
        return self.call

    def soon(self, function: Callable[[], None]) -> None:
        function()

    def halves(self, function: Callable[..., Callable[[], _T]], /, *args: Any, **kwargs: Any) -> Deferred[_T]:
        return self.call(both, function, *args, **kwargs)
