"""What is done to the search index: a batch of new contents, and the check of all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final

import apsw

from moximap.store import indexing_text
from moximap.store.checks import Message
from moximap.store.contents import Files
from moximap.store.database import every, one
from moximap.store.errors import StoreError
from moximap.store.indexing import Index
from moximap.store.readers import Readers

#: Octets of messages in one batch, more or less.
BATCH: Final = 1 << 20

#: Contents that no message shows any more are left out: no message will ever show them again.
_NEXT: Final = ("SELECT DISTINCT content FROM message INDEXED BY message_content"
                " WHERE content > ? AND NOT expunged ORDER BY content LIMIT ?")


def is_behind(index: Index, readers: Readers) -> bool:
    """Whether there are contents that were not looked at."""
    with readers.snapshot() as snapshot:
        return one(snapshot.connection.execute, _NEXT, (index.upto(), 1)) is not None


def step(index: Index, readers: Readers, files: Files, limit: int) -> int | None:
    """Index the next contents, at most ``limit``; how many were, None while others are at it."""
    if not is_behind(index, readers):        # nearly always
        return 0
    try:
        with index.writing(patience=0) as connection, readers.snapshot() as snapshot:
            upto, = one(connection.execute, "SELECT upto FROM state")
            done = octets = 0
            rows = every(snapshot.connection.execute, _NEXT, (upto, limit))
            for upto, in rows:
                octets += _add(connection, Message(snapshot.connection, files, upto))
                done += 1
                if octets >= BATCH:
                    break
            connection.execute("UPDATE state SET upto = ?", (upto,))
            return done
    except apsw.BusyError:
        return None
    except apsw.CorruptError:
        index.drop()
        raise


def _add(connection: apsw.Connection, message: Message) -> int:
    """Octets, or rather characters, that were indexed."""
    try:
        fits = indexing_text.is_indexable(message)
        texts = (indexing_text.head_text(message), indexing_text.body_text(message)) if fits else None
    except (StoreError, TypeError):          # it has no file or no digest: the check of the account tells
        texts = None
    if texts is None:
        connection.execute("INSERT OR REPLACE INTO unread VALUES (?)", (message.content,))
        return 0
    for table, text in zip(("head", "body"), texts, strict=True):
        connection.execute(f"INSERT INTO {table} (rowid, folded) VALUES (?, ?)", (message.content, text))
    return len(texts[0]) + len(texts[1])


def check(index: Index, connect: Callable[[], apsw.Connection]) -> Iterator[str]:
    """What is wrong with an index, in words.  That it is behind, or not there at all, is not wrong."""
    with index.reading() as view, closing(connect()) as mail:
        if view.connection is None or not view.upto:
            return
        try:
            for text, in every(view.connection.execute, "PRAGMA integrity_check"):
                if text != "ok":
                    yield f"the search index is damaged: {text}"
            heads, bodies, unread = (
                {number for number, in view.connection.execute(f"SELECT {column} FROM {table}")}
                for table, column in (("head", "rowid"), ("body", "rowid"), ("unread", "content")))
        except apsw.CorruptError as error:
            yield f"the search index is damaged: {error}"
            return
        wanted = {number for number, in mail.execute(_NEXT, (0, -1)) if number <= view.upto}
        for number in sorted(wanted - (heads & bodies | unread)):
            yield f"the search index lacks content {number}"
        for number in sorted(heads | bodies | unread):
            if one(mail.execute, "SELECT 1 FROM message INDEXED BY message_content WHERE content = ?",
                   (number,)) is None:
                yield f"the search index has content {number}, which is not there"


def repair(index: Index, connect: Callable[[], apsw.Connection]) -> Iterator[str]:
    """An index that is wrong is begun anew."""
    if any(True for _ in check(index, connect)):
        index.drop()
        yield "began the search index anew"
