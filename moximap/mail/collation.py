"""What texts are compared by: i;unicode-casemap, and for SEARCH more than that (RFC 5051, RFC 5255).

The law of this file: time and memory are in proportion to a text, whoever wrote it.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import groupby
from typing import Final
from unicodedata import combining, decomposition, normalize

#: Characters that are folded at once, more or less, and how much longer they may become then.
_PIECE: Final = 1 << 14
_LONGER: Final = 3
#: More marks than this on one letter are put in order here: normalize() takes the square of their number.
_MARKS: Final = 32


def casemap(text: str) -> str:
    """What two strings are compared by, code point by code point: each character in its simple title case,
    then decomposed."""
    if text.isascii():
        return text.upper()
    return _decomposed("".join(map(_titlecase, text)))


@lru_cache(maxsize=4096)
def _titlecase(character: str) -> str:
    """The simple mapping: one that is to several characters is another one, and not of this collation."""
    title = character.title()
    return title if len(title) == 1 else character


def searchable(text: str) -> str:
    """What a search looks for, as a substring, and looks into; ASCII in lower case.

    It makes equal whatever `casemap` makes equal, and what str.casefold does: ß and ss, Ǆ and dž.
    """
    if text.isascii():
        return text.lower()
    return "".join([_folded(piece) or piece.casefold() for piece in _pieces(text)])


def wholly_searchable(text: str) -> str | None:
    """`searchable`, except that it is None where some of the text would be left as it is."""
    if text.isascii():
        return text.lower()
    pieces = list(map(_folded, _pieces(text)))
    return None if None in pieces else "".join(filter(None, pieces))


def _folded(text: str) -> str | None:
    """None: it would become too long, as ligatures of whole sentences do, which are no text."""
    # Of all letters ı alone has a title case, I, that its case folding does not tell of.
    folded = _decomposed(text).casefold().replace("ı", "i")
    return folded if len(folded) <= max(_LONGER * len(text), _PIECE) else None


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces, none of which begins with a mark."""
    start = 0
    while start < len(text):
        end = start + _PIECE
        while end < len(text) and _is_mark(text[end]):
            end += 1
        yield text[start:end]
        start = end


def _decomposed(text: str) -> str:
    """In Unicode's form NFKD."""
    if _a_mark().search(text[::_MARKS]):     # so many in a row have one of them at such a place
        text = _many_marks().sub(_in_order, text)
    return normalize("NFKD", text)


def _in_order(run: re.Match[str]) -> str:
    """The marks of a letter by their classes, as normalize() would have them."""
    decomposed = "".join([normalize("NFKD", character) for character in run[0]])
    return "".join([character for _, marks in groupby(decomposed, lambda character: combining(character) > 0)
                    for character in sorted(marks, key=combining)])


@cache
def _a_mark() -> re.Pattern[str]:
    """A mark; of characters above U+FFFF any will do, whose ranges are slow to match."""
    marks = "".join([chr(code) for code in range(0x300, 0x10000) if _is_mark(chr(code))])
    return re.compile(f"[{marks}\U00010000-\U0010ffff]")


@cache
def _many_marks() -> re.Pattern[str]:
    """So many marks in a row."""
    return re.compile(f"{_a_mark().pattern}{{{_MARKS},}}")


def _is_mark(character: str) -> bool:
    """Whether it becomes one or more marks that belong to the letter before."""
    if combining(character):
        return True
    return decomposition(character) != "" and combining(normalize("NFKD", character)[0]) > 0
