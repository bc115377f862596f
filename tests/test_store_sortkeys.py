"""Sort keys in memory, beside a plain sort of the same messages."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from functools import cmp_to_key
from random import Random
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from moximap.mail.collation import casemap
from moximap.store import sortkeys
from moximap.store.interfaces import IAccount
from moximap.store.sortkeys import Criteria, SortKeys
from moximap.values import NumSet

Row = dict[str, Any]
COLUMNS = {"arrival": "date", "size": "size", "subject": "base_subject", "from": "from_key", "to": "to_key",
           "cc": "cc_key", "displayfrom": "from_display", "displayto": "to_display"}


class Account:
    """Messages by UID, and how many were read."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.read = 0

    def fetch(self, mailbox: int, uids: NumSet, columns: Sequence[str]) -> Iterator[tuple[object, ...]]:
        for uid in uids:
            if uid in self.rows:
                self.read += 1
                yield tuple({**self.rows[uid], "uid": uid}[column] for column in columns)


def compared(row: Row, key: str) -> Any:
    if key == "date":
        return row["date"] if row["sent_time"] is None else row["sent_time"]
    value = row[COLUMNS[key]]
    return casemap(value) if isinstance(value, str) else value


def plainly_sorted(rows: dict[int, Row], uids: Sequence[int], criteria: Criteria) -> list[int]:
    """Two messages are compared key by key, then by UID (RFC 5256)."""
    def compare(first: int, second: int) -> int:
        for key, reverse in criteria:
            one, other = compared(rows[first], key), compared(rows[second], key)
            if one != other:
                return -1 if (one < other) is not reverse else 1
        return first - second
    return sorted(uids, key=cmp_to_key(compare))


def some_row(random: Random) -> Row:
    texts = ("", "a", "A", "b", "_", "é", "straße", "zz")
    return {"date": random.randrange(5), "sent_time": random.choice((None, 0, 1, 2, 9)),
            "size": random.randrange(4), **{name: random.choice(texts) for name in (
                "base_subject", "from_key", "to_key", "cc_key", "from_display", "to_display")}}


class SortKeysTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.account, self.keys = Account(), SortKeys()

    def order(self, uids: Sequence[int], *criteria: tuple[Any, bool]) -> list[int]:
        living = array("I", sorted(self.account.rows))
        return list(self.keys.order(cast(IAccount, self.account), 1, criteria, array("I", uids), living))

    def test_any_mailbox_is_sorted_as_a_plain_sort_has_it(self) -> None:
        for seed in range(40):
            random = Random(seed)
            self.setUp()
            uid = 0
            for _ in range(12):
                for _ in range(random.randrange(30)):
                    uid += random.choice((1, 1, 1, 7))
                    self.account.rows[uid] = some_row(random)
                for gone in random.sample(sorted(self.account.rows), len(self.account.rows) // 6):
                    del self.account.rows[gone]
                here = sorted(self.account.rows)
                some = sorted(random.sample(here, random.choice((len(here), len(here) // 2, len(here) // 20))))
                criteria = tuple((key, random.random() < 0.5)
                                 for key in random.sample([*COLUMNS, "date"], random.randint(1, 3)))
                self.assertEqual(self.order(some, *criteria),
                                 plainly_sorted(self.account.rows, some, cast(Criteria, criteria)))

    def test_a_message_is_read_once_for_a_key(self) -> None:
        self.account.rows = {uid: some_row(Random(uid)) for uid in range(1, 100)}
        self.order(range(40, 60), ("size", False))
        self.assertEqual(self.account.read, 20)
        self.order(range(1, 100), ("size", True))
        self.order(range(1, 100), ("size", False))
        self.assertEqual(self.account.read, 99)

    def test_what_takes_too_much_room_is_read_again(self) -> None:
        self.patch(sortkeys, "ROOM", 1000)
        self.account.rows = {uid: some_row(Random(uid)) for uid in range(1, 100)}
        for key in ("size", "subject", "size"):
            self.order(range(1, 100), (key, False), ("from", True), (key, True))
        self.assertGreater(self.account.read, 3 * 99)
        self.assertEqual(len(self.keys._known), 1)

    def test_many_messages_that_are_gone_are_left_out(self) -> None:
        self.patch(sortkeys, "_PIECE", 10)
        self.account.rows = {uid: some_row(Random(uid)) for uid in range(1, 100)}
        self.order(range(1, 100), ("subject", False))
        rows = {uid: self.account.rows[uid] for uid in range(80, 100)} | {100: some_row(Random(100))}
        self.account.rows = rows
        self.assertEqual(self.order(sorted(rows), ("subject", True)),
                         plainly_sorted(rows, sorted(rows), (("subject", True),)))
        self.assertEqual(list(self.keys._known["subject"].uids), sorted(rows))
        self.assertEqual(self.account.read, 100)

    def test_an_erased_message_sorts_as_one_without_keys(self) -> None:
        self.account.rows = {uid: some_row(Random(uid)) | {"base_subject": "x", "size": 5} for uid in (1, 3)}
        self.assertEqual(self.order([1, 2, 3], ("subject", False)), [2, 1, 3])
        self.assertEqual(self.order([1, 2, 3], ("size", True)), [1, 3, 2])
