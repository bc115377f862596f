"""What the search index holds of a message; of headers, it is asked for three characters at a time.

The law of this file: whatever a check of SEARCH finds in a message as a substring is a substring of
what is indexed, and every change that is made to the indexed text here is made to what is looked for.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from importlib.metadata import version
from typing import Final

from moximap.mail import digest, headers
from moximap.mail.collation import searchable
from moximap.store.checks import Message

#: Grows when the same message would be indexed differently.
VERSION: Final = 4
#: The shortest text that the index can be asked for.
GRAM: Final = 3
#: Octets of a header, and of text in a body, beyond which a message is not indexed.
LONGEST_HEAD: Final = 256 << 10
LONGEST_BODY: Final = 4 << 20

#: What stands between texts, and for characters that SQLite has no place for.
_STAND_IN: Final = "\ufffd"
#: Trigrams of one text that are asked for: more would cost time and exclude little.
_ENOUGH: Final = 24

_surrogates = re.compile("[\ud800-\udfff]").sub


def maker() -> str:
    """What an index is made by: with anything else of it another text may come out."""
    return "/".join(map(str, (VERSION, digest.VERSION, *sys.version_info[:2], unicodedata.unidata_version,
                              version("selectolax"))))


def fit(folded: str) -> str:
    """Folded text as SQLite can store it: character by character, so that substrings stay substrings."""
    try:
        folded.encode()
    except UnicodeEncodeError:               # nearly never, and slow to look for
        folded = _surrogates(_STAND_IN, folded)
    return folded.replace("\0", _STAND_IN)


def head_text(message: Message) -> str | None:
    """A header as a whole, and the values of its fields as far as they read differently alone.

    None where it is too long.
    """
    head = message.head
    if len(head) > LONGEST_HEAD:
        return None
    whole = message.header_text
    if head.isascii() and b"=?" not in head:
        return fit(whole)
    alone = [whole]
    for field in headers.split(head):
        alone.append(field.name.decode("latin-1").lower())
        value = searchable(headers.decode(headers.unfold(field.raw.partition(b":")[2])))
        if value not in whole:
            alone.append(value)
    return fit(_STAND_IN.join(alone))


def body_texts(message: Message) -> list[str] | None:
    """The folded texts of a message; None where they are too long."""
    fits = message.text_size(enough=LONGEST_BODY) <= LONGEST_BODY
    return [text.folded for text in message.texts()] if fits else None


def expression(needle: str) -> str:
    """An FTS5 query for texts that may have a fitted text."""
    grams = list(dict.fromkeys(needle[start:start + GRAM] for start in range(len(needle) - GRAM + 1)))
    chosen = grams[::-(-len(grams) // _ENOUGH)]
    return " ".join('"' + gram.replace('"', '""') + '"' for gram in chosen)
