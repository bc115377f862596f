"""SAVEDATE: when a message was saved in its mailbox, to fetch and to search for (RFC 8514)."""

from __future__ import annotations

from moximap.imap import encoding
from moximap.imap.commands.search_keys import constant, dated
from moximap.imap.dialect import Capability, Extension
from moximap.imap.fetching import Field
from moximap.searchtree import HasSaveDate


def save_date(seconds: int | None) -> bytes:
    """date-time / nil; in UTC, which is what the search keys take for the day."""
    return b"NIL" if seconds is None else encoding.internaldate(seconds, 0)


SAVEDATE = Field(b"SAVEDATE %b", ("saved",), save_date)

EXTENSION = Extension(
    name="SAVEDATE", rfcs=(8514,),
    capabilities=(Capability(b"SAVEDATE"),),
    fetch={b"SAVEDATE": lambda p: SAVEDATE},
    search={b"SAVEDBEFORE": dated("saved", "<"), b"SAVEDON": dated("saved", "="),
            b"SAVEDSINCE": dated("saved", ">="), b"SAVEDATESUPPORTED": constant(HasSaveDate())},
)
