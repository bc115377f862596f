"""Values that several rooms share: frozen, and ignorant of the wire and of the disk."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import attrs

if TYPE_CHECKING:
    from attrs import frozen as frozen
else:
    #: attrs.frozen to mypy, which finds who changes one.  That none is changed at run time either would
    #: cost two thirds of what it takes to make one, and commands make many.
    frozen = partial(attrs.define, unsafe_hash=True)

SEEN: Final = 1
ANSWERED: Final = 2
FLAGGED: Final = 4
DELETED: Final = 8
DRAFT: Final = 16

#: System flags and their bits.  A message's flags are one integer, its *flag code*: the low five
#: bits are these, the rest is the number of a keyword set, which an account's FlagTable can name.
SYSTEM_FLAGS: Final = {"\\Answered": ANSWERED, "\\Flagged": FLAGGED, "\\Deleted": DELETED,
                       "\\Seen": SEEN, "\\Draft": DRAFT}
SYSTEM_BITS: Final = 5
SYSTEM_MASK: Final = 31

#: Where in the eight octets of a flag code the lowest is, as this machine has them.
LOW_OCTET: Final = 0 if sys.byteorder == "little" else 7

MAX_UID: Final = 0xFFFFFFFF


@frozen
class NumSet:
    """A set of UIDs or of sequence numbers: sorted, disjoint, inclusive ranges.

    ``ranges`` is a tuple of (first, last); adjacent ranges are merged.
    """

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, numbers: Iterable[int]) -> NumSet:
        """The set of single numbers, in any order."""
        return cls.merge((n, n) for n in numbers)

    @classmethod
    def ascending(cls, numbers: array[int]) -> NumSet:
        """The set of numbers that are ascending already: a block without a gap costs one comparison."""
        if numbers and numbers[-1] - numbers[0] == len(numbers) - 1:
            return cls(((numbers[0], numbers[-1]),))
        out: list[tuple[int, int]] = []
        first = last = -2
        for start in range(0, len(numbers), 256):
            block = numbers[start:start + 256]
            whole = block[-1] - block[0] == len(block) - 1
            for low, high in ((block[0], block[-1]),) if whole else zip(block, block, strict=True):
                if low != last + 1:
                    out.append((first, last))
                    first = low
                last = high
        out.append((first, last))
        return cls(tuple(out[1:]))

    def after(self, number: int) -> NumSet:
        """The part above a number."""
        return NumSet(tuple((max(low, number + 1), high) for low, high in self.ranges if high > number))

    @classmethod
    def merge(cls, ranges: Iterable[tuple[int, int]]) -> NumSet:
        """The union of ranges in any order; a reversed one (9:4) is turned."""
        out: list[tuple[int, int]] = []
        for low, high in sorted([(a, b) if a <= b else (b, a) for a, b in ranges]):
            if out and low <= out[-1][1] + 1:
                if high > out[-1][1]:
                    out[-1] = (out[-1][0], high)
            else:
                out.append((low, high))
        return cls(tuple(out))

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self.ranges, (number, MAX_UID + 1)) - 1
        return place >= 0 and self.ranges[place][1] >= number

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges:
            yield from range(low, high + 1)

    def __len__(self) -> int:
        count = 0
        for low, high in self.ranges:
            count += high - low + 1
        return count

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __and__(self, other: NumSet) -> NumSet:
        """What both sets have."""
        out: list[tuple[int, int]] = []
        ours, theirs = iter(self.ranges), iter(other.ranges)
        mine, its = next(ours, None), next(theirs, None)
        while mine is not None and its is not None:
            low, high = max(mine[0], its[0]), min(mine[1], its[1])
            if low <= high:
                out.append((low, high))
            if mine[1] < its[1]:
                mine = next(ours, None)
            else:
                its = next(theirs, None)
        return NumSet(tuple(out))

    def within(self, numbers: array[int]) -> array[int]:
        """Those of ascending ``numbers`` that are in this set; cost by ranges and hits."""
        out = array("I")
        for low, high in self.ranges:
            out += between(numbers, low, high)
        return out


def between(numbers: array[int], low: int, high: int) -> array[int]:
    """Those of ascending numbers that are from ``low`` to ``high``."""
    first = bisect_left(numbers, low)
    most = min(first + high - low + 1, len(numbers))
    return numbers[first:bisect_right(numbers, high, first, most)]


@frozen
class InternalDate:
    """A moment with the zone it was written in: Unix seconds, and minutes east of UTC."""

    seconds: int
    zone: int = 0


@frozen
class Mailbox:
    """A mailbox as it stands at ``modseq``; counters are of messages that are not expunged."""

    id: int
    name: str
    parent: int | None
    uidvalidity: int
    uidnext: int
    modseq: int
    createseq: int
    uses: tuple[str, ...] = ()
    messages: int = 0
    unseen: int = 0
    deleted: int = 0
    size: int = 0
    deleted_size: int = 0


@frozen
class Listing:
    """All mailboxes of an account by name, and all subscribed names (that may not exist)."""

    mailboxes: tuple[Mailbox, ...]
    subscribed: frozenset[str]
    modseq: int


@frozen
class Known:
    """Flag codes of messages of one mailbox, by ascending UID, as they were at ``modseq``."""

    modseq: int
    uids: array[int]
    flags: array[int]


@frozen
class Changes:
    """What happened in one mailbox after modseq ``since``, up to and including ``modseq``.

    Live messages are three columns of equal length, each message once and in its last state, by
    (modseq, uid); with ``since`` 0 by uid, and that is the whole mailbox.  Expunged ones likewise.
    """

    mailbox: int
    since: int
    modseq: int
    uids: array[int]                      # "I"
    flags: array[int]                     # "Q": flag codes
    modseqs: array[int]                   # "Q"
    expunged: array[int] = attrs.field(factory=lambda: array("I"))
    expunged_modseqs: array[int] = attrs.field(factory=lambda: array("Q"))


@frozen
class Written:
    """A write that is committed: the account's modseq that it took, and what it changed, where.

    ``changes`` has an entry for each mailbox whose messages changed; ``since`` there is the
    mailbox's modseq before this write.  A write that changed nothing has no modseq of its own:
    ``modseq`` is then the current one.  ``names``: names or subscriptions changed.
    """

    modseq: int
    changes: tuple[Changes, ...] = ()
    names: bool = attrs.field(default=False, kw_only=True)


@frozen
class Created(Written):
    mailboxes: tuple[Mailbox, ...] = ()           # the new ones: parents first
    names: bool = attrs.field(default=True, kw_only=True)


@frozen
class Appended(Written):
    mailbox: int = 0
    uidvalidity: int = 0
    uids: NumSet = NumSet()


@frozen
class Copied(Written):
    """``source`` and ``target`` correspond in ascending order; UIDs that were not there are not in."""

    mailbox: int = 0                              # the target's id
    uidvalidity: int = 0
    source: tuple[int, ...] = ()
    target: NumSet = NumSet()


@frozen
class Stored(Written):
    """``foreign``: targets that another writer changed after the caller's cursor and before this
    write; ``modified``: targets that failed UNCHANGEDSINCE."""

    foreign: NumSet = NumSet()
    modified: NumSet = NumSet()


@frozen
class Opened:
    """A SELECT's snapshot: the mailbox and the messages (whole, or since what the caller knew)."""

    mailbox: Mailbox
    changes: Changes


Resource = Literal["storage", "messages", "mailboxes"]


@frozen
class Quota:
    """What an account uses, and may use: storage in octets of messages; None: as much as there is."""

    storage: int
    messages: int
    mailboxes: int
    storage_limit: int | None
    messages_limit: int | None
    mailboxes_limit: int
