"""A selected mailbox in memory: UIDs, flags and modseqs, one copy for all sessions of a process.

The law of this file: an image is a cache keyed by modseq; only the database is true.  It is touched
in the reactor thread only, but for ``sortkeys`` and ``threads``.  ``uids`` is replaced,
never changed in place, so that views may share it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque

from moximap.store.sortkeys import SortKeys
from moximap.store.threadkeys import Threads
from moximap.values import LOW_OCTET, SEEN, Changes

#: How much of the log an image remembers: entries, and messages in all of them.
JOURNAL_ENTRIES = 256
JOURNAL_ROWS = 20000
#: Messages that are looked at together.
PIECE = 1024
#: Which values of a flag code's lowest octet are those of unseen messages.
_UNSEEN = bytes(not code & SEEN for code in range(256))


class Image:
    """The messages of one mailbox as of ``modseq``, and the last changes that led there."""

    def __init__(self, snapshot: Changes) -> None:
        self.mailbox = snapshot.mailbox
        self.modseq = snapshot.modseq
        self.uids = snapshot.uids
        self.flags = snapshot.flags
        self.modseqs = snapshot.modseqs
        self.checked = -1
        self.described: tuple[object, bytes] = None, b""    # what SELECT told last, and of which state
        self.journal: deque[Changes] = deque()
        self.highest = max(snapshot.modseqs, default=0)     # of any change here that we know of
        self.floor = snapshot.modseq          # the journal has everything after this
        self.sortkeys = SortKeys()
        self.threads = Threads(self.sortkeys)
        self._rows = 0

    def apply(self, changes: Changes) -> bool:
        """Bring the image up to ``changes.modseq``; False where there is a gap before them."""
        if changes.modseq <= self.modseq:
            return True
        if changes.since > self.modseq:
            return False
        if changes.expunged:
            self._remove(changes)
        if changes.uids:
            self._update(changes)
        self.modseq = changes.modseq
        for modseqs in (changes.modseqs, changes.expunged_modseqs):
            if modseqs and (highest := modseqs[-1] if changes.since else max(modseqs)) > self.highest:
                self.highest = highest
        self._remember(changes)
        return True

    def place(self, uid: int) -> int | None:
        """The index of a UID, or None."""
        index = bisect_left(self.uids, uid)
        return index if index < len(self.uids) and self.uids[index] == uid else None

    def first_unseen(self, start: int = 0) -> int | None:
        """The index of the first message without \\Seen, from ``start`` on; None where all were seen."""
        for first in range(start, len(self.flags), PIECE):
            low = self.flags[first:first + PIECE].tobytes()[LOW_OCTET::8]
            found = low.translate(_UNSEEN).find(1)
            if found >= 0:
                return first + found
        return None

    def columns(self, uids: array[int]) -> tuple[array[int], array[int]] | None:
        """Flags and modseqs of messages, given by ascending UID; None where one is not here."""
        first = bisect_left(self.uids, uids[0]) if uids else 0
        end = first + len(uids)
        if self.uids[first:end] == uids:
            return self.flags[first:end], self.modseqs[first:end]
        places = [i for i in map(self.place, uids) if i is not None]
        if len(places) < len(uids):
            return None
        return (array("Q", map(self.flags.__getitem__, places)),
                array("Q", map(self.modseqs.__getitem__, places)))

    def since(self, modseq: int) -> list[Changes] | None:
        """The changes after ``modseq``, oldest first; None where the image does not go back so far."""
        if modseq < self.floor:
            return None
        late = []
        for changes in reversed(self.journal):
            if changes.modseq <= modseq:
                break
            late.append(changes)
        return late[::-1]

    def _remove(self, changes: Changes) -> None:
        gone = sorted(set(changes.expunged))
        keep_uids, keep_flags, keep_modseqs = array("I"), array("Q"), array("Q")
        start = 0
        for uid in gone:
            index = bisect_left(self.uids, uid, start)
            if index < len(self.uids) and self.uids[index] == uid:
                keep_uids.extend(self.uids[start:index])
                keep_flags.extend(self.flags[start:index])
                keep_modseqs.extend(self.modseqs[start:index])
                start = index + 1
        self.uids = keep_uids + self.uids[start:]
        self.flags = keep_flags + self.flags[start:]
        self.modseqs = keep_modseqs + self.modseqs[start:]

    def _update(self, changes: Changes) -> None:
        if len(changes.uids) == len(self.uids) and changes.uids == self.uids:
            self.flags, self.modseqs = changes.flags[:], changes.modseqs[:]
            return
        uids = self.uids
        last = uids[-1] if uids else 0
        fresh = []
        for uid, flags, modseq in zip(changes.uids, changes.flags, changes.modseqs, strict=True):
            if uid > last:
                fresh.append((uid, flags, modseq))
                continue
            index = bisect_left(uids, uid)
            if index < len(uids) and uids[index] == uid:
                self.flags[index] = flags
                self.modseqs[index] = modseq
        if fresh:
            self._add(sorted(fresh))

    def _add(self, rows: list[tuple[int, int, int]]) -> None:
        uids, flags, modseqs = zip(*rows)
        self.uids = self.uids + array("I", uids)
        self.flags.extend(flags)
        self.modseqs.extend(modseqs)

    def _remember(self, changes: Changes) -> None:
        self.journal.append(changes)
        self._rows += len(changes.uids) + len(changes.expunged)
        while len(self.journal) > JOURNAL_ENTRIES or self._rows > JOURNAL_ROWS and len(self.journal) > 1:
            old = self.journal.popleft()
            self._rows -= len(old.uids) + len(old.expunged)
            self.floor = old.modseq
