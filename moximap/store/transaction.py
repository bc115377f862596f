"""One write operation inside a transaction: its modseq, its rows in the log, its counters."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw
import attrs

from moximap.store.database import Bindings, Execute, every, one
from moximap.store.errors import Cannot, MailboxRemoved, NoSuchMailbox
from moximap.store.flags import Interner
from moximap.values import DELETED, MAX_UID, SEEN, Changes, Mailbox, NumSet

#: UIDs that were not touched and that a run in the log may bridge: cheaper to look at than a row.
BRIDGE: Final = 16
#: Ranges that are asked for one by one; a set of more is looked up first.
FEW: Final = 64

MAILBOX_COLUMNS: Final = ("id, name, parent, uidvalidity, uidnext, modseq, createseq, uses, "
                          "messages, unseen, deleted, size, deleted_size")


def load_mailbox(row: Sequence[Any]) -> Mailbox:
    """The value of a row of MAILBOX_COLUMNS."""
    id, name, parent, uidvalidity, uidnext, modseq, createseq, uses, *counters = row
    return Mailbox(id, name, parent, uidvalidity, uidnext, modseq, createseq, tuple(uses.split()),
                   *counters)


@attrs.define
class Counters:
    """The account's row: last numbers given out."""

    modseq: int
    uidvalidity: int
    contents: int
    keywordsets: int

    @staticmethod
    def read(execute: Execute) -> tuple[int, int, int, int]:
        """The row, of which they are made."""
        row: tuple[int, int, int, int]
        [row] = every(execute, "SELECT modseq, uidvalidity, contents, keywordsets FROM account")
        return row

    def row(self) -> tuple[int, int, int, int]:
        return self.modseq, self.uidvalidity, self.contents, self.keywordsets

    def write(self, execute: Execute) -> None:
        execute("UPDATE mailbox_row SET modseq = ?, uidvalidity = ?, contents = ?, keywordsets = ?"
                " WHERE id = 0", self.row())


@attrs.define
class Tally:
    """What a mailbox's counters change by."""

    messages: int = 0
    unseen: int = 0
    deleted: int = 0
    size: int = 0
    deleted_size: int = 0

    def count(self, rows: Iterable[tuple[int, int]], sign: int = 1) -> Tally:
        """Add messages, given as (flag code, size), or with ``sign`` -1 take them off."""
        messages = unseen = deleted = size = deleted_size = 0
        for code, octets in rows:
            messages += 1
            size += octets
            if not code & SEEN:
                unseen += 1
            if code & DELETED:
                deleted += 1
                deleted_size += octets
        self.messages += sign * messages
        self.unseen += sign * unseen
        self.deleted += sign * deleted
        self.size += sign * size
        self.deleted_size += sign * deleted_size
        return self


