"""STORE: flags of messages change in bulk, inside the transaction that judges who is first."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import chain, compress
from typing import Final, Literal

from moximap.store.database import Bindings, every
from moximap.store.flags import Flags, count, replace
from moximap.store.transaction import Tally, Transaction, pieces
from moximap.values import DELETED, SEEN, Changes, Known, Mailbox, NumSet, Stored

#: Distinct flag codes that one UPDATE maps.
_AT_ONCE: Final = 200

Row = tuple[int, int, int, int]              # uid, flag code, size, modseq


def store(transaction: Transaction, mailbox: int, uids: NumSet, how: Literal["+", "-", "="],
          flags: Flags, cursor: int, unchangedsince: int | None, known: Known | None,
          soon: Callable[[Changes], None]) -> Stored:
    conditions = pieces(transaction.execute, mailbox, uids)
    if known is not None and unchangedsince is None:
        stored = _store_known(transaction, mailbox, conditions, known, how, flags, cursor, soon)
        if stored is not None:
            return stored
    box = transaction.need_id(mailbox)
    rows = _targets(transaction, mailbox, conditions)
    foreign = NumSet.of(row[0] for row in rows if row[3] > cursor) if box.modseq > cursor else NumSet()
    modified = NumSet()
    if unchangedsince is not None:
        modified = NumSet.of(row[0] for row in rows if row[3] > unchangedsince)
        rows = [row for row in rows if row[3] <= unchangedsince]
        conditions = [(f"{clause} AND modseq <= ?", (*bindings, unchangedsince))
                      for clause, bindings in conditions]
    becomes = transaction.flags.changed(Counter([row[1] for row in rows]), how, flags)
    rows = [row for row in rows if row[1] in becomes]
    if not rows:
        return Stored(transaction.counters.modseq, (), foreign, modified)
    _update(transaction, mailbox, conditions, becomes)
    return _written(transaction, box, rows, becomes, foreign, modified)


def _store_known(transaction: Transaction, mailbox: int, conditions: list[tuple[str, Bindings]],
                 known: Known, how: Literal["+", "-", "="], flags: Flags, cursor: int,
                 soon: Callable[[Changes], None]) -> Stored | None:
    """The same where nothing has changed in the mailbox since the caller looked: no message is read.

    None where that is not so, or sizes are needed: \\Deleted changes, and what is deleted is summed up.
    """
    before = transaction.modseq_of(mailbox)
    if before is None or before > known.modseq or before > cursor:
        return None
    counts = count(known.flags)
    becomes = transaction.flags.changed(counts, how, flags)
    if not becomes:
        return Stored(transaction.counters.modseq, ())
    unseen = 0
    for old, new in becomes.items():
        if (old ^ new) & DELETED:
            return None
        unseen += counts[old] * (bool(old & SEEN) - bool(new & SEEN))
    uids, codes = known.uids, replace(known.flags, becomes)
    every_one = len(becomes) == len(counts)
    if not every_one:
        others = [old in becomes for old in known.flags]
        uids, codes = array("I", compress(uids, others)), array("Q", compress(codes, others))
    changes = transaction.changed_since(before, mailbox, uids, codes)
    soon(changes)
    _update(transaction, mailbox, conditions, becomes, every_one)
    transaction.log(mailbox, uids)
    transaction.touch(mailbox, Tally(unseen=unseen))
    return Stored(changes.modseq, (changes,))


def _targets(transaction: Transaction, mailbox: int,
             conditions: Iterable[tuple[str, Bindings]]) -> list[Row]:
    rows: list[Row] = []
    for clause, bindings in conditions:
        rows += every(
            transaction.execute,
            "SELECT uid, flags, size, modseq FROM message WHERE mailbox = ? AND NOT expunged"
            f" AND {clause} ORDER BY uid", (mailbox, *bindings))
    return rows


def _update(transaction: Transaction, mailbox: int, conditions: list[tuple[str, Bindings]],
            becomes: dict[int, int], every_one: bool = False) -> None:
    """One bulk UPDATE for each range: old codes to new ones.  ``every_one``: there are no other codes.

    A code that is new for some and old for others is not mapped twice: a row that was written has
    this operation's modseq.
    """
    pairs = list(becomes.items())
    modseq = transaction.modseq
    if every_one and len(pairs) <= _AT_ONCE:
        for clause, bindings in conditions:
            transaction.alter(_mapping(len(pairs), clause), (*chain(*pairs), modseq, mailbox, *bindings))
        return
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start:start + _AT_ONCE]
        for clause, bindings in conditions:
            transaction.alter(_some(len(some), clause), (*chain(*some), modseq, mailbox, *bindings,
                                                         *[old for old, _ in some], modseq))


@lru_cache
def _mapping(codes: int, clause: str) -> str:
    new = "CASE flags" + " WHEN ? THEN ?" * codes + " END"
    # OR FAIL: otherwise SQLite copies each page before it is changed, in case a row cannot be; then all of
    # the transaction is rolled back here anyway.
    return (f"UPDATE OR FAIL message SET flags = {new}, modseq = ?"
            f" WHERE mailbox = ? AND NOT expunged AND {clause}")


@lru_cache
def _some(codes: int, clause: str) -> str:
    return f"{_mapping(codes, clause)} AND flags IN ({', '.join('?' * codes)}) AND modseq < ?"


def _written(transaction: Transaction, box: Mailbox, rows: list[Row], becomes: dict[int, int],
             foreign: NumSet, modified: NumSet) -> Stored:
    uids = array("I", [row[0] for row in rows])
    transaction.log(box.id, uids)
    transaction.touch(box.id, _difference(rows, becomes))
    codes = array("Q", [becomes[row[1]] for row in rows])
    return Stored(transaction.modseq, (transaction.changed(box, uids, codes),), foreign, modified)


def _difference(rows: list[Row], becomes: dict[int, int]) -> Tally:
    """What the counters change by; sizes are looked at only where \\Deleted changed."""
    tally = Tally()
    counts = Counter([row[1] for row in rows])
    for old, number in counts.items():
        new = becomes[old]
        tally.unseen += number * (bool(old & SEEN) - bool(new & SEEN))
        sign = bool(new & DELETED) - bool(old & DELETED)
        tally.deleted += number * sign
        if sign:
            tally.deleted_size += sign * sum(row[2] for row in rows if row[1] == old)
    return tally
