"""EXPUNGE and UID EXPUNGE (RFC 9051 6.4.3, 6.4.9, RFC 4315 UIDPLUS)."""

from __future__ import annotations

import attrs

from moximap.imap.dialect import SELECTED, Capability, Extension, Spec
from moximap.imap.grammar import Cursor
from moximap.imap.messageset import MessageSet
from moximap.imap.session import Session
from moximap.values import NumSet


@attrs.frozen
class Expunge:
    """``messages`` None: all with \\Deleted."""

    messages: MessageSet | None = None

    async def run(self, session: Session) -> None:
        uids = None if self.messages is None else NumSet.ascending(self.messages.resolve(session))
        await session.change(session.account.expunge, session.selected.mailbox.id, uids)


def parse_expunge(p: Cursor) -> Expunge:
    return Expunge()


def parse_uid_expunge(p: Cursor) -> Expunge:
    p.sp()
    return Expunge(MessageSet.parse(p, uid=True))


EXTENSION = Extension(
    name="EXPUNGE", rfcs=(9051, 4315),
    capabilities=(Capability(b"UIDPLUS"),),
    commands={b"EXPUNGE": Spec(parse_expunge, SELECTED, writes=True),
              b"UID EXPUNGE": Spec(parse_uid_expunge, SELECTED, writes=True, capability=b"UIDPLUS")},
)
