"""The search index of an account: search.db, which follows from mail.db and never holds it up.

Whoever reads takes the index's snapshot before the mail's.  A content up to the index's ``upto`` was
there when it was looked at, and leaves the index only when no message needs it any more; so what a
later snapshot of the mail shows, and the index up to ``upto`` does not know, has not the text.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Final

import apsw
import attrs
from twisted.logger import Logger

from moximap.mail.collation import searchable
from moximap.store import database, indexing_words
from moximap.store.database import every, one
from moximap.store.indexing_text import GRAM, expression, fit, maker
from moximap.store.indexing_words import CONTENTS, find
from moximap.searchtree import HeaderHas, TextHas

DATABASE: Final = "search.db"

_log = Logger()


@attrs.frozen
class Known:
    """What an index knows of one test of text.

    ``possible``: no other content up to ``upto`` has it; ``sure``: these have it.
    """

    upto: int = 0
    possible: Set[int] = frozenset()
    sure: Set[int] = frozenset()

    def says(self, content: int) -> bool | None:
        """Whether a content has it; None: it must be read."""
        if content in self.sure:
            return True
        return None if content > self.upto or content in self.possible else False


UNKNOWN: Final = Known()


@attrs.frozen
class View:
    """A snapshot of an index; without a connection one that knows nothing.

    ``upto``: the contents that were looked at; ``heads``: whose heads were.
    """

    connection: apsw.Connection | None = None
    upto: int = 0
    heads: int = 0

    def known(self, tree: HeaderHas | TextHas, messages: int, most: int) -> Known:
        """What it knows of a test that so many messages are put to; nothing if more than ``most`` contents
        may have it, or where they are as quickly read."""
        try:
            if isinstance(tree, HeaderHas):
                return self._of_header(tree, most)
            return self._of_text(tree, messages, most)
        except apsw.Error:
            _log.failure("the search index cannot be read")
            return UNKNOWN

    def _of_header(self, tree: HeaderHas, most: int) -> Known:
        needle = searchable(tree.text)
        if len(fit(needle)) < GRAM and tree.name.isascii():
            needle = tree.name.lower()
        heads = self._heads(needle, most)
        return UNKNOWN if heads is None else Known(self.heads, heads | self._unread())

    def _of_text(self, tree: TextHas, messages: int, most: int) -> Known:
        needle = searchable(tree.text)
        words = needle.split()
        # To go through a segment takes as long as to read a message.
        if self.connection is None or not words or not 0 < self.upto <= messages * CONTENTS:
            return UNKNOWN
        heads = self._heads(needle, most) if tree.header else set[int]()
        if heads is None:
            return UNKNOWN
        bodies = set(islice(find(self.connection, needle), most + 1))
        if len(bodies) > most:
            return UNKNOWN
        possible = heads | self._unread()
        if words == [needle]:
            return Known(self.upto, possible, sure=bodies)
        return Known(self.upto, possible | bodies)

    def _heads(self, needle: str, most: int) -> set[int] | None:
        """Contents whose heads may have a text; None: nobody knows, or they are more than ``most``."""
        grams = fit(needle)
        if self.connection is None or not self.heads or len(grams) < GRAM:
            return None
        rows = self.connection.execute("SELECT rowid FROM head WHERE head MATCH ? LIMIT ?",
                                       (expression(grams), most + 1))
        found = {number for number, in rows}
        return None if len(found) > most else found

    def _unread(self) -> set[int]:
        assert self.connection is not None
        return {number for number, in self.connection.execute("SELECT content FROM unread")}


class Index:
    """The index of one opening of an account.  It is made when first written to."""

    def __init__(self, home: Path, token: str) -> None:
        self.path = home / DATABASE
        self._draft = home / "tmp" / f"{token}.{DATABASE}"
        self._maker = maker()
        self._lock = Lock()
        self._idle: list[apsw.Connection] = []
        self._closed = False

    def rest(self) -> None:
        """Keep no pages in memory until the next question."""
        connection = self._take_idle()
        if connection is not None:
            connection.execute(database.SHRINK)
            self._put_back(connection)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def reading(self) -> Iterator[View]:
        """A snapshot; without a usable index one that knows nothing, so that everything is read."""
        view = self._begin()
        try:
            yield view
        finally:
            if view.connection is not None:
                view.connection.execute("ROLLBACK")
                self._put_back(view.connection)

    def _begin(self) -> View:
        connection = None
        try:
            connection = self._take()
            if connection is None:
                return View()
            connection.execute("BEGIN")
            upto, heads, made_by = one(connection.execute, "SELECT upto, heads, maker FROM state")
            return View(connection, upto, heads) if made_by == self._maker else View(connection)
        except (apsw.Error, TypeError):
            if connection is not None:
                connection.close()
            return View()

    def _take(self) -> apsw.Connection | None:
        connection = self._take_idle()
        if connection is None and self.path.exists():
            connection = database.connect(self.path, write=False)
        return connection

    def _take_idle(self) -> apsw.Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _put_back(self, connection: apsw.Connection) -> None:
        with self._lock:
            if not self._closed and not self._idle:
                self._idle.append(connection)
                return
        connection.close()

    @contextmanager
    def writing(self, patience: float = database.PATIENCE) -> Iterator[apsw.Connection]:
        """A write transaction; apsw.BusyError where another process is at it for so long."""
        connection = self._connect()
        try:
            database.be_patient(connection, patience)
            connection.execute("BEGIN IMMEDIATE")
            if not self._is_ours(connection):
                connection.execute("ROLLBACK")
                self._reset(connection)
                connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.close()               # what is not committed is rolled back

    def forget(self, contents: Iterable[int]) -> bool:
        """Contents leave the index: before they are erased, and when no message will need them again.

        False where another process is at it for too long.  Where it fails they stay, and the check tells.
        """
        if not self.path.exists():
            return True
        gone = list(contents)
        try:
            with self.writing() as connection:
                for table, column in (("head", "rowid"), ("unread", "content")):
                    connection.executemany(f"DELETE FROM {table} WHERE {column} = ?",
                                           [(content,) for content in gone])
                indexing_words.forget(connection, gone)
        except apsw.BusyError:
            return False
        except apsw.Error:
            _log.failure("erased messages stay in the search index")
        return True

    def verify(self, contents: Callable[[], int]) -> None:
        """Drop an index that knows contents which the mail, asked later, has not given out.

        Its mail.db was replaced by an older one, and these numbers will be given out again.
        """
        _, heads = self.upto()
        if heads and heads > contents():
            self.drop()

    def upto(self) -> tuple[int, int]:
        """How far an index is that we can use, and how far its heads are; 0 where there is none."""
        with self.reading() as view:
            return view.upto, view.heads

    def drop(self) -> None:
        """Begin anew."""
        if self.path.exists():
            connection = self._connect()
            try:
                self._reset(connection)
            finally:
                connection.close()

    def _connect(self) -> apsw.Connection:
        if not self.path.exists():
            self._create()
        try:
            connection = database.connect(self.path, write=True)
        except apsw.NotADBError:             # nobody has it open who could do anything with it
            self.path.unlink(missing_ok=True)
            raise
        connection.pragma("synchronous", "normal")
        connection.wal_autocheckpoint(1000)  # nobody waits for these commits
        return connection

    def _is_ours(self, connection: apsw.Connection) -> bool:
        try:
            return bool(one(connection.execute, "SELECT maker FROM state") == (self._maker,))
        except apsw.Error:
            return False                     # damaged, or another's

    def _reset(self, connection: apsw.Connection) -> None:
        """Make it empty whatever is in it, while others may have it open."""
        try:
            connection.pragma("journal_mode")        # it reads the schema, and so keeps the mode
        except apsw.Error:
            pass
        connection.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 1)
        connection.execute("VACUUM")
        connection.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 0)
        connection.pragma("journal_mode", "wal")
        self._fill(connection)

    def _create(self) -> None:
        """In a file of its own, which becomes the index unless another process was first."""
        draft = self._draft.with_name(f"{self._draft.name}.{secrets.token_hex(8)}")
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL, 0o600))
        try:
            with closing(apsw.Connection(str(draft))) as connection:
                connection.pragma("journal_mode", "wal")
                self._fill(connection)
            with suppress(FileExistsError):
                os.link(draft, self.path)
        finally:
            for end in ("", "-wal", "-shm"):          # without room for it the log may stay
                draft.with_name(draft.name + end).unlink(missing_ok=True)

    def _fill(self, connection: apsw.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if not every(connection.execute, "SELECT 1 FROM sqlite_schema WHERE name = 'state'"):
            connection.execute((database.SCHEMAS / "search.sql").read_text(encoding="utf-8"))
            connection.execute("INSERT INTO state VALUES (1, 0, 0, ?)", (self._maker,))
        connection.execute("COMMIT")
