"""How messages are named to a client: by sequence number, or as an extension has it (RFC 9051 2.3.1.2)."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from moximap.imap.errors import Bad
from moximap.imap.sequences import Sequence_
from moximap.values import NumSet

if TYPE_CHECKING:
    from moximap.imap.view import View


class INumbering(Protocol):
    """``word`` is what FETCH responses are called.  ``sequence``: the numbers are sequence numbers, so a
    response must add the UID, and sequence numbers may be told elsewhere too.  ``head`` is how a FETCH
    response of changes begins, with its space, as a format that takes what ``named`` gives."""

    word: bytes
    sequence: bool
    head: bytes

    def number(self, view: View, uid: int) -> int:
        """The number of a message that is in the view."""

    def numbers(self, view: View, uids: Sequence[int]) -> Sequence[int]:
        """Those of messages that are in the view, at least one, ascending."""

    def named(self, view: View, uids: Sequence[int]) -> tuple[Sequence[int], ...]:
        """Columns for ``head``, for messages that are in the view, at least one, ascending."""

    def resolve(self, view: View, numbers: Sequence_) -> array[int]:
        """UIDs for a sequence-set of a command without UID; Bad where it is no such set."""

    def check(self) -> None:
        """Raise Bad where commands that use sequence numbers are not allowed."""


class SequenceNumbers:
    """Messages are numbered from 1 in the order of their UIDs."""

    word = b"FETCH"
    sequence = True
    head = b"* %d FETCH (UID %d "

    def number(self, view: View, uid: int) -> int:
        return bisect_left(view.uids, uid) + 1

    def numbers(self, view: View, uids: Sequence[int]) -> Sequence[int]:
        known = view.uids
        first = bisect_left(known, uids[0]) + 1
        last = first + len(uids) - 1
        if last <= len(known) and known[last - 1] == uids[-1]:
            return range(first, last + 1)          # so many of them between the two: they are all there is
        return [bisect_left(known, uid) + 1 for uid in uids]

    def named(self, view: View, uids: Sequence[int]) -> tuple[Sequence[int], ...]:
        return self.numbers(view, uids), uids

    def resolve(self, view: View, numbers: Sequence_) -> array[int]:
        count = len(view.uids)
        if len(numbers) == 1 and (first := numbers[0][0]) == numbers[0][1] and first and first <= count:
            return view.uids[first - 1:first]          # most often it is one message
        if not count and all(None in ends for ends in numbers):
            return array("I")                  # 1:* of an empty mailbox: clients mean nothing bad
        chosen = NumSet.merge([(low or count, high or count) for low, high in numbers])
        if chosen.ranges[-1][1] > count or not count:
            raise Bad(f"there is no message {chosen.ranges[-1][1]}: the mailbox has {count}")
        out = array("I")
        for low, high in chosen.ranges:
            out.extend(view.uids[low - 1:high])
        return out

    def check(self) -> None:
        """They are."""
