"""CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 6.3.4 to 6.3.8), with the parameters of
CREATE (RFC 4466) and among them USE (RFC 6154)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from moximap.imap import encoding
from moximap.imap.commands.listing import Entry, attributes, line, old_name
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
    """``given``: the name as the client has it.  ``parameters``: (row, value) in their order."""

    mailbox: str
    given: str
    parameters: tuple[tuple[CreateParameter, Any], ...] = ()

    async def run(self, session: Session) -> Reply:
        """The new mailboxes are listed: parents that were missing, then the one that was asked for.

        Only where IMAP4rev2 is enabled: c-client's mailutil crashes at a LIST that it did not ask for.
        """
        arguments: dict[str, Any] = {}
        for row, value in self.parameters:
            arguments.update(row.arguments(value))
        created: Created = await session.change(session.account.create, self.mailbox, **arguments)
        if session.rev2:
            session.write(b"".join(self._lines(created.mailboxes, session)))
        rows = session.dialect.tables["create"].values()
        codes = [row.code(created.mailboxes[-1]) for row in rows if row.code is not None]
        return Reply("CREATE completed", b" ".join(codes) or None)


    def _lines(self, made: Sequence[Mailbox], session: Session) -> list[bytes]:
        """Each is the parent of the next; RFC 9051 6.3.4 wants \\Subscribed with what was subscribed."""
        utf8, given = session.utf8, self.given.removesuffix("/")
        return [line(b"LIST", [*attributes(Entry(mailbox.name, mailbox, True, mailbox is not made[-1])),
                               "\\Subscribed"], encoding.mailbox(mailbox.name, utf8),
                     old_name(mailbox.name, given, utf8) if mailbox is made[-1] else b"")
                for mailbox in made]


@attrs.frozen
class Delete:
    """``given``: the name as the client has it."""

    mailbox: str
    given: str

    async def run(self, session: Session) -> None:
        await session.change(session.account.delete, self.mailbox)
        if session.rev2 and self.given != self.mailbox:
            utf8 = session.utf8
            session.write(line(b"LIST", ["\\NonExistent"], encoding.mailbox(self.mailbox, utf8),
                               old_name(self.mailbox, self.given, utf8)))


@attrs.frozen
class Rename:
    """``given``: both names as the client has them."""

    old: str
    new: str
    given: tuple[str, str]

    async def run(self, session: Session) -> None:
        await session.change(session.account.rename, self.old, self.new)
        if session.rev2 and self.given != (self.old, self.new):
            session.write(await self._renamed(session))

    async def _renamed(self, session: Session) -> bytes:
        """The client must know what became of its names (RFC 9051 6.3.6)."""
        assert session.room is not None
        listing = await session.room.listings.current()
        found = next((mailbox for mailbox in listing.mailboxes if mailbox.name == self.new), None)
        children = found is not None and any(mailbox.parent == found.id for mailbox in listing.mailboxes)
        told = attributes(Entry(self.new, found, True, children))
        if self.new in listing.subscribed:
            told.append("\\Subscribed")
        return line(b"LIST", told, encoding.mailbox(self.new, session.utf8),
                    old_name(self.new, self.given[0], session.utf8))


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


def _mailbox_as_given(p: Cursor) -> tuple[str, str]:
    p.sp()
    return p.mailbox_as_given()


def parse_create(p: Cursor) -> Create:
    """create = "CREATE" SP mailbox [SP "(" create-param *(SP create-param) ")"]"""
    mailbox, given = _mailbox_as_given(p)
    parameters = p.list_of(lambda: _parameter(p)) if p.at_sp() and not p.at_end() else []
    names = [name for name, _, _ in parameters]
    if len(set(names)) < len(names):
        raise Bad("a CREATE parameter came twice")
    return Create(mailbox, given, tuple((row, value) for _, row, value in parameters))


def _parameter(p: Cursor) -> tuple[bytes, CreateParameter, Any]:
    table: Mapping[bytes, CreateParameter] = p.dialect.tables["create"]
    name = p.one_of([name for name, row in table.items() if row.parse is not None], "CREATE parameter")
    row = table[name]
    assert row.parse is not None
    return name, row, row.parse(p)


def parse_delete(p: Cursor) -> Delete:
    return Delete(*_mailbox_as_given(p))


def parse_rename(p: Cursor) -> Rename:
    (old, given), (new, also_given) = _mailbox_as_given(p), _mailbox_as_given(p)
    return Rename(old, new, (given, also_given))


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
