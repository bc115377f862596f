"""Columns that are made of messages' headers, and what was made of them lately.

Several devices of one user ask the same of the same new mail.  A content never changes, and its number is
never given to another, so what was made of it stays right; only where a restoration has put right what a
disk had spoilt, what was made before may be given for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

#: Octets that are kept in a process, more or less.
ROOM: Final = 4 << 20
#: Values of more octets are not kept.
LONGEST: Final = 4096
#: What a value takes beside its octets, and what a column does.
OVERHEAD: Final = 200
COLUMN: Final = 2000


class IOfHead(Protocol):
    """A column that follows from the header.  Those that are equal, and hash alike, make the same."""

    def of_head(self, head: bytes) -> bytes: ...


class Made:
    """Values by account, column and content, in two generations: when the young one is full it becomes the
    old one, and what nobody asked for in the meantime is gone with that.

    For any thread: two that count at the same time may keep a value or two more.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._half = self._left = room // 2
        self._young: dict[object, dict[int, bytes]] = {}
        self._old: dict[object, dict[int, bytes]] = {}

    def maker(self, account: object, column: IOfHead,
              read: Callable[[int], bytes | None]) -> Callable[[int], bytes | None]:
        """What gives the column's value for a content, or None where ``read`` has no header of it.

        To be used for a few rows, then asked for anew.
        """
        key = account, column
        if key not in self._young:
            self._count(COLUMN)
        young, old = self._young.setdefault(key, {}), self._old.get(key, {})
        made = young.get

        def value(content: int) -> bytes | None:
            found = made(content)
            if found is None:
                found = old.get(content)
                if found is None:
                    head = read(content)
                    if head is None:
                        return None
                    found = column.of_head(head)
                if len(found) <= LONGEST:
                    young[content] = found
                    self._count(OVERHEAD + len(found))
            return found

        return value

    def _count(self, octets: int) -> None:
        self._left -= octets
        if self._left < 0:
            self._old, self._young, self._left = self._young, {}, self._half
