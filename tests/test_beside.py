"""The second process for tests: what it says is what became of them."""

from __future__ import annotations

from pathlib import Path
from unittest import TestCase, TestResult

from twisted.trial.runner import TestSuite
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.beside import Second, StandIn, claim, tell


class Example(TestCase):
    """Nothing that trial finds by itself."""

    def passes(self) -> None: ...

    def fails(self) -> None:
        self.assertEqual("one thing", "another")

    def breaks(self) -> None:
        raise OSError("no such thing")

    def skips(self) -> None:
        raise SkipTest("not today")


NAMES = [f"{__name__}.Example.{name}" for name in ("passes", "fails", "breaks", "skips")]


class SecondTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.second = Second.start(NAMES)
        self.addCleanup(self.second.end)

    def told(self, number: int) -> TestResult:
        """What a reporter hears in the first process."""
        result = TestResult()
        tell(Example("passes"), self.second.outcome(number), result)
        self.assertEqual(1, result.testsRun)
        return result

    def test_what_became_of_each_is_told(self) -> None:
        passed, failed, broken, skipped = map(self.told, range(4))
        self.assertEqual(([], [], []), (passed.failures, passed.errors, passed.skipped))
        self.assertIn("'one thing' != 'another'", failed.failures[0][1])
        self.assertIn("OSError: no such thing", broken.errors[0][1])
        self.assertEqual(["not today"], [reason for _, reason in skipped.skipped])

    def test_each_is_run_by_one_process(self) -> None:
        self.second.outcome(0)
        self.assertEqual([False] * 4, [claim(self.second.directory, number) for number in range(4)])

    def test_a_second_process_that_is_gone_is_told(self) -> None:
        self.second.process.kill()
        [(method, text)] = self.second.outcome(len(NAMES))
        self.assertEqual("addError", method)
        self.assertIn("ended before", text)


class StandInTests(SynchronousTestCase):
    def test_modules_of_as_many_tests_are_not_the_same_to_trial(self) -> None:
        one, another = (TestSuite([StandIn(Example(name), 0)]) for name in ("passes", "fails"))
        self.assertNotEqual(str(one), str(another))


class ClaimTests(SynchronousTestCase):
    def test_a_test_is_claimed_once(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        self.assertEqual([True, True, False], [claim(directory, number) for number in (1, 2, 1)])
