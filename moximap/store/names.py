"""Names of mailboxes: what can be one (RFC 9051 5.1), and the case of INBOX."""

from __future__ import annotations

import unicodedata
from typing import Final

from moximap.store.errors import BadUse, Cannot

INBOX: Final = "INBOX"
MAX_NAME: Final = 1000
MAX_PART: Final = 255
MAX_DEPTH: Final = 50

#: Special uses that a mailbox can be given; those of RFC 6154 that are views of other mailboxes
#: (All, Flagged, Important) can't.
USES: Final = ("\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash")
_USES = {use.lower(): use for use in USES}

_FORBIDDEN = frozenset("%*\u2028\u2029")


def canonical(name: str) -> str:
    """The name with INBOX, alone or as the first part, in its one spelling."""
    first, slash, rest = name.partition("/")
    return INBOX + slash + rest if first.isascii() and first.upper() == INBOX else name


def clean(name: str) -> str:
    """The canonical form of a name that a mailbox can have; Cannot for others."""
    if not unicodedata.is_normalized("NFC", name):
        raise Cannot("mailbox names are in normal form C")
    if name.startswith("#"):
        raise Cannot("a mailbox name does not begin with #")
    if any(c in _FORBIDDEN or unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise Cannot("a mailbox name has no control characters, % or *")
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise Cannot("no part of a mailbox name is empty, . or ..")
    _check_length(name, parts)
    return canonical(name)


def _check_length(name: str, parts: list[str]) -> None:
    if len(parts) > MAX_DEPTH or len(name.encode()) > MAX_NAME:
        raise Cannot("the mailbox name is too long or too deep")
    if any(len(part.encode()) > MAX_PART for part in parts):
        raise Cannot("a part of the mailbox name is too long")


def parents(name: str) -> list[str]:
    """Names above a name, topmost first: a/b/c -> a, a/b."""
    return [name[:i] for i, c in enumerate(name) if c == "/"]


def clean_use(use: str) -> str:
    """A special use in its one spelling; BadUse."""
    try:
        return _USES[use.lower()]
    except KeyError:
        raise BadUse("that special use is not given to mailboxes") from None
