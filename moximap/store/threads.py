"""A thread pool with a light hand-off: `call` is deferToThread at less than half its price.

Each trip wakes one thread, the one that waits for the shortest time, and, for all results that are ready
at the same moment, the reactor once, through an eventfd.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from resource import RUSAGE_THREAD, getrusage
from threading import Lock, Thread
from time import perf_counter
from typing import Any, Protocol, TypeVar

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, execute, fail
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


class IPool(Protocol):
    """Something that runs blocking functions elsewhere (a Pool), or at once (in tests)."""

    def call(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Deferred[_T]: ...

    def quick(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Deferred[_T]:
        """The same for a small read that memory will most likely answer: perhaps at once."""

    def at_once(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T | Deferred[_T]:
        """The same; what was done at once is given, or raised, as it is."""

    def halves(self, function: Callable[..., Callable[[], _T]], /, *args: Any, **kwargs: Any) -> Deferred[_T]:
        """The same for a function of which what it gives must be called, too: only that must be elsewhere."""

    def series(self) -> Callable[..., Deferred[Any]]:
        """What runs small reads that follow one another, each when the one before has ended."""

    def soon(self, function: Callable[[], None]) -> None:
        """Called by what `call` runs: do something in the reactor thread meanwhile."""


@attrs.define(eq=False)
class _Worker:
    """A thread, and what it is to do next.  Each waits for a lock of its own: one queue for all would wake
    a second one for each job, which finds nothing there and had the interpreter for it."""

    job: _Job | None = None
    given: Lock = attrs.field(factory=Lock)
    thread: Thread = attrs.field(init=False)

    def give(self, job: _Job) -> None:
        self.job = job
        self.given.release()


@implementer(IReadDescriptor)
class Pool(Service):
    """``size`` threads that run blocking functions, started with the first call.

    Calls that are still running when the service stops are waited for; their results are given, and what is
    called then is done at once.
    """

    def __init__(self, reactor: IReactorFDSet, size: int = 8) -> None:
        self._reactor = reactor
        self._size = size
        self._jobs: deque[_Job | None] = deque()   # for which no thread is free
        self._results: deque[tuple[_Worker, Deferred[Any], Any]] = deque()
        self._workers: list[_Worker] = []
        self._idle: list[_Worker] = []             # of them; who was busy last is the first to be so again
        self._wakeup = -1
        self._rung = self._ending = False
        self._distrust = 0
        self.waiting = False                       # a series waits for its turn here
        self._blocks = 0                           # read from the disk by this thread up to the last of them

    def call(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Deferred[_T]:
        """Run a blocking function in a thread; in the reactor thread only."""
        if self._ending:                           # the last results lead to it, and no thread is left
            return execute(function, *args, **kwargs)
        deferred: Deferred[_T] = Deferred()
        if self._wakeup < 0:
            self._open()
        if not self._idle and len(self._workers) < self._size:
            self._start_thread()
        job = deferred, function, args, kwargs
        if self._idle:
            self._idle.pop().give(job)
        else:
            self._jobs.append(job)
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
        return len(self._idle) < len(self._workers)

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
        if self._distrust or len(self._workers) - len(self._idle) >= self._size:
            self._distrust = max(self._distrust - 1, 0)
            return self.call(both, function, *args, **kwargs)
        try:
            second = self._judged(function, *args, **kwargs)
        except BaseException:
            return fail()
        try:
            return self.call(second)
        except RuntimeError:                       # no more threads: it must be done all the same
            return execute(second)

    def stopService(self) -> None:
        """Let the running calls end, then the threads."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._jobs.extend([None] * len(self._workers))
        self._ending = True                        # from here on they help themselves
        for worker in self._workers:
            if worker.given.locked():
                worker.given.release()
        for worker in self._workers:
            worker.thread.join()
        if self._wakeup >= 0:
            self.doRead()
            self._reactor.removeReader(self)
            os.close(self._wakeup)
        self._workers, self._wakeup, self._idle, self._ending = [], -1, [], False

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
        self._rung = False
        while self._results:
            worker, deferred, result = self._results.popleft()
            waits = self._jobs.popleft() if self._jobs else None
            if waits is None:
                self._idle.append(worker)
            else:
                worker.give(waits)
            if not deferred.called:
                deferred.callback(result)         # a Failure goes the errback way

    def _open(self) -> None:
        self._wakeup = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._reactor.addReader(self)

    def _start_thread(self) -> None:
        worker = _Worker()
        worker.given.acquire()
        name = f"store-{len(self._workers)}"
        worker.thread = Thread(target=self._work, args=(worker,), name=name, daemon=True)
        worker.thread.start()
        self._workers.append(worker)
        self._idle.append(worker)

    def _work(self, worker: _Worker) -> None:
        stand_back()
        while (job := self._next(worker)) is not None:
            deferred, function, args, kwargs = job
            try:
                result: Any = function(*args, **kwargs)
            except BaseException:
                result = Failure()  # type: ignore[no-untyped-call]
            self._results.append((worker, deferred, result))
            if not self._rung:                     # nobody else has rung that was not heard yet
                self._rung = True
                os.eventfd_write(self._wakeup, 1)
            del job, deferred, function, args, kwargs, result

    def _next(self, worker: _Worker) -> _Job | None:
        if not self._ending:
            worker.given.acquire()
        job, worker.job = worker.job, None
        return job or self._jobs.popleft()         # where it was given nothing all end


def stand_back() -> None:
    """Let this thread wait for a processor that others use, where the system can be told so.

    Woken by the disk, it would otherwise take the place of the reactor's thread, and then wait for the
    interpreter, which that one has.
    """
    with suppress(AttributeError, OSError):
        if os.sched_getscheduler(0) == os.SCHED_OTHER:             # else somebody has chosen
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


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
