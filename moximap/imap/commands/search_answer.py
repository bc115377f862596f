"""What a search found, and how it is told: SEARCH or ESEARCH (RFC 9051 7.3.4, RFC 3501 7.2.5, RFC 4731).

A row of the table ``search_returns`` is a function that reads the arguments of a RETURN option, behind
its name, and gives an Option.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain, compress

import attrs

from moximap.imap import encoding
from moximap.imap.session import Session
from moximap.imap.view import View
from moximap.values import NumSet

#: Octets of one SEARCH response: imaplib reads lines up to 1,000,000, and its users read one line.
LINE = 900_000


@attrs.frozen
class Found:
    """UIDs of a search's result, ascending, and the view that they are in, None: in no selected mailbox.

    ``uid``: messages are told by UID.  ``options``: what is told of it.
    """

    view: View | None
    uids: array[int]
    uid: bool
    options: tuple[Option, ...] = ()

    def number(self, uid: int) -> int:
        """What the client knows a message by."""
        if self.uid:
            return uid
        assert self.view is not None
        return self.view.numbering.number(self.view, uid)

    def modseq(self, uid: int) -> int:
        """The modseq of a message of it; 0 where it is gone."""
        assert self.view is not None
        place = self.view.image.place(uid)
        return 0 if place is None else self.view.image.modseqs[place]

    def numbers(self) -> array[int]:
        """What it knows all of them by."""
        if self.uid:
            return self.uids
        assert self.view is not None
        return sequence_numbers(self.view.uids, self.uids)

    def sequence(self) -> bytes:
        """All of them as a sequence-set; there is at least one."""
        return self.listed(self.numbers())

    def listed(self, numbers: array[int]) -> bytes:
        """Some of ``numbers()`` in their order, at least one, as a sequence-set."""
        return encoding.numset(NumSet.ascending(numbers))

    def told(self) -> array[int]:
        """UIDs of the messages that are told of: all, or the first, or the last, or these two."""
        parts = [option.messages(self) for option in self.options if not option.silent] or [self.uids]
        if any(len(part) == len(self.uids) for part in parts):
            return self.uids
        return array("I", sorted(set(chain(*parts))))


def sequence_numbers(everything: array[int], some: array[int]) -> array[int]:
    """Places from 1 in an ascending array, for ascending numbers that are in it."""
    count, first = len(everything), everything[0] if everything else 1
    if len(some) == count:
        return array("I", range(1, count + 1))
    if everything[-1] - first == count - 1:
        return some if first == 1 else array("I", [uid - first + 1 for uid in some])
    if len(some) * 16 < count:
        return array("I", [bisect_left(everything, uid) + 1 for uid in some])
    return array("I", compress(range(1, count + 1), map(set(some).__contains__, everything)))


class Option:
    """A RETURN option of one command, or what a search key adds: a frozen value.

    ``silent``: by itself it tells of no message.  ``lists``: it lists them; one that does is enough.
    """

    silent = False
    lists = False

    def messages(self, found: Found) -> array[int]:
        """UIDs of the messages that it tells of."""
        return found.uids

    def item(self, found: Found) -> bytes | None:
        """Its pair in the ESEARCH response, None where it has none."""
        return None

    def suffix(self, found: Found) -> bytes:
        """What it adds to the SEARCH response, with a space before it."""
        return b""

    def done(self, session: Session, found: Found) -> None:
        """The search succeeded."""

    def failed(self, session: Session) -> None:
        """The search is answered NO."""


def esearch(tag: bytes, found: Found, where: bytes = b"") -> bytes:
    """The ESEARCH response; ``where`` are correlators behind the tag, with a space before them."""
    items = [b"", *filter(None, (option.item(found) for option in found.options))]
    return b"* ESEARCH (TAG %b%b)%b%b\r\n" % (encoding.quoted(tag), where, b" UID" if found.uid else b"",
                                              b" ".join(items))


def search(found: Found, name: bytes = b"SEARCH") -> Iterator[bytes]:
    """The SEARCH response, or one like it, in one line while clients can read it."""
    suffix = b"".join(option.suffix(found) for option in found.options)
    numbers = found.numbers()
    line = b"* " + name + b" %d" * len(numbers) % tuple(numbers)
    while len(line) > LINE:
        end = line.rindex(b" ", 0, LINE + 1)
        yield line[:end] + suffix + b"\r\n"
        line = b"* " + name + line[end:]
    yield line + suffix + b"\r\n"
