"""Search trees: what a search asks of a message, as frozen values (RFC 9051 6.4.4).

Sequence numbers are UIDs already; flags are names.
"""

from __future__ import annotations

from datetime import date
from typing import Literal, Union

import attrs

from moximap.values import NumSet


@attrs.frozen
class All:
    pass


@attrs.frozen
class And:
    terms: tuple[SearchTree, ...]


@attrs.frozen
class Or:
    left: SearchTree
    right: SearchTree


@attrs.frozen
class Not:
    term: SearchTree


@attrs.frozen
class InUids:
    uids: NumSet


@attrs.frozen
class HasFlag:
    """A system flag or a keyword, by name, in any case."""

    name: str


@attrs.frozen
class DateIs:
    """Compares a date, disregarding time and zone.

    ``which``: "internal" (INTERNALDATE), "sent" (the Date field), "saved" (RFC 8514; INTERNALDATE
    where a message has no save date).
    """

    which: Literal["internal", "sent", "saved"]
    how: Literal["<", "=", ">="]
    day: date


@attrs.frozen
class Within:
    """RFC 5032: YOUNGER (age of at most ``seconds``) or OLDER (at least)."""

    seconds: int
    younger: bool


@attrs.frozen
class SizeIs:
    how: Literal["<", ">"]
    size: int


@attrs.frozen
class HeaderHas:
    """A header field of that name exists and its decoded value contains ``text``, in any case."""

    name: str
    text: str


@attrs.frozen
class TextHas:
    """BODY (text of the parts), or TEXT (header as well), contains ``text``, in any case."""

    text: str
    header: bool


@attrs.frozen
class ModSeqIs:
    """RFC 7162: modseq of at least ``modseq``."""

    modseq: int


@attrs.frozen
class HasSaveDate:
    """RFC 8514 SAVEDATESUPPORTED: the message has a save date."""


@attrs.frozen
class IdIs:
    """RFC 8474: EMAILID or THREADID."""

    which: Literal["email", "thread"]
    id: str


SearchTree = Union[All, And, Or, Not, InUids, HasFlag, DateIs, Within, SizeIs, HeaderHas, TextHas,
                   ModSeqIs, HasSaveDate, IdIs]
