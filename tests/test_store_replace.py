"""IAccount.replace: both or neither, counters and log."""

from __future__ import annotations

from moximap.store.errors import MailboxRemoved, NoSuchMailbox, NoSuchMessage, OverQuota
from moximap.store.interfaces import NewMessage
from moximap.values import NumSet
from tests.storecases import LARGE, MAIL, OnDisk, StoreCase, one

NEW = NewMessage(b"Subject: new\r\n\r\nnew\r\n", ("\\Seen", "$New"))


class ReplaceTests(StoreCase, OnDisk):
    def test_in_its_own_mailbox(self) -> None:
        self.append(MAIL, MAIL, MAIL)
        before = self.box("INBOX")
        written = self.account.replace(before.id, 2, "inbox", NEW)
        after = self.box("INBOX")
        self.assertEqual(written.uids, one(4))
        self.assertEqual(written.modseq, before.modseq + 1)
        changes, = written.changes
        self.assertEqual((list(changes.uids), list(changes.expunged), changes.since),
                         ([4], [2], before.modseq))
        self.assertEqual((after.messages, after.unseen, after.uidnext), (3, 2, 5))
        self.assertEqual(after.size, 2 * len(MAIL) + len(NEW.content))
        self.assertEqual(self.account.changes(before.id, before.modseq), changes)

    def test_into_another_mailbox(self) -> None:
        self.append(MAIL, MAIL, flags=("\\Deleted",))
        inbox, sent = self.box("INBOX"), self.box("Sent")
        written = self.account.replace(inbox.id, 1, "Sent", NEW)
        self.assertEqual((written.mailbox, written.uidvalidity, written.uids),
                         (sent.id, sent.uidvalidity, one(1)))
        self.assertEqual([(c.mailbox, list(c.uids), list(c.expunged)) for c in written.changes],
                         [(inbox.id, [], [1]), (sent.id, [1], [])])
        self.assertEqual(self.named("Sent"), {1: {"\\Seen", "$New"}})
        self.assertEqual((self.box("INBOX").messages, self.box("INBOX").deleted), (1, 1))

    def test_a_failure_leaves_everything_as_it_was(self) -> None:
        self.append()
        self.account.create("Gone")
        removed = self.box("Gone").id
        self.account.delete("Gone")
        before = self.account.open("INBOX")
        large = NewMessage(LARGE)
        for mailbox, uid, target, error in ((self.inbox(), 7, "INBOX", NoSuchMessage),
                                            (self.inbox(), 1, "Gone", NoSuchMailbox),
                                            (removed, 1, "INBOX", MailboxRemoved)):
            self.assertRaises(error, self.account.may_replace, mailbox, uid, target, len(LARGE))
            self.assertRaises(error, self.account.replace, mailbox, uid, target, large)
        many = NewMessage(LARGE, tuple(f"k{i}" for i in range(600)))
        self.assertRaises(OverQuota, self.account.replace, self.inbox(), 1, "INBOX", many)
        self.assertEqual(self.account.open("INBOX"), before)
        self.assertEqual(list(self.home.glob("large/*/*")), [])

    def test_what_is_expunged_is_not_replaced(self) -> None:
        self.append(MAIL, MAIL, flags=("\\Deleted",))
        self.account.expunge(self.inbox(), NumSet(((2, 2),)))
        self.account.may_replace(self.inbox(), 1, "Sent", 1)
        self.assertRaises(NoSuchMessage, self.account.may_replace, self.inbox(), 2, "Sent", 1)
        self.assertRaises(NoSuchMessage, self.account.replace, self.inbox(), 2, "Sent", NEW)

    def test_the_old_content_stays_readable_until_it_is_erased(self) -> None:
        """Rule 36."""
        self.append()
        self.account.replace(self.inbox(), 1, "INBOX", NEW)
        (content,), _ = self.rows("content")
        self.assertEqual(content.read(0, content.size), MAIL)
