"""Random histories of three clients of two processes, against models of the account, the client and its
cache (RFC 9051, RFC 7162; CONTRACT 36 to 54, clients 8, 13, 14, 15, 22); with UIDONLY, NOTIFY and COMPRESS too
(RFC 9586, RFC 5465, RFC 4978).

MOXIMAP_MODEL_STEPS makes it longer; so does `python -m tests.modelling`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import partial

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests import beside
from tests.model_driver import VERBS, Orderly, Run, Step, play
from tests.model_races import Racing
from tests.model_ways import WAYS
from tests.modelling import cut_down, explore

#: Of those who speak in other ways; all of that is random, so it comes together over the runs of the suite.
FEWER = 4
STEPS = int(os.environ.get("MOXIMAP_MODEL_STEPS", "1000"))

histories = st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 2), st.integers(0, 1 << 16)), max_size=60)


def examples(kind: Callable[[], Run]) -> None:
    """Hypothesis finds short histories, and shortens what fails."""
    @settings(max_examples=30, deadline=None, database=None, print_blob=True,
              suppress_health_check=list(HealthCheck))
    @given(histories)
    def each(steps: list[Step]) -> None:
        play(steps, kind)
    each()


class ModelTests(SynchronousTestCase):
    kind: Callable[[], Run] = Orderly

    def test_every_short_history_is_told_as_it_was(self) -> None:
        examples(type(self).kind)

    def test_every_long_history_is_told_as_it_was(self) -> None:
        _, failed = explore(type(self).kind, random.SystemRandom().randrange(1 << 40), STEPS)
        self.assertIsNone(failed, failed)


class RaceTests(ModelTests):
    kind = Racing


class WaysCase(SynchronousTestCase):
    """The same with clients that speak in other ways."""

    def play(self, name: str) -> None:
        for kind in (Orderly, Racing):
            seed = random.SystemRandom().randrange(1 << 40)
            _, failed = explore(partial(kind, WAYS[name]), seed, STEPS // FEWER)
            self.assertIsNone(failed, failed)


class UidOnlyTests(WaysCase):
    def test_every_history_is_told_by_uids_only(self) -> None:
        """CONTRACT 55, 56."""
        self.play("uidonly")


class NotifyTests(WaysCase):
    def test_every_history_is_told_between_commands(self) -> None:
        """CONTRACT 57, 60, 61, 62: NOTIFY in place of IDLE."""
        self.play("notify")


class DeflateTests(WaysCase):
    def test_every_history_is_told_through_compress(self) -> None:
        """CONTRACT 68, 69: each client flushes in another way."""
        self.play("deflate")


class AllWaysTests(WaysCase):
    def test_every_history_is_told_in_all_three_ways_at_once(self) -> None:
        self.play("all")


class CuttingTests(SynchronousTestCase):
    def test_a_failing_history_is_cut_down_to_what_it_needs(self) -> None:
        steps = [("noop", number % 3, number) for number in range(50)]
        short = cut_down(steps, lambda some: {7, 31} <= {seed for _, _, seed in some})
        self.assertEqual([seed for _, _, seed in short], [7, 31])


test_suite = beside.suite(__name__)
