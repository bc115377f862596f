"""Mailboxes and subscriptions, by cases that every store must pass."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from moximap.store import errors
from moximap.store.interfaces import IAccount, IDirectory
from tests.storecases import ALL, MAIL, OnDisk, StoreCase


class MailboxCases(StoreCase):
    def test_the_store_provides_its_interfaces(self) -> None:
        verifyObject(IDirectory, self.directory)
        verifyObject(IAccount, self.account)

    def test_a_new_account_has_the_standard_mailboxes(self) -> None:
        listing = self.account.mailboxes()
        uses = {mailbox.name: mailbox.uses for mailbox in listing.mailboxes}
        self.assertEqual(uses, {"INBOX": (), "Archive": ("\\Archive",), "Drafts": ("\\Drafts",),
                                "Junk": ("\\Junk",), "Sent": ("\\Sent",), "Trash": ("\\Trash",)})
        self.assertEqual(listing.subscribed, frozenset(uses))

    def test_numbers_of_a_new_mailbox_are_never_zero(self) -> None:
        for mailbox in self.account.mailboxes().mailboxes:
            self.assertGreaterEqual(mailbox.modseq, 1)
            self.assertGreaterEqual(mailbox.uidvalidity, 1)
            self.assertEqual(mailbox.uidnext, 1)

    def test_create_makes_parents_and_subscribes(self) -> None:
        made = self.account.create("a/b/c").mailboxes
        self.assertEqual([mailbox.name for mailbox in made], ["a", "a/b", "a/b/c"])
        self.assertEqual([mailbox.parent for mailbox in made], [None, made[0].id, made[1].id])
        self.assertTrue({"a", "a/b", "a/b/c"} <= self.account.mailboxes().subscribed)

    def test_create_need_not_subscribe(self) -> None:
        self.account.create("quiet", subscribe=False)
        self.assertNotIn("quiet", self.account.mailboxes().subscribed)

    def test_create_strips_one_delimiter_at_the_end(self) -> None:
        self.assertEqual(self.account.create("a/").mailboxes[0].name, "a")

    def test_inbox_has_one_spelling_alone_and_as_a_parent(self) -> None:
        self.account.create("inbox/x")
        self.assertEqual(self.box("iNBOX/x").name, "INBOX/x")
        self.assertEqual(self.box("inbox").id, self.box("INBOX/x").parent)
        self.assertRaises(errors.MailboxExists, self.account.create, "InBox")

    def test_names_that_cannot_be_are_refused(self) -> None:
        for name in ("", "/", "a//b", "./a", "a/..", "#a", "a*", "a%", "a\n", "a\x85", "a\u2028",
                     "e\u0301", "\udc80", "x" * 256, "/".join("a" * 51), "/".join(["x" * 200] * 6)):
            self.assertRaises(errors.Cannot, self.account.create, name)

    def test_a_use_moves_to_the_mailbox_that_is_created_with_it(self) -> None:
        before = self.box("Sent").modseq
        self.account.create("Gesendet", ("\\sent",))
        self.assertEqual(self.box("Gesendet").uses, ("\\Sent",))
        self.assertEqual(self.box("Sent").uses, ())
        self.assertGreater(self.box("Sent").modseq, before)

    def test_a_use_of_no_mailbox_is_refused_and_nothing_is_created(self) -> None:
        for use in ("\\All", "\\Flagged", "\\Important", "\\Nonsense"):
            self.assertRaises(errors.BadUse, self.account.create, "p/x", (use,))
        self.assertRaises(errors.NoSuchMailbox, self.account.mailbox, "p")

    def test_delete_frees_the_name_and_tells_what_was_expunged(self) -> None:
        old = self.account.create("a").mailboxes[0]
        self.append(MAIL, MAIL, to="a")
        written = self.account.delete("a")
        self.assertEqual(list(written.changes[0].expunged), [1, 2])
        self.assertRaises(errors.NoSuchMailbox, self.account.mailbox_by_id, old.id)
        new = self.account.create("a").mailboxes[0]
        self.assertNotEqual(new.id, old.id)
        self.assertGreater(new.uidvalidity, old.uidvalidity)

    def test_a_removed_mailbox_is_still_readable_and_not_writable(self) -> None:
        old = self.account.create("a").mailboxes[0]
        since = self.append(to="a").modseq
        self.account.delete("a")
        self.assertEqual(list(self.account.changes(old.id, since).expunged), [1])
        self.assertEqual(len(list(self.account.fetch(old.id, ALL, ["envelope", "content"]))), 1)
        self.assertRaises(errors.NoSuchMailbox, self.account.store, old.id, ALL, "+", ["\\Seen"])
        self.assertRaises(errors.NoSuchMailbox, self.account.copy, old.id, ALL, "INBOX")
        self.assertRaises(errors.NoSuchMailbox, self.account.expunge, old.id)

    def test_delete_refuses_inbox_parents_and_what_is_not_there(self) -> None:
        self.account.create("a/b")
        self.assertRaises(errors.HasChildren, self.account.delete, "a")
        self.assertRaises(errors.Cannot, self.account.delete, "inbox")
        self.assertRaises(errors.NoSuchMailbox, self.account.delete, "c")

    def test_rename_takes_children_along_and_keeps_ids(self) -> None:
        a, child = self.account.create("a/b").mailboxes
        renamed = self.account.rename("a", "x/y").mailboxes
        self.assertEqual([mailbox.name for mailbox in renamed], ["x", "x/y", "x/y/b"])
        self.assertEqual([mailbox.id for mailbox in renamed[1:]], [a.id, child.id])
        self.assertEqual(renamed[1].parent, renamed[0].id)
        self.assertGreater(renamed[2].modseq, child.modseq)
        self.assertEqual(self.account.mailbox_by_id(a.id).name, "x/y")
        self.assertTrue({"a", "x/y", "x/y/b"} <= self.account.mailboxes().subscribed)

    def test_rename_does_not_touch_names_that_only_begin_alike(self) -> None:
        for name in ("a", "a b", "a-b", "ab/c"):
            self.account.create(name)
        self.account.rename("a", "z")
        names = {mailbox.name for mailbox in self.account.mailboxes().mailboxes}
        self.assertTrue({"a b", "a-b", "ab", "ab/c", "z"} <= names)

    def test_rename_refuses_what_exists_and_itself(self) -> None:
        self.account.create("a")
        self.account.create("b")
        self.assertRaises(errors.MailboxExists, self.account.rename, "a", "b")
        self.assertRaises(errors.Cannot, self.account.rename, "a", "a/c")
        self.assertRaises(errors.NoSuchMailbox, self.account.rename, "c", "d")
        self.assertRaises(errors.Cannot, self.account.rename, "a", "*")

    def test_rename_that_makes_a_child_too_long_changes_nothing(self) -> None:
        self.account.create("a/" + "/".join(["x" * 200] * 4))
        self.assertRaises(errors.Cannot, self.account.rename, "a", "y" * 250)
        self.assertRaises(errors.NoSuchMailbox, self.account.mailbox, "y" * 250)

    def test_rename_of_inbox_moves_its_messages_and_leaves_its_children(self) -> None:
        self.account.create("INBOX/x")
        self.append(MAIL, MAIL, flags=("\\Seen", "kw"))
        created = self.account.rename("INBOX", "old/mail")
        self.assertEqual([mailbox.name for mailbox in created.mailboxes], ["old", "old/mail"])
        self.assertEqual(created.mailboxes[1].messages, 2)
        self.assertEqual(self.named("old/mail"), {1: {"\\Seen", "kw"}, 2: {"\\Seen", "kw"}})
        self.assertEqual((self.box("INBOX").messages, self.box("INBOX/x").name), (0, "INBOX/x"))
        by_mailbox = {changes.mailbox: changes for changes in created.changes}
        self.assertEqual(list(by_mailbox[self.inbox()].expunged), [1, 2])
        self.assertEqual(by_mailbox[created.mailboxes[1].id].since, 0)

    def test_names_are_subscribed_whether_they_exist_or_not(self) -> None:
        self.assertGreater(self.account.subscribe("nowhere", True).modseq, 1)
        self.assertIn("nowhere", self.account.mailboxes().subscribed)
        modseq = self.account.mailboxes().modseq
        self.assertEqual(self.account.subscribe("nowhere", True).modseq, modseq)
        self.account.subscribe("nowhere", False)
        self.assertNotIn("nowhere", self.account.mailboxes().subscribed)

    def test_deleting_a_mailbox_keeps_its_subscription(self) -> None:
        self.account.create("a")
        self.account.delete("a")
        self.assertIn("a", self.account.mailboxes().subscribed)


class MailboxTests(MailboxCases, OnDisk):
    pass
