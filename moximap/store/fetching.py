"""FETCH's columns as SQL: only the tables that are needed are joined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, Final

import apsw
import attrs

from moximap.store.contents import Files
from moximap.store.flags import FlagTable
from moximap.store.interfaces import Column
from moximap.store.made import IOfHead, Made
from moximap.store.transaction import pieces
from moximap.values import NumSet

_ORIGIN: Final = "(SELECT number FROM origin)"
_EXPRESSIONS: Final[dict[Column, str]] = {
    "uid": "m.uid", "flags": "m.flags", "modseq": "m.modseq", "date": "m.date", "zone": "m.zone",
    "saved": "m.saved", "size": "m.size", "head": "c.head", "envelope": "s.envelope",
    "body": "d.body", "bodystructure": "s.bodystructure", "parts": "d.parts",
    "preview": "d.preview", "emailid": f"'M' || {_ORIGIN} || '_' || m.content",
    "threadid": f"'T' || {_ORIGIN} || '_' || c.thread",
    "expunged": "m.expunged", "sent": "d.sent", "sent_time": "d.sent_time",
    "subject": "d.subject", "base_subject": "d.base_subject", "from_key": "d.from_key",
    "to_key": "d.to_key", "cc_key": "d.cc_key", "from_display": "d.from_display",
    "to_display": "d.to_display", "message_id": "d.message_id", "references": "d.refs",
    "content": "c.size, c.header_size, c.head, c.body, c.file"}
_MADE: Final = Made()
_SIZES: Final[dict[Column, str]] = {"content": "c.size", **{
    column: f"octet_length({_EXPRESSIONS[column]})"
    for column in ("head", "envelope", "body", "bodystructure", "parts", "preview")}}
#: Messages that are fetched by one statement alone: a snapshot takes longer to begin, and less for each.
FEW: Final = 100
#: From so many UIDs on what is made of headers is not remembered: they would only drive out each other.
WIDE: Final = 5000
#: Columns of the table that an IContent is made of.
_WIDTH: Final = 5

Rows = Iterator[tuple[Any, ...]]


@attrs.frozen
class Plan:
    """A SELECT that lacks its condition on uid, the same for a range, and where in its rows a content is,
    flags, and what is made of headers, by number of the content if it is ``remembered``."""

    select: str
    ranged: str
    content: int | None
    flags: int | None
    made: list[tuple[int, IOfHead]]
    remembered: bool

    def rows(self, connection: apsw.Connection, files: Files, statement: str,
             bindings: tuple[object, ...]) -> Rows:
        """The rows of one of the two, with their values as Column has them."""
        rows: Rows = connection.execute(statement, bindings)
        if self.content is not None:
            rows = _with_content(rows, files, self.content)
        for place, column in self.made:
            make = _MADE.maker(files, column, _heads(connection)) if self.remembered else column.of_head
            rows = _with_made(rows, place, make)
        return rows


@lru_cache(maxsize=200)
def plan(columns: tuple[Column, ...], wide: bool) -> Plan:
    """A row's content comes last in the statement, so that it is one slice."""
    at = columns.index("content") if "content" in columns else None
    sizes = [_SIZES[column] for column in columns if column in _SIZES]
    expressions = {**_EXPRESSIONS, "octets": " + ".join(sizes) or "0"}
    source = "c.head" if wide else "m.content"
    plain = [expressions[column] if isinstance(column, str) else source for column in columns
             if column != "content"]
    chosen = ", ".join(plain + ([_EXPRESSIONS["content"]] if at is not None else []))
    joins = ""
    if " c." in f" {chosen}" or "|| c." in chosen:
        joins += " JOIN content c ON c.id = m.content"
    if " s." in f" {chosen}":
        joins += " JOIN summary s ON s.content = m.content"
    if " d." in f" {chosen}":
        joins += " JOIN digest d ON d.content = m.content"
    select = (f"SELECT {chosen} FROM message m{joins}"
              " WHERE m.mailbox = ? AND m.content IS NOT NULL AND m.{} ORDER BY m.uid")
    flags = columns.index("flags") if "flags" in columns else None
    made = [(place, column) for place, column in enumerate(columns) if not isinstance(column, str)]
    return Plan(select, select.format("uid BETWEEN ? AND ?"), at, flags, made, not wide)


def fetch(connection: apsw.Connection, files: Files, mailbox: int, uids: NumSet,
          columns: tuple[Column, ...]) -> Rows:
    """Rows in order of UID, in the transaction that the connection has begun."""
    what = plan(columns, _is_wide(uids.ranges))
    for clause, bindings in pieces(connection.execute, mailbox, uids):
        yield from what.rows(connection, files, what.select.format(clause), (mailbox, *bindings))


def fetch_range(connection: apsw.Connection, files: Files, flags: FlagTable, mailbox: int,
                uids: tuple[int, int], columns: tuple[Column, ...]) -> Rows:
    """Rows in order of UID, by one statement."""
    what = plan(columns, _is_wide((uids,)))
    rows = what.rows(connection, files, what.ranged, (mailbox, *uids))
    return rows if what.flags is None else _with_known(rows, what.flags, partial(flags.know, connection))


def _is_wide(ranges: Sequence[tuple[int, int]]) -> bool:
    return bool(ranges) and ranges[-1][1] - ranges[0][0] >= WIDE


def _with_known(rows: Rows, place: int, know: Callable[[int], None]) -> Rows:
    known = set[int]()
    for row in rows:
        code = row[place]
        if code not in known:
            known.add(code)
            know(code)
        yield row


def _with_content(rows: Rows, files: Files, place: int) -> Rows:
    for row in rows:
        yield *row[:place], files.content(*row[-_WIDTH:]), *row[place:-_WIDTH]


def _with_made(rows: Rows, place: int, make: Callable[[Any], bytes | None]) -> Rows:
    for row in rows:
        value = make(row[place])
        if value is not None:
            yield *row[:place], value, *row[place + 1:]


def _heads(connection: apsw.Connection) -> Callable[[int], bytes | None]:
    """Reads headers while another statement goes on, that is in its snapshot."""
    execute = connection.cursor().execute
    return lambda content: execute("SELECT head FROM content WHERE id = ?", (content,)).get
