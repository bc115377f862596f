"""The messages that a command names: a sequence-set, or "$" (RFC 9051 section 9, RFC 5182 2.1)."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from moximap.imap.grammar import Cursor
from moximap.imap.sequences import Sequence_
from moximap.values import frozen

if TYPE_CHECKING:
    from moximap.imap.session import Session


@frozen
class MessageSet:
    """``numbers`` as written, None for "$"; ``uid``: they are UIDs."""

    numbers: Sequence_ | None
    uid: bool

    @classmethod
    def parse(cls, p: Cursor, uid: bool) -> MessageSet:
        """sequence-set = ... / "$"."""
        return cls(None if p.at(b"$") else p.sequence_set(), uid)

    def resolve(self, session: Session) -> array[int]:
        """UIDs of the selected mailbox's view, ascending; Bad for a sequence number that is not there.

        What a saved result had and the client was told is gone is not in "$" any more.
        """
        view = session.selected
        if self.numbers is None:
            return session.saved.within(view.uids)
        return view.resolve(self.numbers, self.uid)
