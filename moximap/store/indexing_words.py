"""Words of bodies, in segments of the search index: which contents have one with what is looked for in it.

The law of this file: a text has a needle without white space exactly if one of its words has it, words being
what `str.split` gives.  One with white space it can have only if it has all words of that.

In a natural language nearly all words of a message are in others, too.  A segment has each word of its
contents once, and beside it a bit for each content that has it: a twentieth to a fifth of the text, which is
gone through in no time.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import chain, compress
from operator import and_
from typing import Final

import apsw
import attrs

from moximap.store.database import one

#: Contents of a segment, at most.
CONTENTS: Final = 256
#: Octets of words from which on a segment does not grow.
LARGE: Final = 1 << 20

_MARK: Final = CONTENTS // 8                 # octets of the bits of a group
_END: Final = 4                              # octets of where its words end

#: Words, each with a line end, that the same contents have: the bits of these, and the words in UTF-8.
Group = tuple[int, bytes]


@attrs.define
class Segment:
    """Contents, 0 for one that is gone, and for each word the bits of those that have it."""

    contents: array[int] = attrs.Factory(lambda: array("Q"))
    masks: dict[str, int] = attrs.Factory(dict)

    def add(self, content: int, texts: Iterable[str]) -> None:
        bit = 1 << len(self.contents)
        self.contents.append(content)
        masks = self.masks
        for word in set(chain.from_iterable(map(str.split, texts))):
            masks[word] = masks.get(word, 0) | bit

    def merge(self, contents: array[int], groups: Iterable[Group]) -> None:
        """Put another segment before this one."""
        count, masks = len(contents), {}
        for mask, words in groups:
            masks.update(dict.fromkeys(words.decode("utf-8", "surrogatepass").split(), mask))
        for word, mask in self.masks.items():
            masks[word] = masks.get(word, 0) | mask << count
        self.contents, self.masks = contents + self.contents, masks

    def groups(self) -> list[Group]:
        """Those that most contents have come first: what is in many words is soon found in all contents."""
        together: dict[int, list[str]] = {}
        for word, mask in self.masks.items():
            together.setdefault(mask, []).append(word)
        return [(mask, ("\n".join(words) + "\n").encode("utf-8", "surrogatepass"))
                for mask, words in sorted(together.items(), key=lambda group: -group[0].bit_count())]


def find(connection: apsw.Connection, needle: str) -> Iterator[int]:
    """Contents that have all words of a needle; if that is one word without white space, the needle."""
    pieces = [piece.encode("utf-8", "surrogatepass") for piece in needle.split()]
    for last, words in connection.execute("SELECT last, words FROM words"):
        if all(piece in words for piece in pieces):
            stored, marks = one(connection.execute, "SELECT contents, marks FROM segment WHERE last = ?",
                                (last,))
            contents = array("Q", stored)
            everyone = (1 << len(contents)) - 1
            mask = reduce(and_, [_having(words, marks, piece, everyone) for piece in pieces], everyone)
            yield from filter(None, compress(contents, map("1".__eq__, f"{mask:b}"[::-1])))


def add(connection: apsw.Connection, segment: Segment) -> None:
    """Add a segment of later contents than all that are there; small ones that are not smaller grow
    together with it, so that there are few and each is seldom written again."""
    last = segment.contents[-1]
    while True:
        before = _load(connection, "ORDER BY last DESC LIMIT 1")
        if before is None:
            break
        older, contents, marks, words = before
        if len(contents) > len(segment.contents) or len(words) > LARGE \
                or len(contents) + len(segment.contents) > CONTENTS:
            break
        segment.merge(contents, _groups(marks, words))
        _drop(connection, older)
    _put(connection, last, segment.contents, segment.groups())


def forget(connection: apsw.Connection, gone: Iterable[int]) -> None:
    """Contents leave their segments, and with them the words that no other one has."""
    places: dict[int, set[int]] = {}
    for content in gone:
        found = one(connection.execute, "SELECT last FROM segment WHERE last >= ? ORDER BY last LIMIT 1",
                    (content,))
        if found is not None:
            places.setdefault(found[0], set()).add(content)
    for last, some in places.items():
        _forget(connection, last, some)


def _forget(connection: apsw.Connection, last: int, gone: set[int]) -> None:
    found = _load(connection, "WHERE last = ?", last)
    assert found is not None
    _, contents, marks, words = found
    keep = sum(1 << place for place, content in enumerate(contents) if content not in gone)
    left = array("Q", [0 if content in gone else content for content in contents])
    if left != contents:
        _drop(connection, last)
        if any(left):
            _put(connection, last, left,
                 [(mask & keep, some) for mask, some in _groups(marks, words) if mask & keep])


def all_contents(connection: apsw.Connection) -> Iterator[int]:
    """All contents that are there."""
    for stored, in connection.execute("SELECT contents FROM segment"):
        yield from filter(None, array("Q", stored))


def _having(words: bytes, marks: bytes, piece: bytes, everyone: int) -> int:
    """The bits of contents that have a word with a piece in it."""
    ends, found = _ends(marks), 0
    first = _END * len(ends)
    at = words.find(piece)
    while at >= 0 and found != everyone:
        group = bisect_right(ends, at)
        start = first + _MARK * group
        found |= int.from_bytes(marks[start:start + _MARK], "little")
        at = words.find(piece, ends[group])          # the other words of the group add nothing
    return found


def _ends(marks: bytes) -> array[int]:
    """Where the words of each group end."""
    return array("I", marks[:len(marks) // (_END + _MARK) * _END])


def _groups(marks: bytes, words: bytes) -> Iterator[Group]:
    ends, start = _ends(marks), 0
    first = _END * len(ends)
    for number, end in enumerate(ends):
        mark = marks[first + _MARK * number:first + _MARK * (number + 1)]
        yield int.from_bytes(mark, "little"), words[start:end]
        start = end


def _load(connection: apsw.Connection, which: str,
          *bindings: int) -> tuple[int, array[int], bytes, bytes] | None:
    """One segment: its number, contents, marks and words."""
    row = one(connection.execute,
              f"SELECT last, contents, marks, words FROM segment JOIN words USING (last) {which}", bindings)
    return None if row is None else (row[0], array("Q", row[1]), row[2], row[3])


def _put(connection: apsw.Connection, last: int, contents: array[int], groups: list[Group]) -> None:
    ends, end = array("I"), 0
    for _, words in groups:
        end += len(words)
        ends.append(end)
    marks = ends.tobytes() + b"".join([mask.to_bytes(_MARK, "little") for mask, _ in groups])
    connection.execute("INSERT INTO segment VALUES (?, ?, ?)", (last, contents.tobytes(), marks))
    connection.execute("INSERT INTO words VALUES (?, ?)", (last, b"".join([words for _, words in groups])))


def _drop(connection: apsw.Connection, last: int) -> None:
    connection.execute("DELETE FROM segment WHERE last = ?", (last,))
    connection.execute("DELETE FROM words WHERE last = ?", (last,))
