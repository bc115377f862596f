"""The search keys of RFC 9051 6.4.4 and RFC 3501 6.4.4."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from moximap.imap.commands.search_program import IKey, KeyReader, Numbers, Plain
from moximap.imap.commands.search_tree import ALL, NOTHING
from moximap.imap.dialect import Extension
from moximap.imap.messageset import MessageSet
from moximap.searchtree import DateIs, HasFlag, HeaderHas, Not, SearchTree, SizeIs, TextHas

Row = Callable[[KeyReader], IKey]


def constant(tree: SearchTree) -> Row:
    """A key without arguments."""
    return lambda reader: Plain(tree)


def dated(which: Literal["internal", "sent", "saved"], how: Literal["<", "=", ">="]) -> Row:
    def row(reader: KeyReader) -> IKey:
        reader.p.sp()
        return Plain(DateIs(which, how, reader.p.date()))
    return row


def field(name: str) -> Row:
    """A field of the envelope."""
    return lambda reader: Plain(HeaderHas(name, reader.text()))


def sized(how: Literal["<", ">"]) -> Row:
    def row(reader: KeyReader) -> IKey:
        reader.p.sp()
        return Plain(SizeIs(how, reader.p.number64()))
    return row


def text(header: bool) -> Row:
    return lambda reader: Plain(TextHas(reader.text(), header))


def header(reader: KeyReader) -> IKey:
    """HEADER: any field, or with the empty string: that it is there."""
    name = reader.text()
    return Plain(HeaderHas(name, reader.text()))


def keyword(reader: KeyReader) -> SearchTree:
    """flag-keyword = atom."""
    reader.p.sp()
    return HasFlag(reader.p.atom().decode())


def uid(reader: KeyReader) -> IKey:
    reader.p.sp()
    return Numbers(MessageSet.parse(reader.p, uid=True))


def _flags() -> dict[bytes, Row]:
    """A key and its UN- for each system flag."""
    rows = {}
    for name in ("Answered", "Deleted", "Draft", "Flagged", "Seen"):
        flag = HasFlag(f"\\{name}")
        rows[name.upper().encode()] = constant(flag)
        rows[b"UN" + name.upper().encode()] = constant(Not(flag))
    return rows


#: No message is ever \Recent here, which is what RFC 9051 has left of it.
_RECENT: dict[bytes, Row] = {
    b"NEW": constant(NOTHING), b"RECENT": constant(NOTHING), b"OLD": constant(ALL)}

EXTENSION = Extension(
    name="search keys", rfcs=(9051, 3501),
    search={
        b"ALL": constant(ALL), **_flags(), **_RECENT,
        b"KEYWORD": lambda reader: Plain(keyword(reader)),
        b"UNKEYWORD": lambda reader: Plain(Not(keyword(reader))),
        b"BCC": field("Bcc"), b"CC": field("Cc"), b"FROM": field("From"), b"SUBJECT": field("Subject"),
        b"TO": field("To"), b"HEADER": header, b"BODY": text(header=False), b"TEXT": text(header=True),
        b"BEFORE": dated("internal", "<"), b"ON": dated("internal", "="), b"SINCE": dated("internal", ">="),
        b"SENTBEFORE": dated("sent", "<"), b"SENTON": dated("sent", "="),
        b"SENTSINCE": dated("sent", ">="),
        b"LARGER": sized(">"), b"SMALLER": sized("<"),
        b"UID": uid, b"NOT": KeyReader.negated, b"OR": KeyReader.either,
    },
)
