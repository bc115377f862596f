"""Memory that was needed for a while is given back, when what was expunged is erased, or all users have gone."""

from __future__ import annotations

import apsw
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from moximap.store import housework, memory, opened, registry
from moximap.store.housework import ERASE_DELAY, PAUSE, QUIET
from moximap.searchtree import TextHas
from moximap.store.interfaces import NewMessage
from moximap.store.registry import REST, OpenAccounts
from moximap.store.threads import DirectPool
from moximap.values import NumSet
from tests.indexcases import IndexCase
from tests.storecases import ALL, MAIL


class MemoryTests(IndexCase):
    def setUp(self) -> None:
        super().setUp()
        self.given: list[float] = []
        self.clock = Clock()
        self.patch(housework, "ERASE_BATCH", 1)
        for module in (opened, registry):
            self.patch(module, "give_back", lambda: self.given.append(self.clock.seconds()))
        self.accounts = OpenAccounts(self.directory, DirectPool(), self.clock)
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

    def pages(self) -> int:
        """Octets of the pages that the connections of the account have in memory."""
        store = self.opened.store
        connections = [store._writer._connection, *store._readers._idle, *store._index._idle]
        self.assertEqual(len(connections), 3)
        return sum(connection.status(apsw.SQLITE_DBSTATUS_CACHE_USED)[0] for connection in connections)

    def use(self) -> None:
        store = self.opened.store
        store.append("INBOX", [NewMessage(MAIL)] * 50)
        while store.index(50):
            pass
        found = store.search(self.inbox(), TextHas("there", True), ALL)
        self.assertEqual(len(found), store.mailbox("INBOX").messages)

    def test_an_account_that_nobody_uses_keeps_no_pages(self) -> None:
        self.use()
        another = self.successResultOf(Deferred.fromCoroutine(self.accounts.get("ann")))
        self.clock.advance(QUIET)
        used = self.pages()
        self.accounts.release(another)
        self.clock.advance(REST)
        self.assertEqual((self.pages(), self.given), (used, []))
        self.accounts.release(self.opened)
        self.clock.advance(REST)
        self.assertLess(self.pages(), used / 4)
        self.assertEqual(len(self.given), 1)
        self.successResultOf(Deferred.fromCoroutine(self.accounts.get("ann")))
        self.use()

    def test_who_comes_back_at_once_finds_it_as_it_was(self) -> None:
        self.use()
        used = self.pages()
        self.accounts.release(self.opened)
        self.successResultOf(Deferred.fromCoroutine(self.accounts.get("ann")))
        self.clock.advance(REST)
        self.assertEqual(self.pages(), used)

    def test_while_others_write_the_system_waits(self) -> None:
        self.use()
        self.accounts.release(self.opened)
        self.opened._turn.written = self.clock.seconds() + REST
        self.clock.advance(REST)
        self.assertEqual(self.given, [])

    def test_without_the_function_nothing_is_done(self) -> None:
        for name in ("_trim", "_option"):
            self.patch(memory, name, None)
        memory.give_back()
        memory.share_heap()

    def test_the_c_library_is_asked(self) -> None:
        asked: list[object] = []
        self.patch(memory, "_trim", asked.append)
        self.patch(memory, "_option", lambda *option: asked.append(option))
        memory.give_back()
        memory.share_heap()
        self.assertEqual(asked, [0, (-8, 1)])
