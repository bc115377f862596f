"""UIDBATCHES: ranges of UIDs with so many messages each (RFC 10022)."""

from __future__ import annotations

from array import array
from typing import Final

import attrs

from moximap.imap import encoding
from moximap.imap.dialect import SELECTED, Capability, Extension, Reply, Spec
from moximap.imap.dispatch import catch_up
from moximap.imap.errors import Bad, No
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.values import MAX_UID

#: The smallest batches that a client may rely on; smaller ones would be no help to it, but a long answer.
LEAST: Final = 500


@attrs.frozen
class UidBatches:
    """Batches of ``size`` messages, the ``low``-th to the ``high``-th, counted from the highest UIDs."""

    size: int
    low: int = 1
    high: int = MAX_UID

    async def run(self, session: Session) -> Reply:
        """What changed is told first, expunges too, so that the batches are of what the client knows then."""
        if self.size < LEAST:
            raise No(f"batches have {LEAST} messages at least", b"TOOFEW")
        await catch_up(session, may_expunge=True)
        ranges = batches(session.selected.uids, self.size, self.low, self.high)
        listed = b" " + b",".join([b"%d:%d" % ends for ends in ranges]) if ranges else b""
        session.write(b"* UIDBATCHES (TAG %b)%b\r\n" % (encoding.quoted(session.tag), listed))
        return Reply(told=True)


def batches(uids: array[int], size: int, low: int, high: int) -> list[tuple[int, int]]:
    """The highest and the lowest UID of each of some batches; only the last of all may be smaller.

    ``uids``: all messages, ascending.  The UIDs between two batches belong to the upper one, those below
    all messages to the last.
    """
    def lowest(batch: int) -> int:
        first = len(uids) - batch * size
        return uids[first] if first > 0 else 1

    high = min(high, -(-len(uids) // size))
    return [(uids[-1] if batch == 1 else lowest(batch - 1) - 1, lowest(batch))
            for batch in range(low, high + 1)]


def parse(p: Cursor) -> UidBatches:
    """SP nz-number [SP nz-number ":" nz-number]."""
    p.sp()
    size = p.nz_number()
    if p.only_spaces():
        return UidBatches(size)
    p.sp()
    low = p.nz_number()
    p.take(b":")
    high = p.nz_number()
    if low > high:
        raise Bad("batches are named from the lower number to the higher")
    return UidBatches(size, low, high)


EXTENSION = Extension(
    name="UIDBATCHES", rfcs=(10022,),
    capabilities=(Capability(b"UIDBATCHES"),),
    commands={b"UIDBATCHES": Spec(parse, SELECTED, capability=b"UIDBATCHES")},
)
