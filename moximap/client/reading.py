"""What a server says, as values (RFC 9051 section 9, from the client's side).

A response comes as its lines and the literals between them.  In values, an atom and a number are
`Atom`, a quoted string or literal is plain `bytes`, NIL is None, and a list in parentheses a tuple.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, Union

import attrs

from moximap.values import MAX_UID, NumSet

#: Lists inside lists that are followed; a BODYSTRUCTURE of a hundred parts in parts is a hundred deep.
DEEPEST: Final = 200
_LITERAL: Final = re.compile(rb"~?\{(\d{1,20})\+?\}\Z")
#: An atom, of which BODY[...]<n> and BINARY[...] are a special kind that has spaces inside.
_ATOM: Final = re.compile(
    rb'(?:BODY|BINARY(?:\.SIZE)?)\[(?:"(?:[^"\\]|\\.)*"|[^\]"])*\](?:<\d+>)?|[^ ()"{\r\n]+', re.IGNORECASE)
#: The same inside a response code, which "]" ends.
_CODE_ATOM: Final = re.compile(rb'[^ ()"{\]\r\n]+')
_QUOTED: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(rb"\\(.)")
_ANSWERS: Final = (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH")
_RANGE: Final = re.compile(rb"([1-9]\d{0,9})(?::([1-9]\d{0,9}))?")
#: Numbers are modseqs at most: 63 bits (RFC 7162 7).
_HIGHEST: Final = (1 << 63) - 1


class Atom(bytes):
    """An atom, a flag or a number, as it was written."""

    @property
    def upper_case(self) -> bytes:
        return bytes(self).upper()


Value = Union[Atom, bytes, None, tuple["Value", ...]]


class BadResponse(Exception):
    """The server said what is not IMAP; the text says what was wanted there."""


def announced(line: bytes) -> int | None:
    """The size of the literal that follows a line, None if none does."""
    found = _LITERAL.search(line)
    return int(found[1]) if found else None


def is_text(line: bytes) -> bool:
    """Whether a line is for people: it may end in what looks like a literal."""
    words = line.split(b" ", 2)
    return words[0] == b"+" or len(words) > 1 and words[1].upper() in _ANSWERS


def numbers(text: Value) -> NumSet:
    """A set of UIDs such as 1:3,7."""
    if not isinstance(text, bytes):
        raise BadResponse("a set of numbers")
    ranges = []
    for each in text.split(b","):
        found = _RANGE.fullmatch(each)
        if found is None:
            raise BadResponse("a set of numbers")
        ranges.append((uid(found[1]), uid(found[2] or found[1])))
    return NumSet.merge(ranges)


def number(value: Value) -> int:
    """A number of 63 bits, as large as a modseq may be."""
    if not (isinstance(value, bytes) and value.isdigit() and len(value) < 20 and int(value) <= _HIGHEST):
        raise BadResponse("a number")
    return int(value)


def uid(value: Value) -> int:
    """A number that a message can have."""
    found = number(value)
    if not 0 < found <= MAX_UID:
        raise BadResponse("a UID")
    return found


def items(value: Value) -> tuple[Value, ...]:
    """The members of a list."""
    if not isinstance(value, tuple):
        raise BadResponse("a list")
    return value


@attrs.frozen
class Answer:
    """OK, NO, BAD, PREAUTH or BYE.  ``code``: the words in brackets, the first in upper case.

    ``text`` is for people, and for their terminals: it has no control characters.
    """

    status: bytes
    code: tuple[Value, ...]
    text: str

    @property
    def code_name(self) -> bytes:
        first = self.code[0] if self.code else b""
        return first if isinstance(first, bytes) else b""


@attrs.frozen
class Untagged:
    """`* 5 FETCH (...)` has the name FETCH and the number 5; ``answer`` is there for OK, NO, BAD, BYE."""

    name: bytes
    number: int | None = None
    values: tuple[Value, ...] = ()
    answer: Answer | None = None

    def value(self, place: int) -> Value:
        """One of the values; BadResponse where there are fewer."""
        try:
            return self.values[place]
        except IndexError:
            raise BadResponse("more values") from None


class Reader:
    """Reads the values of one response."""

    def __init__(self, lines: Sequence[bytes], literals: Sequence[bytes] = ()) -> None:
        """``literals``: each stands between a line and the next."""
        self._lines = iter(lines)
        self._literals = iter(literals)
        self._line = next(self._lines)
        self._place = 0
        self._depth = 0

    def at(self, text: bytes) -> bool:
        return self._line.startswith(text, self._place)

    def skip(self, text: bytes) -> bool:
        """Go beyond a text, if it stands here."""
        if self.at(text):
            self._place += len(text)
            return True
        return False

    @property
    def over(self) -> bool:
        return self._place >= len(self._line)

    def rest(self) -> bytes:
        """What is left of the line, as text."""
        place, self._place = self._place, len(self._line)
        return self._line[place:]

    def atom(self, pattern: re.Pattern[bytes] = _ATOM) -> Atom:
        found = pattern.match(self._line, self._place)
        if found is None:
            raise BadResponse("an atom")
        self._place = found.end()
        return Atom(found[0])

    def value(self, pattern: re.Pattern[bytes] = _ATOM) -> Value:
        if self.skip(b"("):
            return self._list(pattern)
        if self.at(b'"'):
            return self._quoted()
        if self.at(b"{") or self.at(b"~{"):
            return self._literal()
        atom = self.atom(pattern)
        return None if atom.upper_case == b"NIL" else atom

    def values(self) -> tuple[Value, ...]:
        """All that is left, with spaces between."""
        return tuple(self._each(b""))

    def _each(self, end: bytes, pattern: re.Pattern[bytes] = _ATOM) -> Iterator[Value]:
        while not (self.skip(end) if end else self.over):
            if self.over:
                raise BadResponse("the end of a list")
            if not self.skip(b" "):
                yield self.value(pattern)

    def _list(self, pattern: re.Pattern[bytes]) -> tuple[Value, ...]:
        self._depth += 1
        if self._depth > DEEPEST:
            raise BadResponse("fewer lists inside lists")
        found = tuple(self._each(b")", pattern))
        self._depth -= 1
        return found

    def _quoted(self) -> bytes:
        found = _QUOTED.match(self._line, self._place)
        if found is None:
            raise BadResponse("the end of a quoted string")
        self._place = found.end()
        return _ESCAPED.sub(rb"\1", found[1])

    def _literal(self) -> bytes:
        literal, line = next(self._literals, None), next(self._lines, None)
        if literal is None or line is None or not _LITERAL.fullmatch(self._line, self._place):
            raise BadResponse("a literal")
        self._line, self._place = line, 0
        return literal

    def answer(self, status: bytes) -> Answer:
        """What stands behind OK and the like."""
        code: tuple[Value, ...] = ()
        self.skip(b" ")
        if self.skip(b"["):
            words = tuple(self._each(b"]", _CODE_ATOM))
            first = words[0] if words else b""
            code = (first.upper() if isinstance(first, bytes) else first, *words[1:])
            self.skip(b" ")
        text = self.rest().decode("utf-8", "replace")
        return Answer(status, code, "".join(c if c.isprintable() else "\ufffd" for c in text))


def status(reader: Reader) -> Answer:
    """The status of a tagged response, and what stands behind it."""
    name = reader.atom().upper_case
    if name not in _ANSWERS:
        raise BadResponse("OK, NO or BAD")
    return reader.answer(name)


def untagged(reader: Reader) -> Untagged:
    """What stands behind "* "."""
    first = reader.atom()
    count = None
    if first.isdigit():
        count = number(first)
        reader.skip(b" ")
        first = reader.atom()
    name = first.upper_case
    if name in _ANSWERS:
        return Untagged(name, None, (), reader.answer(name))
    return Untagged(name, count, reader.values())
