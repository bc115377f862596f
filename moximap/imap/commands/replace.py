"""REPLACE and UID REPLACE (RFC 8508): a new message comes and an old one goes, as one action."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from moximap.imap.commands.append_message import Message, appenduid, judge, parse_message, trycreate
from moximap.imap.dialect import SELECTED, Admit, Capability, Extension, Spec
from moximap.imap.dispatch import catch_up
from moximap.imap.errors import No
from moximap.imap.framing import Announced
from moximap.imap.grammar import Cursor
from moximap.imap.messageset import MessageSet
from moximap.imap.session import Session
from moximap.values import Appended


@attrs.frozen
class Replace:
    """``old`` names one message."""

    old: MessageSet
    mailbox: str
    message: Message

    async def run(self, session: Session) -> None:
        """EXISTS comes before EXPUNGE, as in the RFC's examples: the new message is there before the old
        one goes.  APPENDUID before both, RFC 8508 4.3."""
        uid = _uid(session, self.old)
        with trycreate():
            appended: Appended = await session.change(
                session.account.replace, session.selected.mailbox.id, uid, self.mailbox, self.message.new())
        session.write(b"* OK [%b] replacement message ready\r\n" % appenduid(appended))
        await catch_up(session, may_expunge=False)


def _uid(session: Session, old: MessageSet) -> int:
    uids = old.resolve(session)
    if not uids:
        raise No("the message to be replaced is not there")
    return uids[0]


def _parse_old(p: Cursor, uid: bool) -> MessageSet:
    """SP seq-number, or a UID."""
    p.sp()
    number = None if p.at(b"*") else p.nz_number()
    return MessageSet(((number, number),), uid)


def admit_replace(uid: bool) -> Admit:
    async def admit(session: Session, p: Cursor, announced: Announced) -> bool:
        """Judge the message before it is sent, and that there is one to be replaced."""
        old = _uid(session, _parse_old(p, uid))
        p.sp()
        if p.at_end():
            return False                           # the mailbox's name is a literal
        mailbox, selected = p.mailbox(), session.selected.mailbox.id
        await judge(session, p, announced, lambda count, size: session.quick(
            session.account.may_replace, selected, old, mailbox, size), most=1)
        return True
    return admit


def parse_replace(uid: bool) -> Callable[[Cursor], Replace]:
    def parse(p: Cursor) -> Replace:
        """replace = "REPLACE" SP seq-number SP mailbox append-message"""
        old = _parse_old(p, uid)
        p.sp()
        return Replace(old, p.mailbox(), parse_message(p))
    return parse


EXTENSION = Extension(
    name="REPLACE", rfcs=(8508,),
    capabilities=(Capability(b"REPLACE"),),
    commands={b"REPLACE": Spec(parse_replace(False), SELECTED, writes=True, admit=admit_replace(False),
                               capability=b"REPLACE"),
              b"UID REPLACE": Spec(parse_replace(True), SELECTED, writes=True, admit=admit_replace(True),
                                   capability=b"REPLACE")},
)
