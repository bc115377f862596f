"""What is done to the search index: a batch of new contents, and the check of all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import Final, TypeVar

import apsw

from moximap.store import indexing_text, indexing_words
from moximap.store.checks import Message
from moximap.store.contents import Files
from moximap.store.database import every, one
from moximap.store.errors import StoreError
from moximap.store.indexing import Index
from moximap.store.indexing_words import CONTENTS, Segment
from moximap.store.readers import Readers

#: Octets, for each message that a batch may have, of all that are in it: more or less.
BATCH: Final = 16 << 10

#: Contents that no message shows any more are left out: no message will ever show them again.
_NEXT: Final = ("SELECT DISTINCT content FROM message INDEXED BY message_content"
                " WHERE content > ? AND NOT expunged ORDER BY content LIMIT ?")
_WAITING: Final = ("SELECT count(*) FROM (SELECT 1 FROM message INDEXED BY message_content"
                   " WHERE content > ? AND NOT expunged LIMIT ?)")
#: Heads for each message of a batch: they take less time.
_HEADS: Final = 4

_T = TypeVar("_T")


def backlog(index: Index, readers: Readers, most: int) -> int:
    """How many messages have contents that were not looked at, or ``most``."""
    upto, _ = index.upto()
    with readers.snapshot() as snapshot:
        return int(one(snapshot.connection.execute, _WAITING, (upto, most))[0])


def step(index: Index, readers: Readers, files: Files, limit: int) -> int | None:
    """Index the next ``limit`` contents, heads first; how many were, None while others are at it.

    Each statement is a snapshot by itself: one of all the batch would keep the account's log from beginning
    anew, for seconds where nobody else leaves a processor.  What is erased meanwhile is forgotten after it.
    """
    if not backlog(index, readers, 1):       # nearly always
        return 0
    try:
        with index.writing(patience=0) as connection, readers.statement() as mail:
            def message(content: int) -> Message:
                return Message(mail, files, content)

            def following(after: int, most: int) -> list[int]:
                return [content for content, in every(mail.execute, _NEXT, (after, most))]

            upto, heads = one(connection.execute, "SELECT upto, heads FROM state")
            room = BATCH * limit
            contents = following(heads, _HEADS * limit)
            done = _add_all(connection, "heads", map(message, contents), partial(_add_head, connection), room)
            if done == len(contents) < _HEADS * limit:
                segment = Segment()
                last = max([heads, *contents])         # others may have come meanwhile, without their heads
                contents = [content for content in following(upto, min(limit, CONTENTS)) if content <= last]
                done = _add_all(connection, "upto", map(message, contents),
                                partial(_add_body, connection, segment), room)
                if segment.contents:
                    indexing_words.add(connection, segment)
            return done
    except apsw.BusyError:
        return None
    except apsw.CorruptError:
        index.drop()
        raise


def _add_all(connection: apsw.Connection, column: str, messages: Iterable[Message],
             add: Callable[[Message], int], room: int) -> int:
    """How many were added before so many octets were full; the state's column tells of the last."""
    done = octets = 0
    for message in messages:
        octets += add(message)
        done += 1
        if octets >= room:
            break
    if done:
        connection.execute(f"UPDATE state SET {column} = ?", (message.content,))
    return done


def _add_head(connection: apsw.Connection, message: Message) -> int:
    """Octets, or rather characters, that were indexed."""
    text = _read(connection, message, indexing_text.head_text)
    if text is None:
        return 0
    connection.execute("INSERT INTO head (rowid, folded) VALUES (?, ?)", (message.content, text))
    return len(text)


def _add_body(connection: apsw.Connection, segment: Segment, message: Message) -> int:
    texts = _read(connection, message, indexing_text.body_texts)
    if texts is None:
        return 0
    segment.add(message.content, texts)
    return sum(map(len, texts))


def _read(connection: apsw.Connection, message: Message, read: Callable[[Message], _T | None]) -> _T | None:
    """What is to be indexed; None where nobody will know what is in it."""
    try:
        text = read(message)
    except (StoreError, TypeError):          # it has no file or no digest: the check of the account tells
        text = None
    if text is None:
        connection.execute("INSERT OR REPLACE INTO unread VALUES (?)", (message.content,))
    return text


def check(index: Index, connect: Callable[[], apsw.Connection]) -> Iterator[str]:
    """What is wrong with an index, in words.  That it is behind, or not there at all, is not wrong."""
    with index.reading() as view, closing(connect()) as mail:
        if view.connection is None or not view.heads:
            return
        try:
            for text, in every(view.connection.execute, "PRAGMA integrity_check"):
                if text != "ok":
                    yield f"the search index is damaged: {text}"
            heads, unread = (
                {number for number, in view.connection.execute(f"SELECT {column} FROM {table}")}
                for table, column in (("head", "rowid"), ("unread", "content")))
            bodies = set(indexing_words.all_contents(view.connection))
        except apsw.CorruptError as error:
            yield f"the search index is damaged: {error}"
            return
        there = {number for number, in mail.execute(_NEXT, (0, -1))} - unread
        lacking = {number for number in there - heads if number <= view.heads}
        lacking |= {number for number in there - bodies if number <= view.upto}
        for number in sorted(lacking):
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
