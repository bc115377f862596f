"""STATUS (RFC 9051 6.3.11, RFC 3501 6.3.10) with STATUS=SIZE (RFC 8438) and APPENDLIMIT (RFC 7889)."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

import attrs

from moximap.imap import encoding
from moximap.imap.dialect import LOGGED_IN, Capability, Extension, Spec
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.values import Mailbox


@attrs.frozen
class StatusItem:
    """A row of the table ``status``.

    ``value``: what stands behind its name.  ``asked``: what asking for it does to the session.
    """

    value: Callable[[Session, Mailbox], bytes]
    asked: Callable[[Session], None] | None = None


Items = tuple[tuple[bytes, StatusItem], ...]


@attrs.frozen
class Status:
    mailbox: str
    items: Items

    async def run(self, session: Session) -> None:
        asked_all(session, self.items)
        mailbox: Mailbox = await session.quick(session.account.mailbox, self.mailbox)
        session.write(status_line(session, encoding.mailbox(mailbox.name, session.utf8), mailbox, self.items))


def asked_all(session: Session, items: Items) -> None:
    """Let the items do what asking for them does."""
    for _, row in items:
        if row.asked is not None:
            row.asked(session)


def status_line(session: Session, wire: bytes, mailbox: Mailbox, items: Items) -> bytes:
    """A STATUS response; ``wire`` is the encoded name."""
    return b"* STATUS %b (%b)\r\n" % (
        wire, b" ".join([b"%b %b" % (name, row.value(session, mailbox)) for name, row in items]))


def parse_items(p: Cursor) -> Items:
    """ "(" status-att *(SP status-att) ")"; an item that comes twice is told once."""
    table = p.dialect.tables["status"]
    names = p.list_of(lambda: p.one_of(table, "STATUS item"))
    return tuple((name, table[name]) for name in dict.fromkeys(names))


def parse(p: Cursor) -> Status:
    p.sp()
    mailbox = p.mailbox()
    p.sp()
    return Status(mailbox, parse_items(p))


def counter(name: str) -> StatusItem:
    """A number that the store keeps with the mailbox."""
    number = attrgetter(name)
    return StatusItem(lambda session, mailbox: b"%d" % number(mailbox))


EXTENSION = Extension(
    name="STATUS", rfcs=(9051, 3501, 7889, 8438),
    capabilities=(Capability(b"STATUS=SIZE"),),
    commands={b"STATUS": Spec(parse, LOGGED_IN)},
    status={b"MESSAGES": counter("messages"),
            b"UIDNEXT": counter("uidnext"),
            b"UIDVALIDITY": counter("uidvalidity"),
            b"UNSEEN": counter("unseen"),
            b"DELETED": counter("deleted"),
            b"SIZE": counter("size"),
            b"RECENT": StatusItem(lambda session, mailbox: b"0"),
            b"APPENDLIMIT": StatusItem(lambda session, mailbox: b"%d" % session.site.limits.append)},
)
