"""Calls that are quick are made at once, in the reactor thread, as long as they are."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from moximap.store import threads
from moximap.store.threads import DISTRUST, MEANWHILE, SLOW, TOO_SLOW, Pool


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
