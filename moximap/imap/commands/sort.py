"""SORT and UID SORT (RFC 5256), with RETURN (ESORT, RFC 5267 section 3).

A row of the table ``sort`` is the name of the key that the store knows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from itertools import count

import attrs

from moximap.imap.commands.search import Search, parse_options
from moximap.imap.commands.search_answer import Found, Option, search
from moximap.imap.commands.search_program import parse_criteria
from moximap.imap.dialect import SELECTED, Capability, Extension, Spec
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.imap.waiting import Progress
from moximap.store.sortkeys import Criteria, KeyName


@attrs.frozen
class Sorted(Found):
    """A result whose UIDs are in the order that was asked for."""

    def numbers(self) -> array[int]:
        if self.uid:
            return self.uids
        assert self.view is not None
        everything = self.view.uids
        if everything and everything[-1] == len(everything):
            return self.uids
        return array("I", map(dict(zip(everything, count(1), strict=False)).__getitem__, self.uids))

    def listed(self, numbers: array[int]) -> bytes:
        """Only ascending runs are ranges (RFC 5267 3.2)."""
        out: list[bytes] = []
        first = last = numbers[0]
        for number in (*numbers[1:], 0):
            if number == last + 1:
                last = number
                continue
            out.append(b"%d" % first if first == last else b"%d:%d" % (first, last))
            first = last = number
        return b",".join(out)

    def told(self) -> array[int]:
        return array("I", sorted(super().told()))


@attrs.frozen
class Sort(Search):
    criteria: Criteria = ()

    def extended(self, session: Session) -> bool:
        return self.options is not None

    async def found(self, session: Session, options: tuple[Option, ...]) -> Found:
        view = session.selected
        uids = await self.find(session)
        with session.waiting(Progress()):
            uids = await session.call(view.image.sortkeys.order, session.account, view.mailbox.id,
                                      self.criteria, uids, view.uids)
        return Sorted(view, uids, self.uid, options)

    def plain(self, found: Found) -> Iterable[bytes]:
        return search(found, b"SORT")



def parse(uid: bool) -> Callable[[Cursor], Sort]:
    """sort = ["UID" SP] "SORT" [search-return-opts] SP sort-criteria SP search-criteria."""
    def parse(p: Cursor) -> Sort:
        p.sp()
        options = parse_options(p) if p.at(b"RETURN ") else None
        criteria: dict[KeyName, bool] = {}
        for key, reverse in p.list_of(lambda: _criterion(p)):
            criteria.setdefault(key, reverse)          # again, it would sort what is equal in it
        p.sp()
        return Sort(parse_criteria(p), options, uid, tuple(criteria.items()))
    return parse


def _criterion(p: Cursor) -> tuple[KeyName, bool]:
    """sort-criterion = ["REVERSE" SP] sort-key."""
    reverse = p.at(b"REVERSE ")
    key: KeyName = p.row("sort", "sort key")
    return key, reverse


EXTENSION = Extension(
    name="SORT", rfcs=(5256, 5267),
    capabilities=(Capability(b"SORT"), Capability(b"ESORT")),
    commands={b"SORT": Spec(parse(uid=False), SELECTED, tells=False, numbered=True, capability=b"SORT"),
              b"UID SORT": Spec(parse(uid=True), SELECTED, may_expunge=False, capability=b"SORT")},
    sort={b"ARRIVAL": "arrival", b"CC": "cc", b"DATE": "date", b"FROM": "from", b"SIZE": "size",
          b"SUBJECT": "subject", b"TO": "to"},
)
