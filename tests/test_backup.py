"""Snapshots of an account that is in use: whole, cheap the second time, and never half."""

from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

from moximap.store import backup
from moximap.store.account import Account
from moximap.store.backup_snapshots import Snapshot, snapshots
from moximap.store.backup_taking import Taken, take
from moximap.store.errors import Cannot, NoSpace, NoSuchAccount
from moximap.store.interfaces import NewMessage
from moximap.store.restoring_source import Source
from tests.storecases import ALL, LARGE, MAIL, OnDisk, StoreCase


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
