"""The second snapshot and all others: what is linked, what is removed, and what a killed backup leaves."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from moximap.store import backup_taking, checking
from moximap.store.backup_snapshots import snapshots
from tests import beside
from tests.storecases import LARGE
from tests.test_backup import BackupCase

KILLED = """
import os, signal, sys
from pathlib import Path
from moximap.store import backup, backup_taking
from moximap.store.directory import Directory
def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[3] == "publish":
    backup_taking.publish = die
else:
    setattr(backup, sys.argv[3], die)
backup_taking.take(Directory(Path(sys.argv[1])), Path(sys.argv[2]))
"""


class IncrementalTests(BackupCase):
    def setUp(self) -> None:
        super().setUp()
        self.append(LARGE, LARGE + b"2")

    def elsewhere(self) -> None:
        """The backup is on another disk than the server's."""
        link = os.link

        def refused(source: Path, target: Path) -> None:
            if self.home in Path(source).parents:
                raise OSError(errno.EXDEV, "another disk")
            link(source, target)
        self.patch(os, "link", refused)

    def test_on_one_disk_large_messages_are_linked(self) -> None:
        snapshot = self.take().snapshot
        self.assertEqual({path.stat().st_ino for path in self.large(snapshot)},
                         {path.stat().st_ino for path in self.home.glob("large/*/*")})

    def test_on_another_disk_they_are_copied_once(self) -> None:
        self.elsewhere()
        first = self.take()
        self.append(LARGE + b"3")
        second, third = self.take(verify=True), self.take()
        inodes = [{path.stat().st_ino for path in self.large(taken.snapshot)} for taken in (first, second, third)]
        self.assertTrue(inodes[0] < inodes[1] == inodes[2])
        self.assertFalse(inodes[2] & {path.stat().st_ino for path in self.home.glob("large/*/*")})
        self.assertGreater(first.copied, 2 * len(LARGE))
        self.assertTrue(len(LARGE) < second.copied < 2 * len(LARGE))
        self.assertLess(third.copied, len(LARGE))

    def test_a_copy_of_another_size_is_not_linked_again(self) -> None:
        self.elsewhere()
        path = self.large(self.take().snapshot)[0]
        path.write_bytes(b"cut")
        self.assertEqual(self.take(verify=True).snapshot.problems, ())

    def test_a_disk_without_links_gets_copies(self) -> None:
        def refused(*_: object) -> None:
            raise OSError(errno.EPERM, "no links here")
        self.patch(os, "link", refused)
        self.take()
        self.assertEqual(self.take(verify=True).snapshot.problems, ())

    def test_what_the_server_has_lost_is_linked_from_the_last_snapshot(self) -> None:
        self.elsewhere()
        self.take()
        self.lose(next(self.home.glob("large/*/*")))
        self.assertEqual(self.take(verify=True).snapshot.problems, ())
        self.sound = False

    def test_a_lost_and_a_changed_file_are_told(self) -> None:
        changed, lost = self.home.glob("large/*/*")
        self.lose(lost)
        changed.write_bytes(changed.read_bytes()[::-1])
        self.assertEqual(len(self.take().snapshot.problems), 1)
        self.assertEqual(len(self.take(verify=True).snapshot.problems), 2)
        self.sound = False


class PruneTests(BackupCase):
    def names(self) -> list[Path]:
        return [snapshot.path for snapshot in snapshots(self.where)]

    def test_the_youngest_are_kept(self) -> None:
        first, second = self.take().snapshot.path, self.take().snapshot.path
        taken = self.take(keep=2)
        self.assertEqual(taken.pruned, (first,))
        self.assertEqual(self.names(), [second, taken.snapshot.path])

    def test_a_snapshot_of_one_account_does_not_stand_for_one_of_all(self) -> None:
        whole = self.take().snapshot.path
        one = self.take("ann", keep=1)
        self.assertEqual(one.pruned, ())
        self.assertEqual(self.take("ann", keep=1).pruned, (one.snapshot.path,))
        self.assertIn(whole, self.names())
        self.assertEqual(len(self.take(keep=1).pruned), 2)

    def test_a_snapshot_with_problems_stands_for_none(self) -> None:
        good = self.take().snapshot.path
        self.patch(checking, "check_copy", lambda *_: ["something is wrong"])
        self.take(keep=1)
        self.take(keep=1)
        self.assertIn(good, self.names())

    def test_what_is_no_snapshot_is_not_touched(self) -> None:
        self.take()
        for name in ("notes", "20200101T000000Z"):
            (self.where / name).mkdir()
        self.take(keep=1)
        self.assertEqual(len([path for path in self.where.iterdir() if path.is_dir()]), 4)


class KilledTests(BackupCase):
    def test_a_killed_backup_leaves_nothing_that_looks_whole(self) -> None:
        self.append(LARGE)
        path = os.pathsep.join(entry for entry in sys.path if entry)
        for where in ("place", "publish"):
            ended = subprocess.run(
                [sys.executable, "-c", KILLED, str(self.path.resolve()), str(self.where.resolve()), where],
                env={**os.environ, "PYTHONPATH": path})
            self.assertEqual(ended.returncode, -signal.SIGKILL)
            self.assertEqual(snapshots(self.where), [])
            self.assertEqual(len([name for name in os.listdir(self.where) if name.startswith(".draft")]), 1)
        snapshot = self.take(verify=True).snapshot
        self.assertEqual(snapshot.problems, ())
        self.assertEqual(sorted(os.listdir(self.where)), [".open", snapshot.path.name])

    def test_two_backups_at_once_do_not_meet(self) -> None:
        publish = backup_taking.publish

        def and_another(*arguments: Any) -> Path:
            self.patch(backup_taking, "publish", publish)
            self.take()
            return publish(*arguments)
        self.patch(backup_taking, "publish", and_another)
        self.take()
        self.assertEqual(len(snapshots(self.where)), 2)
        shutil.rmtree(self.where)


test_suite = beside.suite(__name__)
