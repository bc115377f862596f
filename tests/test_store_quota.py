"""Quotas: judged where something grows, inside the transaction."""

from __future__ import annotations

import threading

import apsw

from moximap.store import quota
from moximap.store.account import Account
from moximap.store.errors import NoSuchMailbox, OverQuota
from moximap.store.interfaces import NewMessage
from moximap.values import NumSet, Quota
from tests.storecases import ALL, LARGE, MAIL, TO_VERSION_5, OnDisk, StoreCase, one

SIZE = len(MAIL)


class QuotaTests(StoreCase, OnDisk):
    def limit(self, **limits: int | None) -> None:
        self.account.set_quota(limits)

    def test_what_is_used_and_may_be(self) -> None:
        self.assertEqual(self.account.quota(), Quota(0, 0, 6, None, None, quota.MAX_MAILBOXES))
        self.append(MAIL, MAIL)
        self.account.copy(self.inbox(), one(1), "Sent")
        self.limit(storage=10_000, messages=7)
        self.assertEqual(self.account.quota(), Quota(3 * SIZE, 3, 6, 10_000, 7, quota.MAX_MAILBOXES))
        self.limit(messages=None, mailboxes=8)
        self.assertEqual(self.account.quota(), Quota(3 * SIZE, 3, 6, 10_000, None, 8))
        self.limit(mailboxes=quota.MAX_MAILBOXES + 1)
        self.assertEqual(self.account.quota().mailboxes_limit, quota.MAX_MAILBOXES)

    def test_an_append_goes_up_to_the_limit_and_no_further(self) -> None:
        self.limit(storage=3 * SIZE)
        self.account.may_append("INBOX", 3, 3 * SIZE)
        self.assertRaises(OverQuota, self.account.may_append, "INBOX", 1, 3 * SIZE + 1)
        self.assertRaises(NoSuchMailbox, self.account.may_append, "Nowhere", 1, 3 * SIZE + 1)
        self.append(MAIL, MAIL)
        self.assertRaises(OverQuota, self.append, MAIL, MAIL)
        self.assertRaises(OverQuota, self.append, LARGE)
        self.append(MAIL)
        self.assertRaises(OverQuota, self.append, b"x")
        self.assertEqual((self.box("INBOX").messages, self.box("INBOX").uidnext), (3, 4))
        self.assertEqual(list(self.home.glob("large/*/*")), [])

    def test_the_number_of_messages(self) -> None:
        self.limit(messages=2)
        self.assertRaises(OverQuota, self.append, MAIL, MAIL, MAIL)
        self.append(MAIL)
        self.assertRaises(OverQuota, self.account.may_append, "INBOX", 2, 2)
        self.append(MAIL)
        self.assertRaises(OverQuota, self.account.copy, self.inbox(), one(1), "Sent")
        self.assertEqual(self.named("Sent"), {})

    def test_a_copy_counts_all_that_is_copied(self) -> None:
        self.append(MAIL, MAIL)
        self.limit(storage=4 * SIZE - 1)
        before = self.account.mailboxes()
        self.assertRaises(OverQuota, self.account.copy, self.inbox(), ALL, "Sent")
        self.assertEqual(self.account.mailboxes(), before)
        self.account.copy(self.inbox(), one(2), "INBOX")
        self.assertEqual(self.account.copy(self.inbox(), one(99), "Sent").source, ())

    def test_what_does_not_grow_is_never_refused(self) -> None:
        """Over the limit already: MOVE, EXPUNGE, REPLACE by something no larger, RENAME of INBOX."""
        self.append(MAIL, MAIL, MAIL, flags=("\\Deleted",))
        self.limit(storage=0, messages=0)
        self.account.move(self.inbox(), one(1), "Sent")
        self.account.move(self.inbox(), one(2), "INBOX")
        same, smaller, larger = (NewMessage(b"x" * size) for size in (SIZE, 1, SIZE + 1))
        self.account.may_replace(self.inbox(), 3, "Sent", SIZE)
        self.assertRaises(OverQuota, self.account.may_replace, self.inbox(), 3, "Sent", SIZE + 1)
        self.assertRaises(OverQuota, self.account.replace, self.inbox(), 3, "Sent", larger)
        self.account.replace(self.inbox(), 3, "Sent", same)
        self.account.replace(self.box("Sent").id, 2, "Sent", smaller)
        self.account.rename("INBOX", "Old")
        self.account.expunge(self.box("Old").id)
        self.account.store(self.box("Sent").id, ALL, "+", ["\\Deleted"])
        self.account.expunge(self.box("Sent").id)
        self.assertEqual(self.account.quota(), Quota(0, 0, 7, 0, 0, quota.MAX_MAILBOXES))
        self.assertRaises(OverQuota, self.append, b"x")

    def test_the_number_of_mailboxes(self) -> None:
        """Parents count; RENAME needs room only for those that it makes."""
        self.limit(mailboxes=8)
        before = self.account.mailboxes()
        self.assertRaises(OverQuota, self.account.create, "a/b/c")
        self.assertEqual(self.account.mailboxes(), before)
        self.account.create("a/b")
        self.assertRaises(OverQuota, self.account.create, "d")
        self.assertRaises(OverQuota, self.account.rename, "INBOX", "old")
        self.assertRaises(OverQuota, self.account.rename, "Sent", "x/Sent")
        self.account.rename("a", "d")
        self.account.delete("d/b")
        self.account.create("e")
        self.assertRaises(OverQuota, self.account.create, "f")
        self.limit(mailboxes=None)
        self.account.create("f")

    def test_a_limit_that_another_opening_sets_is_known_at_once(self) -> None:
        other = self.open()
        self.append()
        other.set_quota({"messages": 1})
        self.assertRaises(OverQuota, self.append)
        other.set_quota({"messages": None})
        self.append()

    def test_what_waits_together_is_judged_one_after_the_other(self) -> None:
        self.limit(messages=5)
        failed: list[OverQuota] = []

        def add() -> None:
            try:
                self.account.append("INBOX", [NewMessage(MAIL)] * 2)
            except OverQuota as error:
                failed.append(error)

        threads = [threading.Thread(target=add) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(failed), sorted(self.named())), (4, [1, 2, 3, 4]))

    def test_expunged_messages_do_not_count(self) -> None:
        self.append(MAIL, MAIL, flags=("\\Deleted",))
        self.limit(messages=2)
        self.assertRaises(OverQuota, self.append)
        self.account.expunge(self.inbox(), NumSet(((1, 1),)))
        self.append()

    def test_an_account_of_version_1_is_upgraded(self) -> None:
        self.append()
        self.account.close()
        connection = apsw.Connection(str(self.home / "mail.db"))
        connection.execute(TO_VERSION_5)
        connection.execute("DROP TABLE quota; DROP TABLE annotation; DROP TABLE messageid; DROP INDEX content_thread;"
                           " DROP TABLE origin; DROP TABLE synced_message; DROP TABLE synced_mailbox")
        connection.execute("UPDATE content SET thread = NULL")
        connection.pragma("user_version", 1)
        connection.close()
        self.account = self.open()
        self.assertEqual(self.account.quota().messages, 1)
        (email, thread), = self.rows("emailid", "threadid")
        self.assertEqual(thread, "T" + email[1:])
        self.account.annotations.change("INBOX", {"/private/comment": b"x"})
        self.assertEqual(self.account.annotations.of("INBOX"), {"/private/comment": b"x"})
        self.limit(messages=1)
        self.assertRaises(OverQuota, self.append)
        self.assertTrue((self.home / "mail.db.version-1").exists())

    def test_an_account_without_limits_costs_no_sum(self) -> None:
        seen: list[str] = []
        self.append()
        account: Account = self.account
        connection = account._writer._connection
        assert connection is not None
        connection.set_profile(lambda statement, nanoseconds: seen.append(statement))
        self.append()
        connection.set_profile(None)
        self.assertEqual([statement for statement in seen if "sum(" in statement], [])
        self.assertEqual(len([statement for statement in seen if "FROM quota" in statement]), 1)
