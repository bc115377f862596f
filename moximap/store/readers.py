"""The read side of an account: a few connections, and one snapshot for each call."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from threading import Lock
from types import TracebackType
from typing import Final

import apsw
import attrs

from moximap.store.database import SHRINK, every, fail, one, translated
from moximap.store.errors import MailboxRemoved, NoSuchMailbox, Unavailable
from moximap.store.flags import FlagTable
from moximap.store.transaction import MAILBOX_COLUMNS, load_mailbox
from moximap.values import Changes, Listing, Mailbox, Opened

#: Connections that are kept; more are opened while more are busy at once.
KEPT: Final = 2
#: Rows of a whole mailbox that are taken at once.
PIECE: Final = 4096

_NAMED = (f"SELECT (SELECT keywordsets FROM account), {MAILBOX_COLUMNS} FROM mailbox"
          " WHERE name = ? AND NOT removed")
_WHOLE = ("SELECT uid, flags, modseq FROM message WHERE mailbox = ? AND NOT expunged ORDER BY uid")
_LOGGED = ("SELECT m.uid, m.flags, m.modseq, m.expunged FROM log CROSS JOIN message m"
           " ON m.mailbox = log.mailbox AND m.uid BETWEEN log.lo AND log.hi AND m.modseq = log.modseq"
           " WHERE log.mailbox = ? AND log.modseq > ? ORDER BY log.modseq, log.lo, m.uid")
_SCANNED = ("SELECT uid, flags, modseq, expunged FROM message WHERE mailbox = ? AND modseq > ?"
            " ORDER BY modseq, uid")

#: A row that is read again and again, with the same in it, is one value.
_same_mailbox = lru_cache(maxsize=256)(load_mailbox)


@attrs.frozen
class Snapshot:
    """One read transaction: everything it is asked is of one moment, whose modseq it knows."""

    connection: apsw.Connection
    modseq: int

    def listing(self) -> Listing:
        rows = self.connection.execute(f"SELECT {MAILBOX_COLUMNS} FROM mailbox WHERE NOT removed"
                                       " ORDER BY name")
        mailboxes = tuple(load_mailbox(row) for row in rows)
        names = self.connection.execute("SELECT name FROM subscription")
        return Listing(mailboxes, frozenset(name for name, in names), self.modseq)

    def named(self, name: str) -> Mailbox:
        return self._mailbox("name = ? AND NOT removed", name)

    def by_id(self, id: int) -> Mailbox:
        """MailboxRemoved where it is not there any more."""
        return self._mailbox("id = ? AND NOT removed", id, MailboxRemoved)

    def _mailbox(self, condition: str, value: object,
                 error: type[NoSuchMailbox] = NoSuchMailbox) -> Mailbox:
        row = one(self.connection.execute,
                  f"SELECT {MAILBOX_COLUMNS} FROM mailbox WHERE {condition}", (value,))
        if row is None:
            raise error("there is no such mailbox")
        return _same_mailbox(row)

    def opened(self, name: str, known: Mapping[int, int]) -> Opened:
        mailbox = self.named(name)
        return Opened(mailbox, self.changes(mailbox.id, known.get(mailbox.id, 0)))

    def changes(self, mailbox: int, since: int) -> Changes:
        """Of a mailbox that is or was; NoSuchMailbox if it never was."""
        row = one(self.connection.execute, "SELECT modseq, logfloor FROM mailbox WHERE id = ?",
                  (mailbox,))
        if row is None:
            raise NoSuchMailbox("there is no such mailbox")
        if not since:
            return self._whole(mailbox)
        if since >= row[0]:
            rows: list[tuple[int, int, int, int]] = []
        else:
            statement = _LOGGED if since >= row[1] else _SCANNED
            rows = every(self.connection.execute, statement, (mailbox, since))
        return self._difference(mailbox, since, rows)

    def _whole(self, mailbox: int) -> Changes:
        uids, flags, modseqs = array("I"), array("Q"), array("Q")
        rows = self.connection.execute(_WHOLE, (mailbox,))
        while some := list(islice(rows, PIECE)):          # all at once would take long, and much memory
            for column, values in zip((uids, flags, modseqs), zip(*some, strict=True), strict=True):
                column.extend(values)
        return Changes(mailbox, 0, self.modseq, uids, flags, modseqs)

    def _difference(self, mailbox: int, since: int, rows: list[tuple[int, int, int, int]]) -> Changes:
        live = [row for row in rows if not row[3]]
        gone = [row for row in rows if row[3]]
        return Changes(mailbox, since, self.modseq,
                       array("I", [row[0] for row in live]), array("Q", [row[1] for row in live]),
                       array("Q", [row[2] for row in live]),
                       array("I", [row[0] for row in gone]), array("Q", [row[2] for row in gone]))


class _Borrowed:
    """A connection of `Readers`, until the block ends; its failures are translated."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def __enter__(self) -> apsw.Connection:
        self._connection = self._readers.take()
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._readers.give_back(self._connection)
        fail(error)


class Readers:
    """Connections that only read; each is used by one thread at a time."""

    def __init__(self, connect: Callable[[], apsw.Connection], flags: FlagTable) -> None:
        self._connect = connect
        self._flags = flags
        self._lock = Lock()
        self._idle: list[apsw.Connection] = []
        self._closed = False

    def named(self, name: str) -> Mailbox:
        """A mailbox by name, in one statement; the FlagTable knows every flag code that is in it."""
        with self.statement() as connection:
            row = one(connection.execute, _NAMED, (name,))
            if row is None:
                raise NoSuchMailbox("there is no such mailbox")
            self._flags.catch_up(connection, row[0])
            return _same_mailbox(row[1:])

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """A snapshot; the FlagTable knows every flag code that is in it."""
        with self.statement() as connection:
            connection.execute("BEGIN")
            modseq, sets = one(connection.execute, "SELECT modseq, keywordsets FROM account")
            self._flags.catch_up(connection, sets)
            yield Snapshot(connection, modseq)

    def statement(self) -> _Borrowed:
        """A connection for one statement, which is a snapshot by itself; what flag codes are in it, the
        FlagTable must be asked to `know`."""
        return _Borrowed(self)

    def rest(self) -> None:
        """Keep no pages in memory until the next statement."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.execute(SHRINK)
            self.give_back(connection)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def take(self) -> apsw.Connection:
        with self._lock:
            if self._closed:
                raise Unavailable("the account was closed")
            if self._idle:
                return self._idle.pop()
        with translated():
            return self._connect()

    def give_back(self, connection: apsw.Connection) -> None:
        if connection.in_transaction:
            with translated():
                connection.execute("ROLLBACK")
        with self._lock:
            if not self._closed and len(self._idle) < KEPT:
                self._idle.append(connection)
                return
        with translated():
            connection.close()
