"""APPEND (RFC 9051 6.3.12, RFC 4315 APPENDUID, RFC 7889 APPENDLIMIT, RFC 7888, RFC 3516 literal8) of one
message or, all or none, of many (RFC 3502 MULTIAPPEND)."""

from __future__ import annotations

import attrs

from moximap.imap.commands.append_message import Message, appenduid, judge, parse_message, trycreate
from moximap.imap.dialect import LOGGED_IN, Capability, Extension, Reply, Spec, logged_in
from moximap.imap.framing import Announced
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.values import Appended


@attrs.frozen
class Append:
    mailbox: str
    messages: tuple[Message, ...]

    async def run(self, session: Session) -> Reply:
        messages = [message.new() for message in self.messages]
        with trycreate():
            appended: Appended = await session.change_in_halves(
                session.account.begin_append, session.account.append, self.mailbox, messages)
        return Reply("appended", appenduid(appended))


async def admit(session: Session, p: Cursor, announced: Announced) -> bool:
    """Judge a message before it is sent, the ones before it included."""
    p.sp()
    if p.at_end():
        return False                               # the mailbox's name is a literal
    mailbox = p.mailbox()
    await judge(session, p, announced,
                lambda count, size: session.quick(session.account.may_append, mailbox, count, size))
    return True


def parse(p: Cursor) -> Append:
    """append = "APPEND" SP mailbox 1*append-message"""
    p.sp()
    mailbox = p.mailbox()
    messages = [parse_message(p)]
    while not p.only_spaces():
        messages.append(parse_message(p))
    return Append(mailbox, tuple(messages))


EXTENSION = Extension(
    name="APPEND", rfcs=(3502, 3516, 4315, 4466, 6855, 7888, 7889, 9051),
    capabilities=(Capability(b"LITERAL+", logged_in),
                  Capability(b"LITERAL-", lambda session: not logged_in(session)),
                  Capability(b"APPENDLIMIT", value=lambda session: session.site.limits.append),
                  Capability(b"MULTIAPPEND")),
    commands={b"APPEND": Spec(parse, LOGGED_IN, admit=admit)},
)
