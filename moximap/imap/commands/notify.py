"""NOTIFY: the client says of what it wants to hear, in which mailboxes, also between commands (RFC 5465)."""

from __future__ import annotations

import attrs

from moximap.imap.commands.notify_groups import Wishes, parse_groups
from moximap.imap.commands.notify_policy import Notifying
from moximap.imap.dialect import LOGGED_IN, Capability, Extension, Spec, logged_in
from moximap.imap.grammar import Cursor
from moximap.imap.policy import Usual
from moximap.imap.session import Session


@attrs.frozen
class Notify:
    """``wishes``: none for NONE.  ``status``: how things are now is told first."""

    wishes: Wishes
    status: bool = False

    async def run(self, session: Session) -> None:
        """SET implies a NOOP: from here on only what is wished is told of the selected mailbox.

        What an earlier SET has promised to tell is told before.
        """
        if self.wishes.groups:
            await session.policy.tell(True)
        if self.wishes.groups and session.view is not None:
            session.view.flag_changes = True
            await Usual(session).tell_selected(True, None)
        for item in self.wishes.selected.items:
            if item.enables:
                session.enable(item.enables)
        policy = Notifying(session, self.wishes)
        await policy.begin(self.status)
        session.policy.end()
        session.policy = policy


def parse(p: Cursor) -> Notify:
    """notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE")"""
    p.sp()
    if p.at(b"NONE"):
        return Notify(Wishes())
    p.take(b"SET ")
    status = p.at(b"STATUS ")
    return Notify(parse_groups(p), status)


EXTENSION = Extension(
    name="NOTIFY", rfcs=(5465,),
    capabilities=(Capability(b"NOTIFY", logged_in),),
    commands={b"NOTIFY": Spec(parse, LOGGED_IN, capability=b"NOTIFY")},
)
