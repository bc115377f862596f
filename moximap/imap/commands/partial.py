"""PARTIAL: results of a search, and messages of a UID FETCH, page by page (RFC 9394)."""

from __future__ import annotations

import re
from array import array

import attrs

from moximap.imap.commands.fetch import Fetch
from moximap.imap.commands.search_answer import Found, Option
from moximap.imap.dialect import Capability, Extension
from moximap.imap.errors import Bad
from moximap.imap.fetching import IFetchItem
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.values import MAX_UID, NumSet

#: partial-range = nz-number ":" nz-number / "-" nz-number ":" "-" nz-number
_RANGE = re.compile(rb"(-?)([1-9]\d{0,9}):(-?)([1-9]\d{0,9})(?=[ )])")


@attrs.frozen
class Page:
    """The ``low``-th to the ``high``-th of some messages, counted from 1, or ``backwards`` from the last.

    ``written``: as the client wrote it.
    """

    low: int
    high: int
    backwards: bool
    written: bytes = attrs.field(eq=False)

    def of(self, messages: array[int]) -> array[int]:
        """Those that are there."""
        if not self.backwards:
            return messages[self.low - 1:self.high]
        count = len(messages)
        return messages[max(0, count - self.high):max(0, count - self.low + 1)]

    @classmethod
    def parse(cls, p: Cursor) -> Page:
        """SP partial-range."""
        p.sp()
        found = p.match(_RANGE, "partial-range")
        first, last = sorted((int(found[2]), int(found[4])))
        if found[1] != found[3] or last > MAX_UID:
            raise Bad("a partial range counts from one end only, and to 4294967295 at most")
        return cls(first, last, bool(found[1]), found[0])


@attrs.frozen
class Partial(Option):
    """RETURN (PARTIAL range)."""

    page: Page
    lists = True

    def item(self, found: Found) -> bytes:
        """A page on which nothing is has a NIL."""
        numbers = self.page.of(found.numbers())
        results = found.listed(numbers) if numbers else b"NIL"
        return b"PARTIAL (%b %b)" % (self.page.written, results)

    def messages(self, found: Found) -> array[int]:
        return self.page.of(found.uids)


@attrs.frozen
class PartialModifier:
    """UID FETCH ... (PARTIAL range): a page of the messages that the command names."""

    page: Page
    items: tuple[IFetchItem, ...] = ()

    def check(self, session: Session, fetch: Fetch) -> None:
        if not fetch.messages.uid:
            raise Bad("PARTIAL is for UID FETCH")

    async def narrow(self, session: Session, fetch: Fetch, uids: array[int]) -> array[int]:
        """The page is made before any other modifier, wherever it is written (RFC 9394 3.4)."""
        return NumSet.ascending(self.page.of(fetch.messages.resolve(session))).within(uids)


EXTENSION = Extension(
    name="PARTIAL", rfcs=(9394,),
    capabilities=(Capability(b"PARTIAL"),),
    search_returns={b"PARTIAL": lambda p: Partial(Page.parse(p))},
    fetch_modifiers={b"PARTIAL": lambda p: PartialModifier(Page.parse(p))},
)
