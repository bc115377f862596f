"""A text as SEARCH looks into it: of an HTML document only where the document may say what is looked for.

The law of this file: a document is left unparsed only where it is certain that its text has not the
needle.  What the parser calls a text is made of runs of the document's characters, and two runs become
one where there was markup between them that it has no use for, or that it moved elsewhere.  So a word
of the text is in one run, or in several, the first of which ends and the next of which begins at markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property, lru_cache
from html import unescape
from typing import Final

from moximap.mail.collation import searchable, wholly_searchable
from moximap.mail.htmltext import html_text

#: So much of a needle is looked for before a document is parsed, if that is not longer than this.
_LONGEST: Final = 32
_LARGEST: Final = 1 << 20
#: A document with more beginnings of it than this, of different lengths, or with more brackets than this, is
#: parsed at once: whoever wrote it and asks, to look at each of them takes no longer than a few milliseconds.
_MOST: Final = 4
_BRACKETS: Final = 4000
#: What the parser leaves out in the midst of a text; what a run ends in other than markup; and where white
#: space goes elsewhere than the run after it.
_ODD: Final = ("\0", "<![cdata[", "<col")

#: Printable ASCII but for brackets, and letters of some alphabets: folding changes nothing about them.
_words = re.compile("[!-;=?-~\u0430-\u044f\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff]+").findall


class Searched:
    """The text of a part, or with ``html`` that of a document."""

    def __init__(self, source: str, html: bool = False) -> None:
        self._source = source
        self._html = html

    @cached_property
    def folded(self) -> str:
        return searchable(html_text(self._source) if self._html else self._source)

    def has(self, needle: str) -> bool:
        """Whether a folded needle is in it."""
        return not (self._html and self._lacks(_word(needle))) and needle in self.folded

    def _lacks(self, word: str) -> bool:
        """Whether it is certain without parsing that a word is not in it."""
        return self._spellings is not None and not any(_is_possible(word, one) for one in self._spellings)

    @cached_property
    def _spellings(self) -> list[str] | None:
        """The folded document, with its character references and without; None where one cannot judge."""
        if len(self._source) > _LARGEST:
            return None
        spellings = [wholly_searchable(self._source)]
        if "&" in self._source:
            spellings.append(wholly_searchable(unescape(self._source)))
        whole = [spelling for spelling in spellings if spelling is not None]
        odd = len(whole) < len(spellings) or any(mark in whole[0] for mark in _ODD)
        return None if odd else whole


def _is_possible(word: str, document: str) -> bool:
    """Whether a word is in a document, or may be in its text."""
    if word in document:
        return True
    if max(document.count("<"), document.count(">")) > _BRACKETS:
        return True
    beginnings = _beginnings(word)
    begun = {beginning for run in document.split("<")[:-1] for beginning in beginnings.get(run[-1:], ())
             if run.endswith(beginning)}
    return len(begun) > _MOST or any(_next_run(word[len(beginning):])(document) for beginning in begun)


@lru_cache(maxsize=8)
def _word(needle: str) -> str:
    """A word that a text with a needle has.

    It is without marks, which folding puts in another order, and controls, which `unescape` leaves out.
    """
    return max(_words(needle), key=len, default="")[:_LONGEST]


@lru_cache(maxsize=8)
def _beginnings(word: str) -> dict[str, list[str]]:
    """What a word begins with, not all of it, by the last character: what may stand just before markup."""
    found: dict[str, list[str]] = {}
    for length in range(1, len(word)):
        found.setdefault(word[length - 1], []).append(word[:length])
    return found


@lru_cache(maxsize=64)
def _next_run(rest: str) -> Callable[[str], object]:
    """What finds, just after markup, the rest of a word, or some of it that is just before markup again."""
    return re.compile(f">(?:{re.escape(rest)}|{_some(rest)}<)").search


def _some(word: str) -> str:
    """A pattern for what a word begins with, but not for all of it."""
    pattern = ""
    for character in reversed(word[:-1]):
        pattern = f"{re.escape(character)}(?:{pattern})?" if pattern else re.escape(character)
    return pattern or "(?!)"
