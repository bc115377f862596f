"""What is restored is what was saved: every octet, flag and date, and no client is misled."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from moximap.identity.passwords import make_verifiers
from moximap.store import backup, database, restoring_swap
from moximap.store.backup_snapshots import Snapshot
from moximap.store.backup_taking import take
from moximap.store.directory import Directory
from moximap.store.errors import AccountExists, NoSpace, NoSuchAccount, Unavailable
from moximap.store.interfaces import IAccount, NewMessage
from moximap.store.keys import KeyRecord
from moximap.store.restoring import Restored
from moximap.store.restoring_accounts import Restoration
from moximap.values import InternalDate, NumSet
from tests.storecases import ALL, LARGE, MAIL, OnDisk, StoreCase, one

Mail = dict[str, list[tuple[bytes, set[str], int, int]]]


def mail(account: IAccount) -> Mail:
    """Everything that an account has, by mailbox and in order: octets, flags, dates."""
    return {box.name: [(content.read(0, content.size), set(account.flags.names(flags)), date, zone)
                       for content, flags, date, zone, gone in account.fetch(
                           box.id, ALL, ("content", "flags", "date", "zone", "expunged")) if not gone]
            for box in account.mailboxes().mailboxes}


def validities(account: IAccount) -> dict[str, int]:
    return {box.name: box.uidvalidity for box in account.mailboxes().mailboxes}


def key(account: str, name: str) -> KeyRecord:
    return KeyRecord("A" * 43, account, name, "ecdsa-p256", b"certificate")


class RestoreCase(StoreCase, OnDisk):
    def setUp(self) -> None:
        super().setUp()
        self.account.append("INBOX", [NewMessage(MAIL, ("\\Seen", "kw"), InternalDate(760686745, -480)),
                                      NewMessage(LARGE, ("Other",), InternalDate(1, 60)),
                                      NewMessage(MAIL, ("\\Deleted",), InternalDate(2)),
                                      NewMessage(b"x", (), InternalDate(3))])
        self.account.create("a/b", (), False)
        self.account.copy(self.inbox(), NumSet(((2, 3),)), "a/b")
        self.account.move(self.inbox(), one(4), "Sent")
        self.saved = mail(self.account)
        self.where = self.path.with_name(self.path.name + "-backup")
        self.snapshot = self.take()

    def take(self) -> Snapshot:
        return take(self.directory, self.where, verify=True).snapshot

    def restoration(self, directory: Directory | None = None, data: Path | None = None) -> Restoration:
        return Restoration(data or self.path, directory or self.directory, self.snapshot,
                           self.snapshot.account("ann"))

    def mailbox(self, name: str = "INBOX", into: str | None = None, uids: NumSet | None = None,
                account: str = "ann") -> Restored:
        return self.restoration().mailbox(name, account, into or name, uids)

    def contents(self) -> int:
        with closing(database.connect(self.home / "mail.db", write=False)) as connection:
            count: int = connection.execute("SELECT count(*) FROM content").get
            return count

    def spoil(self, name: str, statement: str) -> None:
        """Damage the mail.db of a snapshot or of the server."""
        path = self.home if name == "live" else self.snapshot.home(self.snapshot.account("ann"))
        with closing(backup.apsw.Connection(str(path / "mail.db"))) as connection:
            connection.execute(statement)


class WholeAccountTests(RestoreCase):
    def elsewhere(self, **options: Any) -> Directory:
        """Another server, with the account restored."""
        data = self.path.with_name(self.path.name + "-other")
        directory = Directory(data)
        self.addCleanup(directory.close)
        done = self.restoration(directory, data).account("ann", **options)
        self.assertEqual((done.messages, done.problems), (6, []))
        self.assertEqual(list((data / "restoring").iterdir()), [])
        return directory

    def test_on_another_machine_everything_is_there(self) -> None:
        directory = self.elsewhere()
        with closing(directory.open("ann")) as account:
            self.assertEqual(mail(account), self.saved)
            self.assertEqual(account.mailboxes().subscribed, self.account.mailboxes().subscribed)
            self.assertEqual([box.uses for box in account.mailboxes().mailboxes],
                             [box.uses for box in self.account.mailboxes().mailboxes])
            self.assertEqual(list(account.check()), [])
            account.append("INBOX", [NewMessage(LARGE)])
        self.assertEqual(list(directory.check()), [])

    def test_uidvalidities_are_higher_than_any_before(self) -> None:
        with closing(self.elsewhere().open("ann")) as account:
            before = max(validities(self.account).values())
            self.assertTrue(all(value > before for value in validities(account).values()))

    def test_emailids_are_not_given_out_again(self) -> None:
        self.append()
        with closing(self.elsewhere().open("ann")) as account:
            account.append("INBOX", [NewMessage(b"another")])
            ids = [id for id, in account.fetch(account.mailbox("INBOX").id, ALL, ("emailid",))]
            self.assertNotIn(self.rows("emailid")[-1][0], ids)

    def test_who_knows_that_nobody_saw_more_may_keep_the_uids(self) -> None:
        with closing(self.elsewhere(keep_uids=True).open("ann")) as account:
            self.assertEqual(account.mailboxes(), self.account.mailboxes())

    def test_the_password_comes_back_with_a_removed_account(self) -> None:
        verifiers = make_verifiers("sesame", 4096)
        self.directory.set_verifiers("ann", verifiers)
        self.snapshot = self.take()
        self.account.close()
        self.directory.remove("ann")
        self.restoration().account("ann")
        self.assertEqual(set(self.directory.account("ann").verifiers), set(verifiers))
        self.account = self.open()
        self.assertEqual(mail(self.account), self.saved)

    def test_who_has_the_removed_account_open_is_not_told_that_mail_was_taken(self) -> None:
        self.append()
        self.directory.remove("ann")
        self.restoration().account("ann")
        self.assertRaises(Unavailable, self.append)
        self.assertRaises(Unavailable, self.account.store, 1, ALL, "+", ["\\Seen"])
        self.account.close()
        self.account = self.open()
        self.assertEqual(mail(self.account), self.saved)

    def test_its_keys_addresses_and_switches_come_back_too(self) -> None:
        self.directory.keys.add(key("ann", "phone"))
        self.directory.addresses.add("ann", "ann@example.org")
        self.directory.set_capabilities_off("ann", ["IDLE"])
        self.snapshot = self.take()
        directory = self.elsewhere()
        self.assertEqual(directory.keys.of("ann"), self.directory.keys.of("ann"))
        self.assertEqual(directory.account("ann@example.org"), self.directory.account("ann"))
        self.assertEqual(directory.account("ann").capabilities_off, ("IDLE",))

    def test_what_is_another_accounts_now_is_told_and_left_there(self) -> None:
        self.directory.keys.add(key("ann", "phone"))
        self.directory.addresses.add("ann", "ann@example.org")
        self.snapshot = self.take()
        self.account.close()
        self.directory.remove("ann")
        self.directory.add("bob")
        self.directory.keys.add(key("bob", "mine"))
        self.directory.addresses.add("bob", "ann@example.org")
        done = self.restoration().account("ann")
        self.assertEqual(done.problems, ["address ann@example.org is another account's now",
                                         "key phone is another account's now"])
        self.assertEqual(self.directory.account("ann@example.org").name, "bob")
        self.account = self.open()

    def test_under_another_name_it_has_no_keys_and_addresses(self) -> None:
        self.directory.keys.add(key("ann", "phone"))
        self.directory.addresses.add("ann", "ann@example.org")
        self.snapshot = self.take()
        self.assertEqual(self.restoration().account("bob").problems, [])
        self.assertEqual((self.directory.addresses.of("bob"), self.directory.keys.of("bob")), ((), ()))

    def test_it_can_be_restored_beside_itself(self) -> None:
        self.restoration().account("bob")
        with closing(self.directory.open("bob")) as account:
            self.assertEqual(mail(account), self.saved)
            account.expunge(account.mailbox("INBOX").id)
        self.assertEqual(mail(self.account), self.saved)

    def test_an_account_that_exists_is_not_touched(self) -> None:
        self.append()
        before = mail(self.account)
        self.assertRaises(AccountExists, self.restoration().account, "ANN")
        self.assertRaises(AccountExists, self.restoration().account, "ann", replace=True, keep_uids=True)
        self.assertEqual(mail(self.account), before)

    def test_what_the_snapshot_lacks_is_told(self) -> None:
        for path in self.snapshot.path.rglob("large/*/*"):
            path.unlink()
        done = self.restoration().account("bob")
        self.assertEqual(len(done.problems), 1)
        self.assertIn("lacks its file", done.problems[0])

    def test_a_restoration_that_fails_leaves_no_account(self) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "no space")
        self.patch(backup, "place", full)
        self.assertRaises(NoSpace, self.restoration().account, "bob")
        self.assertRaises(NoSuchAccount, self.directory.account, "bob")
        self.assertEqual(list((self.path / "restoring").iterdir()), [])
        self.assertEqual(list(self.directory.check()), [])


class ReplaceTests(RestoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.account.append("INBOX", [NewMessage(b"after the snapshot")])
        self.account.store(self.inbox(), one(1), "=", ["new"])
        self.account.rename("a", "c")
        self.account.subscribe("Sent", False)

    def test_all_is_as_it_was(self) -> None:
        subscribed = self.account.mailboxes().subscribed | {"Sent"} - {"c", "c/b"}
        done = self.restoration().account("ann", replace=True)
        self.assertEqual((done.messages, done.mailboxes, done.problems), (6, 8, []))
        self.assertEqual(mail(self.account), self.saved)
        self.assertEqual(self.account.mailboxes().subscribed, subscribed)
        self.assertEqual(self.box("Sent").uses, ("\\Sent",))

    def test_no_client_takes_the_new_for_the_old(self) -> None:
        """A QRESYNC client asks with the UIDVALIDITY that it knows: no mailbox has it any more."""
        before, modseq = validities(self.account), self.account.mailboxes().modseq
        self.restoration().account("ann", replace=True)
        self.assertTrue(min(validities(self.account).values()) > max(before.values()))
        self.assertTrue(all(box.modseq > modseq for box in self.account.mailboxes().mailboxes))

    def test_who_has_a_mailbox_open_is_told_that_its_messages_are_gone(self) -> None:
        opened = self.account.open("INBOX")
        self.restoration().account("ann", replace=True)
        changes = self.account.changes(opened.mailbox.id, opened.changes.modseq)
        self.assertEqual(list(changes.expunged), [1, 2, 3, 5])
        self.assertEqual(len(list(self.account.fetch(opened.mailbox.id, ALL, ("content",)))), 5)

    def test_annotations_are_as_they_were(self) -> None:
        self.account.annotations.change("Sent", {"/private/comment": b"sent"})
        self.account.annotations.change("", {"/private/comment": b"all"})
        self.snapshot = self.take()
        self.account.annotations.change("Sent", {"/private/comment": None, "/private/more": b"x"})
        self.account.annotations.change("", {"/private/comment": b"new", "/private/more": b"x"})
        self.restoration().account("ann", replace=True)
        self.assertEqual(self.account.annotations.of("Sent"), {"/private/comment": b"sent"})
        self.assertEqual(self.account.annotations.of(""), {"/private/comment": b"all"})

    def test_contents_that_are_there_are_shared(self) -> None:
        before = self.contents()
        self.restoration().account("ann", replace=True)
        self.assertEqual(self.contents(), before)

    def test_it_can_be_done_again(self) -> None:
        for _ in range(2):
            self.restoration().account("ann", replace=True)
        self.assertEqual(mail(self.account), self.saved)

    def failing(self, step: str, fail: Callable[..., object], error: type[Exception]) -> None:
        before, subscribed = mail(self.account), self.account.mailboxes().subscribed
        self.patch(restoring_swap, step, fail)
        self.assertRaises(error, self.restoration().account, "ann", replace=True)
        self.assertEqual(mail(self.account), before)
        self.assertEqual(self.account.mailboxes().subscribed, subscribed)

    def test_a_failure_changes_nothing(self) -> None:
        def full(*_: object) -> None:
            raise NoSpace("the disk is full")
        self.failing("swap", full, NoSpace)

    def test_a_cut_off_restoration_is_told_and_mended(self) -> None:
        def full(*_: object) -> None:
            raise NoSpace("the disk is full")
        self.patch(restoring_swap, "give_up", lambda transaction: None)
        self.failing("swap", full, NoSpace)
        self.assertIn("are being restored to INBOX, or that was cut off", "\n".join(self.account.check()))
        self.assertEqual(list(self.account.repair()), ["removed what a restore left that was cut off"])

    def test_a_repair_meanwhile_makes_it_fail_and_not_lose(self) -> None:
        swap = restoring_swap.swap

        def repaired(transaction: Any, *arguments: Any) -> None:
            restoring_swap.give_up(transaction)
            swap(transaction, *arguments)
        self.failing("swap", repaired, Unavailable)
