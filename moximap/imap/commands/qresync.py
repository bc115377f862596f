"""QRESYNC: resynchronisation in one command, and VANISHED (RFC 7162 3.2)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import chain

import attrs

from moximap.imap import encoding
from moximap.imap.commands.condstore import CONDSTORE, ChangedSince
from moximap.imap.commands.fetch import Fetch
from moximap.imap.dialect import Capability, Enabling, Extension, logged_in
from moximap.imap.errors import Bad
from moximap.imap.fetching import IFetchItem
from moximap.imap.grammar import Cursor
from moximap.imap.sequences import Sequence_
from moximap.imap.session import Session
from moximap.imap.view import View
from moximap.store.image import Image
from moximap.values import MAX_UID, Changes, Mailbox, NumSet

QRESYNC = b"QRESYNC"
#: Octets of one VANISHED line: in one where possible (client 8), split above.
LINE = 8000


def vanished(uids: NumSet, earlier: bool = False) -> Iterator[bytes]:
    """VANISHED responses for a set of UIDs; none for an empty one."""
    head = b"* VANISHED (EARLIER) " if earlier else b"* VANISHED "
    ranges, start = uids.ranges, 0
    while start < len(ranges):
        end, size = start, 0
        while end < len(ranges) and size < LINE - 64:
            size += len(encoding.numset(NumSet(ranges[end:end + 1]))) + 1
            end += 1
        yield head + encoding.numset(NumSet(ranges[start:end])) + b"\r\n"
        start = end


def expunges(view: View, uids: list[int]) -> list[bytes]:
    """VANISHED in place of EXPUNGE: messages that this client has, and no others."""
    return list(vanished(NumSet.ascending(array("I", uids))))


def dress(view: View) -> None:
    view.expunges = expunges
    view.all_new = True


@attrs.frozen
class Known:
    """The QRESYNC parameter of SELECT; ``match`` are sequence numbers and UIDs that the client has paired."""

    uidvalidity: int
    modseq: int
    uids: Sequence_ | None = None
    match: tuple[NumSet, NumSet] | None = None

    def reports(self, uidnext: int) -> NumSet:
        """The UIDs that the client wants to hear of."""
        if self.uids is None:
            return NumSet(((1, MAX_UID),))
        last = max(1, uidnext - 1)
        return NumSet.merge((low or last, high or last) for low, high in self.uids)

    def matched(self, uids: array[int]) -> int:
        """The highest UID up to which the client knows of all expunges, by its pairs."""
        best = 0
        if self.match is not None:
            for number, uid in zip(*self.match, strict=True):
                if number > len(uids):
                    break                          # as all that follow: there may be four billion of them
                if uids[number - 1] == uid:
                    best = uid
        return best


@attrs.frozen
class SelectQresync:
    """SELECT x (QRESYNC (uidvalidity modseq [known-uids] [(seqs uids)]))."""

    def parse(self, p: Cursor) -> Known:
        p.take(b" (")
        uidvalidity = p.nz_number()
        p.sp()
        modseq = p.number64()
        uids, match = None, None
        if p.at_sp() and p.peek() != b"(":
            uids = p.sequence_set()
            p.at_sp()
        if p.at(b"("):
            match = self._match(p)
        p.take(b")")
        return Known(uidvalidity, modseq, uids, match)

    def _match(self, p: Cursor) -> tuple[NumSet, NumSet]:
        """seq-match-data: two ascending sets of one size, without "*"."""
        numbers = self._plain(p)
        p.sp()
        uids = self._plain(p)
        p.take(b")")
        if len(numbers) != len(uids):
            raise Bad("sequence numbers and UIDs of the match data are not of one number")
        return numbers, uids

    def _plain(self, p: Cursor) -> NumSet:
        ranges = p.sequence_set()
        flat = [end for pair in ranges for end in pair]
        if None in flat or any(a is not None and b is not None and a > b
                               for a, b in zip(flat, flat[1:], strict=False)):
            raise Bad("match data is ascending, and without *")
        return NumSet.merge((low or 0, high or 0) for low, high in ranges)

    async def prepare(self, session: Session, mailbox: Mailbox, image: Image, value: Known
                      ) -> list[Changes] | None:
        """The log after the client's modseq; None where its UIDVALIDITY is another."""
        if QRESYNC not in session.enabled:
            raise Bad("QRESYNC is not enabled")
        if value.match is not None:
            session.numbering.check()
        if value.uidvalidity != mailbox.uidvalidity:
            return None
        changes = image.since(value.modseq)
        if changes is not None:
            return []
        older: Changes = await session.call(session.account.changes, mailbox.id, max(1, value.modseq))
        image.apply(older)
        return [older]

    def apply(self, session: Session, view: View, value: Known, prepared: list[Changes] | None) -> None:
        if prepared is None:
            return
        upto = prepared[-1].modseq if prepared else value.modseq
        log = [*prepared, *(view.image.since(upto) or ())]
        wanted = value.reports(view.uidnext)
        session.write(b"".join(chain(
            self._gone(view, value, log, wanted), self._changed(view, value, log, wanted))))

    def _gone(self, view: View, value: Known, log: list[Changes], wanted: NumSet) -> Iterable[bytes]:
        known = value.matched(view.uids)
        gone = {uid for c in log for uid, m in zip(c.expunged, c.expunged_modseqs, strict=True)
                if m > value.modseq and uid > known and not view.has(uid)}
        return vanished(NumSet.of(uid for uid in gone if uid in wanted), earlier=True)

    def _changed(self, view: View, value: Known, log: list[Changes], wanted: NumSet) -> Iterable[bytes]:
        """In the state of the image: the log may have older ones."""
        touched = sorted({uid for c in log for uid in c.uids if uid in wanted})
        for uid in touched:
            place = view.image.place(uid)
            if place is not None and view.image.modseqs[place] > value.modseq:
                yield view.fetch(uid, view.image.flags[place], view.image.modseqs[place])


