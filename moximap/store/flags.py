"""Flag codes: names of keywords, the sets of them that messages carry, and what STORE makes of them.

A code's low five bits are the system flags, the rest is the number of a keyword set.  Sets and
keywords are only ever added, so what a FlagTable has read stays true.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Final, Literal

import apsw
import attrs
from zope.interface import implementer

from moximap.store.database import every, one
from moximap.store.errors import Cannot, OverQuota
from moximap.store.interfaces import IFlagTable
from moximap.values import LOW_OCTET, SYSTEM_BITS, SYSTEM_FLAGS, SYSTEM_MASK

MAX_KEYWORDS: Final = 500
MAX_SETS: Final = 50_000
MAX_LENGTH: Final = 255

_OCTETS: Final = bytes(range(256))
#: Codes that are as quickly looked at one by one.
_FEW: Final = 16
_SYSTEM = {name.lower(): bit for name, bit in SYSTEM_FLAGS.items()}
_NOT_IN_ATOM = frozenset('(){ %*"\\]')


@implementer(IFlagTable)
class FlagTable:
    """Names of flag codes, in memory; any thread reads, and any thread may bring it up to date."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._names: dict[int, tuple[str, ...]] = {}
        self._sets: list[tuple[str, ...]] = [()]
        self._keywords: tuple[str, ...] = ()
        self._codes: dict[str, frozenset[int]] = {}

    def names(self, code: int) -> tuple[str, ...]:
        known = self._names.get(code)
        if known is None:
            system = tuple(name for name, bit in SYSTEM_FLAGS.items() if code & bit)
            known = self._names[code] = system + self._sets[code >> SYSTEM_BITS]
        return known

    def keywords(self) -> tuple[str, ...]:
        return self._keywords

    def codes(self, name: str) -> frozenset[int] | None:
        return self._codes.get(name.casefold(), frozenset())

    def catch_up(self, connection: apsw.Connection, last: int) -> None:
        """Read the sets up to number ``last``, in the snapshot that ``connection`` has."""
        if last >= len(self._sets):
            with self._lock:
                self._load(connection)

    def know(self, connection: apsw.Connection, code: int) -> None:
        """Know the names of a code that ``connection`` can see."""
        self.catch_up(connection, code >> SYSTEM_BITS)

    def _load(self, connection: apsw.Connection) -> None:
        self._keywords = tuple(name for name, in every(connection.execute,
                                                       "SELECT name FROM keyword ORDER BY id"))
        first = len(self._sets)
        rows = connection.execute("SELECT id, names FROM keywordset WHERE id >= ? ORDER BY id", (first,))
        new = [(number, tuple(names.split(" "))) for number, names in rows]
        codes = dict(self._codes)
        for number, names in new:
            for name in names:
                folded = name.casefold()
                codes[folded] = codes.get(folded, frozenset()) | {number}
        self._codes = codes
        self._sets += [names for _, names in new]


def octets(codes: array[int]) -> bytes | None:
    """Flag codes as an octet each, which are counted and mapped in no time; None where one is too large."""
    raw = codes.tobytes()
    low = raw[LOW_OCTET::8]
    return low if _widened(low) == raw else None


def _widened(low: bytes) -> bytearray:
    """The octets of codes of an octet each."""
    wide = bytearray(8 * len(low))
    wide[LOW_OCTET::8] = low
    return wide


def count(codes: array[int]) -> Mapping[int, int]:
    """How often each flag code is there."""
    if len(codes) == 1:
        return {codes[0]: 1}
    left = octets(codes)
    if left is None:
        return Counter(codes)
    counts = {}
    while left:
        others = left.translate(None, left[:1])
        counts[left[0]] = len(left) - len(others)
        left = others
    return counts


def replace(codes: array[int], becomes: Mapping[int, int]) -> array[int]:
    """What the codes become; those that are not named stay."""
    small = octets(codes) if len(codes) > _FEW else None
    if small is None or max((*becomes, *becomes.values()), default=0) > 255:
        return array("Q", map(becomes.get, codes, codes))
    table = bytearray(_OCTETS)
    for old, new in becomes.items():
        table[old] = new
    return array("Q", _widened(small.translate(table)))


