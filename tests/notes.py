"""What a client knows of its messages, and what each command makes of that; see crashing.py."""

from __future__ import annotations

import random
import re
from collections import Counter
from functools import lru_cache
from typing import Final, Protocol

import attrs

#: Mailbox and UID.
Place = tuple[str, int]

FLAGS: Final = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Forwarded", "red", "green")
#: Octets of bodies; the last ones are kept in files.
SIZES: Final = (10, 300, 2000, 2000, 60_000, 140_000, 300_000)
_APPENDUID = re.compile(rb"\[APPENDUID \d+ (\S+)\]")
_COPYUID = re.compile(rb"\[COPYUID \d+ (\S+) (\S+)\]")
_MESSAGE_ID = re.compile(rb"^Message-ID: <([\w-]+)@example\.org>\r$", re.M)


@attrs.frozen
class Message:
    """One copy: which message it is of, and its flags."""

    key: str
    flags: frozenset[str] = frozenset()


@lru_cache(1000)
def octets(key: str) -> bytes:
    """The message of that key, whose last number is the size of its body."""
    size = int(key.rpartition("-")[2])
    head = f"From: ada@example.org\r\nSubject: {key}\r\nMessage-ID: <{key}@example.org>\r\n\r\n"
    return head.encode() + random.Random(key).randbytes(size // 2).hex().encode() + b"\r\n"


def key_of(raw: bytes) -> str | None:
    """The key of the message with exactly these octets; None where there is no such message."""
    match = _MESSAGE_ID.search(raw[:300])
    key = match[1].decode() if match else ""
    return key if match and octets(key) == raw else None


@attrs.frozen
class Notes:
    """``known``: copies at UIDs that the server has told; ``new``: copies whose UIDs it has not.

    ``told``: all places that it ever told in this round.
    """

    known: dict[Place, Message] = attrs.field(factory=dict)
    new: Counter[tuple[str, Message]] = attrs.field(factory=Counter)
    told: frozenset[Place] = frozenset()

    def agrees(self, found: dict[Place, Message]) -> bool:
        """Whether exactly this is there."""
        if any(found.get(place) != message for place, message in self.known.items()):
            return False
        rest = Counter((place[0], message) for place, message in found.items() if place not in self.known)
        return rest == self.new

    def difference(self, found: dict[Place, Message]) -> str:
        lost = {place: message for place, message in self.known.items() if found.get(place) != message}
        more = {place: message for place, message in found.items() if self.known.get(place) != message}
        return f"noted {lost} {dict(self.new)}, found {more}"

    def without(self, places: set[Place]) -> Notes:
        known = {place: message for place, message in self.known.items() if place not in places}
        return attrs.evolve(self, known=known)

    def with_known(self, more: dict[Place, Message]) -> Notes:
        return attrs.evolve(self, known=self.known | more, told=self.told | more.keys())

    def with_new(self, more: list[tuple[str, Message]]) -> Notes:
        return attrs.evolve(self, new=self.new + Counter(more))


class Action(Protocol):
    """A command, without its tag."""

    def line(self) -> bytes:
        """As it is sent."""

    def guessed(self, notes: Notes) -> Notes:
        """The notes if it happened and nobody has told what it answered."""

    def acknowledged(self, notes: Notes, answer: bytes) -> Notes:
        """The notes after its OK."""


@attrs.frozen
class Append:
    """One message or several, all or none of which are added."""

    mailbox: str
    keys: tuple[str, ...]
    flags: frozenset[str]

    def line(self) -> bytes:
        out = [f"APPEND {self.mailbox}".encode()]
        for raw in map(octets, self.keys):
            out.append(f" ({' '.join(sorted(self.flags))}) {{{len(raw)}+}}\r\n".encode() + raw)
        return b"".join(out)

    def guessed(self, notes: Notes) -> Notes:
        return notes.with_new([(self.mailbox, Message(key, self.flags)) for key in self.keys])

    def acknowledged(self, notes: Notes, answer: bytes) -> Notes:
        told = _APPENDUID.search(answer)
        assert told is not None, answer
        return notes.with_known({(self.mailbox, uid): Message(key, self.flags)
                                 for uid, key in zip(_numbers(told[1]), self.keys, strict=True)})


@attrs.frozen
class Copy:
    mailbox: str
    uids: tuple[int, ...]
    target: str
    word = "COPY"

    def line(self) -> bytes:
        return f"UID {self.word} {_set(self.uids)} {self.target}".encode()

    def _messages(self, notes: Notes) -> dict[int, Message]:
        return {uid: notes.known[self.mailbox, uid] for uid in self.uids}

    def guessed(self, notes: Notes) -> Notes:
        return notes.with_new([(self.target, message) for message in self._messages(notes).values()])

    def acknowledged(self, notes: Notes, answer: bytes) -> Notes:
        told = _COPYUID.search(answer)
        assert told is not None, answer
        messages = self._messages(notes)
        old, new = _numbers(told[1]), _numbers(told[2])
        assert sorted(old) == sorted(messages), answer
        return notes.with_known({(self.target, uid): messages[before]
                                 for before, uid in zip(old, new, strict=True)})


@attrs.frozen
class Move(Copy):
    word = "MOVE"

    def _gone(self, notes: Notes) -> Notes:
        return notes.without({(self.mailbox, uid) for uid in self.uids})

    def guessed(self, notes: Notes) -> Notes:
        return self._gone(Copy.guessed(self, notes))

    def acknowledged(self, notes: Notes, answer: bytes) -> Notes:
        return self._gone(Copy.acknowledged(self, notes, answer))


@attrs.frozen
class Store:
    mailbox: str
    uids: tuple[int, ...]
    sign: str
    flags: frozenset[str]

    def line(self) -> bytes:
        return f"UID STORE {_set(self.uids)} {self.sign}FLAGS ({' '.join(sorted(self.flags))})".encode()

    def _change(self, before: frozenset[str]) -> frozenset[str]:
        return {"+": before | self.flags, "-": before - self.flags}.get(self.sign, self.flags)

    def guessed(self, notes: Notes) -> Notes:
        return notes.with_known({place: attrs.evolve(message, flags=self._change(message.flags))
                                 for place, message in notes.known.items()
                                 if place[0] == self.mailbox and place[1] in self.uids})

    def acknowledged(self, notes: Notes, answer: bytes) -> Notes:
        return self.guessed(notes)


@attrs.frozen
class Expunge:
    """``uids`` None: everything that is \\Deleted in a mailbox that nobody else uses."""

    mailbox: str
    uids: tuple[int, ...] | None

    def line(self) -> bytes:
        return b"EXPUNGE" if self.uids is None else f"UID EXPUNGE {_set(self.uids)}".encode()

    def guessed(self, notes: Notes) -> Notes:
        """Messages that came by commands that are in flight as well are known by their mailbox only."""
        places = {place for place, message in notes.known.items()
                  if place[0] == self.mailbox and "\\Deleted" in message.flags
                  and (self.uids is None or place[1] in self.uids)}
        kept = Counter({(mailbox, message): count for (mailbox, message), count in notes.new.items()
                        if self.uids is not None or mailbox != self.mailbox
                        or "\\Deleted" not in message.flags})
        return attrs.evolve(notes.without(places), new=kept)

    def acknowledged(self, notes: Notes, answer: bytes) -> Notes:
        return self.guessed(notes)


def _set(uids: tuple[int, ...]) -> str:
    return ",".join(map(str, uids))


def _numbers(uids: bytes) -> list[int]:
    """The numbers of a uid-set, in its order."""
    out: list[int] = []
    for part in uids.split(b","):
        low, _, high = part.partition(b":")
        out += range(int(low), int(high or low) + 1)
    return out
