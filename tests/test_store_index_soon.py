"""The search index is brought up to date in the quiet after writes, a little at a time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from moximap.store.housework import BUSY_PAUSE, PAUSE, QUIET, Turn
from moximap.store.indexing_soon import HERE, OTHERS_PAUSE, PATIENCE, IndexHere, IndexSoon
from moximap.store.interfaces import NewMessage
from moximap.store.registry import OpenAccounts
from moximap.store.threads import DirectPool
from tests.indexcases import IndexCase
from tests.storecases import MAIL


class IndexSoonTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.turn = Turn(self.clock)
        self.counts: list[int | None | Deferred[int | None]] = []
        self.calls: list[float] = []
        self.failures: list[Failure] = []
        self.soon = self.another()

    def another(self) -> IndexSoon:
        account: Any = self
        return IndexSoon(account, IndexHere(self.call), self.failures.append, self.clock, self.turn)

    def call(self, index: object, limit: int) -> Deferred[int | None]:
        self.assertEqual((index, limit), (self.index, HERE.batch))
        self.calls.append(self.clock.seconds())
        count = self.counts.pop(0) if self.counts else 0
        return count if isinstance(count, Deferred) else succeed(count)

    def index(self, limit: int) -> None:
        """The account's own."""

    def write_for(self, seconds: float) -> None:
        for _ in range(int(seconds / 0.25)):
            self.turn.written = self.clock.seconds()
            self.soon.soon()
            self.clock.advance(0.25)

    def test_it_begins_in_the_quiet_after_writes(self) -> None:
        self.write_for(5)
        self.assertEqual(self.calls, [])
        self.clock.pump([0.25] * int(QUIET / 0.25))
        self.assertEqual(len(self.calls), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_is_due_at_whatever_moment_it_was_written(self) -> None:
        """Moments are rounded: the difference of two may be a little less than what lies between them."""
        waits: list[float] = []
        later = self.clock.callLater

        def counted(seconds: float, *call: Any) -> Any:
            waits.append(seconds)
            self.assertLess(len(waits), 1500, "it waits for nothing")
            return later(seconds, *call)

        self.patch(self.clock, "callLater", counted)
        for number in range(200):
            self.clock.rightNow = number * 1.1
            self.soon.soon()
            self.clock.pump([QUIET, 1e-6])
        self.assertEqual(len(self.calls), 200)

    def test_it_goes_on_until_there_is_nothing_to_do(self) -> None:
        self.counts = [64, 64, 3]
        self.soon.soon()
        self.clock.advance(QUIET)
        self.clock.pump([PAUSE[0]] * 10)
        self.assertEqual(len(self.calls), 4)

    def test_what_another_process_is_at_is_looked_at_again(self) -> None:
        self.counts = [None, None, 3]
        self.soon.soon()
        self.clock.pump([QUIET, OTHERS_PAUSE, OTHERS_PAUSE])
        self.assertEqual(len(self.calls), 3)
        self.clock.advance(PAUSE[0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_does_not_wait_for_ever_but_goes_slowly_while_others_write(self) -> None:
        self.counts = [64] * 1000
        self.write_for(PATIENCE + 10)
        self.assertGreater(len(self.calls), 10)
        self.assertGreaterEqual(self.calls[0], PATIENCE)
        self.assertGreaterEqual(self.calls[2] - self.calls[1], BUSY_PAUSE[0])

    def test_it_rests_as_long_as_it_works_and_longer_while_others_write(self) -> None:
        batches: list[Deferred[int]] = [Deferred() for _ in range(3)]
        self.counts = [*batches]
        self.soon.soon()
        self.clock.advance(QUIET)
        self.clock.advance(2)
        batches[0].callback(1)
        self.clock.advance(1.9)
        self.assertEqual(len(self.calls), 1)
        self.clock.advance(0.1)
        self.assertEqual(len(self.calls), 2)
        self.clock.advance(2)
        self.turn.written = self.clock.seconds()
        batches[1].callback(1)
        self.clock.advance(2 * BUSY_PAUSE[1] - 0.1)
        self.assertEqual(len(self.calls), 2)
        self.clock.advance(0.2)
        self.assertEqual(len(self.calls), 3)

    def test_a_write_during_the_last_batch_is_not_forgotten(self) -> None:
        last: Deferred[int] = Deferred()
        self.counts = [last]
        self.soon.soon()
        self.clock.advance(QUIET)
        self.soon.soon()
        last.callback(0)
        self.clock.advance(QUIET)
        self.assertEqual(len(self.calls), 2)

    def test_one_account_at_a_time_has_its_turn(self) -> None:
        first: Deferred[int] = Deferred()
        self.counts = [first]
        self.soon.soon()
        self.another().soon()
        self.clock.advance(QUIET)
        self.assertEqual(len(self.calls), 1)
        first.callback(0)
        self.assertEqual(len(self.calls), 2)

    def test_all_accounts_rest_while_one_of_them_is_written_to(self) -> None:
        first: Deferred[int] = Deferred()
        self.counts = [first, 64]
        self.soon.soon()
        self.another().soon()
        self.clock.advance(QUIET)
        self.clock.advance(2)
        self.turn.written = self.clock.seconds()
        first.callback(64)
        self.clock.advance(2 * BUSY_PAUSE[1] - 0.1)
        self.assertEqual(len(self.calls), 1)
        self.clock.advance(0.2)
        self.assertGreater(len(self.calls), 1)

    def test_a_failure_is_told_and_the_next_write_tries_again(self) -> None:
        broken: Deferred[int] = Deferred()
        self.counts = [broken]
        self.soon.soon()
        self.clock.advance(QUIET)
        broken.errback(OSError())
        self.assertEqual(len(self.failures), 1)
        self.soon.soon()
        self.clock.advance(QUIET)
        self.assertEqual(len(self.calls), 2)

    def test_stopped_it_does_no_more(self) -> None:
        self.counts = [64]
        self.soon.soon()
        self.clock.advance(QUIET)
        self.soon.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        waiting = self.another()
        busy: Deferred[bool] = Deferred()
        self.turn.ask(lambda: busy)
        waiting.soon()
        self.clock.advance(QUIET)
        waiting.stop()
        busy.callback(False)
        self.assertEqual(len(self.calls), 1)


class HousekeepingTests(IndexCase):
    def test_an_account_that_is_opened_and_written_to_is_indexed(self) -> None:
        self.append(MAIL, MAIL)
        clock = Clock()
        accounts = OpenAccounts(self.directory, DirectPool(), clock)
        account = self.successResultOf(Deferred.fromCoroutine(accounts.get("ann")))
        clock.pump([QUIET, PAUSE[0], PAUSE[0]])
        self.assertEqual(self.upto(), 2)
        self.successResultOf(account.write(account.store.append, "INBOX", [NewMessage(MAIL)]))
        self.assertEqual(self.upto(), 2)
        clock.pump([QUIET, PAUSE[0], PAUSE[0]])
        self.assertEqual(self.upto(), 3)
        for store in accounts.close_all():
            store.close()
        self.assertEqual(clock.getDelayedCalls(), [])
