"""Calls that are quick are made at once, in the reactor thread, as long as they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from select import select
from threading import Barrier, Event, current_thread
from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from moximap.store import threads
from moximap.store.threads import DISTRUST, MEANWHILE, SLOW, TOO_SLOW, Pool, stand_back


class QuickTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now, self.blocks = 0.0, 0
        self.elsewhere = 0
        self.pool = Pool(None)  # type: ignore[arg-type]
        self.patch(threads, "perf_counter", lambda: self.now)
        self.patch(threads, "getrusage", lambda who: SimpleNamespace(ru_inblock=self.blocks))
        self.patch(self.pool, "call", self.call)

    def call(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.elsewhere += 1
        return succeed(function(*args))

    def work(self, seconds: float, blocks: int) -> int:
        self.now += seconds
        self.blocks += blocks
        return blocks

    def quick(self, seconds: float, blocks: int) -> None:
        self.assertEqual(self.successResultOf(self.pool.quick(self.work, seconds, blocks)), blocks)

    def test_one_that_asked_the_disk_and_was_slow_sends_the_next_ones_through_threads(self) -> None:
        self.quick(2 * SLOW, 8)
        for _ in range(DISTRUST + 1):
            self.quick(0.0, 0)
        self.assertEqual(self.elsewhere, DISTRUST)

    def test_one_that_took_very_long_does_whatever_the_reason(self) -> None:
        self.quick(2 * TOO_SLOW, 0)
        self.quick(0.0, 0)
        self.assertEqual(self.elsewhere, 1)

    def test_one_that_waited_for_the_processor_is_not_blamed_for_what_others_read(self) -> None:
        self.quick(0.0, 8)
        self.quick(2 * SLOW, 0)
        self.quick(0.0, 0)
        self.assertEqual(self.elsewhere, 0)

    def test_what_is_done_at_once_is_given_or_raised_as_it_is_and_judged_like_any(self) -> None:
        self.assertEqual(self.pool.at_once(self.work, 0.0, 1), 1)
        self.assertRaises(TypeError, self.pool.at_once, self.work, 2 * TOO_SLOW, None)
        self.assertEqual(self.successResultOf(self.pool.at_once(self.work, 0.0, 2)), 2)
        self.assertEqual(self.elsewhere, 1)


@implementer(IReactorFromThreads)
class FromThreads(Clock):
    def callFromThread(self, function: Callable[..., Any], *args: Any) -> None:
        function(*args)


class MeanwhileTests(SynchronousTestCase):
    def test_what_a_call_asks_for_begins_a_moment_later(self) -> None:
        reactor, done = FromThreads(), []
        Pool(reactor).soon(lambda: done.append(reactor.seconds()))  # type: ignore[arg-type]
        self.assertEqual(done, [])
        reactor.advance(MEANWHILE)
        self.assertEqual(done, [MEANWHILE])


class WorkerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pool = Pool(mock.Mock(), size=2)
        self.addCleanup(self.pool.stopService)

    def answered(self, *calls: Deferred[Any]) -> list[Any]:
        """Their results, handed over as the reactor does when the eventfd can be read."""
        while not all(call.called for call in calls):
            select([self.pool.fileno()], [], [])
            self.pool.doRead()
        return [self.successResultOf(call) for call in calls]

    def test_what_finds_no_thread_free_waits_for_one_and_each_has_its_turn(self) -> None:
        go = Event()
        waiting = [self.pool.call(go.wait) for _ in range(2)]
        later = [self.pool.call(lambda number=number: number) for number in range(3)]
        self.assertTrue(self.pool.busy)
        go.set()
        self.assertEqual(self.answered(*waiting, *later), [True, True, 0, 1, 2])
        self.assertFalse(self.pool.busy)

    def test_who_was_busy_last_is_taken_first(self) -> None:
        both = Barrier(2, timeout=10)
        self.answered(self.pool.call(both.wait), self.pool.call(both.wait))
        names = [self.answered(self.pool.call(lambda: current_thread().name))[0] for _ in range(5)]
        self.assertEqual(len(set(names)), 1)

    def test_who_finishes_before_the_one_before_was_heard_need_not_ring(self) -> None:
        rung = mock.Mock(wraps=os.eventfd_write)
        with mock.patch("os.eventfd_write", rung):
            first = self.pool.call(int)
            select([self.pool.fileno()], [], [])
            second = self.pool.call(int)
            self.pool.stopService()
            self.assertEqual(rung.call_count, 1)
            self.assertEqual([self.successResultOf(call) for call in (first, second)], [0, 0])
            self.answered(self.pool.call(int))
            self.pool.stopService()
            self.assertEqual(rung.call_count, 2)

    def test_a_call_that_fails_gives_its_failure_and_its_thread_goes_on(self) -> None:
        self.pool = Pool(mock.Mock(), size=1)
        self.addCleanup(self.pool.stopService)
        bad = self.pool.call(int, "x")
        good = self.pool.call(int, "1")
        self.assertEqual(self.answered(good), [1])
        self.failureResultOf(bad, ValueError)

    def test_what_waits_when_the_service_stops_is_done_and_given(self) -> None:
        go = Event()
        calls = [self.pool.call(go.wait) for _ in range(5)]
        go.set()
        self.pool.stopService()
        self.assertEqual([self.successResultOf(call) for call in calls], [True] * 5)
        self.assertEqual(self.answered(self.pool.call(int)), [0])

    def test_what_these_results_lead_to_is_done_too(self) -> None:
        go = Event()
        calls = [self.pool.call(go.wait).addCallback(lambda _: self.pool.call(int, "7")) for _ in range(3)]
        calls.append(self.pool.call(go.wait).addCallback(lambda _: self.pool.halves(lambda: lambda: 7)))
        go.set()
        self.pool.stopService()
        self.assertEqual([self.successResultOf(call) for call in calls], [7] * 4)

    def test_its_threads_take_no_processor_from_those_who_compute(self) -> None:
        for policy, expected in ((os.SCHED_OTHER, [mock.call(0, os.SCHED_BATCH, os.sched_param(0))]), (os.SCHED_IDLE, [])):
            chosen = mock.Mock()
            self.patch(os, "sched_getscheduler", lambda of, policy=policy: policy)
            self.patch(os, "sched_setscheduler", chosen)
            stand_back()
            self.assertEqual(chosen.mock_calls, expected)

    def test_that_is_the_systems_business_and_none_of_the_reactors_thread(self) -> None:
        before = os.sched_getscheduler(0)
        [after] = self.answered(self.pool.call(os.sched_getscheduler, 0))
        self.assertEqual(after, os.SCHED_BATCH if before == os.SCHED_OTHER else before)
        self.assertEqual(os.sched_getscheduler(0), before)

    def test_where_the_system_does_not_let_them_choose_they_work_as_they_are(self) -> None:
        self.patch(os, "sched_setscheduler", mock.Mock(side_effect=PermissionError))
        stand_back()
        self.patch(os, "sched_setscheduler", None)
        del os.sched_setscheduler                  # as on a system that has none; put back with the patch
        stand_back()
        self.assertEqual(self.answered(self.pool.call(int)), [0])
