"""What is made of headers is remembered, by content, and within bounds (moximap.store.made)."""

import apsw
import attrs
from twisted.trial.unittest import SynchronousTestCase

from moximap.store import fetching
from moximap.store.made import COLUMN, LONGEST, OVERHEAD, Made
from moximap.values import NumSet
from tests.storecases import ALL, OnDisk, StoreCase, one


@attrs.frozen
class Times:
    """A column: the header so many times; ``asked`` has the headers that it was made of."""

    count: int
    asked: list[bytes] = attrs.field(factory=list, eq=False)

    def of_head(self, head: bytes) -> bytes:
        self.asked.append(head)
        return head * self.count


class MadeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.column = Times(2)

    def value(self, made: Made, content: int, account: str = "ann") -> bytes | None:
        return made.maker(account, self.column, lambda number: b"%d " % number if number else None)(content)

    def test_a_value_is_made_once_for_each_account_and_content(self) -> None:
        made = Made()
        for account in "ann", "bob", "ann":
            self.assertEqual([self.value(made, content, account) for content in (1, 12, 1)],
                             [b"1 1 ", b"12 12 ", b"1 1 "])
        self.assertEqual(self.column.asked, [b"1 ", b"12 "] * 2)

    def test_what_has_no_header_has_no_value(self) -> None:
        self.assertIsNone(self.value(Made(), 0))

    def test_what_nobody_asks_for_goes_when_the_room_is_full(self) -> None:
        made = Made(2 * COLUMN + 8 * (OVERHEAD + 4))
        for content in 1, 2, 3, 4, 5, 1, 6, 7, 8, 9, 1, 2:
            self.value(made, content)
        self.assertEqual([int(head) for head in self.column.asked], [1, 2, 3, 4, 5, 6, 7, 8, 9, 2])

    def test_columns_without_values_go_too(self) -> None:
        made = Made(20 * COLUMN)
        for count in range(100):
            self.column = Times(count)
            self.assertIsNone(self.value(made, 0))
        self.assertLessEqual(len(made._young) + len(made._old), 22)

    def test_long_values_are_not_kept(self) -> None:
        made, self.column = Made(), Times(LONGEST)
        self.assertEqual(self.value(made, 1), self.value(made, 1))
        self.assertEqual(len(self.column.asked), 2)


class FetchTests(OnDisk, StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(fetching, "_MADE", Made())

    def test_sets_of_any_kind_give_the_same(self) -> None:
        self.append(*[b"A: %d\r\n\r\nbody" % number for number in range(300)])
        asked: list[bytes] = []
        for uids in ALL, NumSet(((1, 50),)), NumSet(((1, 300),)), NumSet.of(range(1, 300, 2)):
            rows = self.rows("uid", Times(2, asked), "content", "head", uids=uids)
            self.assertEqual([row[0] for row in rows], [uid for uid in range(1, 301) if uid in uids])
            for uid, value, content, head in rows:
                self.assertEqual((value, head), (b"A: %d\r\n\r\n" % (uid - 1) * 2, value[:len(head)]))
                self.assertEqual(content.read(0, content.size), head + b"body")
        self.assertEqual(len(asked), 300 + 300)           # ALL is too many to be remembered

    def test_a_copy_has_the_content_and_so_the_value(self) -> None:
        self.append(b"A: b\r\n\r\n")
        asked: list[bytes] = []
        self.account.copy(self.inbox(), ALL, "Sent")
        for name in "INBOX", "Sent":
            self.assertEqual(self.rows(Times(3, asked), uids=one(1), name=name), [(b"A: b\r\n\r\n" * 3,)])
        self.assertEqual(len(asked), 1)


class DamagedTests(OnDisk, StoreCase):
    sound = False

    def test_a_message_without_its_content_is_left_out(self) -> None:
        self.append(b"A: 1\r\n\r\n", b"A: 2\r\n\r\n")
        connection = apsw.Connection(str(self.home / "mail.db"))
        self.addCleanup(connection.close)
        connection.execute("DELETE FROM content WHERE id = 1")
        self.assertEqual(self.rows(Times(1), uids=NumSet(((1, 9),))), [(b"A: 2\r\n\r\n",)])
