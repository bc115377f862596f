"""The write side of an account: operations of many threads, committed together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Generic, TypeVar

import apsw
import attrs

from moximap.store.database import PATIENCE, Patience, Removal, translate, translated
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

    def lead_alone(self) -> bool:
        """Lead without a job in line, if nobody leads."""
        with self.lock:
            leads, self.led = not self.led, True
            return leads

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
        self._removed: Removal
        self._patience = Patience(PATIENCE)
        self._flags = flags
        self._committed = committed
        self._durable = True
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
        if not self._queue.lead_alone():
            raise Busy("another thread is writing")
        job = Job(work, durable=False)
        try:
            self._patience.seconds = 0.0
            self._serve([job])  # type: ignore[list-item]
        finally:
            self._patience.seconds = PATIENCE
            self._queue.pass_on()
        if job.error is not None and isinstance(job.error.__cause__, apsw.BusyError):
            raise Busy("another process is writing")
        return job.outcome()

    def begin_now(self, work: Callable[[Transaction], T]) -> Callable[[], T]:
        """Run an operation if that takes no waiting for anybody, else Busy; what is given commits it.

        It must be called, once, and in any thread: until then nobody else writes.
        """
        if not self._queue.lead_alone():
            raise Busy("another thread is writing")
        job = Job(work, durable=True)
        try:
            with translated():
                after = self._begin_at_once(job)  # type: ignore[arg-type]
        except BaseException:
            self._queue.pass_on()
            raise

        def commit() -> T:
            try:
                with translated():
                    self._end_or_nothing(after)
            finally:
                self._queue.pass_on()
            return job.result

        return commit

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
            self._connection = connection
        return self._connection

    def _begin(self, batch: list[Job[object]]) -> Counters | None:
        """Run a batch; the counters after it, None where it changed nothing."""
        connection = self._open()
        if self._removed:
            raise Unavailable("the account was removed")
        durable = any(job.durable for job in batch)
        if durable is not self._durable:
            connection.pragma("synchronous", "full" if durable else "normal")
            self._durable = durable
        connection.execute("BEGIN IMMEDIATE")
        before = Counters.read(connection)
        self._flags.catch_up(connection, before.keywordsets)
        after = before.copy()
        for job in batch:
            after = self._attempt(connection, job, after, alone=len(batch) == 1)
        if after == before:
            return None
        after.write(connection)
        return after

    def _end(self, after: Counters | None) -> None:
        """Commit what `_begin` did."""
        assert self._connection is not None
        self._connection.execute("COMMIT")
        if after is not None:
            self._flags.catch_up(self._connection, after.keywordsets)
            self._committed(self._durable)

    def _begin_at_once(self, job: Job[object]) -> Counters | None:
        """Run one operation without waiting for another process: Busy.  Who leads next does wait."""
        self._patience.seconds = 0.0
        try:
            return self._begin([job])
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

    def _attempt(self, connection: apsw.Connection, job: Job[object], counters: Counters,
                 alone: bool) -> Counters:
        """Run one operation; the counters after it, or where it failed those before."""
        job.error = None
        if alone:
            transaction = Transaction(connection, counters)
            job.result = job.work(transaction)
            transaction.finish()
            return counters
        mine = counters.copy()
        transaction = Transaction(connection, mine)
        connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(transaction)
            transaction.finish()
        except BaseException as error:
            if not connection.in_transaction or isinstance(error, apsw.Error):
                raise
            connection.execute("ROLLBACK TO job")
            job.error, mine = error, counters
        connection.execute("RELEASE job")
        return mine

    def _roll_back(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _fail(batch: list[Job[object]], error: BaseException) -> None:
    failure = translate(error)
    if failure is not None:
        failure.__cause__ = error
    for job in batch:
        job.error = failure or error
