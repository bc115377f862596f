"""COPY, MOVE and EXPUNGE: rows go from mailbox to mailbox or become tombstones; content stays."""

from __future__ import annotations

from array import array
from time import time
from typing import Final

from moximap.store import names, quota
from moximap.store.database import Bindings, every
from moximap.store.transaction import Tally, Transaction, among, pieces
from moximap.values import DELETED, Changes, Copied, Mailbox, NumSet, Written

_SELECT: Final = ("SELECT uid, flags, size, date, zone, content FROM message"
                  " WHERE mailbox = ? AND NOT expunged AND {} ORDER BY uid")
_INSERT: Final = ("INSERT INTO message (mailbox, uid, modseq, createseq, flags, date, zone, saved, size,"
                  " content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")

Row = tuple[int, int, int, int, int, int]


def copy(transaction: Transaction, mailbox: int, uids: NumSet, target: str) -> Copied:
    source = transaction.need_id(mailbox)
    return relocate(transaction, source, uids, transaction.need(names.canonical(target)), move=False)


def move(transaction: Transaction, mailbox: int, uids: NumSet, target: str) -> Copied:
    source = transaction.need_id(mailbox)
    return relocate(transaction, source, uids, transaction.need(names.canonical(target)), move=True)


def relocate(transaction: Transaction, source: Mailbox, uids: NumSet, target: Mailbox,
             move: bool) -> Copied:
    """Copy messages into ``target``, and with ``move`` expunge them in ``source``."""
    rows: list[Row] = []
    for clause, bindings in pieces(transaction.execute, source.id, uids):
        rows += every(transaction.execute, _SELECT.format(clause), (source.id, *bindings))
    if not rows:
        return Copied(transaction.counters.modseq, (), target.id, target.uidvalidity)
    if not move:
        quota.check(transaction.execute, storage=sum(row[2] for row in rows), messages=len(rows))
    old = array("I", [row[0] for row in rows])
    new = transaction.new_uids(target, len(rows))
    _insert(transaction, target, rows, new)
    changes = _moved(transaction, source, target, rows, old, new) if move else (
        _arrived(transaction, target, rows, new),)
    return Copied(transaction.modseq, changes, target.id, target.uidvalidity, tuple(old),
                  NumSet(((new[0], new[-1]),)))


def _insert(transaction: Transaction, target: Mailbox, rows: list[Row], new: range) -> None:
    modseq, now, id = transaction.modseq, int(time()), target.id
    transaction.executemany(_INSERT, [
        (id, uid, modseq, modseq, flags, date, zone, now, size, content)
        for uid, (_, flags, size, date, zone, content) in zip(new, rows, strict=True)])


def _arrived(transaction: Transaction, target: Mailbox, rows: list[Row], new: range) -> Changes:
    transaction.log(target.id, new)
    tally = Tally().count((row[1], row[2]) for row in rows)
    transaction.touch(target.id, tally, new=len(new))
    return transaction.changed(target, array("I", new), array("Q", [row[1] for row in rows]))


def _moved(transaction: Transaction, source: Mailbox, target: Mailbox, rows: list[Row],
           old: array[int], new: range) -> tuple[Changes, ...]:
    if source.id != target.id:
        return (gone(transaction, source, [row[:3] for row in rows], old),
                _arrived(transaction, target, rows, new))
    bury(transaction, source.id, old)
    transaction.log(source.id, [*old, *new])
    transaction.touch(source.id, Tally(), new=len(new))
    codes = array("Q", [row[1] for row in rows])
    return (transaction.changed(source, array("I", new), codes, old),)


def expunge(transaction: Transaction, mailbox: int, uids: NumSet | None) -> Written:
    """Expunge messages with \\Deleted: all, or those in the set."""
    source = transaction.need_id(mailbox)
    rows: list[tuple[int, int, int]] = []
    if source.deleted:
        conditions: list[tuple[str, Bindings]] = (
            [("1", ())] if uids is None else pieces(transaction.execute, mailbox, uids))
        for clause, bindings in conditions:
            rows += every(
                transaction.execute,
                "SELECT uid, flags, size FROM message WHERE mailbox = ? AND NOT expunged"
                f" AND flags & {DELETED} AND {clause} ORDER BY uid", (mailbox, *bindings))
    if not rows:
        return Written(transaction.counters.modseq)
    old = array("I", [row[0] for row in rows])
    return Written(transaction.modseq, (gone(transaction, source, rows, old),))


def gone(transaction: Transaction, source: Mailbox, rows: list[tuple[int, int, int]],
         old: array[int]) -> Changes:
    """Expunge messages, given as (uid, flag code, size); ``old`` is their UIDs."""
    bury(transaction, source.id, old)
    transaction.log(source.id, old)
    transaction.touch(source.id, Tally().count([row[1:] for row in rows], -1))
    return transaction.changed(source, array("I"), array("Q"), old)


def bury(transaction: Transaction, mailbox: int, uids: array[int]) -> None:
    """Make tombstones of live messages."""
    solid = uids[-1] - uids[0] == len(uids) - 1
    clause, bindings = ("uid BETWEEN ? AND ?", (uids[0], uids[-1])) if solid else among(uids)
    transaction.execute(
        f"UPDATE message SET expunged = 1, modseq = ? WHERE mailbox = ? AND NOT expunged AND {clause}",
        (transaction.modseq, mailbox, *bindings))
