"""tests/server.py itself: missing programs, programs that fail or hang, processes that will not end."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from moximap import testing
from tests.server import Child, needs, ports_in, run

HERE = Path(__file__).parent
STUBBORN = ("import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
            "print('ready', flush=True); signal.pause()")


class NeedsTests(SynchronousTestCase):
    """A test that cannot run is told at home and fails where nobody would read it."""

    def set_ci(self, value: str) -> None:
        self.patch(os, "environ", {**os.environ, "CI": value})

    def test_a_missing_program_skips_the_test(self) -> None:
        self.set_ci("")
        with self.assertRaisesRegex(SkipTest, "no-such-program"):
            needs("sh", "no-such-program")

    def test_a_missing_program_fails_the_test_under_ci(self) -> None:
        self.set_ci("true")
        with self.assertRaisesRegex(AssertionError, "no-such-program"):
            needs("sh", "no-such-program")

    def test_what_is_there_is_enough(self) -> None:
        needs("sh")


class ProcessTests(SynchronousTestCase):
    """Nothing outlives its test, and what went wrong is told."""

    def child(self, program: str) -> Child:
        child = Child.start(sys.executable, "-c", program, directory=HERE)
        self.addCleanup(child.stop)
        return child

    def test_a_process_that_ignores_the_wish_is_killed(self) -> None:
        self.patch(testing, "STOP_SECONDS", 0.05)
        child = self.child(STUBBORN)
        child.wait_until(lambda lines: "ready\n" in lines)
        child.stop()
        self.assertEqual(-signal.SIGKILL, child.process.returncode)

    def test_one_that_ends_before_it_is_ready_is_told_with_all_that_it_said(self) -> None:
        child = self.child("import sys; print('one'); sys.exit('two')")
        with self.assertRaisesRegex(AssertionError, "(?s)did not get ready.*two"):
            child.wait_until(lambda lines: "ready\n" in lines)
        self.assertIn("one", child.said)

    def test_a_program_that_fails_is_told_with_what_it_said(self) -> None:
        with self.assertRaisesRegex(AssertionError, "(?s)ends with 3.*out.*err"):
            run("sh", "-c", "echo out; echo err >&2; exit 3")

    def test_a_program_that_hangs_is_told(self) -> None:
        with self.assertRaisesRegex(AssertionError, "hangs"):
            run(sys.executable, "-c", "import signal; signal.pause()", seconds=0.05)

    def test_ports_are_read_from_the_log(self) -> None:
        self.assertEqual({"imap": 1143, "imaps": 993}, ports_in(
            ["x [y#info] listening: imap on 127.0.0.1:1143\n", "x listening: imaps on [::1]:993\n", "other\n"]))
