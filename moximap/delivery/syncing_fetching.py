"""Messages of another server: fetched in batches, large ones in pieces that never are in memory together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from moximap.client.client import Client, Fetched
from moximap.client.protocol import CommandFailed
from moximap.client.reading import number
from moximap.store.interfaces import ISpool, NewMessage
from moximap.store.syncing import keepable
from moximap.values import InternalDate, NumSet

#: A batch ends with so many messages, or with so many octets of them.
BATCH_MESSAGES: Final = 200
BATCH_OCTETS: Final = 8 << 20
#: Larger messages are fetched in pieces of this many octets.
PIECE: Final = 1 << 20


@attrs.define
class Summary:
    """What was done.  ``present``: messages that had been brought before; ``kept``: mailboxes whose UIDs are
    those of there; ``problems``: what is not here though it should be; ``notes``: what else to know."""

    mailboxes: int = 0
    kept: int = 0
    messages: int = 0
    present: int = 0
    flags: int = 0
    annotations: int = 0
    notes: list[str] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)


@attrs.define
class Fetching:
    """Fetches from the mailbox that a client has selected; what fails is in ``done``."""

    client: Client
    spool: Callable[[], ISpool]
    call: Callable[..., Awaitable[Any]]
    done: Summary

    async def sizes(self, uids: Sequence[int]) -> list[tuple[int, int]]:
        """UIDs, ascending, of what is still there, and octets."""
        found, _ = await self.client.fetch(NumSet.of(uids), [b"UID", b"RFC822.SIZE"])
        # Others come where somebody has just changed flags.
        sizes = {each.uid: number(each.items[b"RFC822.SIZE"]) for each in found
                 if each.has(b"UID", b"RFC822.SIZE")}
        return sorted((uid, sizes[uid]) for uid in sizes.keys() & set(uids))

    async def batch(self, mailbox: str, batch: Sequence[tuple[int, int]]) -> dict[int, NewMessage]:
        """The messages; those that have gone meanwhile are not there, those that cannot be read are told."""
        try:
            if batch[0][1] > PIECE:
                return await self._large(mailbox, *batch[0])
            found, _ = await self.client.fetch(
                NumSet.of(uid for uid, _ in batch), [b"UID", b"FLAGS", b"INTERNALDATE", b"BODY.PEEK[]"])
        except CommandFailed as error:
            if len(batch) > 1:
                return {uid: message for each in batch
                        for uid, message in (await self.batch(mailbox, [each])).items()}
            self.done.problems.append(f"message {batch[0][0]} of {mailbox}: {error}")
            return {}
        messages: dict[int, NewMessage] = {}
        asked = {uid for uid, _ in batch}
        for each in found:
            if not each.has(b"UID", b"BODY[]") or each.uid not in asked:
                continue                     # flags that somebody has just changed
            if each.items[b"BODY[]"] is None:
                self.done.problems.append(f"message {each.uid} of {mailbox}: the other server has it no more")
            else:
                messages[each.uid] = self._message(each, each.octets(b"BODY[]"))
        return messages

    def _message(self, found: Fetched, content: bytes | ISpool) -> NewMessage:
        return NewMessage(content, self.keepable(found), date(found.octets(b"INTERNALDATE")))

    async def _large(self, mailbox: str, uid: int, size: int) -> dict[int, NewMessage]:
        spool: ISpool = await self.call(self.spool)
        try:
            first: Fetched | None = None
            while spool.size <= 2 * size:    # servers err about sizes, but not so much
                piece = await self._piece(uid, spool.size)
                if piece is None:
                    spool.discard()
                    return {}
                first = first or piece
                data = piece.octets(b"BODY[]<%d>" % spool.size)
                await self.call(spool.write, data)
                if len(data) < PIECE:
                    return {uid: self._message(first, spool)}
        except BaseException:
            spool.discard()
            raise
        spool.discard()
        self.done.problems.append(f"message {uid} of {mailbox}: it does not end after twice its size")
        return {}

    async def _piece(self, uid: int, start: int) -> Fetched | None:
        names = [b"UID", b"FLAGS", b"INTERNALDATE", b"BODY.PEEK[]<%d.%d>" % (start, PIECE)]
        found, _ = await self.client.fetch(NumSet.of([uid]), names)
        return next((each for each in found if each.has(b"UID", b"BODY[]<%d>" % start)
                     and each.uid == uid), None)

    def keepable(self, message: Fetched) -> tuple[str, ...]:
        """Those of its flags that it can have here, too."""
        flags = sorted(message.flags)
        kept = keepable(flags)
        for lost in set(flags) - set(kept):
            note = f"the keyword {lost!r} cannot be kept here"
            if note not in self.done.notes:
                self.done.notes.append(note)
        return kept


def batches(sizes: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Messages with their sizes, together as many as a batch may have; a large one alone."""
    batch: list[tuple[int, int]] = []
    octets = 0
    for uid, size in sizes:
        if batch and (size > PIECE or octets + size > BATCH_OCTETS or len(batch) >= BATCH_MESSAGES):
            yield batch
            batch, octets = [], 0
        batch.append((uid, size))
        octets += size
        if size > PIECE:
            yield batch
            batch, octets = [], 0
    if batch:
        yield batch


def date(text: bytes) -> InternalDate | None:
    """INTERNALDATE as servers write it; None where it is none."""
    try:
        moment = datetime.strptime(text.decode("ascii").strip(), "%d-%b-%Y %H:%M:%S %z")
    except ValueError:
        return None
    offset = moment.utcoffset()
    assert offset is not None                # %z
    return InternalDate(int(moment.timestamp()), int(offset.total_seconds()) // 60)
