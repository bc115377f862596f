"""FETCH's columns as SQL: only the tables that are needed are joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import attrs

from moximap.store.contents import Files
from moximap.store.interfaces import Column
from moximap.store.readers import Snapshot
from moximap.store.transaction import pieces
from moximap.values import NumSet

_ORIGIN: Final = "(SELECT number FROM origin)"
_EXPRESSIONS: Final[dict[Column, str]] = {
    "uid": "m.uid", "flags": "m.flags", "modseq": "m.modseq", "date": "m.date", "zone": "m.zone",
    "saved": "m.saved", "size": "m.size", "head": "c.head", "envelope": "d.envelope",
    "body": "d.body", "bodystructure": "d.bodystructure", "parts": "d.parts",
    "preview": "d.preview", "emailid": f"'M' || {_ORIGIN} || '_' || m.content",
    "threadid": f"'T' || {_ORIGIN} || '_' || c.thread",
    "expunged": "m.expunged", "sent": "d.sent", "sent_time": "d.sent_time",
    "subject": "d.subject", "base_subject": "d.base_subject", "from_key": "d.from_key",
    "to_key": "d.to_key", "cc_key": "d.cc_key", "from_display": "d.from_display",
    "to_display": "d.to_display", "message_id": "d.message_id", "references": "d.refs",
    "content": "c.size, c.header_size, c.head, c.body, c.file"}
#: Columns of the table that an IContent is made of.
_WIDTH: Final = 5


@attrs.frozen
class Plan:
    """A SELECT that lacks its condition on uid, and where in its rows a content is."""

    select: str
    content: int | None


@lru_cache(maxsize=200)
def plan(columns: tuple[Column, ...]) -> Plan:
    """A row's content comes last in the statement, so that it is one slice."""
    at = columns.index("content") if "content" in columns else None
    plain = [_EXPRESSIONS[column] for column in columns if column != "content"]
    chosen = ", ".join(plain + ([_EXPRESSIONS["content"]] if at is not None else []))
    joins = ""
    if " c." in f" {chosen}" or "|| c." in chosen:
        joins += " JOIN content c ON c.id = m.content"
    if " d." in f" {chosen}":
        joins += " JOIN digest d ON d.content = m.content"
    return Plan(f"SELECT {chosen} FROM message m{joins}"
                " WHERE m.mailbox = ? AND m.content IS NOT NULL AND m.{} ORDER BY m.uid", at)


def fetch(snapshot: Snapshot, files: Files, mailbox: int, uids: NumSet,
          columns: Sequence[Column]) -> Iterator[tuple[object, ...]]:
    """Rows in order of UID."""
    what = plan(tuple(columns))
    execute = snapshot.connection.execute
    for clause, bindings in pieces(execute, mailbox, uids):
        rows = execute(what.select.format(clause), (mailbox, *bindings))
        if what.content is None:
            yield from rows
        else:
            for row in rows:
                content = files.content(*row[-_WIDTH:])
                yield *row[:what.content], content, *row[what.content:-_WIDTH]