@attrs.frozen
class Flags:
    """Flags that a client named: bits of the system flags, and keywords as spelled, each once."""

    bits: int
    keywords: tuple[str, ...]

    @classmethod
    def of(cls, names: Iterable[str]) -> Flags:
        """Flags of that name; \\Recent and unknown ones with a backslash are not kept.  Cannot."""
        bits, keywords = 0, dict[str, str]()
        for name in names:
            if name.startswith("\\"):
                bits |= _SYSTEM.get(name.lower(), 0)
            else:
                keywords.setdefault(name.casefold(), _checked(name))
        return cls(bits, tuple(keywords.values()))


def _checked(name: str) -> str:
    if not 0 < len(name) <= MAX_LENGTH:
        raise Cannot("a keyword has 1 to 255 characters")
    if any(c in _NOT_IN_ATOM or not " " < c < "\x7f" for c in name):
        raise Cannot("a keyword is an atom")
    return name


class Interner:
    """Numbers for keyword sets, and sets for numbers, inside one write transaction.

    It asks the database and not the FlagTable: what another operation of the same transaction
    added is in the one and, until all of it is committed, not in the other.
    """

    def __init__(self, connection: apsw.Connection, last: int) -> None:
        self._execute = connection.execute
        self.last = last

    def code(self, flags: Flags) -> int:
        """The flag code for flags that a client named; OverQuota where there are too many."""
        return flags.bits | self._number(self._spelled(flags.keywords)) << SYSTEM_BITS

    def changed(self, codes: Iterable[int], how: Literal["+", "-", "="], flags: Flags) -> dict[int, int]:
        """What each of ``codes`` becomes; those that stay as they are are left out."""
        named = self._spelled(flags.keywords) if flags.keywords else []
        constant = flags.bits | self._number(named) << SYSTEM_BITS if how == "=" else None
        sets: dict[int, int] = {}
        out = {}
        for old in codes:
            new = constant
            if new is None:
                number = old >> SYSTEM_BITS
                if number not in sets:
                    sets[number] = self._combined(number, how, named) if named else number
                bits = old & SYSTEM_MASK
                bits = bits | flags.bits if how == "+" else bits & ~flags.bits
                new = bits | sets[number] << SYSTEM_BITS
            if new != old:
                out[old] = new
        return out

    def _combined(self, number: int, how: str, named: Sequence[str]) -> int:
        present = self._names(number)
        kept = present | set(named) if how == "+" else present - set(named)
        return number if kept == present else self._number(kept)

    def _names(self, number: int) -> set[str]:
        row = one(self._execute, "SELECT names FROM keywordset WHERE id = ?", (number,))
        return set(row[0].split(" ")) if row else set()

    def _spelled(self, names: Iterable[str]) -> list[str]:
        """The keywords as the account spells them; new ones are added as they are."""
        return [self._keyword(name) for name in names]

    def _keyword(self, name: str) -> str:
        row = one(self._execute, "SELECT name FROM keyword WHERE folded = ?", (name.casefold(),))
        if row is not None:
            return str(row[0])
        if one(self._execute, "SELECT count(*) FROM keyword")[0] >= MAX_KEYWORDS:
            raise OverQuota("the account has too many keywords")
        self._execute("INSERT INTO keyword (folded, name) VALUES (?, ?)", (name.casefold(), name))
        return name

    def _number(self, names: Iterable[str]) -> int:
        text = " ".join(sorted(names, key=str.casefold))
        if not text:
            return 0
        row = one(self._execute, "SELECT id FROM keywordset WHERE names = ?", (text,))
        if row is not None:
            return int(row[0])
        if self.last >= MAX_SETS:
            raise OverQuota("the account has too many combinations of keywords")
        self.last += 1
        self._execute("INSERT INTO keywordset (id, names) VALUES (?, ?)", (self.last, text))
        return self.last
