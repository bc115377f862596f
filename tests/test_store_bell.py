"""The doorbell between processes."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
from math import inf
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from moximap.store.bell import DIRECTORY, Bell


class BellTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def bell(self) -> Bell:
        bell = Bell(self.path)
        self.addCleanup(bell.close)
        return bell

    def test_all_others_hear_and_who_rings_does_not(self) -> None:
        first, second, third = self.bell(), self.bell(), self.bell()
        first.ring("ann \u00e9", 7)
        self.assertEqual(second.drain(), [("ann \u00e9", 7)])
        self.assertEqual(third.drain(), [("ann \u00e9", 7)])
        self.assertEqual(first.drain(), [])
        self.assertEqual(second.drain(), [])

    def test_the_highest_modseq_of_an_account_is_told_once(self) -> None:
        first, second = self.bell(), self.bell()
        for modseq in (3, 5, 4):
            first.ring("ann", modseq)
        first.ring("bob", 1)
        self.assertEqual(second.drain(), [("ann", 5), ("bob", 1)])

    def test_who_has_not_listened_is_rung_again_only_where_that_matters(self) -> None:
        first, second, third = self.bell(), self.bell(), self.bell()
        first.ring("ann", 1, again=False)
        self.assertEqual(third.drain(), [("ann", 1)])
        first.ring("ann", 2, again=False)
        first.ring("bob", 1, again=False)
        self.assertEqual(second.drain(), [("ann", 1), ("bob", 1)])
        self.assertEqual(third.drain(), [("ann", 2), ("bob", 1)])
        first.ring("ann", 3, again=False)
        first.ring("ann", 4, again=True)
        self.assertEqual(second.drain(), [("ann", 4)])

    def test_a_board_tells_when_somebody_else_wrote(self) -> None:
        first, second = self.bell(), self.bell()
        with mock.patch("moximap.store.bell.monotonic_ns", lambda: 7_000_000_000):
            first.ring("ann", 1)
        with mock.patch("moximap.store.bell.monotonic_ns", lambda: 9_500_000_000):
            self.assertEqual(second.silent(), 2.5)
            self.assertEqual(first.silent(), 9.5)      # second has never written
        second.close()
        self.assertEqual(first.silent(), inf)

    def test_where_the_others_cannot_be_listed_those_known_before_are_asked(self) -> None:
        first, second = self.bell(), self.bell()
        first.ring("ann", 1)
        self.assertLess(second.silent(), inf)
        with mock.patch("moximap.store.bell.os.fstat", side_effect=OSError(errno.EIO, "")):
            self.assertLess(second.silent(), inf)
        self.bell()
        with mock.patch("moximap.store.bell.os.listdir", side_effect=OSError(errno.EMFILE, "")):
            self.assertLess(second.silent(), inf)

    def test_who_is_picky_is_rung_for_what_it_wants(self) -> None:
        first, second = self.bell(), Bell(self.path, picky=True)
        self.addCleanup(second.close)
        first.ring("ann", 1)
        second.want("ann")
        second.want("ann")
        first.ring("ann", 2)
        first.ring("bob", 2)
        self.assertEqual(second.drain(), [("ann", 2)])
        second.unwant("ann")
        first.ring("ann", 3)
        first.ring(DIRECTORY, 0)
        self.assertEqual(second.drain(), [("ann", 3), (DIRECTORY, 0)])
        second.unwant("ann")
        first.ring("ann", 4)
        self.assertEqual(second.drain(), [])
        first.ring_all()
        self.assertIsNone(second.drain())

    def test_who_dozes_is_rung_only_where_that_matters(self) -> None:
        first, second = self.bell(), Bell(self.path, picky=True)
        self.addCleanup(second.close)
        second.want("ann")
        second.want("bob")
        second.doze("ann")
        first.ring("ann", 1, again=False)
        first.ring("bob", 1, again=False)
        self.assertEqual(second.drain(), [("bob", 1)])
        first.ring("ann", 2, again=True)
        first.ring("ann", 3, again=False)
        self.assertEqual(second.drain(), [("ann", 2)])
        second.want("ann")                                # another account of the same place
        first.ring("ann", 4, again=False)
        second.unwant("ann")
        first.ring("ann", 5, again=False)
        self.assertEqual(second.drain(), [("ann", 4)])
        second.wake("ann")
        first.ring("ann", 6, again=False)
        self.assertEqual(second.drain(), [("ann", 6)])
        second.unwant("ann")
        first.ring("ann", 7, again=True)
        self.assertEqual(second.drain(), [])

    def test_one_of_another_version_is_rung_for_everything(self) -> None:
        second = self.bell()
        [board] = (path for path in self.path.iterdir() if not path.suffix)
        os.truncate(board, board.stat().st_size - 8)         # the last one had a place fewer
        first = self.bell()
        for modseq in (1, 2):
            first.ring("ann", modseq, again=False)
            ready, _, _ = select.select([second], [], [], 0)
            self.assertEqual(ready, [second])
            self.assertEqual(second._receive(), b"%d ann" % modseq)

    def test_a_board_has_its_place_on_the_disk(self) -> None:
        self.addCleanup(Bell(self.path, picky=True).close)
        [board] = (path for path in self.path.iterdir() if not path.suffix)
        self.assertGreater(board.stat().st_size, 0)
        self.assertGreaterEqual(board.stat().st_blocks * 512, board.stat().st_size)

    def test_one_that_found_the_disk_full_is_rung_for_everything(self) -> None:
        first = self.bell()
        for effect in ({"side_effect": OSError(errno.ENOSPC, "full")}, {"return_value": 4096}):
            with mock.patch("os.pwrite", **effect):
                second = Bell(self.path, picky=True)
            self.addCleanup(second.close)
            second.want("bob")
            for modseq in (1, 2):
                first.ring("ann", modseq, again=False)
                self.assertTrue(second.rung)
                self.assertEqual(second.drain(), [("ann", modseq)])
            second.ring("ann", 3)
            self.assertEqual(first.drain(), [("ann", 3)])

    def test_a_look_tells_whether_it_rang(self) -> None:
        first, second = self.bell(), self.bell()
        for ring in (lambda: first.ring("ann", 1), first.ring_all):
            self.assertFalse(second.rung)
            ring()
            self.assertTrue(second.rung)
            second.drain()

    def test_a_bell_that_was_lost_was_not_rung(self) -> None:
        first, second = self.bell(), self.bell()
        for account in range(2000):
            first.ring(str(account), 1, again=False)
        self.assertIsNone(second.drain())
        first.ring("1999", 2, again=False)
        self.assertEqual(second.drain(), [("1999", 2)])

    def test_a_bell_can_be_waited_for(self) -> None:
        first, second = self.bell(), self.bell()
        self.assertEqual(select.select([second], [], [], 0)[0], [])
        first.ring("ann", 1)
        self.assertEqual(select.select([second], [], [], 0)[0], [second])

    def test_a_lost_bell_makes_everything_stale_once(self) -> None:
        first, second = self.bell(), self.bell()
        for modseq in range(2000):
            first.ring("ann", modseq)
        self.assertIsNone(second.drain())
        self.assertEqual(second.drain(), [])
        first.ring("ann", 2001)
        self.assertEqual(second.drain(), [("ann", 2001)])

    def test_who_closed_is_not_rung_and_leaves_nothing(self) -> None:
        first, second = self.bell(), self.bell()
        second.close()
        self.assertEqual(len(list(self.path.iterdir())), 2)
        first.ring("ann", 1)
        self.bell().close()

    def test_what_a_killed_process_left_is_removed(self) -> None:
        code = ("import os, signal, sys; from pathlib import Path; from moximap.store.bell import Bell;"
                "bell = Bell(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)")
        for finder in ("ring", "open"):
            first = self.bell()
            ended = subprocess.run([sys.executable, "-c", code, str(self.path.resolve())],
                                   env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
            self.assertEqual(ended.returncode, -signal.SIGKILL)
            if finder == "ring":
                first.ring("ann", 1)
            else:
                self.bell().close()
            self.assertEqual(len(list(self.path.glob("*.sock"))), 1, finder)
            first.close()

    def test_a_long_path_is_no_hindrance(self) -> None:
        self.path = self.path / ("x" * 150)
        first, second = self.bell(), self.bell()
        first.ring("ann", 1)
        self.assertEqual(second.drain(), [("ann", 1)])
