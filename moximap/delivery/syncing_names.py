"""Names of another server's mailboxes, and what they become here."""

from __future__ import annotations

import unicodedata
from typing import Final

from moximap.client.listing import Listed
from moximap.store.names import INBOX, canonical

_NOT_HERE: Final = frozenset("/%*\u2028\u2029")


def here(listed: Listed, prefix: str) -> str:
    """The name here, with "/" between its parts.  ``prefix``: of the other server's personal namespace.

    What no name here can have becomes "_".  INBOX is INBOX; a mailbox that would be a second one, such
    as INBOX.INBOX behind the prefix "INBOX.", is below it.
    """
    name, level = listed.name, listed.separator
    if level and len(name) > 1:
        name = name.removesuffix(level)
    if name.upper() == INBOX:
        return INBOX
    inner = name[len(prefix):] if prefix and _begins(name, prefix) and len(name) > len(prefix) else name
    path = "/".join(map(_tidy, inner.split(level) if level else [inner]))
    if path.startswith("#"):
        path = "_" + path[1:]
    return f"{INBOX}/{path}" if path.upper() == INBOX else canonical(path)


def _begins(name: str, prefix: str) -> bool:
    size = len(INBOX)
    if prefix[:size].upper() == INBOX:
        return name[:size].upper() == INBOX and name[size:].startswith(prefix[size:])
    return name.startswith(prefix)


def _tidy(part: str) -> str:
    text = unicodedata.normalize("NFC", part)
    text = "".join("_" if c in _NOT_HERE or unicodedata.category(c) in ("Cc", "Cs") else c for c in text)
    return "_" * max(1, len(text)) if text in ("", ".", "..") else text
