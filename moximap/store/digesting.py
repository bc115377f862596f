"""Digests are made anew, a few at a time while the account is in use: old ones, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from moximap.mail.digest import VERSION
from moximap.store.contents import DIGEST_COLUMNS, SUMMARY_COLUMNS, Files, digest_columns
from moximap.store.database import every, one
from moximap.store.errors import StoreError
from moximap.store.readers import Readers
from moximap.store.transaction import Transaction
from moximap.store.writer import Writer

#: Messages that are read for missing digests between two commits.
STEP: Final = 100

_Made = tuple[int, tuple[object, ...], tuple[object, ...]]          # content, rows of the two tables
_OLD: Final = ("SELECT c.id, c.size, c.header_size, c.head, c.body, c.file FROM digest d"
               " JOIN content c ON c.id = d.content WHERE d.version < ? LIMIT ?")
_MISSING: Final = (
    "SELECT id, size, header_size, head, body, file FROM content WHERE id > ? AND (id NOT IN"
    " (SELECT content FROM digest) OR id NOT IN (SELECT content FROM summary)) ORDER BY id LIMIT ?")


def is_behind(readers: Readers) -> bool:
    """Whether there may be digests of an older version."""
    with readers.snapshot() as snapshot:
        return bool(one(snapshot.connection.execute, "SELECT digests FROM account")[0] < VERSION)


def redigest(readers: Readers, writer: Writer, files: Files, limit: int) -> int:
    """How many were made anew; messages are read outside the write transaction."""
    made: list[_Made] = []
    with readers.snapshot() as snapshot:
        execute = snapshot.connection.execute
        if one(execute, "SELECT digests FROM account")[0] >= VERSION:
            return 0
        for id, *row in every(execute, _OLD, (VERSION, limit)):
            made.append(_make(files, id, row))
    writer.run(lambda transaction: _replace(transaction, made))
    return len(made)


def _make(files: Files, id: int, row: Sequence[Any]) -> _Made:
    content = files.content(*row)
    _, summary, digest = digest_columns(content.read(0, content.size))
    return id, summary, digest


def _replace(transaction: Transaction, made: list[_Made]) -> None:
    """With none left, later calls need not look: appends write digests of this version."""
    _write(transaction, made)
    if not made:
        transaction.execute("UPDATE mailbox_row SET digests = ? WHERE id = 0", (VERSION,))


def _write(transaction: Transaction, made: list[_Made]) -> None:
    """Unless the content has gone meanwhile."""
    for table, columns, rows in (("summary", SUMMARY_COLUMNS, [(id, *row, id) for id, row, _ in made]),
                                 ("digest", DIGEST_COLUMNS, [(id, *row, id) for id, _, row in made])):
        transaction.executemany(
            f"INSERT OR REPLACE INTO {table} (content, {', '.join(columns)}) SELECT ?{', ?' * len(columns)}"
            " WHERE EXISTS (SELECT 1 FROM content WHERE id = ?)", rows)


def remove_needless(transaction: Transaction) -> list[str]:
    """Digests of no content; what was done, in words."""
    gone: set[int] = set()
    for table in ("summary", "digest"):
        gone.update(id for id, in every(
            transaction.execute,
            f"DELETE FROM {table} WHERE content NOT IN (SELECT id FROM content) RETURNING content"))
    oldest = one(transaction.execute, "SELECT min(version) FROM digest")[0]
    if oldest is not None:
        transaction.execute("UPDATE mailbox_row SET digests = min(digests, ?) WHERE id = 0", (oldest,))
    return [f"removed {len(gone)} digests of nothing"] if gone else []


def make_missing(readers: Readers, writer: Writer, files: Files) -> Iterator[str]:
    """Messages are read outside the write transaction; what cannot be read is left for the check."""
    last = done = 0
    while True:
        made: list[_Made] = []
        with readers.snapshot() as snapshot:
            rows = every(snapshot.connection.execute, _MISSING, (last, STEP))
            for id, *row in rows:
                try:
                    made.append(_make(files, id, row))
                except StoreError:
                    continue
        if not rows:
            break
        last = rows[-1][0]
        done += len(made)
        writer.run(partial(_write, made=made))
    if done:
        yield f"made {done} missing digests"
