"""The write side of an account: operations of many threads, committed together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Generic, TypeVar

import apsw
import attrs

from moximap.store.database import PATIENCE, SHRINK, Execute, Patience, Removal, fail, translate, translated
from moximap.store.errors import Busy, Unavailable
from moximap.store.flags import FlagTable
from moximap.store.transaction import Counters, Transaction

T = TypeVar("T")


class Job(Generic[T]):
    """An operation that waits, and what came of it."""

    def __init__(self, work: Callable[[Transaction], T], durable: bool) -> None:
        self.work = work
        self.durable = durable
        self.leads = False
        self.result: T
        self.error: BaseException | None = None
        self._done = Lock()
        self._done.acquire()

    def wait(self) -> None:
        self._done.acquire()

    def wake(self) -> None:
        self._done.release()

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return self.result


@attrs.define
class Queue:
    """Who waits to write, and whether somebody is writing: at most one thread leads."""

    lock: Lock = attrs.field(factory=Lock)
    waiting: list[Job[object]] = attrs.field(factory=list)
    led: bool = False

    def join(self, job: Job[object]) -> bool:
        """Get in line; True if the caller leads."""
        with self.lock:
            self.waiting.append(job)
            leads, self.led = not self.led, True
            return leads

    def lead_alone(self) -> None:
        """Lead without a job in line; Busy where somebody else does."""
        with self.lock:
            if self.led:
                raise Busy("another thread is writing")
            self.led = True

    def take(self) -> list[Job[object]]:
        with self.lock:
            batch, self.waiting = self.waiting, []
            return batch

    def pass_on(self) -> None:
        """Let the first that waits lead now: each leads once, so none serves others for ever."""
        with self.lock:
            if self.waiting:
                self.waiting[0].leads = True
                self.waiting[0].wake()
            else:
                self.led = False


class Writer:
    """Runs operations, each under a savepoint, all that wait in one transaction.

    The first thread that comes leads: it runs what waits, commits, and wakes the others.  A batch
    is synced to the disk if anything in it must be durable.
    """

    def __init__(self, connect: Callable[[], apsw.Connection], flags: FlagTable,
                 committed: Callable[[bool], None]) -> None:
        self._connect = connect
        self._connection: apsw.Connection | None = None
        self._execute: Execute                     # what is the writer's own has a cursor of its own
        self._removed: Removal
        self._patience = Patience(PATIENCE)
        self._flags = flags
        self._committed = committed
        self._durable = True
        self._counters: tuple[int, int, int, int]   # when the database had this version
        self._version: int | None = None
        self._closed = False
        self._queue = Queue()

    def run(self, work: Callable[[Transaction], T], *, durable: bool = True) -> T:
        """Run an operation and commit it; its exceptions, or NoSpace and Unavailable."""
        job = Job(work, durable)
        if not self._queue.join(job):  # type: ignore[arg-type]
            job.wait()
            if not job.leads:
                return job.outcome()
        batch = self._queue.take()
        try:
            self._serve(batch)
        finally:
            self._queue.pass_on()
            for other in batch:
                if other is not job:
                    other.wake()
        return job.outcome()

    def run_now(self, work: Callable[[Transaction], T]) -> T:
        """Run an operation that need not be durable, if that takes no waiting for anybody; else Busy."""
        self._queue.lead_alone()
        try:
            result, changed = self._begin_at_once(work, durable=False)
            self._end(changed)
            return result
        except BaseException as error:
            self._roll_back()
            fail(error)
            raise
        finally:
            self._queue.pass_on()

    def begin_now(self, work: Callable[[Transaction], T], durable: bool = True) -> Callable[[], T]:
        """Run an operation if that takes no waiting for anybody, else Busy; what is given commits it.

        It must be called, once, and in any thread: until then nobody else writes.
        """
        self._queue.lead_alone()
        try:
            with translated():
                result, changed = self._begin_at_once(work, durable)
        except BaseException:
            self._queue.pass_on()
            raise

        def commit() -> T:
            try:
                with translated():
                    self._end_or_nothing(changed)
            finally:
                self._queue.pass_on()
            return result

        return commit

    def rest(self) -> None:
        """Keep no pages in memory until the next operation; nothing where somebody is at one."""
        with suppress(Busy):
            self._queue.lead_alone()
            try:
                if self._connection is not None:
                    self._execute(SHRINK)
            finally:
                self._queue.pass_on()

    def close(self) -> None:
        """Close the connection; what waits, and what comes, is Unavailable."""
        self._closed = True
        with suppress(Unavailable):
            self.run(lambda transaction: None)

    def _serve(self, batch: list[Job[object]]) -> None:
        try:
            self._end(self._begin(batch))
        except BaseException as error:
            self._roll_back()
            if len(batch) > 1 and not isinstance(error, (apsw.BusyError, Unavailable)):
                # The transaction broke for one of them, or for their sum: each has its own chance.
                for job in batch:
                    self._serve([job])
            else:
                _fail(batch, error)
        if self._closed and self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> apsw.Connection:
        if self._closed:
            raise Unavailable("the account was closed")
        if self._connection is None:
            connection = self._connect()
            connection.set_busy_handler(self._patience)
            self._removed = Removal(connection)
            self._execute = connection.cursor().execute
            self._connection = connection
        return self._connection

    def _begin(self, batch: list[Job[object]]) -> Counters | None:
        """Run a batch; the counters after it, None where it changed nothing."""
        before = self._start(any(job.durable for job in batch))
        after = Counters(*before)
        if len(batch) == 1:
            batch[0].error = None
            batch[0].result = self._perform(batch[0].work, after)
        else:
            for job in batch:
                after = self._attempt(job, after)
        return self._counted(before, after)

    def _start(self, durable: bool) -> tuple[int, int, int, int]:
        """Begin a transaction; the row of the counters before it."""
        connection = self._open()
        if self._removed:
            raise Unavailable("the account was removed")
        if durable is not self._durable:
            connection.pragma("synchronous", "full" if durable else "normal")
            self._durable = durable
        self._execute("BEGIN IMMEDIATE")
        if connection.data_version() != self._version:        # otherwise nobody else has written since
            self._counters = Counters.read(self._execute)
            self._flags.catch_up(connection, self._counters[-1])
        return self._counters

    def _perform(self, work: Callable[[Transaction], T], counters: Counters) -> T:
        """Run an operation, which moves the counters."""
        assert self._connection is not None
        transaction = Transaction(self._connection, counters, self._execute)
        result = work(transaction)
        transaction.finish()
        return result

    def _counted(self, before: tuple[int, int, int, int], after: Counters) -> Counters | None:
        """Write the counters, where they have changed."""
        if after.row() == before:
            return None
        after.write(self._execute)
        return after

    def _end(self, after: Counters | None) -> None:
        """Commit what `_begin` did."""
        assert self._connection is not None
        self._execute("COMMIT")
        if after is not None:
            # Before anything is read again: by then another may have written, which these have not.
            self._counters, self._version = after.row(), self._connection.data_version()
            self._flags.catch_up(self._connection, after.keywordsets)
            self._committed(self._durable)

    def _begin_at_once(self, work: Callable[[Transaction], T], durable: bool) -> tuple[T, Counters | None]:
        """Run one operation without waiting for another process: Busy.  Who leads next does wait."""
        self._patience.seconds = 0.0
        try:
            before = self._start(durable)
            after = Counters(*before)
            return self._perform(work, after), self._counted(before, after)
        except BaseException as error:
            self._roll_back()
            if isinstance(error, apsw.BusyError):
                raise Busy("another process is writing") from error
            raise
        finally:
            self._patience.seconds = PATIENCE

    def _end_or_nothing(self, after: Counters | None) -> None:
        try:
            self._end(after)
        except BaseException:
            self._roll_back()
            raise

    def _attempt(self, job: Job[object], counters: Counters) -> Counters:
        """Run one operation of several; the counters after it, or where it failed those before."""
        connection = self._connection
        assert connection is not None
        job.error, mine = None, Counters(*counters.row())
        connection.execute("SAVEPOINT job")
        try:
            job.result = self._perform(job.work, mine)
        except BaseException as error:
            if not connection.in_transaction or isinstance(error, apsw.Error):
                raise
            connection.execute("ROLLBACK TO job")
            job.error, mine = error, counters
        connection.execute("RELEASE job")
        return mine

    def _roll_back(self) -> None:
        self._version = None
        if self._connection is not None and self._connection.in_transaction:
            self._execute("ROLLBACK")


def _fail(batch: list[Job[object]], error: BaseException) -> None:
    failure = translate(error)
    if failure is not None:
        failure.__cause__ = error
    for job in batch:
        job.error = failure or error
