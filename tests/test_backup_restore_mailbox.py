"""A mailbox, or messages of it, restored into an account that is in use."""

from __future__ import annotations

from contextlib import closing

from moximap.store import backup
from moximap.store.errors import Cannot, NoSpace, NoSuchAccount, NoSuchMailbox
from moximap.store.interfaces import NewMessage
from moximap.store.restoring_source import Source
from moximap.values import NumSet
from tests.storecases import ALL, one
from tests.test_backup_restore import RestoreCase, mail, validities


class MailboxTests(RestoreCase):
    def test_what_was_expunged_comes_back_and_what_is_there_stays(self) -> None:
        self.account.expunge(self.inbox())
        self.account.append("INBOX", [NewMessage(b"after the snapshot")])
        self.account.store(self.inbox(), one(1), "=", ["mine"])
        before = validities(self.account)
        done = self.mailbox()
        self.assertEqual((done.messages, done.present, done.problems), (1, 2, []))
        inbox = mail(self.account)["INBOX"]
        self.assertEqual([row[1] for row in inbox], [{"mine"}, {"Other"}, set(), {"\\Deleted"}])
        self.assertEqual(inbox[-1], self.saved["INBOX"][2])
        self.assertEqual(validities(self.account), before)

    def test_doing_it_again_adds_nothing(self) -> None:
        self.account.delete("a/b")
        for added in (2, 0):
            self.assertEqual(self.mailbox("a/b").messages, added)
        self.assertEqual(mail(self.account), self.saved)
        self.assertEqual(self.contents(), 4)

    def test_a_removed_mailbox_is_made_again_with_a_higher_uidvalidity(self) -> None:
        before = self.box("Sent").uidvalidity
        self.account.delete("Sent")
        self.mailbox("Sent")
        self.assertEqual(mail(self.account), self.saved)
        self.assertGreater(self.box("Sent").uidvalidity, before)
        self.assertEqual(self.box("Sent").uses, ("\\Sent",))

    def test_it_has_its_annotations_again(self) -> None:
        self.account.annotations.change("Sent", {"/private/comment": b"sent"})
        self.snapshot = self.take()
        self.account.delete("Sent")
        self.mailbox("Sent")
        self.assertEqual(self.account.annotations.of("Sent"), {"/private/comment": b"sent"})

    def test_a_use_that_another_has_now_stays_there(self) -> None:
        self.account.delete("Sent")
        self.account.create("Out", ("\\Sent",))
        self.mailbox("Sent")
        self.assertEqual((self.box("Sent").uses, self.box("Out").uses), ((), ("\\Sent",)))

    def test_into_another_mailbox_and_another_account(self) -> None:
        self.mailbox("INBOX", "Old/INBOX")
        self.assertEqual(mail(self.account)["Old/INBOX"], self.saved["INBOX"])
        self.directory.add("bob")
        with closing(self.directory.open("bob")) as bob:
            bob.append("INBOX", [NewMessage(b"y", ("zz", "yy"))])
            self.mailbox("INBOX", account="bob")
            self.assertEqual(mail(bob)["INBOX"][1:], self.saved["INBOX"])
            self.assertEqual(list(bob.check()), [])

    def test_single_messages(self) -> None:
        done = self.mailbox("INBOX", "Found", NumSet(((2, 2), (4, 99))))
        self.assertEqual(done.messages, 1)
        self.assertEqual(mail(self.account)["Found"], self.saved["INBOX"][1:2])

    def test_what_is_not_in_the_snapshot_is_refused_and_makes_no_mailbox(self) -> None:
        self.assertRaises(NoSuchMailbox, self.mailbox, "Nowhere", "Found")
        self.assertRaises(Cannot, self.mailbox, "INBOX", "Found", one(77))
        self.assertRaises(NoSuchAccount, self.mailbox, account="bob")
        self.assertRaises(NoSuchMailbox, self.box, "Found")

    def test_contents_that_were_erased_come_back(self) -> None:
        for name in ("INBOX", "a/b"):
            self.account.store(self.box(name).id, ALL, "+", ["\\Deleted"])
            modseq = self.account.expunge(self.box(name).id).modseq
        self.account.set_floor(modseq)
        self.account.erase(modseq)
        for name in ("INBOX", "a/b"):
            self.mailbox(name)
        self.assertEqual(mail(self.account), self.saved)

    def test_a_damaged_message_is_mended_from_the_snapshot(self) -> None:
        (large,) = self.home.glob("large/*/*")
        large.unlink()
        self.spoil("live", "UPDATE content SET body = 'spoilt' WHERE id = 1")
        self.assertEqual(len(list(self.account.check())), 2)
        self.assertEqual(self.mailbox().mended, 2)
        self.assertEqual(mail(self.account), self.saved)

    def test_what_is_damaged_in_the_snapshot_is_told_and_not_restored(self) -> None:
        self.spoil("snapshot", "UPDATE content SET body = 'spoilt' WHERE id = 1")
        for path in self.snapshot.path.rglob("large/*/*"):
            path.unlink()
        self.directory.add("bob")
        done = self.mailbox(account="bob")
        self.assertEqual(len(done.problems), 2)
        with closing(self.directory.open("bob")) as bob:
            self.assertEqual(mail(bob)["INBOX"], self.saved["INBOX"][2:])
            self.assertEqual(list(bob.check()), [])

    def test_a_full_disk_leaves_no_files_behind(self) -> None:
        self.directory.add("bob")
        with closing(self.directory.open("bob")) as bob:
            restorer = bob.restorer(backup.silent)

            def full(*_: object) -> None:
                raise NoSpace("the disk is full")
            home = self.snapshot.home(self.snapshot.account("ann"))
            with closing(Source(home / "mail.db", home / "large")) as source:
                self.patch(restorer, "_add", full)
                self.assertRaises(NoSpace, restorer.mailbox, source, "INBOX", "INBOX")
            self.assertEqual(list(bob.check()), [])
            self.assertEqual([*bob.home.glob("large/*/*"), *bob.home.glob("tmp/*")], [])