@attrs.frozen
class VanishedModifier:
    """UID FETCH ... (CHANGEDSINCE n VANISHED)."""

    items: tuple[IFetchItem, ...] = ()

    def check(self, session: Session, fetch: Fetch) -> None:
        if QRESYNC not in session.enabled:
            raise Bad("VANISHED wants QRESYNC enabled")
        if not fetch.messages.uid or self._since(fetch) is None:
            raise Bad("VANISHED is for UID FETCH with CHANGEDSINCE")

    def _since(self, fetch: Fetch) -> int | None:
        return next((m.modseq for m in fetch.modifiers if isinstance(m, ChangedSince)), None)

    async def narrow(self, session: Session, fetch: Fetch, uids: array[int]) -> array[int]:
        """Tell what is gone of the UIDs that were named, whether they ever existed here or not."""
        view, since = session.selected, self._since(fetch) or 0
        changes: Changes = await session.call(session.account.changes, view.mailbox.id, max(1, since))
        named = self._named(session, fetch)
        gone = [uid for uid, m in zip(changes.expunged, changes.expunged_modseqs, strict=True)
                if m > since and uid in named and not view.has(uid)]
        session.write(b"".join(vanished(NumSet.of(gone), earlier=True)))
        return uids

    def _named(self, session: Session, fetch: Fetch) -> NumSet:
        """The set as it was written: expunged UIDs are in it too."""
        numbers, last = fetch.messages.numbers, max(1, session.selected.uidnext - 1)
        if numbers is None:
            return session.saved
        return NumSet.merge((low or last, high or last) for low, high in numbers)


EXTENSION = Extension(
    name="QRESYNC", rfcs=(7162,),
    capabilities=(Capability(QRESYNC, logged_in),),
    enable={QRESYNC: Enabling((CONDSTORE,), dress)},
    select={QRESYNC: SelectQresync()},
    fetch_modifiers={b"VANISHED": lambda p: VanishedModifier()},
)
