"""The store's record of what was brought over from another server: numbers, flags, doubles."""

from __future__ import annotations

from typing import Any

from moximap.store.errors import MailboxRemoved
from moximap.store.interfaces import NewMessage
from moximap.store.syncing import keepable
from moximap.store.syncing_table import GAP, Begun, There
from moximap.values import InternalDate, NumSet
from tests.storecases import LARGE, MAIL, OnDisk, StoreCase, one


def mail(number: int) -> bytes:
    return MAIL + b"%d\r\n" % number


class Syncing(StoreCase, OnDisk):
    def setUp(self) -> None:
        super().setUp()
        self.bringer = self.account.bringer("ada@old.example")

    def begin(self, name: str = "Old", target: str | None = None, **more: Any) -> Begun:
        there = There(**{"name": name, "uidvalidity": 700, "uidnext": 10, **more})
        return self.bringer.begin(there, target or name)

    def add(self, begun: Begun, *uids: int, flags: tuple[str, ...] = ()) -> int:
        return self.bringer.add(begun, {uid: NewMessage(mail(uid), flags, InternalDate(uid)) for uid in uids})[0]

    def test_a_new_mailbox_has_the_numbers_of_there(self) -> None:
        begun = self.begin()
        self.assertEqual(self.add(begun, 2, 3, 7, flags=("\\Seen", "$Work")), 3)
        self.bringer.finish(begun, 10, 55)
        box = self.box("Old")
        self.assertEqual((box.uidvalidity, box.uidnext, box.messages, box.unseen), (700, 10, 3, 0))
        self.assertEqual(self.named("Old"), {uid: {"\\Seen", "$Work"} for uid in (2, 3, 7)})
        again = self.begin()
        self.assertEqual((set(again.known), again.row.modseq, again.news), ({2, 3, 7}, 55, ""))

    def test_an_inbox_that_never_had_mail_is_new(self) -> None:
        self.add(self.begin("INBOX"), 5)
        self.assertEqual((self.box("INBOX").uidvalidity, set(self.named())), (700, {5}))

    def test_where_there_was_mail_it_is_appended(self) -> None:
        self.append()
        before = self.box("INBOX").uidvalidity
        self.add(self.begin("INBOX"), 5, 6)
        self.assertEqual((self.box("INBOX").uidvalidity, set(self.named())), (before, {1, 2, 3}))

    def test_a_uidvalidity_is_taken_over_once(self) -> None:
        self.begin("One")
        self.add(self.begin("Two"), 5)
        self.assertNotEqual(self.box("Two").uidvalidity, 700)
        self.assertEqual(set(self.named("Two")), {1})
        self.assertGreater(self.account.create("Three").mailboxes[-1].uidvalidity, self.box("Two").uidvalidity)

    def test_a_mailbox_that_never_had_mail_gives_its_uidvalidity_away(self) -> None:
        taken = self.box("Trash").uidvalidity
        self.assertTrue(self.begin("One", uidvalidity=taken).row.kept)
        self.assertEqual(self.box("One").uidvalidity, taken)
        self.append(to="Trash")
        self.assertFalse(self.begin("Two", uidvalidity=self.box("Trash").uidvalidity).row.kept)

    def test_what_was_added_is_not_added_again(self) -> None:
        begun = self.begin()
        self.add(begun, 2, 3)
        self.assertEqual(self.add(begun, 2, 3, 4), 1)
        self.assertEqual(set(self.named("Old")), {2, 3, 4})

    def test_a_large_message_that_is_there_leaves_no_file(self) -> None:
        begun = self.begin()
        for _ in range(2):
            self.bringer.add(begun, {2: NewMessage(LARGE)})
        self.assertEqual(len([path for path in (self.home / "large").rglob("*") if path.is_file()]), 1)

    def test_other_mail_gets_numbers_that_the_source_is_far_from(self) -> None:
        begun = self.begin()
        self.add(begun, 2)
        self.append(to="Old")
        self.add(begun, 3)
        self.assertEqual(sorted(self.named("Old")), [2, 10 + GAP, 11 + GAP])
        begun = self.begin(uidnext=12)
        self.add(begun, 11)
        self.assertEqual((self.box("Old").uidvalidity, begun.news), (700, ""))

    def test_when_both_gave_out_the_same_numbers_the_mailbox_is_numbered_anew(self) -> None:
        self.add(self.begin(), 2)
        self.append(to="Old")
        begun = self.begin(uidnext=12 + GAP)
        self.assertIn("new UIDVALIDITY", begun.news)
        self.assertNotEqual(self.box("Old").uidvalidity, 700)
        self.add(begun, 11 + GAP)
        self.assertEqual(len(self.named("Old")), 3)

    def test_without_other_mail_numbers_stay_those_of_there_however_far_they_go(self) -> None:
        self.add(self.begin(), 2)
        self.add(self.begin(uidnext=3 * GAP), 2 * GAP)
        self.assertEqual(set(self.named("Old")), {2, 2 * GAP})

    def test_flags_that_changed_there_change_here_and_others_stay(self) -> None:
        self.add(self.begin(), 2, 3, flags=("\\Seen", "$Old"))
        self.account.store(self.box("Old").id, one(2), "+", ["$Mine"])
        begun = self.begin()
        changed, modseq = self.bringer.flag(begun, {2: ("\\flagged", "$old"), 3: ("\\Seen", "$Old", "\\Recent")})
        self.assertEqual((changed, modseq), (1, self.box("Old").modseq))
        self.assertEqual(self.named("Old"), {2: {"\\Flagged", "$Old", "$Mine"}, 3: {"\\Seen", "$Old"}})
        self.account.store(self.box("Old").id, one(2), "-", ["\\Flagged"])
        self.assertEqual(self.bringer.flag(self.begin(), {2: ("\\Flagged", "$old")}), (0, 0))

    def test_what_was_expunged_here_does_not_come_back(self) -> None:
        self.add(self.begin(), 2, 3)
        self.account.store(self.box("Old").id, one(2), "+", ["\\Deleted"])
        self.account.expunge(self.box("Old").id)
        begun = self.begin()
        self.assertEqual(set(begun.known), {2, 3})
        self.assertEqual(self.bringer.flag(begun, {2: ("\\Flagged",)})[0], 0)

    def test_numbers_that_changed_there_are_matched_by_content(self) -> None:
        self.add(self.begin(), 2, 3, 4)
        begun = self.begin(uidvalidity=701, uidnext=20)
        self.assertIn("compared", begun.news)
        added = self.bringer.add(begun, {uid: NewMessage(mail(number)) for uid, number in ((11, 3), (12, 2), (13, 9))})
        self.assertEqual(added[0], 1)
        self.assertEqual((self.box("Old").uidvalidity, len(self.named("Old"))), (700, 4))
        self.bringer = self.account.bringer("ada@old.example")       # cut off, and begun again
        self.assertEqual(self.bringer.add(self.begin(uidvalidity=701, uidnext=20), {14: NewMessage(mail(4))})[0], 0)

    def test_a_mailbox_that_was_renamed_here_is_the_same(self) -> None:
        self.add(self.begin(), 2)
        self.account.rename("Old", "Older")
        self.add(self.begin(), 3)
        self.assertEqual(set(self.named("Older")), {2, 3})

    def test_a_mailbox_that_was_removed_here_is_brought_again(self) -> None:
        begun = self.begin()
        self.add(begun, 2)
        self.account.delete("Old")
        self.assertRaises(MailboxRemoved, self.add, begun, 3)
        again = self.begin()
        self.assertEqual((again.known, again.row.kept), ({}, False))
        self.assertEqual(self.add(again, 2), 1)

    def test_uses_come_from_mailboxes_that_never_had_mail(self) -> None:
        self.begin("Sent Items", uses=("\\Sent", "\\HasNoChildren"))
        self.append(to="Drafts")
        self.begin("Entwürfe", uses=("\\drafts",))
        self.assertEqual([self.box(name).uses for name in ("Sent", "Sent Items", "Drafts", "Entwürfe")],
                         [(), ("\\Sent",), ("\\Drafts",), ()])

    def test_a_subscription_is_brought_when_it_changes_there(self) -> None:
        self.begin()
        self.assertNotIn("Old", self.account.mailboxes().subscribed)
        self.begin(subscribed=True)
        self.assertIn("Old", self.account.mailboxes().subscribed)
        self.account.subscribe("Old", False)
        self.begin(subscribed=True)
        self.assertNotIn("Old", self.account.mailboxes().subscribed)

    def test_what_another_source_has_too_is_there_already(self) -> None:
        self.add(self.begin(), 2)
        self.bringer = self.account.bringer("bob@other.example")
        self.add(self.begin(), 2, 3)
        self.assertEqual(set(self.named("Old")), {2, 10 + GAP})

    def test_dates_and_sizes_are_as_there(self) -> None:
        self.add(self.begin(), 2)
        self.assertEqual(self.rows("date", "size", uids=NumSet(((1, 9),)), name="Old"), [(2, len(mail(2)))])

    def test_flags_that_cannot_be_kept_are_left_out(self) -> None:
        self.assertEqual(keepable(["\\Seen", "a]b", "ü", "$Work"]), ("\\Seen", "$Work"))
