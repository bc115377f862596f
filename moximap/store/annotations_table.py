"""Annotations in mail.db, and those of the server in directory.db (RFC 5464)."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from typing import Final

import apsw
from zope.interface import implementer

from moximap.store import names
from moximap.store.annotations import (LARGEST, MOST, Annotated, AnnotationsTooLarge, IAnnotations,
                                       ISharedAnnotations, TooManyAnnotations, clean)
from moximap.store.database import Execute, every, one
from moximap.store.errors import Cannot
from moximap.store.readers import Readers
from moximap.store.transaction import Transaction
from moximap.store.writer import Writer
from moximap.values import Written

#: What stands for the account itself where a mailbox's id would.
ACCOUNT: Final = 0
#: Removed entries that are remembered.
TOMBSTONES: Final = 1000

_SET: Final = (
    "INSERT INTO annotation (mailbox, entry, value, modseq, createseq) VALUES (?1, ?2, ?3, ?4, ?4)"
    " ON CONFLICT (mailbox, entry) DO UPDATE SET value = excluded.value, modseq = excluded.modseq,"
    " createseq = iif(value IS NULL, excluded.createseq, createseq)")
_TOTAL: Final = ("SELECT count(*), ifnull(sum(length(entry) + length(value)), 0) FROM annotation"
                 " WHERE value IS NOT NULL")
_FORGET: Final = (
    "DELETE FROM annotation WHERE value IS NULL AND modseq <= (SELECT modseq FROM annotation"
    f" WHERE value IS NULL ORDER BY modseq DESC LIMIT 1 OFFSET {TOMBSTONES})")
_SINCE: Final = (
    "SELECT ifnull(b.name, ''), a.entry, a.modseq FROM annotation a LEFT JOIN mailbox b ON b.id = a.mailbox"
    " WHERE a.modseq > ? AND b.removed IS NOT 1 ORDER BY a.modseq, 1, a.entry")

OpenTransaction = Callable[[], AbstractContextManager[apsw.Connection]]


@implementer(IAnnotations)
class AnnotationsTable:
    """Those of an account."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def of(self, mailbox: str) -> dict[str, bytes]:
        with self._readers.snapshot() as snapshot:
            id = snapshot.named(names.canonical(mailbox)).id if mailbox else ACCOUNT
            return of(snapshot.connection.execute, id)

    def named(self, entries: Collection[str]) -> dict[int, dict[str, bytes]]:
        found: dict[int, dict[str, bytes]] = {}
        with self._readers.snapshot() as snapshot:
            for entry in entries:
                rows = every(snapshot.connection.execute, "SELECT mailbox, value FROM annotation"
                             " WHERE entry = ? AND value IS NOT NULL", (entry,))
                for id, value in rows:
                    found.setdefault(id, {})[entry] = value
        return found

    def change(self, mailbox: str, values: Mapping[str, bytes | None]) -> Written:
        cleaned = {clean(entry): value for entry, value in values.items()}
        return self._writer.run(lambda t: change(t, mailbox, cleaned))

    def since(self, modseq: int | None) -> Annotated:
        with self._readers.snapshot() as snapshot:
            if modseq is None:
                return Annotated(snapshot.modseq)
            return Annotated(snapshot.modseq, tuple(every(snapshot.connection.execute, _SINCE, (modseq,))))


def change(transaction: Transaction, mailbox: str, values: Mapping[str, bytes | None]) -> Written:
    """Set entries of a mailbox; it is stamped, so that it is found by its modseq (RFC 7162)."""
    box = transaction.need(names.canonical(mailbox)) if mailbox else None
    before = one(transaction.execute, _TOTAL)
    if not _set(transaction, ACCOUNT if box is None else box.id, values):
        return Written(transaction.counters.modseq)
    count, size = one(transaction.execute, _TOTAL)
    if count > max(MOST, before[0]):
        raise TooManyAnnotations(f"an account has at most {MOST} annotations")
    if size > max(LARGEST, before[1]):
        raise AnnotationsTooLarge(f"annotations are {LARGEST} octets at most, all together")
    if box is None:
        return Written(transaction.modseq)
    _stamp(transaction, box.id)
    return Written(transaction.modseq, (transaction.changed(box, array("I"), array("Q")),))


