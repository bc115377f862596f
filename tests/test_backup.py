"""Snapshots of an account that is in use: whole, cheap the second time, and never half."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

from moximap.store import backup, backup_taking, checking
from moximap.store.account import Account
from moximap.store.backup_snapshots import Snapshot, snapshots
from moximap.store.backup_taking import Taken, take
from moximap.store.errors import Cannot, NoSpace, NoSuchAccount
from moximap.store.interfaces import NewMessage
from moximap.store.restoring_source import Source
from tests.storecases import ALL, LARGE, MAIL, OnDisk, StoreCase

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


class BackupCase(StoreCase, OnDisk):
    def setUp(self) -> None:
        super().setUp()
        self.where = self.path.with_name(self.path.name + "-backup")

    def take(self, *names: str, **options: Any) -> Taken:
        return take(self.directory, self.where, names, **options)

    def large(self, snapshot: Snapshot) -> list[Path]:
        return sorted(snapshot.path.glob("accounts/*/large/*/*"))

    def saved(self, snapshot: Snapshot, name: str = "ann", mailbox: str = "INBOX") -> list[bytes]:
        """The messages of a mailbox in a snapshot."""
        home = snapshot.home(snapshot.account(name))
        with closing(Source(home / "mail.db", home / "large")) as source:
            found = []
            for saved in source.messages(source.mailbox(mailbox).id):
                with source.content(saved, self.account.spool) as content:
                    if not isinstance(content, bytes):
                        content.flush()
                        content = content.path.read_bytes()
                    found.append(content)
            return found

    def lose(self, path: Path) -> Path:
        path.unlink()
        return path


class BackupTests(BackupCase):
    def test_a_snapshot_has_all_messages_and_says_so(self) -> None:
        self.directory.add("bob")
        self.append(MAIL, LARGE)
        taken = self.take(verify=True)
        self.assertEqual(self.saved(taken.snapshot), [MAIL, LARGE])
        self.assertEqual(Snapshot.load(taken.snapshot.path), taken.snapshot)
        self.assertEqual([(a.name, a.messages, a.large) for a in taken.snapshot.accounts],
                         [("ann", 2, 1), ("bob", 0, 0)])
        self.assertTrue(taken.snapshot.complete)
        self.assertEqual(taken.snapshot.problems, ())

    def test_a_snapshot_is_plain_files_that_can_be_read_where_nothing_can_be_written(self) -> None:
        self.append()
        snapshot = self.take().snapshot
        names = {path.name for path in snapshot.path.rglob("*") if path.is_file()}
        self.assertEqual(names, {"snapshot.json", "directory.db", "mail.db"})
        self.saved(snapshot)
        self.assertEqual({path.name for path in snapshot.path.rglob("*") if path.is_file()}, names)

    def test_nobody_else_may_read_it(self) -> None:
        for path in [self.where, *self.take().snapshot.path.rglob("*.db"), *self.where.rglob("*/")]:
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_some_accounts_only_and_unknown_ones_not_at_all(self) -> None:
        self.directory.add("bob")
        snapshot = self.take("BOB").snapshot
        self.assertEqual([saved.name for saved in snapshot.accounts], ["bob"])
        self.assertFalse(snapshot.complete)
        self.assertRaises(NoSuchAccount, self.take, "carol")
        self.assertEqual(len(snapshots(self.where)), 1)

    def test_what_was_expunged_is_not_in_it(self) -> None:
        self.append(MAIL + b"gone for good", LARGE, flags=("\\Deleted",))
        self.account.expunge(self.inbox())
        snapshot = self.take(verify=True).snapshot
        self.assertEqual(snapshot.problems, ())
        self.assertEqual(self.large(snapshot), [])

    def test_a_message_that_goes_in_the_middle_is_still_in_it(self) -> None:
        self.append(MAIL, LARGE, flags=("\\Deleted",))
        back_up = Account.back_up

        def then_erase(account: Account, target: Path, progress: Any) -> None:
            back_up(account, target, progress)
            modseq = self.account.expunge(self.inbox()).modseq
            self.account.set_floor(modseq)
            self.assertEqual(self.account.erase(modseq), 0)
        self.patch(Account, "back_up", then_erase)
        snapshot = self.take(verify=True).snapshot
        self.assertEqual(snapshot.problems, ())
        self.assertEqual(self.saved(snapshot), [MAIL, LARGE])
        self.assertEqual(self.account.erase(self.account.mailboxes().modseq), 2)

    def test_an_account_in_full_use_gives_whole_snapshots(self) -> None:
        failures: list[BaseException] = []

        def use() -> None:
            try:
                for number in range(25):
                    with closing(self.directory.open("ann")) as account:
                        account.append("INBOX", [NewMessage(MAIL), NewMessage(LARGE + b"%d" % number)])
                        box = account.mailbox("INBOX").id
                        account.store(box, ALL, "+", ["\\Deleted", f"kw{number}"])
                        account.move(box, ALL, "Archive") if number % 3 else account.expunge(box)
                        account.erase(account.mailboxes().modseq)
            except BaseException as error:
                failures.append(error)
        thread = Thread(target=use)
        thread.start()
        taken = []
        while thread.is_alive() and len(taken) < 6:
            taken.append(self.take(verify=True))
        thread.join()
        self.assertEqual(failures, [])
        for one in taken:
            self.assertEqual(one.snapshot.problems, ())
            self.assertEqual(len(self.large(one.snapshot)), one.snapshot.accounts[0].large)

    def test_writers_do_not_make_the_copy_begin_anew(self) -> None:
        self.append(*[MAIL + b"x" * 4000] * 50)
        self.patch(backup, "PIECE", 5)
        copied: list[int] = []

        def write_too(octets: int) -> None:
            copied.append(octets)
            self.append()
        with closing(self.directory.open("ann")) as account:
            account.back_up(self.path / "copy.db", write_too)
        self.assertEqual(sum(copied), (self.path / "copy.db").stat().st_size)
        with closing(backup.read_only(self.path / "copy.db")) as copy:
            self.assertEqual(copy.execute("SELECT count(*) FROM message").get, 50)

    def test_an_account_that_is_removed_meanwhile_is_left_out(self) -> None:
        self.directory.add("bob")
        back_up = Account.back_up

        def remove(account: Account, target: Path, progress: Any) -> None:
            if account.name == "bob":
                self.directory.remove("bob")
                raise FileNotFoundError("gone")
            back_up(account, target, progress)
        self.patch(Account, "back_up", remove)
        snapshot = self.take().snapshot
        self.assertEqual([saved.name for saved in snapshot.accounts], ["ann"])
        self.assertEqual(snapshot.problems, ())

    def test_a_broken_account_is_told_and_does_not_keep_others_from_being_saved(self) -> None:
        self.directory.add("bob")
        (self.path / "accounts" / "bob" / "mail.db").write_bytes(b"no database" * 100)
        snapshot = self.take().snapshot
        self.assertEqual([saved.name for saved in snapshot.accounts], ["ann"])
        self.assertEqual(len(snapshot.problems), 1)
        self.assertIn("bob: ", snapshot.problems[0])

    def test_a_full_disk_leaves_no_snapshot(self) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "no space")
        self.patch(backup, "strip", full)
        self.assertRaises(NoSpace, self.take)
        self.assertEqual(os.listdir(self.where), [".open"])

    def test_a_directory_that_is_no_snapshot_is_not_taken_for_one(self) -> None:
        path = self.take().snapshot.path
        for text in ("", "{}", "[]", '{"format": 2}'):
            (path / "snapshot.json").write_text(text)
            self.assertRaises(Cannot, Snapshot.load, path)
        self.lose(path / "snapshot.json")
        self.assertEqual(snapshots(self.where), [])


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
