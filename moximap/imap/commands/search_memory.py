"""Searches that are answered from memory: UIDs, flags and modseqs (RFC 9051 6.4.4, RFC 7162 3.1.5); pure.

A verdict on all messages is one large integer with a byte, 0 or 1, for each: And, Or and Not are one
operation each.  What needs flags alone is judged once for each flag code.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection
from functools import lru_cache, reduce
from itertools import compress
from operator import and_
from sys import byteorder
from typing import Final

import attrs

from moximap.imap.commands.search_tree import leaves
from moximap.searchtree import All, And, HasFlag, InUids, ModSeqIs, Not, Or, SearchTree
from moximap.values import SYSTEM_BITS, SYSTEM_FLAGS, NumSet

_SYSTEM: Final = {name.lower(): bit for name, bit in SYSTEM_FLAGS.items()}
#: More tests than this in one tree are no work for the reactor thread.
MOST_TESTS: Final = 100
#: One message of so many, and fewer, are looked for one by one.
FEW: Final = 8
#: Numbers of the keyword sets (flag code >> SYSTEM_BITS) that have a keyword.
Codes = Callable[[str], Collection[int] | None]


@attrs.frozen
class Columns:
    """Messages by ascending UID, as three columns of equal length."""

    uids: array[int]
    flags: array[int]
    modseqs: array[int]

    def within(self, uids: NumSet) -> Columns:
        """The messages that are in a set."""
        places = [(bisect_left(self.uids, low), bisect_right(self.uids, high))
                  for low, high in uids.ranges]
        if len(places) == 1 and places[0] == (0, len(self.uids)):
            return self
        chosen = Columns(array("I"), array("Q"), array("Q"))
        for first, last in places:
            chosen.uids.extend(self.uids[first:last])
            chosen.flags.extend(self.flags[first:last])
            chosen.modseqs.extend(self.modseqs[first:last])
        return chosen


def from_uids(tree: SearchTree) -> bool:
    """Whether UIDs alone decide it."""
    return _made_of(tree, (All, InUids))


def from_memory(tree: SearchTree) -> bool:
    """Whether `matching` can answer it, and soon."""
    return _made_of(tree, (All, InUids, HasFlag, ModSeqIs))


def _made_of(tree: SearchTree, kinds: tuple[type, ...]) -> bool:
    return all(count < MOST_TESTS and isinstance(leaf, kinds) for count, leaf in enumerate(leaves(tree)))


def matching(tree: SearchTree, columns: Columns, codes: Codes) -> array[int]:
    """The UIDs of the messages that a tree matches, ascending."""
    if isinstance(tree, All):
        return columns.uids
    return _chosen(columns.uids, _Verdicts(columns, codes).column(tree))


def _chosen(uids: array[int], verdict: bytes) -> array[int]:
    """The UIDs whose byte is 1: where they are few, by looking for those."""
    if verdict.count(1) * FEW > len(verdict):
        return array("I", compress(uids, verdict))
    out = array("I")
    place = verdict.find(1)
    while place >= 0:
        out.append(uids[place])
        place = verdict.find(1, place + 1)
    return out


class _Flags(dict[int, int]):
    """Flag code -> whether a tree of nothing but flags matches it; filled as codes are met."""

    def __init__(self, tree: SearchTree, codes: Codes) -> None:
        self._test = _test(tree, codes)

    def __missing__(self, code: int) -> int:
        verdict = self[code] = int(self._test(code))
        return verdict


def _by_system_flags(tree: SearchTree, flags: array[int]) -> bytes:
    """System flags are all in the lowest octet of a code: these octets are translated at once."""
    lowest = 0 if byteorder == "little" else flags.itemsize - 1
    return flags.tobytes()[lowest::flags.itemsize].translate(_octets(tree))


@lru_cache(maxsize=128)
def _octets(tree: SearchTree) -> bytes:
    """A byte for each octet, whether the tree matches flags of that octet."""
    return bytes(map(_test(tree, lambda name: None), range(256)))


def _test(tree: SearchTree, codes: Codes) -> Callable[[int], bool]:
    """A test of a flag code."""
    if isinstance(tree, And):
        tests = [_test(term, codes) for term in tree.terms]
        return lambda code: all(test(code) for test in tests)
    if isinstance(tree, Or):
        left, right = _test(tree.left, codes), _test(tree.right, codes)
        return lambda code: left(code) or right(code)
    if isinstance(tree, Not):
        test = _test(tree.term, codes)
        return lambda code: not test(code)
    assert isinstance(tree, HasFlag)
    bit = _SYSTEM.get(tree.name.lower())
    if bit is not None:
        return lambda code: bool(code & bit)
    sets = frozenset(codes(tree.name) or ())
    return lambda code: code >> SYSTEM_BITS in sets


class _Verdicts:
    """What trees say of each of some messages."""

    def __init__(self, columns: Columns, codes: Codes) -> None:
        self._columns = columns
        self._codes = codes
        self._count = len(columns.uids)

    def column(self, tree: SearchTree) -> bytes:
        """A byte for each message."""
        if all(isinstance(leaf, HasFlag) and leaf.name.lower() in _SYSTEM for leaf in leaves(tree)):
            return _by_system_flags(tree, self._columns.flags)
        if all(isinstance(leaf, HasFlag) for leaf in leaves(tree)):
            return bytes(map(_Flags(tree, self._codes).__getitem__, self._columns.flags))
        if isinstance(tree, ModSeqIs):
            return bytes(map(tree.modseq.__le__, self._columns.modseqs))
        if isinstance(tree, InUids):
            return self._within(tree.uids)
        return self._joined(tree).to_bytes(self._count, "little")

    def _joined(self, tree: SearchTree) -> int:
        """What is not one column by itself, as an integer."""
        if isinstance(tree, And):
            return reduce(and_, map(self._number, tree.terms))
        if isinstance(tree, Or):
            return self._number(tree.left) | self._number(tree.right)
        if isinstance(tree, Not):
            return self._ones() ^ self._number(tree.term)
        assert isinstance(tree, All)
        return self._ones()

    def _ones(self) -> int:
        return int.from_bytes(b"\1" * self._count, "little")

    def _number(self, tree: SearchTree) -> int:
        return int.from_bytes(self.column(tree), "little")

    def _within(self, uids: NumSet) -> bytes:
        verdict = bytearray(self._count)
        for low, high in uids.ranges:
            first, last = bisect_left(self._columns.uids, low), bisect_right(self._columns.uids, high)
            verdict[first:last] = b"\1" * (last - first)
        return bytes(verdict)
