"""The model of an account: what RFC 9051 and 7162 say that commands do, in plain dictionaries.

It does not know how a store works.  Modseqs are the server's to give out: the model takes them from
what an observer sees, and checks the rules that bind them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import attrs

Flags = frozenset[str]


@attrs.define
class Message:
    """``token`` names the content; ``modseq`` is the one last observed."""

    token: str
    flags: Flags
    modseq: int = 0


@attrs.frozen
class Sight:
    """A mailbox as an observer saw it: uid -> (flags, modseq); ``tokens`` of messages that are new."""

    uidvalidity: int
    uidnext: int
    highest: int
    messages: dict[int, tuple[Flags, int]]
    tokens: dict[int, str]


@attrs.define(eq=False)
class Box:
    """A mailbox, in whatever name it has.  ``gone``: uid -> modseq of its expunge."""

    uidvalidity: int = 0
    uidnext: int = 1
    highest: int = 0
    messages: dict[int, Message] = attrs.field(factory=dict)
    gone: dict[int, int] = attrs.field(factory=dict)
    tokens: dict[int, str] = attrs.field(factory=dict)
    removed: bool = False
    sight: Sight = Sight(0, 1, 0, {}, {})

    def add(self, token: str, flags: Flags) -> int:
        uid, self.uidnext = self.uidnext, self.uidnext + 1
        self.messages[uid] = Message(token, flags)
        self.tokens[uid] = token
        return uid

    def having(self, flag: str) -> set[int]:
        return {uid for uid, message in self.messages.items() if flag in message.flags}

    # what an observer saw

    def agree(self, sight: Sight) -> None:
        """The prediction is what was seen."""
        mine = {uid: message.flags for uid, message in self.messages.items()}
        seen = {uid: flags for uid, (flags, _) in sight.messages.items()}
        assert seen == mine, f"a fresh session sees {seen}, the model has {mine}"
        assert sight.uidnext == self.uidnext, f"UIDNEXT {sight.uidnext}, the model has {self.uidnext}"
        for uid, token in sight.tokens.items():
            assert token == self.tokens[uid], f"UID {uid} is {token}, the model has {self.tokens[uid]}"

    def adopt(self, sight: Sight) -> None:
        """Take what was seen for the truth."""
        self.tokens.update(sight.tokens)
        self.uidnext = sight.uidnext
        self.messages = {uid: Message(self.tokens[uid], flags)
                         for uid, (flags, _) in sight.messages.items()}

    def learn(self, sight: Sight) -> None:
        """Take the modseqs, which must follow the rules."""
        before = self.sight
        assert before.uidvalidity in (0, sight.uidvalidity), "UIDVALIDITY changed"
        self.uidvalidity = sight.uidvalidity
        assert sight.uidnext >= before.uidnext, "UIDNEXT fell"
        assert sight.highest >= before.highest, "HIGHESTMODSEQ fell"
        for uid, (flags, modseq) in sight.messages.items():
            self._learn(uid, flags, modseq, before, sight)
        for uid in before.messages.keys() - sight.messages.keys():
            assert sight.highest > before.highest, f"UID {uid} went without a new modseq"
            self.gone[uid] = sight.highest
        self.highest = sight.highest
        self.sight = sight

    def _learn(self, uid: int, flags: Flags, modseq: int, before: Sight, sight: Sight) -> None:
        old = before.messages.get(uid)
        assert modseq <= sight.highest, f"UID {uid} has MODSEQ {modseq} above HIGHESTMODSEQ {sight.highest}"
        if old is None:
            assert before.uidnext <= uid < sight.uidnext, f"UID {uid} is new, UIDNEXT was {before.uidnext}"
        if old is None or old[0] != flags:
            assert modseq > before.highest, f"UID {uid} changed, its MODSEQ {modseq} is old"
        else:
            assert modseq == old[1], f"UID {uid} did not change, but its MODSEQ did"
        self.messages[uid].modseq = modseq


class Account:
    """Mailboxes by name, and what commands do to them; each gives the status of the tagged line."""

    def __init__(self) -> None:
        self.boxes = {"INBOX": Box(), "Other": Box()}

    def append(self, name: str, token: str, flags: Flags) -> str:
        if name not in self.boxes:
            return "NO"
        self.boxes[name].add(token, flags)
        return "OK"

    def store(self, box: Box, uids: Iterable[int], how: str, flags: Flags,
              unchangedsince: int | None = None) -> set[int]:
        """Gives those that failed UNCHANGEDSINCE."""
        failed = set()
        for uid in uids:
            message = box.messages.get(uid)
            if message is None:
                continue
            if unchangedsince is not None and message.modseq > unchangedsince:
                failed.add(uid)
            else:
                message.flags = changed(message.flags, how, flags)
        return failed

    def copy(self, box: Box, uids: Collection[int], name: str, move: bool) -> dict[int, int]:
        """Gives uid -> new uid; the target is there."""
        target, made = self.boxes[name], {}
        for uid in sorted(uid for uid in uids if uid in box.messages):
            message = box.messages[uid]
            made[uid] = target.add(message.token, message.flags)
            if move:
                del box.messages[uid]
        return made

    def expunge(self, box: Box, uids: Collection[int] | None = None) -> str:
        if box.removed:
            return "NO"
        for uid in box.having("\\Deleted"):
            if uids is None or uid in uids:
                del box.messages[uid]
        return "OK"

    def create(self, name: str) -> str:
        if name in self.boxes:
            return "NO"
        self.boxes[name] = Box()
        return "OK"

    def delete(self, name: str) -> str:
        if name == "INBOX" or name not in self.boxes:
            return "NO"
        box = self.boxes.pop(name)
        box.removed = True
        box.messages.clear()
        return "OK"

    def rename(self, old: str, new: str) -> str:
        """INBOX stays, and its messages go (RFC 9051 6.3.6)."""
        if old not in self.boxes or new in self.boxes:
            return "NO"
        if old == "INBOX":
            self.boxes[new] = Box()
            self.copy(self.boxes[old], list(self.boxes[old].messages), new, move=True)
        else:
            self.boxes[new] = self.boxes.pop(old)
        return "OK"


def changed(old: Flags, how: str, flags: Flags) -> Flags:
    return {"+": old | flags, "-": old - flags, "=": flags}[how]
