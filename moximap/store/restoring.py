"""Restoring into an account that is in use: messages of a backup are added, as any other writer adds.

A message that is in its mailbox already, by the hash of its content, is not added again; but if what
the account has of it is damaged, it is mended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from time import time
from typing import Final

import apsw
import attrs

from moximap.store import annotations_table, appending, mailboxes, names, restoring_swap
from moximap.store.backup import Progress
from moximap.store.contents import Files, Prepared
from moximap.store.database import every, one
from moximap.store.errors import Cannot, StoreError, Unavailable
from moximap.store.flags import Flags
from moximap.store.interfaces import NewMessage
from moximap.store.readers import Readers
from moximap.store.restoring_source import Saved, Source
from moximap.store.transaction import Tally, Transaction
from moximap.store.writer import Writer
from moximap.values import InternalDate, Mailbox, NumSet

#: A transaction ends with so many messages, or with so many octets of them in memory.
BATCH_MESSAGES: Final = 200
BATCH_OCTETS: Final = 4 << 20

#: A content that a live message needs, so that it stays while this opening lives.
_SHARED: Final = ("SELECT id FROM content c WHERE id = ? AND sha256 = ? AND size = ? AND EXISTS"
                  " (SELECT 1 FROM message m WHERE m.content = c.id AND NOT m.expunged)")
_PRESENT: Final = ("SELECT c.sha256, c.id FROM message m JOIN content c ON c.id = m.content"
                   " WHERE m.mailbox = ? AND NOT m.expunged")


@attrs.define
class Restored:
    """What a restoration did.  ``present``: messages that were there; ``mended``: contents of such."""

    mailboxes: int = 0
    messages: int = 0
    present: int = 0
    mended: int = 0
    problems: list[str] = attrs.field(factory=list)


@attrs.frozen
class Item:
    """A message on its way: with a content that the account has, or one that is new."""

    saved: Saved
    flags: Flags
    content: int | None
    prepared: Prepared | None = None


class Restorer:
    """Adds messages of a source to an open account.  Used by one thread, once."""

    def __init__(self, readers: Readers, writer: Writer, files: Files, progress: Progress) -> None:
        self.done = Restored()
        self._readers = readers
        self._writer = writer
        self._files = files
        self._progress = progress
        self._contents: dict[int, int] = {}          # the source's id of a content -> the account's

    def mailbox(self, source: Source, name: str, target: str, uids: NumSet | None = None) -> None:
        """Add a mailbox's messages, or some, to one that is there or is made; NoSuchMailbox, Cannot."""
        saved = source.mailbox(name)
        rows = source.messages(saved.id, uids)
        if uids is not None and not rows:
            raise Cannot("the snapshot has no such message in that mailbox")
        subscribed = saved.name in source.listing.subscribed
        annotations = source.annotations(saved.id)
        box = self._writer.run(lambda t: _need(t, target, saved, subscribed, annotations))
        present: dict[bytes, list[int]] = {}
        with self._readers.snapshot() as snapshot:
            for checksum, content in snapshot.connection.execute(_PRESENT, (box,)):
                present.setdefault(checksum, []).append(content)
        self._fill(source, box, self._absent(source, rows, present))
        self.done.mailboxes += 1

    def account(self, source: Source) -> None:
        """Put everything that the source has in the place of everything that there is.

        New mailboxes are filled where nobody sees them; one transaction then changes them for the old.
        """
        staged: list[restoring_swap.Staged] = []
        try:
            for saved in source.listing.mailboxes:
                id = self._writer.run(lambda t, saved=saved: restoring_swap.stage(t, saved))  # type: ignore[misc]
                before = self.done.messages
                self._fill(source, id, source.messages(saved.id))
                staged.append(restoring_swap.Staged(id, saved, self.done.messages - before,
                                                    source.annotations(saved.id)))
                self.done.mailboxes += 1
            rest = restoring_swap.Rest(source.listing.subscribed,
                                       source.annotations(annotations_table.ACCOUNT))
            self._writer.run(lambda t: restoring_swap.swap(t, staged, rest))
        except BaseException:
            self._writer.run(restoring_swap.give_up)
            raise

    def _absent(self, source: Source, rows: Sequence[Saved],
                present: dict[bytes, list[int]]) -> Iterator[Saved]:
        """Those that are not there: of two that are equal, one may be."""
        for saved in rows:
            here = present.get(saved.sha256)
            if here:
                self._mend(source, saved, here.pop())
                self.done.present += 1
                self._progress(saved.size)
            else:
                yield saved

    def _fill(self, source: Source, mailbox: int, rows: Sequence[Saved] | Iterator[Saved]) -> None:
        batch: list[Item] = []
        octets = 0
        try:
            for saved in rows:
                item = self._item(source, saved, {other.saved.content for other in batch})
                self._progress(saved.size)
                if item is None:
                    continue
                batch.append(item)
                octets += 0 if item.prepared is None else len(item.prepared.body or b"")
                if len(batch) >= BATCH_MESSAGES or octets >= BATCH_OCTETS:
                    self._add(mailbox, batch)
                    octets = 0
            self._add(mailbox, batch)
        except BaseException as error:
            # Where the disk failed the commit may be found complete after all: its files must stay.
            if not isinstance(error.__cause__, apsw.IOError):
                self._files.withdraw([item.prepared for item in batch if item.prepared is not None])
            raise

    def _item(self, source: Source, saved: Saved, coming: set[int]) -> Item | None:
        """``coming``: contents that the same batch brings."""
        flags = Flags.of(source.flags.names(saved.flags))
        if saved.content in coming:
            return Item(saved, flags, None)
        content = self._contents.get(saved.content) or self._shared(source, saved)
        if content is not None:
            return Item(saved, flags, content)
        prepared = self._prepare(source, saved, flags)
        return None if prepared is None else Item(saved, flags, None, prepared)

    def _prepare(self, source: Source, saved: Saved, flags: Flags | None = None) -> Prepared | None:
        """The message, read and compared with its hash; None and a problem where it is damaged."""
        names = () if flags is None else source.flags.names(saved.flags)
        try:
            with source.content(saved, self._files.spool) as content:
                prepared, = self._files.prepare(
                    [NewMessage(content, names, InternalDate(saved.date, saved.zone))], 0)
        except Unavailable as error:
            self.done.problems.append(f"message {saved.uid} of {saved.mailbox}: {error}")
            return None
        if prepared.sha256 == saved.sha256:
            return prepared
        self._files.withdraw([prepared])
        self.done.problems.append(f"message {saved.uid} of {saved.mailbox} is damaged in the snapshot")
        return None

    def _shared(self, source: Source, saved: Saved) -> int | None:
        """The account's own content, if it is the one that was saved."""
        with self._readers.snapshot() as snapshot:
            row = one(snapshot.connection.execute, _SHARED, (saved.content, saved.sha256, saved.size))
        if row is None:
            return None
        self._mend(source, saved, row[0])
        return int(row[0])

    def _mend(self, source: Source, saved: Saved, content: int) -> None:
        """Put a content right that is not what its hash says."""
        if self._is_whole(content):
            return
        prepared = self._prepare(source, saved)
        if prepared is not None:
            old = self._writer.run(lambda t: _put_right(t, content, prepared))
            self._files.forget(old)
            self.done.mended += 1

    def _is_whole(self, id: int) -> bool:
        with self._readers.snapshot() as snapshot:
            size, header_size, head, body, file, checksum = one(
                snapshot.connection.execute, "SELECT size, header_size, CAST(head AS BLOB),"
                " CAST(body AS BLOB), file, sha256 FROM content WHERE id = ?", (id,))
            content = self._files.content(size, header_size, head, body, file)
            try:
                found = sha256(content.read(0, content.size)).digest()
            except StoreError:
                return False
        return len(head) == header_size and found == bytes(checksum)

    def _add(self, mailbox: int, batch: list[Item]) -> None:
        if batch:
            self._contents.update(self._writer.run(lambda t: add(t, mailbox, batch)))
            self.done.messages += len(batch)
            batch.clear()


