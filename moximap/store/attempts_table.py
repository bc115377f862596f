"""Login attempts in directory.db, by a connection of their own that waits for no disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

import apsw
import attrs
from zope.interface import implementer

from moximap.store import database
from moximap.store.attempts import KEPT, MOST_FAILED, Attempt, Attempts, IAttempts
from moximap.store.database import every, one

_FIELDS: Final = ", ".join(field.name for field in attrs.fields(Attempt))
_PLACES: Final = ", ".join("?" * len(attrs.fields(Attempt)))
_RECORD: Final = (f"INSERT INTO attempt (id, {_FIELDS}, count, first, last) VALUES (?, {_PLACES}, ?, ?, ?)"
                  " ON CONFLICT (id) DO UPDATE SET count = count + excluded.count,"
                  " first = min(first, excluded.first), last = max(last, excluded.last) RETURNING count")
_USED: Final = "UPDATE key SET used = max(ifnull(used, 0), ?) WHERE fingerprint = ?"


@implementer(IAttempts)
class AttemptsTable:
    """``path``: of the database.  A power cut may cost the last ones, and nothing else."""

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        self._connection = database.connect(path, write=True)
        self._connection.pragma("synchronous", "normal")
        self._connection.wal_autocheckpoint(1000)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def record(self, batch: Sequence[Attempts]) -> list[int]:
        counts = []
        with self._write() as connection:
            for one_of_it in batch:
                counts.append(_add(connection, one_of_it))
            for account in {each.attempt.account for each in batch if each.attempt.result != "ok"}:
                _prune(connection, account)
        return counts

    def of(self, account: str | None = None, most: int | None = None) -> tuple[Attempts, ...]:
        where, bindings = ("", ()) if account is None else (" WHERE account = ?", (account,))
        with self._lock, database.translated():
            rows = every(self._connection.execute, f"SELECT {_FIELDS}, count, first, last FROM attempt{where}"
                         " ORDER BY last DESC, id LIMIT ?", (*bindings, -1 if most is None else most))
        return tuple(Attempts(Attempt(*row[:-3]), *row[-3:]) for row in rows)

    def clean(self, now: float) -> int:
        with self._write() as connection:
            connection.execute("DELETE FROM attempt WHERE last < ?", (now - KEPT,))
            return connection.changes()

    @contextmanager
    def _write(self) -> Iterator[apsw.Connection]:
        with self._lock, database.translated(), database.writing(self._connection) as connection:
            yield connection


def _add(connection: apsw.Connection, new: Attempts) -> int:
    attempt = new.attempt
    fields = (value.encode("utf-8", "backslashreplace").decode() for value in attrs.astuple(attempt))
    row = one(connection.execute, _RECORD, (attempt.id(), *fields, new.count, new.first, new.last))
    if attempt.result == "ok" and attempt.key:
        connection.execute(_USED, (new.last, attempt.key))
    return int(row[0])


def _prune(connection: apsw.Connection, account: str) -> None:
    """Of too many failed ones the oldest go."""
    row = one(connection.execute, "SELECT count FROM attempt_failures WHERE account = ?", (account,))
    if row is not None and row[0] > MOST_FAILED:
        connection.execute(
            "DELETE FROM attempt WHERE id IN (SELECT id FROM attempt WHERE account = ? AND result <> 'ok'"
            " ORDER BY last LIMIT ?)", (account, row[0] - MOST_FAILED))
