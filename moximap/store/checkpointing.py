"""Checkpoints in a side thread: a commit never pays for copying the log into the database."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

import apsw
from twisted.logger import Logger

from moximap.store import database

#: Pages that a log gains before it is copied.
COPY: Final = (4 << 20) // database.PAGE
#: Pages of a log from which on writers wait a moment, so that it begins anew: before it is cut, since what
#: is written over what is there already is synced in half the time.
RESTART: Final = (8 << 20) // database.PAGE
#: Seconds for which they do: who reads the log meanwhile may be a process that gets the processor last.
_PATIENCE: Final = 0.01


class Checkpointer:
    """Copies the logs of all accounts of a process; its thread begins with the first that is due."""

    _log = Logger()

    def __init__(self) -> None:
        self._lock = Lock()
        self._copied: dict[str, int] = {}          # by path; to look for a Path takes longer
        self._due: dict[str, int] = {}
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._thread: Thread | None = None

    def committed(self, path: str, pages: int) -> None:
        """A log has so many pages now; those that were copied already still count among them."""
        copied = self._copied.get(path, 0)
        if pages < copied:
            copied = self._copied[path] = 0
        if pages - copied >= COPY and path not in self._due:
            self._enqueue(path, pages)

    def forget(self, path: str) -> None:
        """The account was closed."""
        self._copied.pop(path, None)

    def close(self) -> None:
        """Stop, when what is due is done."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _enqueue(self, path: str, pages: int) -> None:
        with self._lock:
            self._due[path] = pages
            if self._thread is None:
                self._thread = Thread(target=self._work, name="moximap checkpoints", daemon=True)
                self._thread.start()
        self._queue.put(path)

    def _work(self) -> None:
        while (path := self._queue.get()) is not None:
            try:
                self._copied[path] = checkpoint(Path(path))
            except apsw.BusyError:
                self._copied[path] = self._due.get(path, 0)      # another process does it
            except (apsw.Error, OSError):
                self._log.failure("checkpoint of {path} failed", path=path)
            self._due.pop(path, None)      # not before: what is committed meanwhile asks for no second one


def checkpoint(path: Path) -> int:
    """Copy a log into its database, as far as nobody reads what is older; its pages, from which on its
    growth counts again.
    """
    connection = database.connect(path, write=True)
    try:
        total, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        if total >= RESTART:
            database.sync(connection, path)     # now: below nobody can write meanwhile
            database.be_patient(connection, _PATIENCE)
            with suppress(apsw.BusyError):   # somebody reads for long: the next time, not with each commit
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
        return int(total)
    finally:
        connection.close()
