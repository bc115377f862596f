"""FETCH's columns as SQL: only the tables that are needed are joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import apsw
import attrs

from moximap.store.contents import Files
from moximap.store.flags import FlagTable
from moximap.store.interfaces import Column
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
_MEASURED: Final[frozenset[Column]] = frozenset(
    ("head", "envelope", "body", "bodystructure", "parts", "preview"))
#: Messages that are fetched by one statement alone: a snapshot takes longer to begin, and less for each.
FEW: Final = 100
#: Columns of the table that an IContent is made of.
_WIDTH: Final = 5


@attrs.frozen
class Plan:
    """A SELECT that lacks its condition on uid, the same for a range, and where in its rows a content is."""

    select: str
    ranged: str
    content: int | None


@lru_cache(maxsize=200)
def plan(columns: tuple[Column, ...]) -> Plan:
    """A row's content comes last in the statement, so that it is one slice."""
    at = columns.index("content") if "content" in columns else None
    sizes = [f"octet_length({_EXPRESSIONS[column]})" for column in columns if column in _MEASURED]
    expressions = {**_EXPRESSIONS, "octets": " + ".join(sizes) or "0"}
    plain = [expressions[column] for column in columns if column != "content"]
    chosen = ", ".join(plain + ([_EXPRESSIONS["content"]] if at is not None else []))
    joins = ""
    if " c." in f" {chosen}" or "|| c." in chosen:
        joins += " JOIN content c ON c.id = m.content"
    if " d." in f" {chosen}":
        joins += " JOIN digest d ON d.content = m.content"
    select = (f"SELECT {chosen} FROM message m{joins}"
              " WHERE m.mailbox = ? AND m.content IS NOT NULL AND m.{} ORDER BY m.uid")
    return Plan(select, select.format("uid BETWEEN ? AND ?"), at)


def fetch(connection: apsw.Connection, files: Files, mailbox: int, uids: NumSet,
          columns: Sequence[Column]) -> Iterator[tuple[object, ...]]:
    """Rows in order of UID, in the transaction that the connection has begun."""
    what = plan(tuple(columns))
    for clause, bindings in pieces(connection.execute, mailbox, uids):
        rows = connection.execute(what.select.format(clause), (mailbox, *bindings))
        yield from rows if what.content is None else _with_content(rows, files, what.content)


def fetch_range(connection: apsw.Connection, files: Files, flags: FlagTable, mailbox: int,
                uids: tuple[int, int], columns: Sequence[Column]) -> Iterator[tuple[object, ...]]:
    """Rows in order of UID, by one statement."""
    what = plan(tuple(columns))
    rows: Iterator[tuple[Any, ...]] = connection.execute(what.ranged, (mailbox, *uids))
    if what.content is not None:
        rows = _with_content(rows, files, what.content)
    if "flags" not in columns:
        yield from rows
        return
    place, known = list(columns).index("flags"), set[int]()
    for row in rows:
        code = row[place]
        if code not in known:
            known.add(code)
            flags.know(connection, code)
        yield row


def _with_content(rows: Iterable[tuple[Any, ...]], files: Files, place: int) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield *row[:place], files.content(*row[-_WIDTH:]), *row[place:-_WIDTH]