def _need(transaction: Transaction, target: str, saved: Mailbox, subscribed: bool,
          annotations: Mapping[str, bytes]) -> int:
    """The id of the mailbox, which is made with those of its old uses that no other has now."""
    found = transaction.find(names.canonical(target))
    if found is not None:
        return found.id
    rows = every(transaction.execute, "SELECT uses FROM mailbox WHERE uses <> ''")
    held = {use for uses, in rows for use in uses.split()}
    free = [use for use in saved.uses if use not in held]
    id = mailboxes.create(transaction, target, free, subscribed).mailboxes[-1].id
    annotations_table.give(transaction, id, annotations)
    return id


def add(transaction: Transaction, mailbox: int, batch: Sequence[Item]) -> dict[int, int]:
    """Add messages; the source's ids of their contents -> the account's."""
    uidnext, = one(transaction.execute, "SELECT uidnext FROM mailbox WHERE id = ?", (mailbox,))
    box = Mailbox(mailbox, "", None, 0, uidnext, 0, 0)
    uids = transaction.new_uids(box, len(batch))
    made: dict[int, int] = {}
    rows, tally, now = [], Tally(), int(time())
    for uid, item in zip(uids, batch, strict=True):
        saved, code = item.saved, transaction.flags.code(item.flags)
        content = _content(transaction, item, made)
        made[saved.content] = content
        rows.append((mailbox, uid, transaction.modseq, transaction.modseq, code, saved.date, saved.zone,
                     now, saved.size, content))
        tally.count([(code, saved.size)])
    transaction.executemany(appending.MESSAGE, rows)
    transaction.log(mailbox, uids)
    transaction.touch(mailbox, tally, new=len(uids))
    return made


def _content(transaction: Transaction, item: Item, made: dict[int, int]) -> int:
    if item.prepared is not None:
        return appending.add_contents(transaction, [item.prepared])[0]
    content = made[item.saved.content] if item.content is None else item.content
    if one(transaction.execute, "SELECT 1 FROM content WHERE id = ?", (content,)) is None:
        raise Unavailable("a message was erased meanwhile: try again")
    return content


def _put_right(transaction: Transaction, content: int, prepared: Prepared) -> str | None:
    """Give a content the octets that it should have; the file that is needed no more."""
    row = one(transaction.execute, "SELECT file FROM content WHERE id = ?", (content,))
    if row is None:
        return prepared.file
    transaction.execute(
        "UPDATE content SET size = ?, header_size = ?, file = ?, head = ?, body = ? WHERE id = ?",
        (prepared.size, prepared.header_size, prepared.file, prepared.head, prepared.body, content))
    return None if row[0] is None else str(row[0])


