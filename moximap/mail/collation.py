"""The collation i;unicode-casemap, by which mail is sorted and threaded (RFC 5051, RFC 5256 section 7)."""

from functools import lru_cache
from unicodedata import normalize


def casemap(text: str) -> str:
    """What two strings are compared by, code point by code point: each character in its simple title case,
    then decomposed."""
    if text.isascii():
        return text.upper()
    return normalize("NFKD", "".join(map(_titlecase, text)))


@lru_cache(maxsize=4096)
def _titlecase(character: str) -> str:
    """The simple mapping: one that is to several characters is another one, and not of this collation."""
    title = character.title()
    return title if len(title) == 1 else character
