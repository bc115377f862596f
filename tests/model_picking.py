"""What the model's commands are about: messages, flags, mailboxes and modseqs, drawn at random."""

from __future__ import annotations

import random

import attrs

from tests.model_account import Box, Flags
from tests.model_client import Listener
from tests.model_command import Entry
from tests.model_wire import ranges
from tests.model_world import Member, World

FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "one", "Two")


@attrs.frozen
class Picked:
    """A set of messages as a command names them; ``prefix`` is "UID " or empty."""

    prefix: str
    text: str
    entries: list[Entry]

    def uids(self) -> list[int]:
        """Where the model predicts."""
        return [entry.true for entry in self.entries if entry.true is not None]


class Picker:
    """What a command of one client is about; ``rng`` decides everything that is open."""

    def __init__(self, world: World, member: Member, rng: random.Random) -> None:
        assert member.listener is not None
        self.world = world
        self.account = world.account
        self.member = member
        self.listener: Listener = member.listener
        self.rng = rng

    @property
    def numbers(self) -> bool:
        """Sequence numbers may be used: who hears of expunges at once, while others act, cannot."""
        notified = self.listener.notified
        return self.listener.numbers and (self.world.predicts or notified is None or notified.delayed)

    @property
    def sure(self) -> bool:
        """Which messages a command changes silently is clear: none can come meanwhile, or each is told of."""
        return self.world.predicts or self.listener.notified is None or self.listener.condstore

    @property
    def box(self) -> Box:
        return self.listener.selected

    def flags(self) -> Flags:
        return frozenset(self.rng.sample(FLAGS, self.rng.choice((0, 1, 1, 1, 2))))

    def name(self) -> str:
        return self.rng.choice(("INBOX", "INBOX", "INBOX", "Other", "Other", "Third"))

    def token(self) -> str:
        self.world.tokens += 1
        return f"t{self.world.tokens}"

    def pick(self) -> Picked | None:
        """Some messages by number, or by UID, among which may be some that are not there."""
        entries = self.listener.entries
        if self.rng.random() < 0.45 and self.numbers:
            if not entries:
                return None
            chosen = sorted(self.rng.sample(range(len(entries)), self.rng.randint(1, min(3, len(entries)))))
            if self.rng.random() < 0.2:
                return Picked("", "1:*", entries[:])
            return Picked("", ranges([i + 1 for i in chosen]), [entries[i] for i in chosen])
        low = self.rng.randint(1, self.box.uidnext)
        high = self.rng.choice((low, low, low + 2, 1 << 31))
        text = f"{low}:{high}" if high != low else f"{low}"
        if self.rng.random() < 0.2:
            low, high, text = 1, 1 << 31, "1:*"
        return Picked("UID ", text, [e for e in entries if low <= (e.uid or e.true or 0) <= high])

    def modseq(self) -> int:
        """Some modseq that a client may have seen."""
        known = [message.modseq for message in self.box.messages.values()] + [self.box.highest, 1]
        return max(1, self.rng.choice(known) - self.rng.choice((0, 0, 1)))
