"""Bringing mail over from another server into an account that may be in use meanwhile.

Each batch of messages and the record of it are one commit: who is cut off and begins again misses
nothing, and brings nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time
from typing import Final

import apsw

from moximap.store import syncing_table
from moximap.store.contents import Files, Prepared
from moximap.store.database import every
from moximap.store.errors import Cannot
from moximap.store.flags import Flags, FlagTable
from moximap.store.interfaces import NewMessage
from moximap.store.readers import Readers
from moximap.store.syncing_table import Begun, Flagged, Item, There
from moximap.store.writer import Writer

_HERE: Final = ("SELECT c.sha256, m.uid FROM message m JOIN content c ON c.id = m.content"
                " WHERE m.mailbox = ?1 AND NOT m.expunged AND m.uid NOT IN"
                " (SELECT here FROM synced_message WHERE mailbox = ?2) ORDER BY m.uid DESC")


def keepable(names: Sequence[str]) -> tuple[str, ...]:
    """Those of some flags that a message can have here."""
    return tuple(name for name in names if _can_be(name))


def _can_be(name: str) -> bool:
    try:
        Flags.of([name])
    except Cannot:
        return False
    return True


class Bringer:
    """Adds mailboxes of one source, which has a name such as ``user@host``.  For one thread at a time."""

    def __init__(self, readers: Readers, writer: Writer, files: Files, flags: FlagTable, source: str) -> None:
        self._readers = readers
        self._writer = writer
        self._files = files
        self._flags = flags
        self._source = source
        self._here: dict[bytes, list[int]] = {}

    def begin(self, there: There, target: str) -> Begun:
        """Before a mailbox: it is made if it is not here; Cannot, OverQuota."""
        begun = self._writer.run(lambda t: syncing_table.begin(t, self._source, there, target))
        self._here = self._unrecorded(begun) if begun.row.compare else {}
        return begun

    def _unrecorded(self, begun: Begun) -> dict[bytes, list[int]]:
        """UIDs of messages that nothing there is known for, by the hash of their content, highest first."""
        found: dict[bytes, list[int]] = {}
        with self._readers.snapshot() as snapshot:
            for checksum, uid in every(snapshot.connection.execute, _HERE,
                                       (begun.mailbox.id, begun.row.id)):
                found.setdefault(bytes(checksum), []).append(uid)
        return found

    def add(self, begun: Begun, messages: Mapping[int, NewMessage]) -> tuple[int, int]:
        """Add messages, given by their UIDs there; how many are new here, and the modseq of that.

        MailboxRemoved, OverQuota, NoSpace.  Spools are the caller's to discard.
        """
        uids = sorted(messages)
        prepared = self._files.prepare([messages[uid] for uid in uids], int(time()))
        items = [Item(uid, each, self._claim(each)) for uid, each in zip(uids, prepared, strict=True)]
        try:
            new = self._writer.run(lambda t: (syncing_table.add(t, begun.row.id, items), t.counters.modseq))
        except BaseException as error:
            # Where the disk failed the commit may be found complete after all: its files must stay.
            if not isinstance(error.__cause__, apsw.IOError):
                self._files.withdraw(prepared)
            raise
        used = {item.uid for item in new[0]}
        self._files.withdraw([item.prepared for item in items if item.uid not in used])
        return len(used), new[1]

    def _claim(self, prepared: Prepared) -> int | None:
        same = self._here.get(prepared.sha256)
        return same.pop() if same else None

    def flag(self, begun: Begun, flags: Mapping[int, Sequence[str]]) -> tuple[int, int]:
        """Flags that messages, brought before, have there now: what changed there changes here.

        How many messages are other than they were here, and the modseq of that.
        """
        changed = [each for uid, names in flags.items() if uid in begun.known
                   for each in [self._flagged(uid, begun, names)] if each.added != each.removed]
        if not changed:
            return 0, 0
        return self._writer.run(lambda t: (syncing_table.flag(t, begun.row.id, changed), t.counters.modseq))

    def _flagged(self, uid: int, begun: Begun, names: Sequence[str]) -> Flagged:
        here, code = begun.known[uid]
        before = {name.casefold(): name for name in self._flags.names(code)}
        now = {name.casefold(): name for name in names}
        return Flagged(uid, here, Flags.of(names),
                       Flags.of(now[name] for name in now if name not in before),
                       Flags.of(before[name] for name in before if name not in now))

    def finish(self, begun: Begun, uidnext: int, modseq: int) -> int:
        """After a mailbox of which nothing is missing; the account's modseq.  ``modseq``: there, or 0."""
        return self._writer.run(lambda t: syncing_table.finish(t, begun.row.id, uidnext, modseq))
