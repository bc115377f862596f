"""Reads that follow one another are done in the reactor thread while that is quick (moximap.store.series)."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from moximap.store import series
from moximap.store.series import SLOW, TURN
from moximap.store.threads import DirectPool, Pool


class SeriesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now, self.blocks = 1.0, 0
        self.elsewhere = 0
        self.clock = Clock()
        self.pool = Pool(self.clock)  # type: ignore[arg-type]
        self.patch(series, "perf_counter", lambda: self.now)
        self.patch(series, "getrusage", lambda who: SimpleNamespace(ru_inblock=self.blocks))
        self.patch(self.pool, "call", self.call)
        self.read = self.pool.series()

    def call(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.elsewhere += 1
        return execute(function, *args)

    def work(self, seconds: float = 0.0, blocks: int = 0) -> str:
        self.now += seconds
        self.blocks += blocks
        return "done"

    def reads(self, *args: Any) -> bool:
        """One read; whether it was done in a thread."""
        before = self.elsewhere
        reading = self.read(self.work, *args)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(reading), "done")
        return self.elsewhere > before

    def test_after_one_that_asked_no_disk_they_are_done_here(self) -> None:
        self.assertEqual([self.reads() for _ in range(4)], [True, False, False, False])

    def test_after_one_that_asked_the_disk_the_next_is_done_in_a_thread(self) -> None:
        self.assertEqual([self.reads(0.0, blocks) for blocks in (8, 8, 0, 8, 0, 0)],
                         [True, True, True, False, True, False])

    def test_one_that_was_slow_here_sends_the_rest_through_threads(self) -> None:
        self.assertEqual([self.reads(seconds) for seconds in (2 * SLOW, 2 * SLOW, 0.0, 0.0)],
                         [True, False, True, True])

    def test_nothing_is_done_here_while_a_thread_is_busy(self) -> None:
        self.reads()
        for busy in (True, False):
            self.patch(Pool, "busy", busy)
            self.assertEqual(self.reads(), busy)

    def test_others_have_their_turn(self) -> None:
        self.reads()
        for seconds in (TURN / 2, TURN, 0.0):
            reading = self.read(self.work, seconds)
            if seconds != TURN:
                self.assertNoResult(reading)       # the first here, and the first after a TURN
                self.clock.advance(0)
            self.assertEqual(self.successResultOf(reading), "done")
        self.assertEqual(self.elsewhere, 1)

    def test_one_series_is_here_at_a_time(self) -> None:
        other = self.pool.series()
        self.reads()
        self.successResultOf(other(self.work))
        waiting = self.read(self.work)
        self.assertEqual(self.successResultOf(other(self.work)), "done")
        self.assertEqual(self.elsewhere, 3)
        self.assertNoResult(waiting)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(waiting), "done")

    def test_who_gives_up_waiting_leaves_the_place_to_others(self) -> None:
        self.reads()
        waiting = self.read(self.work, 1.0)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.clock.advance(0)
        self.assertEqual(self.now, 1.0)
        self.assertFalse(self.reads())

    def test_failures_are_given(self) -> None:
        for _ in range(2):
            failing = self.read(self.work, "")
            self.clock.advance(0)
            self.failureResultOf(failing, TypeError)
            self.reads()

    def test_without_a_reactor_each_is_done_at_once(self) -> None:
        self.assertEqual(self.successResultOf(DirectPool().series()(self.work)), "done")
