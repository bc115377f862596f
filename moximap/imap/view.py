"""The selected mailbox as the client knows it (RFC 9051 7.4, 7.5.1, RFC 7162).

The law of this file: only the view writes EXISTS, EXPUNGE, VANISHED and the FETCH of changes, and it
is pure: changes go in, bytes come out.  A view is a list of UIDs and two cursors on the change log:
``changed``, up to which everything but expunges was told, and ``told`` (at most ``changed``), up to
which everything was.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, Protocol

from moximap.imap import encoding
from moximap.imap.sequences import Sequence_
from moximap.imap.numbering import INumbering, SequenceNumbers
from moximap.store.image import Image
from moximap.values import Changes, Mailbox, NumSet, Stored, between, frozen


#: Responses, and the changes that they tell.
Drawn = tuple[Changes, list[bytes]]
#: Responses that are made at once: what one operation needs stays in the processor's cache.
_AT_ONCE: Final = 1000


@frozen
class StoreAnswer:
    """What a STORE of this session did: the view answers it together with everybody's changes.

    ``conditional``: each target's MODSEQ is told, even where nothing changed and it is silent.
    ``drawn``: responses that were made for changes before those were written.
    """

    targets: NumSet
    silent: bool
    stored: Stored
    conditional: bool = False
    drawn: Drawn | None = None


class ExpungeForm(Protocol):
    """How expunges are told."""

    def __call__(self, view: View, uids: list[int]) -> list[bytes]:
        """Lines for ascending UIDs that are in the view still."""


def expunge_lines(view: View, uids: list[int]) -> list[bytes]:
    """EXPUNGE, from the last message to the first, so that each number holds."""
    return [b"* %d EXPUNGE\r\n" % (bisect_left(view.uids, uid) + 1) for uid in reversed(uids)]


class View:
    """``flags`` renders a flag code.  ``modseq``: MODSEQ is told (CONDSTORE); ``all_new``: so are the
    flags of new messages (QRESYNC), but of those ``told_elsewhere``.  ``flag_changes``: flags of other
    messages are told; ``withheld``: the least modseq of those that were not, or 0."""

    def __init__(self, mailbox: Mailbox, image: Image, read_only: bool,
                 flags: Callable[[int], bytes]) -> None:
        self.mailbox = mailbox
        self.image = image
        self.read_only = read_only
        self.flags = flags
        self.uids: array[int] = image.uids
        self.told = self.changed = image.modseq
        self.uidnext = max(mailbox.uidnext, self.last + 1)
        self.modseq = False
        self.all_new = False
        self.told_elsewhere: Container[int] = ()
        self.flag_changes = True
        self.withheld = 0
        self.numbering: INumbering = SequenceNumbers()
        self.expunges: ExpungeForm = expunge_lines
        self.keywords = 0
        self._owes = False
        self._shown = 0

    @property
    def last(self) -> int:
        """The highest UID, 0 where there is none."""
        return self.uids[-1] if self.uids else 0

    # numbers of the client to UIDs

    def resolve(self, numbers: Sequence_, uid: bool) -> array[int]:
        """UIDs in this view that a client's set names, ascending; those that are not there left out."""
        return self.by_uid(numbers) if uid else self.numbering.resolve(self, numbers)

    def by_uid(self, numbers: Sequence_) -> array[int]:
        """A set of UIDs, cut down to those that are there."""
        if len(numbers) > 1:
            return self.uid_set(numbers).within(self.uids)
        ends = [self.last if end is None else end for end in numbers[0]]
        return between(self.uids, min(ends), max(ends))

    def uid_set(self, numbers: Sequence_) -> NumSet:
        """A set of UIDs as written, there or not; "*" is the highest that is there."""
        last = self.last
        if not last:
            return NumSet()
        return NumSet.merge([(last if low is None else low, last if high is None else high)
                             for low, high in numbers])

    def has(self, uid: int) -> bool:
        index = bisect_left(self.uids, uid)
        return index < len(self.uids) and self.uids[index] == uid

    def up_to_date(self) -> bool:
        """Everything that the image knows was told."""
        return self.told == self.image.modseq

    def settled(self) -> bool:
        """There is nothing to tell."""
        return self.up_to_date() and not (self.withheld and self.flag_changes)

    # telling

    def tell(self, changes: Iterable[Changes], may_expunge: bool,
             answer: StoreAnswer | None = None) -> Iterable[bytes]:
        """The untagged responses that bring the client up to the image's modseq: in pieces, some maybe empty,
        which may be made when they are asked for.

        ``changes``: all of the log after ``told``, oldest first, up to the image's modseq.
        """
        changes = list(changes)
        alike = self._alike(changes)
        if alike is not None:
            return self._tell_alike(alike, answer)
        rows, gone = self._merge(changes)
        rows = self._wanted(rows, answer)
        pending = sorted(uid for uid in gone if self.has(uid))
        out: list[bytes] = []
        before = self.uids
        upto = self.image.modseq
        if pending and may_expunge:
            out += self.expunges(self, pending)
        held = pending if not may_expunge else []
        new = self._new(rows)
        self._adopt(new, held)
        if new:
            out.append(b"* %d EXISTS\r\n" % len(self.uids))
        out += self._fetches(rows, before[-1] if before else 0, answer)
        self.changed = upto
        self.told = min(gone[uid] for uid in held) - 1 if held else upto
        if pending and may_expunge:
            self._owes = True
        self.shown(max((m for m, _ in rows.values()), default=0))
        return [b"".join(out)]

    # what a client may keep (RFC 7162 3.2, "without losing any changes")

    def shown(self, modseq: int) -> None:
        """The client was shown this MODSEQ."""
        self._shown = max(self._shown, modseq)

    @property
    def highest(self) -> int:
        """The modseq up to which the client knows everything; never 0."""
        return max(1, min(self._sure, self.image.highest))

    @property
    def _sure(self) -> int:
        return min(self.told, self.withheld - 1) if self.withheld else self.told

    def owed_highest(self) -> int | None:
        """The HIGHESTMODSEQ that a tagged line must be accompanied by, or None.

        A client with CONDSTORE resumes from the highest MODSEQ that it saw, unless it is told better:
        while expunges before that are held back, and when expunges were told.
        """
        owes = self.modseq and (self._owes or self._shown > self._sure)
        self._owes, self._shown = False, 0
        return self.highest if owes else None

    def _alike(self, changes: list[Changes]) -> Changes | None:
        """The one change that is to be told, if it is that of the flags of some messages at one moment."""
        changes = [c for c in changes if c.modseq > self.told] if len(changes) > 1 else changes
        if len(changes) != 1 or self.withheld or not self.flag_changes:
            return None
        only = changes[0]
        if only.expunged or not only.uids or only.modseqs[0] <= self.changed or only.uids[-1] > self.last:
            return None
        return only if only.since and only.modseqs[0] == only.modseqs[-1] else None      # they ascend

    def _tell_alike(self, only: Changes, answer: StoreAnswer | None) -> Iterable[bytes]:
        """What `tell` gives, for thousands of messages: a format operation for each."""
        self._adopt([], [])
        self.changed = self.told = self.image.modseq
        self.shown(only.modseqs[0])
        if answer is None:
            return self.fetches(only.uids, only.flags, only.modseqs)
        ours = only in answer.stored.changes and not answer.stored.foreign
        if answer.silent:
            if ours and not self.modseq and not answer.conditional:
                return []
            order = list(zip(only.modseqs, only.uids, only.flags, strict=True))
            return [b"".join(self._answered(order, answer))]
        if answer.drawn is not None and answer.drawn[0] is only:
            told: Iterable[bytes] = answer.drawn[1]
        else:
            told = self.fetches(only.uids, only.flags, only.modseqs)
        if ours and len(only.uids) == len(answer.targets):
            return told
        return chain(told, self._unchanged(only.uids, answer))

    def _merge(self, changes: Iterable[Changes]) -> tuple[dict[int, tuple[int, int]], dict[int, int]]:
        """The last state of each message: uid -> (modseq, flags) not told yet, and uid -> modseq expunged."""
        rows: dict[int, tuple[int, int]] = {}
        gone: dict[int, int] = {}
        for c in changes:
            rows.update((uid, (m, f)) for uid, m, f in zip(c.uids, c.modseqs, c.flags) if m > self.changed)
            for uid, m in zip(c.expunged, c.expunged_modseqs):
                gone[uid] = m
                rows.pop(uid, None)
        return rows, gone

    def _wanted(self, rows: dict[int, tuple[int, int]],
                answer: StoreAnswer | None) -> dict[int, tuple[int, int]]:
        """Without flag changes that are withheld, or with those that were."""
        if self.flag_changes and not self.withheld:
            return rows
        if self.flag_changes:
            since, self.withheld = self.withheld, 0
            image = zip(self.image.uids, self.image.modseqs, self.image.flags, strict=True)
            return rows | {uid: (m, f) for uid, m, f in image if m >= since and self.has(uid)}
        last, ours = self.last, NumSet() if answer is None else answer.targets
        late = [m for uid, (m, _) in rows.items() if uid <= last and uid not in ours]
        if late:
            self.withheld = min(self.withheld or late[0], *late)
        return {uid: row for uid, row in rows.items() if uid > last or uid in ours}

    def _new(self, rows: dict[int, tuple[int, int]]) -> list[int]:
        last = self.last
        new = sorted(uid for uid in rows if uid > last)
        if new:
            self.uidnext = max(self.uidnext, new[-1] + 1)
        return new

    def _adopt(self, new: list[int], held: list[int]) -> None:
        """Make the UIDs those that the client knows after this; the image's own where they are equal."""
        if not held:
            self.uids = self.image.uids
        elif new:
            self.uids = self.uids + array("I", new)

    def _fetches(self, rows: dict[int, tuple[int, int]], last: int,
                 answer: StoreAnswer | None) -> Iterable[bytes]:
        order = sorted((m, uid, f) for uid, (m, f) in rows.items()
                       if uid <= last or self.all_new and uid not in self.told_elsewhere)
        return self._told(order) if answer is None else self._answered(order, answer)

    def _answered(self, order: list[tuple[int, int, int]], answer: StoreAnswer) -> Iterable[bytes]:
        """Changes, and all targets of our STORE: unchanged ones too; ours not, where it was silent."""
        changed = self._silently(order, answer) if answer.silent else self._told(order)
        return chain(changed, self._unchanged([uid for _, uid, _ in order], answer))

    def _silently(self, order: list[tuple[int, int, int]], answer: StoreAnswer) -> Iterable[bytes]:
        stored, foreign = answer.stored, answer.stored.foreign
        ours = stored.modseq if stored.changes else None       # otherwise it is somebody else's
        if not self.modseq:
            return self._told([row for row in order if row[0] != ours or row[1] in foreign])
        return [self._modseq_only(uid, m) if m == ours and uid not in foreign else self.fetch(uid, f, m)
                for m, uid, f in order]

    def _unchanged(self, shown: Collection[int], answer: StoreAnswer) -> Iterable[bytes]:
        """The targets that are told though nothing changed there."""
        everything = not answer.silent or answer.conditional
        targets = answer.targets if everything else answer.stored.modified
        uids = targets.within(self.image.uids)
        if uids and (shown or self.uids is not self.image.uids):
            told = set(shown)
            uids = array("I", [uid for uid in uids if uid not in told and self.has(uid)])
        known = self.image.columns(uids)
        if not uids or known is None:
            return []
        flags, modseqs = known
        self.shown(max(modseqs))
        if not answer.silent:
            return self.fetches(uids, flags, modseqs)
        modified = answer.stored.modified
        return [self.fetch(uid, f, m) if uid in modified else self._modseq_only(uid, m)
                for uid, f, m in zip(uids, flags, modseqs, strict=True)]

    def _modseq_only(self, uid: int, modseq: int) -> bytes:
        """What is left of a silent answer: with CONDSTORE the MODSEQ, otherwise nothing."""
        if not self.modseq:
            return b""
        names = [column[0] for column in self.numbering.named(self, (uid,))]
        return (self.numbering.head + b"MODSEQ (%d))\r\n") % (*names, modseq)

    def _told(self, order: list[tuple[int, int, int]]) -> Iterable[bytes]:
        """FETCH responses for (modseq, UID, flags), sorted."""
        if order and order[0][0] == order[-1][0]:
            modseqs, uids, flags = zip(*order, strict=True)
            return self.fetches(uids, flags, modseqs)
        return [self.fetch(uid, f, m) for m, uid, f in order]

    def fetch(self, uid: int, flags: int, modseq: int) -> bytes:
        """One message's flags, as they are told unasked."""
        [line] = self.fetches((uid,), (flags,), (modseq,))
        return line

    def fetches(self, uids: Sequence[int], flags: Sequence[int], modseqs: Sequence[int]) -> Iterable[bytes]:
        """Flags of messages, at least one, by ascending UID; many responses are joined already."""
        columns: list[Sequence[int]] = [*self.numbering.named(self, uids)]
        end = b"))\r\n"
        if self.modseq:
            columns.append(modseqs)
            end = b") MODSEQ (%d))\r\n"
        forms = {code: self.numbering.head + b"FLAGS (" + self.flags(code) + end for code in set(flags)}
        if len(flags) == 1:                       # most often, and all that follows would be for one line
            return [forms[flags[0]] % tuple([column[0] for column in columns])]
        return _in_pieces(forms, flags, columns)

    # for commands that read

    def first_unseen(self) -> int | None:
        """The sequence number of the first message without \\Seen, or None."""
        index = self.image.first_unseen()
        while index is not None and not self.has(self.image.uids[index]):
            index = self.image.first_unseen(index + 1)
        return None if index is None else bisect_right(self.uids, self.image.uids[index])


def _in_pieces(forms: Mapping[int, bytes], flags: Sequence[int],
               columns: Sequence[Sequence[int]]) -> Iterator[bytes]:
    """Responses of the forms of these flags, with what the columns have for them."""
    for start in range(0, len(flags), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        form = b"".join(map(forms.__getitem__, flags[some]))
        yield form % tuple(chain.from_iterable(zip(*[column[some] for column in columns])))


def all_flags(keywords: Sequence[str]) -> list[str]:
    """System flags, then keywords."""
    return ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft", *keywords]


def flags_line(names: Iterable[str]) -> bytes:
    """The FLAGS response."""
    return b"* FLAGS (%b)\r\n" % encoding.flags(names)
