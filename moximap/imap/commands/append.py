"""APPEND (RFC 9051 6.3.12, RFC 4315 APPENDUID, RFC 7889 APPENDLIMIT, RFC 7888, RFC 3516 literal8)."""

from __future__ import annotations

import attrs

from moximap.imap.commands.store import check_flags
from moximap.imap.dialect import LOGGED_IN, Capability, Extension, Reply, Spec, logged_in
from moximap.imap.errors import No, refusal
from moximap.imap.framing import Announced, Literal, Part
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.store.errors import NoSuchMailbox
from moximap.store.interfaces import NewMessage
from moximap.values import Appended, InternalDate


@attrs.frozen
class Append:
    mailbox: str
    flags: tuple[str, ...]
    date: InternalDate | None
    literal: Literal = attrs.field(repr=False)

    async def run(self, session: Session) -> Reply:
        if not self.literal.size:
            raise No("an empty message was refused, nothing was appended")
        message = NewMessage(self.literal.content, self.flags, self.date)
        try:
            appended: Appended = await session.change(session.account.append, self.mailbox, [message])
        except NoSuchMailbox as error:
            raise refusal(error, {NoSuchMailbox: b"TRYCREATE"}) from None
        (first, _), = appended.uids.ranges
        return Reply("appended", b"APPENDUID %d %d" % (appended.uidvalidity, first))


async def admit(session: Session, parts: list[Part], announced: Announced) -> None:
    """Judge a message before it is sent: the mailbox, the flags, the date, the size.

    A small message that comes anyway costs no question to the store: the append itself will tell.
    """
    limit = session.site.limits.append
    p = Cursor(parts, session.dialect, session.utf8)
    p.tag()
    p.sp()
    p.word()
    mailbox, _, _ = _before_literal(p)
    if announced.size > limit:
        raise No(f"a message of over {limit} octets is not taken here", b"TOOBIG")
    if announced.sync or announced.size > session.site.limits.memory:
        try:
            await session.call(session.account.mailbox, mailbox)
        except NoSuchMailbox as error:
            raise refusal(error, {NoSuchMailbox: b"TRYCREATE"}) from None


def _before_literal(p: Cursor) -> tuple[str, tuple[str, ...], InternalDate | None]:
    p.sp()
    mailbox = p.mailbox()
    p.sp()
    flags: tuple[str, ...] = ()
    if p.peek() == b"(":
        flags = check_flags(tuple(f for f in p.flag_list() if f.upper() != "\\RECENT"))
        p.sp()
    date = None
    if p.peek() == b'"':
        date = p.date_time()
        p.sp()
    return mailbox, flags, date


def parse(p: Cursor) -> Append:
    """append-data = literal / literal8, or RFC 6855's UTF8 (literal8)."""
    mailbox, flags, date = _before_literal(p)
    wrapped = p.at(b"UTF8 (")
    literal = p.any_literal()
    if wrapped:
        p.take(b")")
    return Append(mailbox, flags, date, literal)


EXTENSION = Extension(
    name="APPEND", rfcs=(9051, 3516, 4315, 6855, 7888, 7889),
    capabilities=(Capability(b"LITERAL+", logged_in),
                  Capability(b"LITERAL-", lambda session: not logged_in(session)),
                  Capability(b"APPENDLIMIT", value=lambda session: session.site.limits.append)),
    commands={b"APPEND": Spec(parse, LOGGED_IN, admit=admit)},
)
