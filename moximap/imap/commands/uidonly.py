"""UIDONLY: no sequence numbers in either direction (RFC 9586)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from moximap.imap.commands.qresync import expunges
from moximap.imap.dialect import Capability, Enabling, Extension, logged_in
from moximap.imap.errors import Bad
from moximap.imap.sequences import Sequence_
from moximap.imap.session import Session
from moximap.imap.view import View

UIDONLY = b"UIDONLY"


class UidNumbers:
    """Messages are named by their UIDs, in UIDFETCH responses."""

    word = b"UIDFETCH"
    sequence = False
    head = b"* %d UIDFETCH ("

    def number(self, view: View, uid: int) -> int:
        return uid

    def numbers(self, view: View, uids: Sequence[int]) -> Sequence[int]:
        return uids

    def named(self, view: View, uids: Sequence[int]) -> tuple[Sequence[int], ...]:
        return (uids,)

    def resolve(self, view: View, numbers: Sequence_) -> array[int]:
        raise self._required()

    def check(self) -> None:
        raise self._required()

    @staticmethod
    def _required() -> Bad:
        return Bad("sequence numbers are not allowed once UIDONLY is enabled", b"UIDREQUIRED")


def dress(view: View) -> None:
    """VANISHED in place of EXPUNGE, with QRESYNC or without."""
    view.expunges = expunges


def begin(session: Session) -> None:
    session.numbering = UidNumbers()
    if session.view is not None:
        session.view.numbering = session.numbering


EXTENSION = Extension(
    name="UIDONLY", rfcs=(9586,),
    capabilities=(Capability(UIDONLY, logged_in),),
    enable={UIDONLY: Enabling(dress=dress, begin=begin)},
)