def _set(transaction: Transaction, mailbox: int, values: Mapping[str, bytes | None]) -> bool:
    """Whether anything is other than it was."""
    held = dict(every(transaction.execute, "SELECT entry, value FROM annotation WHERE mailbox = ?",
                      (mailbox,)))
    new = {entry: value for entry, value in values.items() if held.get(entry) != value}
    transaction.executemany(_SET, [(mailbox, entry, value, transaction.modseq)
                                   for entry, value in new.items()] if new else [])
    if None in new.values():
        transaction.execute(_FORGET)
    return bool(new)


def _stamp(transaction: Transaction, mailbox: int) -> None:
    transaction.execute("UPDATE mailbox_row SET modseq = ? WHERE id = ?", (transaction.modseq, mailbox))


def copy(transaction: Transaction, source: int, target: int) -> None:
    """Give a mailbox, which is new, what another one has; limits do not count here."""
    give(transaction, target, of(transaction.execute, source))


def of(execute: Execute, mailbox: int) -> dict[str, bytes]:
    """What a mailbox has, or with ACCOUNT the account."""
    return dict(every(execute, "SELECT entry, value FROM annotation WHERE mailbox = ?"
                      " AND value IS NOT NULL ORDER BY entry", (mailbox,)))


def give(transaction: Transaction, mailbox: int, values: Mapping[str, bytes]) -> None:
    """Set what a new mailbox has, or with ACCOUNT the account; limits do not count here."""
    if _set(transaction, mailbox, values) and mailbox != ACCOUNT:
        _stamp(transaction, mailbox)


def bury(transaction: Transaction, mailbox: int) -> None:
    """The mailbox is being removed, and these with it."""
    transaction.execute("UPDATE annotation SET value = NULL, modseq = ? WHERE mailbox = ?"
                        " AND value IS NOT NULL", (transaction.modseq, mailbox))
    transaction.execute(_FORGET)


@implementer(ISharedAnnotations)
class SharedAnnotations:
    """Those of the server; ``read`` and ``write`` open a transaction of the directory."""

    def __init__(self, read: OpenTransaction, write: OpenTransaction) -> None:
        self._read = read
        self._write = write

    def of(self) -> dict[str, bytes]:
        with self._read() as connection:
            return dict(every(connection.execute, "SELECT entry, value FROM annotation"
                              " WHERE value IS NOT NULL ORDER BY entry"))

    def change(self, values: Mapping[str, bytes | None]) -> None:
        cleaned = {clean(entry): value for entry, value in values.items()}
        if not all(entry.startswith("/shared/") for entry in cleaned):
            raise Cannot("what is told to all accounts has a name that begins with /shared/")
        with self._write() as connection:
            held = self._held(connection)
            last = max((modseq for _, modseq in held.values()), default=0)
            connection.executemany(
                "INSERT OR REPLACE INTO annotation (entry, value, modseq) VALUES (?, ?, ?)",
                [(entry, value, last + 1) for entry, value in cleaned.items()
                 if held.get(entry, (None, 0))[0] != value])

    def since(self, modseq: int | None) -> Annotated:
        with self._read() as connection:
            held = self._held(connection)
        last = max((each for _, each in held.values()), default=0)
        if modseq is None:
            return Annotated(last)
        return Annotated(last, tuple(("", entry, each) for entry, (_, each) in held.items() if each > modseq))

    def _held(self, connection: apsw.Connection) -> dict[str, tuple[bytes | None, int]]:
        rows = every(connection.execute, "SELECT entry, value, modseq FROM annotation ORDER BY modseq, entry")
        return {entry: (value, modseq) for entry, value, modseq in rows}
