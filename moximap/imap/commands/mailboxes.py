"""CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 6.3.4 to 6.3.8), with the parameters of
CREATE (RFC 4466) and among them USE (RFC 6154)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from moximap.imap import encoding
from moximap.imap.commands.listing import Entry, attributes, line
from moximap.imap.dialect import LOGGED_IN, Capability, Extension, Reply, Spec
from moximap.imap.errors import Bad
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.values import Created, Mailbox


@attrs.frozen
class CreateParameter:
    """A row of the table ``create``.

    ``parse``: the parameter's value, behind its name; None: no such parameter, the row has a ``code``.
    ``arguments``: keyword arguments of IAccount.create, for a value.
    ``code``: a response code for the OK of every CREATE.
    """

    parse: Callable[[Cursor], Any] | None = None
    arguments: Callable[[Any], Mapping[str, Any]] = lambda value: {}
    code: Callable[[Mailbox], bytes] | None = None


@attrs.frozen
class Create:
    """``parameters``: (row, value) in the order in which they came."""

    mailbox: str
    parameters: tuple[tuple[CreateParameter, Any], ...] = ()

    async def run(self, session: Session) -> Reply:
        """The new mailboxes are listed: parents that were missing, then the one that was asked for."""
        arguments: dict[str, Any] = {}
        for row, value in self.parameters:
            arguments.update(row.arguments(value))
        created: Created = await session.change(session.account.create, self.mailbox, **arguments)
        session.write(b"".join(_lines(created.mailboxes, session.utf8)))
        rows = session.dialect.tables["create"].values()
        codes = [row.code(created.mailboxes[-1]) for row in rows if row.code is not None]
        return Reply("CREATE completed", b" ".join(codes) or None)


def _lines(made: Sequence[Mailbox], utf8: bool) -> list[bytes]:
    """Each is the parent of the next; RFC 9051 6.3.4 wants \\Subscribed with what was subscribed."""
    entries = [Entry(mailbox.name, mailbox, True, mailbox is not made[-1]) for mailbox in made]
    return [line(b"LIST", [*attributes(entry), "\\Subscribed"], encoding.mailbox(entry.name, utf8))
            for entry in entries]


@attrs.frozen
class Delete:
    mailbox: str

    async def run(self, session: Session) -> None:
        await session.change(session.account.delete, self.mailbox)


@attrs.frozen
class Rename:
    old: str
    new: str

    async def run(self, session: Session) -> None:
        await session.change(session.account.rename, self.old, self.new)


@attrs.frozen
class Subscribe:
    """``on``: SUBSCRIBE; without it UNSUBSCRIBE."""

    mailbox: str
    on: bool

    async def run(self, session: Session) -> None:
        await session.change(session.account.subscribe, self.mailbox, self.on)


# grammar

def _mailbox(p: Cursor) -> str:
    p.sp()
    return p.mailbox()


def parse_create(p: Cursor) -> Create:
    """create = "CREATE" SP mailbox [SP "(" create-param *(SP create-param) ")"]"""
    mailbox = _mailbox(p)
    parameters = p.list_of(lambda: _parameter(p)) if p.at_sp() and not p.at_end() else []
    names = [name for name, _, _ in parameters]
    if len(set(names)) < len(names):
        raise Bad("a CREATE parameter came twice")
    return Create(mailbox, tuple((row, value) for _, row, value in parameters))


def _parameter(p: Cursor) -> tuple[bytes, CreateParameter, Any]:
    table: Mapping[bytes, CreateParameter] = p.dialect.tables["create"]
    name = p.one_of([name for name, row in table.items() if row.parse is not None], "CREATE parameter")
    row = table[name]
    assert row.parse is not None
    return name, row, row.parse(p)


def parse_delete(p: Cursor) -> Delete:
    return Delete(_mailbox(p))


def parse_rename(p: Cursor) -> Rename:
    return Rename(_mailbox(p), _mailbox(p))


def parse_subscribe(p: Cursor) -> Subscribe:
    return Subscribe(_mailbox(p), on=True)


def parse_unsubscribe(p: Cursor) -> Subscribe:
    return Subscribe(_mailbox(p), on=False)


def parse_use(p: Cursor) -> tuple[str, ...]:
    """ "USE" SP "(" [use-attr *(SP use-attr)] ")", each attribute with its backslash."""
    p.sp()
    uses = p.list_of(p.flag, least=0)
    if not all(use.startswith("\\") for use in uses):
        raise p.bad("special-use attribute")
    return tuple(uses)


EXTENSION = Extension(
    name="CREATE, DELETE, RENAME and subscriptions", rfcs=(9051, 3501, 4466, 5530, 6154),
    capabilities=(Capability(b"CREATE-SPECIAL-USE"),),
    commands={b"CREATE": Spec(parse_create, LOGGED_IN),
              b"DELETE": Spec(parse_delete, LOGGED_IN),
              b"RENAME": Spec(parse_rename, LOGGED_IN),
              b"SUBSCRIBE": Spec(parse_subscribe, LOGGED_IN),
              b"UNSUBSCRIBE": Spec(parse_unsubscribe, LOGGED_IN)},
    create={b"USE": CreateParameter(parse_use, lambda uses: {"uses": uses})},
)
