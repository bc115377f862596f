"""What the messages of a mailbox are sorted by, kept in memory as ranks (RFC 5256, RFC 5957).

The law of this file: what a message is sorted by never changes, so ranks are kept for as long as there is
room, whatever happens to the mailbox; messages that are not there any more are only dead weight.  Used in
store threads.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress, islice
from threading import Lock
from typing import Any, Final, Literal

import attrs

from moximap.mail.collation import casemap
from moximap.store.interfaces import Column, IAccount
from moximap.values import NumSet

#: Octets that the keys of one mailbox may take, by estimate; those that were used last stay in any case.
ROOM: Final = 32 << 20
_PER_MESSAGE: Final = 12
_PER_TEXT: Final = 60
#: Values that one call sorts: no call shall keep other threads waiting for long.
_PIECE: Final = 8192
_FEW: Final = 16
#: Rows that are turned into columns together: of many the garbage collector would look at all of them.
_ROWS: Final = 500
#: Results that are kept, of different criteria.
_ORDERS: Final = 4

KeyName = Literal["arrival", "cc", "date", "from", "size", "subject", "to", "displayfrom", "displayto"]
#: Keys, the first one first, and whether each is reversed.
Criteria = tuple[tuple[KeyName, bool], ...]


@attrs.frozen
class _Source:
    """The columns that a key is made of, how the keys of many messages are made of them, and the key of a
    message without any."""

    columns: tuple[Column, ...]
    keys: Callable[..., Iterable[int | str]]
    nothing: int | str


def _as_they_are(values: Iterable[int]) -> Iterable[int]:
    return values


def _sent(sent: Iterable[int | None], arrived: Iterable[int]) -> list[int]:
    """The moments of the Date fields; INTERNALDATE where one tells none (RFC 5256 2.2)."""
    return [date if moment is None else moment for moment, date in zip(sent, arrived, strict=True)]


def _casemapped(texts: Sequence[str]) -> Iterable[str]:
    """Conversations have the same subject, and the same people, again and again."""
    known = {text: casemap(text) for text in {*texts}}
    return map(known.__getitem__, texts)


def _text(column: Column) -> _Source:
    return _Source((column,), _casemapped, "")


_SOURCES: Final[Mapping[KeyName, _Source]] = {
    "arrival": _Source(("date",), _as_they_are, 0), "size": _Source(("size",), _as_they_are, 0),
    "date": _Source(("sent_time", "date"), _sent, 0), "subject": _text("base_subject"),
    "from": _text("from_key"), "to": _text("to_key"), "cc": _text("cc_key"),
    "displayfrom": _text("from_display"), "displayto": _text("to_display"),
}


@attrs.frozen(eq=False)
class Ranks:
    """Of each of ``uids`` the place of its value among ``values``, which are distinct and ascending."""

    uids: array[int] = attrs.field(factory=lambda: array("I"))
    ranks: array[int] = attrs.field(factory=lambda: array("I"))
    values: list[Any] = attrs.field(factory=list)
    weight: int = 0

    def missing(self, uids: array[int]) -> array[int]:
        """Those that are not here, ascending."""
        if uids == self.uids:
            return array("I")
        return array("I", sorted(set(uids).difference(self.uids)))

    def of(self, uids: array[int]) -> Sequence[int]:
        """The ranks of some messages, all of them here, ascending."""
        if uids == self.uids:
            return self.ranks
        if len(uids) * _FEW < len(self.uids):
            return [self.ranks[bisect_left(self.uids, uid)] for uid in uids]
        return list(compress(self.ranks, map(set(uids).__contains__, self.uids)))

    def with_more(self, uids: array[int], values: Sequence[Any]) -> Ranks:
        """With some messages that are not here."""
        distinct = ascending({*self.values, *values})
        rank = dict(zip(distinct, range(len(distinct)), strict=True))
        moved = [rank[value] for value in self.values]
        ranks = array("I", [moved[old] for old in self.ranks])
        ranks.extend(rank[value] for value in values)
        everything = self.uids + uids
        if self.uids and uids and uids[0] < self.uids[-1]:
            merged = dict(sorted(zip(everything, ranks, strict=True)))
            everything, ranks = array("I", merged), array("I", merged.values())
        return Ranks(everything, ranks, distinct, _weight(everything, distinct))

    def within(self, uids: array[int]) -> Ranks:
        """Without the messages that are not among some."""
        kept = [*map(set(uids).__contains__, self.uids)]
        ranks = list(compress(self.ranks, kept))
        return Ranks().with_more(array("I", compress(self.uids, kept)), [self.values[rank] for rank in ranks])


def _weight(uids: array[int], values: Sequence[Any]) -> int:
    texts = sum(map(len, values)) if values and isinstance(values[0], str) else 0
    return len(uids) * _PER_MESSAGE + len(values) * _PER_TEXT + texts


def ascending(values: Iterable[Any]) -> list[Any]:
    """Sorted, in several steps that take turns with other threads."""
    unsorted = list(values)
    out: list[Any] = []
    for start in range(0, len(unsorted), _PIECE):
        out += sorted(unsorted[start:start + _PIECE])
    out.sort()                                    # it finds the pieces, and merges them
    return out


class SortKeys:
    """The keys of one mailbox, read when they are first asked for; in any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[KeyName, Ranks] = {}             # what was used last is last
        self._orders: dict[Criteria, tuple[array[int], array[int]]] = {}

    def order(self, account: IAccount, mailbox: int, criteria: Criteria, uids: array[int],
              living: array[int]) -> array[int]:
        """UIDs, given ascending, in the order of keys; what is equal stays ascending; blocks.

        ``living``: all messages of the mailbox.
        """
        before, after = self._orders.get(criteria, (None, uids))
        if before == uids:
            return after
        after = order(uids, [(self.ranks(account, mailbox, key, uids, living), reverse)
                             for key, reverse in criteria])
        with self._lock:
            self._orders.pop(criteria, None)
            for oldest in list(self._orders)[:1 - _ORDERS]:
                del self._orders[oldest]
            self._orders[criteria] = uids, after
        return after

    def ranks(self, account: IAccount, mailbox: int, key: KeyName, uids: array[int],
              living: array[int], above: object = None) -> Sequence[int]:
        """Of some messages: equal where their keys are, and in the keys' order; blocks.

        ``above``: a key that comes before all others; all are above 0 but that one.
        """
        with self._lock:
            known = self._known.pop(key, None) or Ranks()
            missing = known.missing(uids)
            if missing:
                if len(known.uids) > 2 * len(living) + _PIECE:
                    known = known.within(living)
                known = known.with_more(missing, _read(account, mailbox, _SOURCES[key], missing))
            self._known[key] = known
            self._make_room()
        ranks = known.of(uids)
        if above is None or known.values[:1] == [above]:
            return ranks
        return [rank + 1 for rank in ranks]

    def forget(self) -> None:
        """Everything; what is in use meanwhile stays whole."""
        self._known, self._orders = {}, {}

    def _make_room(self) -> None:
        while len(self._known) > 1 and sum(known.weight for known in self._known.values()) > ROOM:
            del self._known[next(iter(self._known))]


def _read(account: IAccount, mailbox: int, source: _Source, uids: array[int]) -> list[int | str]:
    """The keys of some messages, in their order.  One that is erased meanwhile sorts as one without keys."""
    keys: dict[Any, int | str] = {}
    rows = account.fetch(mailbox, NumSet.ascending(uids), ("uid", *source.columns))
    for found, *columns in in_columns(rows):
        keys.update(zip(found, source.keys(*columns), strict=True))
    if len(keys) == len(uids):
        return list(keys.values())
    return [keys.get(uid, source.nothing) for uid in uids]


def in_columns(rows: Iterator[tuple[object, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """The columns of some rows, and of some more until there are none."""
    while some := list(islice(rows, _ROWS)):
        yield list(zip(*some, strict=True))


def order(uids: array[int], keys: Sequence[tuple[Sequence[int], bool]]) -> array[int]:
    """UIDs, given ascending, by ranks and whether these are reversed; what is equal stays in its order."""
    places = list(range(len(uids)))
    for ranks, reverse in reversed(keys):
        places.sort(key=ranks.__getitem__, reverse=reverse)
    return array("I", map(uids.__getitem__, places))