class Transaction:
    """What an operation works with; ``execute`` is the connection's.

    ``alter`` is a cursor's, for what gives no rows: that costs less than a new cursor for each.
    An operation that fails leaves nothing behind, and may be run again from the start.
    """

    def __init__(self, connection: apsw.Connection, counters: Counters, alter: Execute | None = None) -> None:
        self.execute = connection.execute
        self.alter = alter or connection.execute
        self.executemany = connection.executemany
        self.counters = counters
        self.flags = Interner(connection, counters.keywordsets)
        self._modseq = 0

    @property
    def modseq(self) -> int:
        """The modseq of this operation, taken when it is first asked for."""
        if not self._modseq:
            self.counters.modseq += 1
            self._modseq = self.counters.modseq
        return self._modseq

    def insert(self, statement: str, rows: Sequence[Bindings]) -> None:
        """The same statement for each row; of one, as an APPEND has, it costs less as a single one."""
        if len(rows) == 1:
            self.alter(statement, rows[0])
        else:
            self.executemany(statement, rows)

    def finish(self) -> None:
        self.counters.keywordsets = self.flags.last

    def next_uidvalidity(self) -> int:
        self.counters.uidvalidity += 1
        return self.counters.uidvalidity

    def next_content(self) -> int:
        self.counters.contents += 1
        return self.counters.contents

    def find(self, name: str) -> Mailbox | None:
        """The mailbox of that canonical name."""
        row = one(self.execute, f"SELECT {MAILBOX_COLUMNS} FROM mailbox WHERE name = ? AND NOT removed",
                  (name,))
        return None if row is None else load_mailbox(row)

    def need(self, name: str) -> Mailbox:
        mailbox = self.find(name)
        if mailbox is None:
            raise NoSuchMailbox("there is no such mailbox")
        return mailbox

    def need_id(self, id: int) -> Mailbox:
        row = one(self.execute, f"SELECT {MAILBOX_COLUMNS} FROM mailbox WHERE id = ? AND NOT removed",
                  (id,))
        if row is None:
            raise MailboxRemoved("the mailbox was removed")
        return load_mailbox(row)

    def new_uids(self, mailbox: Mailbox, count: int) -> range:
        """The next UIDs, above those that another server gives to messages that come from there."""
        reserved = every(self.execute, "SELECT reserved FROM synced_mailbox WHERE mailbox = ? AND kept",
                         (mailbox.id,))                # max(reserved) would take ten times as long
        first = max([mailbox.uidnext, *(uid for uid, in reserved)])
        if first + count > MAX_UID:
            raise Cannot("the mailbox has given out all UIDs")
        if first > mailbox.uidnext:
            self.execute("UPDATE mailbox_row SET uidnext = ? WHERE id = ?", (first, mailbox.id))
        return range(first, first + count)

    def modseq_of(self, id: int) -> int | None:
        """The modseq of a mailbox's last change, None where it was removed."""
        cursor = self.alter("SELECT modseq FROM mailbox WHERE id = ? AND NOT removed", (id,))
        modseq: int | None = cursor.get
        return modseq

    def touch(self, mailbox: int, tally: Tally, new: int = 0) -> None:
        """Move a mailbox's counters, give out ``new`` UIDs, and stamp it."""
        self.alter(
            "UPDATE mailbox_row SET modseq = ?, uidnext = uidnext + ?, messages = messages + ?,"
            " unseen = unseen + ?, deleted = deleted + ?, size = size + ?,"
            " deleted_size = deleted_size + ? WHERE id = ?",
            (self.modseq, new, tally.messages, tally.unseen, tally.deleted, tally.size,
             tally.deleted_size, mailbox))

    def log(self, mailbox: int, uids: Sequence[int]) -> None:
        """Log ascending UIDs as touched: once for each mailbox, its runs must not overlap."""
        modseq = self.modseq
        for low, high in runs(uids):
            self.alter("INSERT INTO log (mailbox, modseq, lo, hi) VALUES (?, ?, ?, ?)",
                         (mailbox, modseq, low, high))

    def changed(self, mailbox: Mailbox, uids: array[int], codes: array[int],
                expunged: array[int] | None = None) -> Changes:
        """The Changes of this operation in a mailbox, known as it was before."""
        return self.changed_since(mailbox.modseq, mailbox.id, uids, codes, expunged)

    def changed_since(self, since: int, mailbox: int, uids: array[int], codes: array[int],
                      expunged: array[int] | None = None) -> Changes:
        """The same, of a mailbox whose modseq was ``since``."""
        gone = array("I") if expunged is None else expunged
        modseq = self.modseq
        stamp = array("Q", [modseq])
        return Changes(mailbox, since, modseq, uids, codes, stamp * len(uids), gone, stamp * len(gone))


def runs(uids: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending UIDs as runs that may bridge small gaps."""
    if not uids:
        return []
    out = []
    low = high = uids[0]
    if uids[-1] - low < len(uids) + BRIDGE:
        return [(low, uids[-1])]
    for uid in uids:
        if uid - high > BRIDGE:
            out.append((low, high))
            low = uid
        high = uid
    out.append((low, high))
    return out


def pieces(execute: Execute, mailbox: int,
           uids: NumSet) -> list[tuple[str, Bindings]]:
    """SQL conditions on ``uid`` that together select a set of UIDs, in ascending order."""
    if len(uids.ranges) <= FEW:
        return [("uid BETWEEN ? AND ?", pair) for pair in uids.ranges]
    there = present(execute, mailbox, uids)
    return [among(there)] if there else []


def present(execute: Execute, mailbox: int, uids: NumSet) -> array[int]:
    """Those of a set of UIDs that have a row, ascending."""
    rows = execute("SELECT uid FROM message WHERE mailbox = ? AND uid BETWEEN ? AND ?",
                   (mailbox, uids.ranges[0][0], uids.ranges[-1][1]))
    return uids.within(array("I", [uid for uid, in rows]))


def among(uids: Iterable[int]) -> tuple[str, Bindings]:
    """An SQL condition on ``uid`` for numbers, of which there is at least one."""
    return "uid IN (SELECT value FROM carray(?))", (apsw.carray(array("q", uids)),)
