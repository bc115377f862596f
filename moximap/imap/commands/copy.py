"""COPY, MOVE and their UID forms (RFC 9051 6.4.7, 6.4.8, RFC 6851, RFC 4315)."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from moximap.imap import encoding
from moximap.imap.dialect import SELECTED, Capability, Extension, Reply, Spec
from moximap.imap.errors import No, refusal
from moximap.imap.grammar import Cursor
from moximap.imap.messageset import MessageSet
from moximap.imap.session import Session
from moximap.imap.waiting import Progress
from moximap.store.errors import NoSuchMailbox
from moximap.values import Copied, NumSet


@attrs.frozen
class Copy:
    """``move``: MOVE, whose COPYUID is untagged, so that it comes before the EXPUNGEs."""

    messages: MessageSet
    mailbox: str
    move: bool

    async def run(self, session: Session) -> Reply | None:
        view = session.selected
        uids = NumSet.ascending(self.messages.resolve(session))
        method = session.account.move if self.move else session.account.copy
        try:
            with session.waiting(Progress()):
                copied: Copied = await session.change(method, view.mailbox.id, uids, self.mailbox)
        except NoSuchMailbox as error:
            raise refusal(error, {NoSuchMailbox: b"TRYCREATE"}) from None
        if uids and not copied.source and not self.messages.uid:
            raise No("the messages have been expunged", b"EXPUNGEISSUED")
        if not copied.source:
            return Reply("none of the messages are there: nothing to do")
        code = copyuid(copied)
        if not self.move:
            return Reply("copied", code)
        session.write(b"* OK [%b] moved\r\n" % code)
        return None


def copyuid(copied: Copied) -> bytes:
    """resp-code-copy: UIDs of source and target in the same order."""
    return b"COPYUID %d %b %b" % (copied.uidvalidity, encoding.numset(NumSet.of(copied.source)),
                                  encoding.numset(copied.target))


def parse_copy(uid: bool, move: bool) -> Callable[[Cursor], Copy]:
    def parse(p: Cursor) -> Copy:
        p.sp()
        messages = MessageSet.parse(p, uid)
        p.sp()
        return Copy(messages, p.mailbox(), move)
    return parse


EXTENSION = Extension(
    name="COPY and MOVE", rfcs=(9051, 6851, 4315),
    capabilities=(Capability(b"MOVE"),),
    commands={b"COPY": Spec(parse_copy(False, False), SELECTED, numbered=True),
              b"UID COPY": Spec(parse_copy(True, False), SELECTED),
              b"MOVE": Spec(parse_copy(False, True), SELECTED, writes=True, numbered=True,
                            capability=b"MOVE"),
              b"UID MOVE": Spec(parse_copy(True, True), SELECTED, writes=True, capability=b"MOVE")},
)
