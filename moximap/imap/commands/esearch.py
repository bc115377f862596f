"""ESEARCH: the RETURN options MIN, MAX, ALL and COUNT (RFC 4731, RFC 9051 6.4.4).

With nothing found MIN, MAX and ALL say nothing.
"""

from __future__ import annotations

from array import array

import attrs

from moximap.imap.commands.search_answer import Found, Option
from moximap.imap.dialect import Capability, Extension


@attrs.frozen
class Min(Option):
    def item(self, found: Found) -> bytes | None:
        return b"MIN %d" % found.number(found.uids[0]) if found.uids else None

    def messages(self, found: Found) -> array[int]:
        return found.uids[:1]


@attrs.frozen
class Max(Option):
    def item(self, found: Found) -> bytes | None:
        return b"MAX %d" % found.number(found.uids[-1]) if found.uids else None

    def messages(self, found: Found) -> array[int]:
        return found.uids[-1:]


@attrs.frozen
class All(Option):
    lists = True

    def item(self, found: Found) -> bytes | None:
        return b"ALL %b" % found.sequence() if found.uids else None


@attrs.frozen
class Count(Option):
    def item(self, found: Found) -> bytes:
        return b"COUNT %d" % len(found.uids)


EXTENSION = Extension(
    name="ESEARCH", rfcs=(4731, 9051),
    capabilities=(Capability(b"ESEARCH"),),
    search_returns={b"MIN": lambda p: Min(), b"MAX": lambda p: Max(),
                    b"ALL": lambda p: All(), b"COUNT": lambda p: Count()},
)
