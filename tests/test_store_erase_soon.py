"""What was expunged is erased after a while, a little at a time, one account of a process after the other."""

from __future__ import annotations

from math import inf

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from moximap.store import housework
from moximap.store.housework import (BATCH_TIME, BUSY_PAUSE, ERASE_BATCH, ERASE_DELAY, LARGEST_BATCH,
                                     LONGEST_PAUSE, PAUSE, EraseSoon, Turn)
from moximap.values import NumSet
from tests.dialogue import DialogueCase


class EraseSoonTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.elsewhere = inf
        self.turn = Turn(self.clock, lambda: self.elsewhere)
        self.failures: list[Failure] = []
        self.more: list[bool | Deferred[bool]] = []
        self.calls: list[float] = []
        self.limits: list[int] = []
        self.soon = self.another()

    def another(self) -> EraseSoon:
        return EraseSoon(self.step, self.failures.append, self.clock, self.turn)

    def step(self, limit: int) -> Deferred[bool]:
        self.limits.append(limit)
        self.calls.append(self.clock.seconds())
        more = self.more.pop(0) if self.more else False
        return more if isinstance(more, Deferred) else succeed(more)

    def test_it_begins_after_a_while_and_goes_on_until_nothing_is_left(self) -> None:
        self.more = [True, True]
        self.soon.soon()
        self.clock.advance(1)
        self.soon.soon()
        self.clock.pump([ERASE_DELAY - 1, PAUSE[0], PAUSE[0]])
        self.assertEqual(len(self.calls), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_batches_grow_while_they_take_no_time_and_shrink_again(self) -> None:
        slow: list[Deferred[bool]] = [Deferred(), Deferred(), Deferred()]
        self.more = [*[True] * 6, *slow]
        self.soon.soon()
        self.clock.pump([ERASE_DELAY, *[PAUSE[0]] * 6])
        first = [ERASE_BATCH * 2 ** n for n in range(6)]
        self.assertEqual(self.limits, [*first, LARGEST_BATCH])
        for batch, seconds in zip(slow, (sum(BATCH_TIME) / 2, BATCH_TIME[1] * 1.1, 0.0), strict=True):
            self.clock.advance(seconds)
            batch.callback(batch is not slow[2])
            self.clock.advance(max(PAUSE[0], seconds))
        self.assertEqual(self.limits[6:], [LARGEST_BATCH, LARGEST_BATCH, LARGEST_BATCH // 2])
        self.soon.soon()
        self.clock.advance(ERASE_DELAY)
        self.assertEqual(self.limits[-1], ERASE_BATCH)

    def test_with_writes_going_on_batches_stay_small(self) -> None:
        self.more = [True] * 5
        self.elsewhere = 0.0
        self.soon.soon()
        self.clock.pump([ERASE_DELAY, *[BUSY_PAUSE[0]] * 2])
        self.elsewhere = inf
        self.clock.pump([BUSY_PAUSE[0], *[PAUSE[0]] * 2])
        self.assertEqual(self.limits, [ERASE_BATCH] * 4 + [ERASE_BATCH * 2, ERASE_BATCH * 4])

    def test_with_writes_going_on_it_rests_and_so_does_the_next_account(self) -> None:
        other = self.another()
        for each in (self.soon, other):
            each.soon()
        self.more = [True, True]
        self.clock.advance(ERASE_DELAY - 0.1)
        self.turn.written = self.clock.seconds()
        self.clock.advance(0.1)
        self.assertEqual(len(self.calls), 1)
        self.clock.pump([BUSY_PAUSE[0]])
        self.assertEqual(len(self.calls), 2)

    def test_writes_of_another_process_count_as_well(self) -> None:
        self.more = [True]
        self.soon.soon()
        self.elsewhere = 1.0
        self.clock.pump([ERASE_DELAY, PAUSE[0]])
        self.assertEqual(len(self.calls), 1)
        self.clock.advance(BUSY_PAUSE[0])
        self.assertEqual(len(self.calls), 2)

    def test_a_batch_that_had_to_wait_long_is_not_followed_by_a_rest_of_many_minutes(self) -> None:
        self.elsewhere = 0.0
        batch: Deferred[bool] = Deferred()
        self.more = [batch]
        for each in (self.soon, self.another()):
            each.soon()
        self.clock.pump([ERASE_DELAY, 60])
        batch.callback(False)
        self.clock.advance(LONGEST_PAUSE - 0.1)
        self.assertEqual(len(self.calls), 1)
        self.clock.advance(0.2)
        self.assertEqual(len(self.calls), 2)

    def test_accounts_that_have_more_to_do_take_turns_and_rest_between(self) -> None:
        names: list[str] = []

        def working(name: str) -> EraseSoon:
            return EraseSoon(lambda limit: succeed(bool(names.append(name) or len(names) < 4)),
                             self.failures.append, self.clock, self.turn)

        working("a").soon()
        self.clock.advance(PAUSE[0] / 2)
        working("b").soon()
        self.clock.advance(ERASE_DELAY - PAUSE[0] / 2)
        self.assertEqual("".join(names), "a")
        self.clock.pump([PAUSE[0]] * 4)
        self.assertEqual("".join(names), "aabab")      # b was not due when a asked again
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_account_waits_for_the_other(self) -> None:
        batch: Deferred[bool] = Deferred()
        self.more = [batch]
        for each in (self.soon, self.another()):
            each.soon()
        self.clock.advance(ERASE_DELAY)
        self.assertEqual(len(self.calls), 1)
        batch.callback(False)
        self.assertEqual(len(self.calls), 2)

    def test_what_is_expunged_meanwhile_is_erased_in_a_while_too(self) -> None:
        batch: Deferred[bool] = Deferred()
        self.more = [batch]
        self.soon.soon()
        self.clock.advance(ERASE_DELAY)
        self.soon.soon()
        batch.callback(False)
        self.assertEqual(len(self.calls), 1)
        self.clock.advance(ERASE_DELAY)
        self.assertEqual(len(self.calls), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_failure_is_told_and_the_next_one_tries_again(self) -> None:
        batch: Deferred[bool] = Deferred()
        self.more = [batch]
        self.soon.soon()
        self.clock.advance(ERASE_DELAY)
        batch.errback(OSError("full"))
        self.assertEqual([failure.type for failure in self.failures], [OSError])
        self.soon.soon()
        self.clock.advance(ERASE_DELAY)
        self.assertEqual(len(self.calls), 2)

    def test_stopped_it_does_no_more(self) -> None:
        self.soon.soon()
        self.soon.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ErasingTests(DialogueCase):
    def test_an_expunged_mailbox_is_erased_in_steps(self) -> None:
        self.patch(housework, "ERASE_BATCH", 3)
        self.fill(10)
        self.client().send(b"a SELECT INBOX\r\nb STORE 1:8 +FLAGS.SILENT (\\Deleted)\r\nc EXPUNGE\r\n")
        steps: list[int] = []
        [room] = self.site.accounts._open.values()
        erase = room.store.erase_some
        self.patch(room.store, "erase_some", lambda floor, limit: [steps.append(limit), erase(floor, limit)][1])
        self.clock.pump([ERASE_DELAY, *[1.0] * 20])
        self.assertEqual(steps, [3, 6])
        account = self.account()
        self.assertEqual(account.erase(account.mailboxes().modseq), 0)
        self.assertEqual(len(list(account.fetch(account.mailbox("INBOX").id, NumSet.merge([(1, 99)]), ["uid"]))), 2)
