"""Memory that was needed for a while is given back when what was expunged is erased."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from moximap.store import housework, memory, opened
from moximap.store.housework import ERASE_DELAY, PAUSE
from moximap.store.registry import OpenAccounts
from moximap.store.threads import DirectPool
from moximap.values import NumSet
from tests.indexcases import IndexCase
from tests.storecases import MAIL


class MemoryTests(IndexCase):
    def setUp(self) -> None:
        super().setUp()
        self.given: list[float] = []
        self.clock = Clock()
        self.patch(housework, "ERASE_BATCH", 1)
        self.patch(opened, "give_back", lambda: self.given.append(self.clock.seconds()))
        self.accounts = OpenAccounts(self.directory, DirectPool().call, self.clock)
        self.opened = self.successResultOf(Deferred.fromCoroutine(self.accounts.get("ann")))
        self.account.set_floor(1 << 60)                 # the other opening reads nothing that is gone
        self.clock.advance(ERASE_DELAY)

    def tearDown(self) -> None:
        for store in self.accounts.close_all():
            store.close()

    def expunge(self, *uids: int) -> None:
        write, store = self.opened.write, self.opened.store
        self.successResultOf(write(store.store, self.inbox(), NumSet.of(uids), "+", ["\\Deleted"]))
        self.successResultOf(write(store.expunge, self.inbox()))

    def erase(self, busy: bool = False) -> None:
        self.clock.advance(ERASE_DELAY - 1)
        if busy:
            self.opened._turn.written = self.clock.seconds()
        self.clock.pump([1, *[PAUSE[0]] * 9])

    def test_it_is_given_back_when_much_was_erased(self) -> None:
        self.append(*[MAIL] * 5)
        self.expunge(1, 2, 3)
        self.erase()
        self.assertEqual(len(self.given), 1)
        self.erase()
        self.assertEqual(len(self.given), 1)

    def test_little_is_not_worth_it(self) -> None:
        self.patch(housework, "ERASE_BATCH", 50)
        self.append(*[MAIL] * 5)
        self.expunge(1, 2, 3)
        self.erase()
        self.assertEqual(len(self.rows("uid")), 2)
        self.assertEqual(self.given, [])

    def test_nobody_who_writes_is_held_up_for_it(self) -> None:
        self.append(*[MAIL] * 5)
        self.expunge(1, 2, 3)
        self.patch(housework, "BUSY_PAUSE", PAUSE)
        self.erase(busy=True)
        self.assertEqual(self.given, [])

    def test_without_the_function_nothing_is_done(self) -> None:
        self.patch(memory, "_trim", None)
        memory.give_back()

    def test_the_c_library_is_asked(self) -> None:
        asked: list[int] = []
        self.patch(memory, "_trim", asked.append)
        memory.give_back()
        self.assertEqual(asked, [0])
