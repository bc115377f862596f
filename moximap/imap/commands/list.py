"""LIST (RFC 9051 6.3.9) with LIST-EXTENDED (RFC 5258), CHILDREN (RFC 3348), LIST-STATUS (RFC 5819) and
SPECIAL-USE (RFC 6154)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import attrs

from moximap.imap import encoding
from moximap.imap.commands.listing import (Choice, Entry, Test, answer, any_of, attributes, choose,
                                           exists, is_subscribed, line, root)
from moximap.imap.commands.status import Items, asked_all, parse_items, status_line
from moximap.imap.dialect import LOGGED_IN, Capability, Extension, Spec
from moximap.imap.errors import Bad, No
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.store.interfaces import IAccount

#: Patterns of one LIST, each of which is compared with each name; clients have a few.
MOST_PATTERNS: Final = 100


@attrs.frozen
class Selection:
    """A row of the table ``list_selections``.

    ``selects``: which names it keeps, None where it restricts nothing.  ``base``: RECURSIVEMATCH may go
    with it, and CHILDINFO names it.  ``returns``: the return option that it implies.
    """

    selects: Test | None = None
    base: bool = False
    returns: bytes | None = None


@attrs.frozen
class Return:
    """A row of the table ``list_returns``.

    ``parse``: its value, behind its name.  ``asked``: what asking for it does to the session.
    ``attribute``: what it adds to a name's attributes.  ``read``: what it needs of the store, in the
    store's thread, once for all names.  ``response``: the response that follows the LIST line of a name
    that meets the criteria, from session, entry, encoded name, and what was read.
    """

    parse: Callable[[Cursor], Any] = lambda p: None
    asked: Callable[[Session, Any], None] = lambda session, value: None
    attribute: Callable[[Entry], str | None] | None = None
    read: Callable[[IAccount, Any], Any] = lambda account, value: value
    response: Callable[[Session, Entry, bytes, Any], bytes] | None = None


@attrs.frozen
class Root:
    """LIST "" "": what is the delimiter?"""

    def run(self, session: Session) -> None:
        session.write(root(b"LIST"))


@attrs.frozen
class List:
    """``patterns`` have the reference before them already; ``returns`` have the values behind them."""

    patterns: tuple[str, ...]
    selections: Mapping[bytes, Selection]
    returns: Mapping[bytes, tuple[Return, Any]]

    async def run(self, session: Session) -> None:
        for row, value in self.returns.values():
            row.asked(session, value)
        await answer(session, partial(self.lines, session), self.patterns)

    def lines(self, session: Session, account: IAccount, names: list[Entry]) -> list[bytes]:
        """All responses, for `answer`."""
        read = [(row, row.read(account, value)) for row, value in self.returns.values()]
        tests = [row.selects for row in self.selections.values() if row.selects is not None]
        info = self._childinfo()
        out: list[bytes] = []
        for choice in choose(names, any_of(self.patterns), tests or [exists], info is not None):
            _respond(session, choice, info or b"", read, out)
        return out

    def _childinfo(self) -> bytes | None:
        """What is said of a name that has chosen ones below it; None without RECURSIVEMATCH."""
        if b"RECURSIVEMATCH" not in self.selections:
            return None
        bases = sorted(name for name, row in self.selections.items() if row.base)
        return b' ("CHILDINFO" (%b))' % b" ".join(map(encoding.quoted, bases))


def _respond(session: Session, choice: Choice, info: bytes, read: list[tuple[Return, Any]],
             out: list[bytes]) -> None:
    entry = choice.entry
    wire = encoding.mailbox(entry.name, session.utf8)
    told = attributes(entry)
    for row, _ in read:
        extra = row.attribute(entry) if row.attribute is not None else None
        if extra is not None:
            told.append(extra)
    out.append(line(b"LIST", told, wire, info if choice.below else b""))
    if choice.own:
        out += [row.response(session, entry, wire, data) for row, data in read if row.response is not None]


# grammar

def parse(p: Cursor) -> List | Root:
    """list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]"""
    p.sp()
    extended = p.peek() == b"("
    selections = _selections(p) if extended else {}
    reference = p.list_mailbox()
    p.sp()
    many = p.peek() == b"("
    patterns = p.list_of(p.list_mailbox) if many else [p.list_mailbox()]
    if len(patterns) > MOST_PATTERNS:
        raise No(f"a LIST has {MOST_PATTERNS} patterns at most", b"LIMIT")
    returns = _returns(p)
    if returns is None and not (extended or many) and not patterns[0]:
        return Root()
    returns = returns or {}
    for row in selections.values():
        if row.returns is not None:
            returns.setdefault(row.returns, (p.dialect.tables["list_returns"][row.returns], None))
    return List(tuple(reference + pattern for pattern in patterns if pattern), selections, returns)


def _selections(p: Cursor) -> dict[bytes, Selection]:
    """list-select-opts, and the space behind them; an option that comes twice counts once."""
    table: Mapping[bytes, Selection] = p.dialect.tables["list_selections"]
    chosen = {name: table[name] for name in
              p.list_of(lambda: p.one_of(table, "LIST selection option"), least=0)}
    if b"RECURSIVEMATCH" in chosen and not any(row.base for row in chosen.values()):
        raise Bad("RECURSIVEMATCH goes with SUBSCRIBED only")
    p.sp()
    return chosen


def _returns(p: Cursor) -> dict[bytes, tuple[Return, Any]] | None:
    """[SP list-return-opts]; None where there are none."""
    if not p.at(b" RETURN "):
        return None
    table: Mapping[bytes, Return] = p.dialect.tables["list_returns"]
    chosen: dict[bytes, tuple[Return, Any]] = {}

    def option() -> None:
        name = p.one_of(table, "LIST return option")
        value = table[name].parse(p)
        chosen.setdefault(name, (table[name], value))

    p.list_of(option, least=0)
    return chosen


# rows

def _has_use(entry: Entry) -> bool:
    return entry.mailbox is not None and bool(entry.mailbox.uses)


def _subscribed(entry: Entry) -> str | None:
    return "\\Subscribed" if entry.subscribed else None


def _parse_status(p: Cursor) -> Items:
    p.sp()
    return parse_items(p)


def _status(session: Session, entry: Entry, wire: bytes, items: Items) -> bytes:
    return b"" if entry.mailbox is None else status_line(session, wire, entry.mailbox, items)


EXTENSION = Extension(
    name="LIST", rfcs=(9051, 3348, 3501, 5258, 5819, 6154),
    capabilities=(Capability(b"LIST-EXTENDED"), Capability(b"LIST-STATUS"), Capability(b"CHILDREN"),
                  Capability(b"SPECIAL-USE")),
    commands={b"LIST": Spec(parse, LOGGED_IN)},
    list_selections={b"SUBSCRIBED": Selection(is_subscribed, base=True, returns=b"SUBSCRIBED"),
                     b"RECURSIVEMATCH": Selection(),
                     b"REMOTE": Selection(),               # there are no remote mailboxes
                     b"SPECIAL-USE": Selection(_has_use, returns=b"SPECIAL-USE")},
    list_returns={b"SUBSCRIBED": Return(attribute=_subscribed),
                  b"CHILDREN": Return(),                   # always told
                  b"SPECIAL-USE": Return(),                # likewise
                  b"STATUS": Return(_parse_status, asked_all, response=_status)},
)
