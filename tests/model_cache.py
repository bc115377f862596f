"""What a client keeps of a mailbox between connections, by RFC 7162 section 6."""

from __future__ import annotations

import attrs

from tests.model_account import Box, Flags
from tests.model_wire import Fetched


@attrs.define
class Cache:
    """``flags``: uid -> flags as last told.  ``modseq``: everything up to there is in them, 0: not yet.

    ``whole``: the client has its whole list, in order (it may say which number has which UID).
    ``awaited``: messages whose \\Seen a running FETCH has told, and will set only in the end;
    ``pending``: those of connections that were cut off, whose FETCH may still run.
    """

    uidvalidity: int = 0
    modseq: int = 0
    flags: dict[int, Flags] = attrs.field(factory=dict)
    whole: bool = False
    fresh: bool = True
    awaited: set[int] = attrs.field(factory=set)
    pending: set[int] = attrs.field(factory=set)
    _current: int = 0
    _seen: int = 0
    _coded: bool = False

    # while it is open

    def opened(self, uidvalidity: int, highest: int) -> None:
        """A SELECT succeeded; with another UIDVALIDITY nothing here is of use."""
        self.fresh = uidvalidity != self.uidvalidity
        if self.fresh:
            self.uidvalidity, self.modseq, self.flags = uidvalidity, 0, {}
        self._current, self._seen, self._coded = highest, 0, False
        self.whole = False
        self.pending |= self.awaited

    def highest(self, modseq: int, known: dict[int, Flags] | None) -> None:
        """A HIGHESTMODSEQ code: it is believed even after higher MODSEQs, and at once."""
        self._current, self._coded = modseq, True
        if known is not None:
            self.flags, self.modseq = dict(known), modseq

    def fetched(self, fetched: Fetched) -> None:
        assert fetched.uid is not None
        if fetched.flags is not None:
            self.flags[fetched.uid] = fetched.flags
            if fetched.token is not None:
                self.awaited.add(fetched.uid)
        self._seen = max(self._seen, fetched.modseq or 0)

    def gone(self, uid: int) -> None:
        self.flags.pop(uid, None)

    def earlier(self, uids: list[int], box: Box | None) -> None:
        """VANISHED (EARLIER) names only what is gone (client 8)."""
        for uid in uids:
            assert box is None or uid not in box.messages, f"UID {uid} exists, and was said to be gone"
            self.gone(uid)

    def tagged(self, known: dict[int, Flags] | None) -> None:
        """A tagged line: ``known`` is the client's whole list, None where it has gaps."""
        self.awaited.clear()
        if not self._coded:
            self._current = max(self._current, self._seen)
        self._seen, self._coded = 0, False
        self.whole = known is not None
        if known is not None:
            self.flags, self.modseq = dict(known), self._current

    def settled(self) -> None:
        """All commands have ended."""
        self.awaited.clear()
        self.pending.clear()

    # whether it is worth anything

    def check(self, box: Box) -> None:
        """A client that is cut off now and resumes will miss nothing.

        It will be told of what is above its modseq; the rest must be here.
        """
        if not self.modseq or box.removed or box.uidvalidity != self.uidvalidity:
            return
        for uid, message in box.messages.items():
            if message.modseq <= self.modseq:
                cached = self.flags.get(uid, frozenset())
                told = cached - {"\\Seen"} | message.flags & {"\\Seen"} if uid in self.awaited | self.pending else cached
                assert uid in self.flags and told == message.flags, (
                    f"resuming from {self.modseq} misses UID {uid}: {self.flags.get(uid)} is cached,"
                    f" {message.flags} since {message.modseq}")
        for uid in self.flags.keys() - box.messages.keys():
            assert box.gone[uid] > self.modseq, (
                f"resuming from {self.modseq} misses that UID {uid} went at {box.gone[uid]}")
