"""A text as SEARCH looks into it: of an HTML document only where the document may say what is looked for.

The law of this file: a document is left unparsed only where it is certain that its text has not the
needle.  What the parser calls a text is made of runs of the document's characters, and two runs become
one where there was markup between them that it has no use for, or that it moved elsewhere.  So a word
of the text is in one run, or begins in one that ends where markup begins.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property, lru_cache
from html import unescape
from typing import Final

from moximap.mail.collation import searchable, wholly_searchable
from moximap.mail.htmltext import html_text

#: So much of a needle is looked for before a document is parsed.
_LONGEST: Final = 32
#: What the parser leaves out in the midst of a text, and what ends other than with markup.
_ODD: Final = ("\0", "<![cdata[")

_words = re.compile("[!-~]+").findall


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
        return not (self._html and self._lacks(*_sign(needle))) and needle in self.folded

    def _lacks(self, word: str, begins: Callable[[str], object]) -> bool:
        """Whether it is certain without parsing that a word is not in it."""
        return self._spellings is not None and not any(word in one or begins(one) for one in self._spellings)

    @cached_property
    def _spellings(self) -> list[str] | None:
        """The folded document, with its character references and without; None where one cannot judge."""
        spellings = [wholly_searchable(self._source)]
        if "&" in self._source:
            spellings.append(wholly_searchable(unescape(self._source)))
        whole = [spelling for spelling in spellings if spelling is not None]
        odd = len(whole) < len(spellings) or any(mark in whole[0] for mark in _ODD)
        return None if odd else whole


@lru_cache(maxsize=8)
def _sign(needle: str) -> tuple[str, Callable[[str], object]]:
    """A word that a text with a needle has, and what finds some of the word just before markup.

    It is of letters that folding leaves where they are, as it does not leave marks, and without controls,
    which `unescape` leaves out.
    """
    word = max(_words(needle), key=len, default="")[:_LONGEST]
    some = ""
    for character in reversed(word[:-1]):
        some = f"{re.escape(character)}(?:{some})?" if some else re.escape(character)
    return word, re.compile(f"{some}<" if some else "(?!)").search
