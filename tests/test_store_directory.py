"""directory.db: accounts, their names, and additions and removals that are cut off."""

from __future__ import annotations

import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from moximap.store import account as mail
from moximap.store import directory as module
from moximap.store import errors
from moximap.store.directory import Directory
from moximap.store.interfaces import Verifier

VERIFIER = Verifier("SCRAM-SHA-256", b"salt", 4096, b"stored", b"server")


class DirectoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.directory = self.open()

    def open(self) -> Directory:
        directory = Directory(self.path)
        self.addCleanup(directory.close)
        return directory

    def names(self) -> list[str]:
        return [record.name for record in self.directory.accounts()]

    def files(self) -> set[str]:
        return {path.name for path in (self.path / "accounts").iterdir()}

    def test_accounts_are_kept_with_their_verifiers(self) -> None:
        added = self.directory.add("ann", [VERIFIER])
        self.assertEqual(added, self.open().account("ann"))
        self.assertEqual(added.verifiers, (VERIFIER,))
        self.assertGreater(added.created, 1_000_000)

    def test_a_changed_password_replaces_the_old_one(self) -> None:
        self.directory.add("ann", [VERIFIER])
        other = Verifier("SCRAM-SHA-1", b"s", 1, b"k", b"v")
        self.directory.set_verifiers("ANN", [other])
        self.assertEqual(self.directory.account("ann").verifiers, (other,))
        self.assertRaises(errors.NoSuchAccount, self.directory.set_verifiers, "bob", [other])

    def test_an_account_is_disabled_with_a_reason_and_enabled_again(self) -> None:
        self.directory.add("ann")
        for reason in ("moved away", None):
            self.directory.set_disabled("Ann", reason)
            self.assertEqual(self.directory.account("ann").disabled, reason)
        self.assertRaises(errors.NoSuchAccount, self.directory.set_disabled, "bob", None)

    def test_every_change_by_anybody_is_another_moment(self) -> None:
        moments = [self.directory.moment(), self.directory.moment()]
        self.assertEqual(*moments)
        self.directory.add("ann")
        moments.append(self.directory.moment())
        self.open().set_disabled("ann", "moved away")
        moments.append(self.directory.moment())
        self.assertEqual(len(set(moments)), 3)

    def test_names_are_nfc_and_compared_without_case(self) -> None:
        self.directory.add("Rene\u0301@Example.org")
        self.assertEqual(self.names(), ["Ren\u00e9@Example.org"])
        self.assertRaises(errors.AccountExists, self.directory.add, "REN\u00c9@example.ORG")
        self.assertEqual(self.directory.open("ren\u00e9@EXAMPLE.org").name, "Ren\u00e9@Example.org")

    def test_names_that_cannot_be_are_refused(self) -> None:
        for name in ("", " a", "a ", "a/b", "a\nb", "a\0", "\udc80", "x" * 201, "\u4e2d" * 60):
            self.assertRaises(errors.Cannot, self.directory.add, name)
        self.assertEqual((self.names(), self.files()), ([], set()))

    def test_every_name_has_a_directory_of_its_own(self) -> None:
        names = ("a b", "a%20b", "..", ".", ".new-x", "~a", "a~", "-", "a+b@c", "%2E")
        for name in names:
            self.directory.add(name)
            self.assertEqual(self.directory.open(name).mailbox("INBOX").messages, 0)
        self.assertEqual(len(self.files()), len(names))
        self.assertFalse([name for name in self.files() if name.startswith(".")])

    def test_nobody_else_reads_the_files(self) -> None:
        self.directory.add("ann")
        account = self.directory.open("ann")
        account.create("x")
        self.addCleanup(account.close)
        for path in (self.path, *self.path.rglob("*")):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, path)

    def test_remove_takes_the_mail_along_and_frees_the_name(self) -> None:
        self.directory.add("ann")
        account = self.directory.open("ann")
        before = account.create("x").mailboxes[0]
        account.close()
        self.directory.remove("ann")
        self.assertRaises(errors.NoSuchAccount, self.directory.open, "ann")
        self.assertRaises(errors.NoSuchAccount, self.directory.remove, "ann")
        self.assertEqual(self.files(), set())
        self.directory.add("ann")
        account = self.directory.open("ann")
        self.addCleanup(account.close)
        self.assertRaises(errors.NoSuchMailbox, account.mailbox, "x")
        self.assertNotEqual(account.mailbox("INBOX").uidvalidity, before.uidvalidity)

    def test_an_addition_that_fails_leaves_nothing(self) -> None:
        def fail(home: Path) -> None:
            (home / "large").mkdir()
            raise OSError(28, "No space left on device")

        self.patch(mail, "create", fail)
        self.assertRaises(errors.NoSpace, self.directory.add, "ann")
        self.assertEqual(self.names(), [])
        self.open()
        self.assertEqual(self.files(), set())

    def test_an_addition_that_is_cut_off_is_done_again(self) -> None:
        class Killed(BaseException):
            pass

        def cut(path: Path) -> None:
            raise Killed

        original = module.database.sync_directory
        self.patch(module.database, "sync_directory",
                   lambda path: cut(path) if path.name == "accounts" else original(path))
        self.assertRaises(Killed, self.directory.add, "ann")
        self.patch(module.database, "sync_directory", original)
        self.assertEqual((self.names(), self.files()), ([], {"ann"}))
        self.directory.add("ann")
        self.assertEqual(len(self.files()), 2)
        self.assertTrue(any(name.startswith(".lost-ann-") for name in self.files()))

    def test_a_removal_that_is_cut_off_is_finished_by_who_opens_next(self) -> None:
        self.directory.add("ann")
        self.patch(module.shutil, "rmtree", self.fail_to_remove)
        self.assertRaises(errors.Unavailable, self.directory.remove, "ann")
        self.assertEqual(self.names(), [])
        self.assertRaises(errors.AccountExists, self.directory.add, "ann")
        self.patch(module.shutil, "rmtree", self.rmtree)
        self.assertEqual((len(self.open().accounts()), self.files()), (0, set()))
        self.directory.add("ann")

    rmtree = staticmethod(module.shutil.rmtree)

    @staticmethod
    def fail_to_remove(path: Path) -> None:
        raise OSError(5, "Input/output error")

    def test_an_account_without_its_database_is_unavailable(self) -> None:
        self.directory.add("ann")
        (self.path / "accounts" / "ann" / "mail.db").unlink()
        self.assertRaises(errors.Unavailable, self.directory.open, "ann")
