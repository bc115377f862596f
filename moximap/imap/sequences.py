"""Sequence sets as a client writes them (RFC 9051 section 9, sequence-set)."""

from __future__ import annotations

from moximap.imap.errors import Bad
from moximap.values import MAX_UID

#: Ranges as written; an end may be None, that is "*".
Sequence_ = tuple[tuple["int | None", "int | None"], ...]


def parse_sequence(raw: bytes) -> Sequence_:
    """A sequence-set whose syntax was matched; 0 is Bad."""
    if raw.isdigit():
        number = _seq_number(raw)
        return ((number, number),)
    out = []
    for item in raw.split(b","):
        first, colon, last = item.partition(b":")
        low = _seq_number(first)
        out.append((low, _seq_number(last) if colon else low))
    return tuple(out)


def _seq_number(raw: bytes) -> int | None:
    if raw == b"*":
        return None
    value = int(raw) if len(raw) < 12 else MAX_UID + 1
    if not 0 < value <= MAX_UID:
        raise Bad("syntax error: message numbers are from 1 to 4294967295")
    return value
