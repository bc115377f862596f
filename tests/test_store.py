"""Messages: append, fetch, copy, move, expunge and changes, by cases that every store must pass."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from moximap.store import errors
from moximap.store.interfaces import IContent, NewMessage
from moximap.values import InternalDate, NumSet
from tests.storecases import ALL, LARGE, MAIL, OnDisk, StoreCase, one


class MessageCases(StoreCase):
    def test_append_gives_ascending_uids_in_one_modseq(self) -> None:
        first = self.append()
        second = self.append(MAIL, MAIL)
        self.assertEqual((first.uids, second.uids), (one(1), NumSet(((2, 3),))))
        self.assertEqual(list(second.changes[0].modseqs), [second.modseq] * 2)
        self.assertEqual(second.changes[0].since, first.modseq)
        self.assertEqual(second.uidvalidity, self.box("INBOX").uidvalidity)

    def test_append_to_no_mailbox_fails(self) -> None:
        for content in (MAIL, LARGE):
            self.assertRaises(errors.NoSuchMailbox, self.append, content, to="nowhere")

    def test_append_keeps_flags_date_and_bytes(self) -> None:
        message = NewMessage(MAIL, ("\\Seen", "Work", "\\Recent"), InternalDate(1_000_000, -90))
        self.account.append("INBOX", [message])
        (row,) = self.rows("uid", "date", "zone", "size", "head", "content", "preview", "expunged")
        head = MAIL[:MAIL.index(b"\r\n\r\n") + 4]
        self.assertEqual(row[:5], (1, 1_000_000, -90, len(MAIL), head))
        self.assertEqual(row[6:], ("Hello there", 0))
        self.assertEqual(self.named(), {1: {"\\Seen", "Work"}})

    def test_messages_of_any_size_are_read_in_slices(self) -> None:
        spool = self.account.spool()
        for start in range(0, len(LARGE), 1000):
            spool.write(LARGE[start:start + 1000])
        self.assertEqual(spool.size, len(LARGE))
        self.append(MAIL, LARGE, b"", b"no header")
        self.account.append("INBOX", [NewMessage(spool)])
        spool.discard()
        contents = [content for content, in self.rows("content")]
        for content, whole in zip(contents, (MAIL, LARGE, b"", b"no header", LARGE), strict=True):
            verifyObject(IContent, content)
            self.assertEqual(content.read(0, content.size + 10), whole)
            self.assertEqual(content.read(5, 9), whole[5:9])
            self.assertEqual(content.size, len(whole))
        self.assertEqual(contents[4].header_size, contents[0].header_size)

    def test_a_small_spool_is_a_message_like_others(self) -> None:
        spool = self.account.spool()
        spool.write(MAIL)
        self.account.append("INBOX", [NewMessage(spool)])
        spool.discard()
        self.assertEqual(self.rows("size"), [(len(MAIL),)])

    def test_fetch_gives_columns_in_the_order_asked(self) -> None:
        self.append(MAIL)
        ((content, uid, envelope, parts, email, thread),) = self.rows(
            "content", "uid", "envelope", "parts", "emailid", "threadid")
        self.assertEqual((content.size, uid, thread), (len(MAIL), 1, "T" + email[1:]))
        self.assertIn(b"ann", envelope)
        self.assertIsInstance(parts, bytes)
        self.assertIsInstance(email, str)

    def test_fetch_measures_what_it_gives(self) -> None:
        self.append(MAIL, "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\u00fc\u00dfe".encode(), b"")
        for octets, head, envelope, text in self.rows("octets", "head", "envelope", "preview"):
            self.assertEqual(octets, len(head) + len(envelope) + len(text.encode()))
        self.assertEqual(self.rows("uid", "octets"), [(1, 0), (2, 0), (3, 0)])

    def test_fetch_gives_what_sort_and_thread_compare(self) -> None:
        self.append(MAIL, b"")
        columns = ("subject", "base_subject", "from_key", "to_key", "cc_key", "from_display", "to_display",
                   "sent", "sent_time", "message_id", "references")
        full, empty = self.rows(*columns)
        self.assertEqual(full[:7], ("Gr\u00fc\u00dfe", "Gr\u00fc\u00dfe", "ann", "", "", "Ann", ""))
        self.assertEqual(full[7:], (737791, 1609561800, None, b""))
        self.assertEqual(empty[7:], (None, None, None, b""))

    def test_fetch_takes_sets_of_many_ranges(self) -> None:
        self.append(*[b"a"] * 300)
        odd = NumSet.of(range(1, 1000, 2))
        self.assertEqual([uid for uid, in self.rows("uid", uids=odd)], list(range(1, 300, 2)))
        self.assertEqual(self.rows("uid", uids=NumSet.of(range(1001, 2000, 2))), [])
        self.assertEqual(self.rows("uid", uids=NumSet()), [])

    def test_one_message_is_fetched_as_many_are(self) -> None:
        self.append(MAIL, LARGE, flags=("Work", "\\Seen"))
        columns = ("uid", "flags", "content", "envelope", "size", "emailid", "preview")
        one_by_one = [self.account.fetch_one(self.inbox(), uid, columns) for uid in (1, 2, 3)]
        self.assertEqual(one_by_one, [[row] for row in self.rows(*columns)] + [[]])

    def test_a_fetch_sees_one_moment(self) -> None:
        self.append(MAIL, MAIL)
        rows = self.account.fetch(self.inbox(), ALL, ["uid", "flags"])
        first = next(rows)
        self.account.store(self.inbox(), ALL, "+", ["\\Seen"])
        self.append()
        self.assertEqual([first, *rows], [(1, 0), (2, 0)])

    def test_copy_keeps_flags_dates_and_identity(self) -> None:
        message = NewMessage(MAIL, ("\\Flagged", "kw"), InternalDate(5, 60))
        self.account.append("INBOX", [message, message, message])
        copied = self.account.copy(self.inbox(), NumSet(((2, 9),)), "sent".title())
        self.assertEqual((copied.source, copied.target), ((2, 3), NumSet(((1, 2),))))
        columns = ("date", "zone", "emailid", "flags")
        self.assertEqual(self.rows(*columns, name="Sent"), self.rows(*columns)[1:])
        self.assertEqual(len(self.named()), 3)

    def test_copy_does_not_touch_its_source(self) -> None:
        self.append()
        modseq = self.box("INBOX").modseq
        self.account.copy(self.inbox(), ALL, "Sent")
        self.assertEqual(self.box("INBOX").modseq, modseq)

    def test_copy_and_move_of_nothing_take_no_modseq(self) -> None:
        before = self.append().modseq
        for method in (self.account.copy, self.account.move):
            copied = method(self.inbox(), NumSet(((7, 9),)), "Sent")
            self.assertEqual((copied.modseq, copied.source, copied.target), (before, (), NumSet()))
            self.assertRaises(errors.NoSuchMailbox, method, self.inbox(), ALL, "nowhere")

    def test_move_expunges_what_it_copied(self) -> None:
        self.append(MAIL, MAIL, MAIL)
        moved = self.account.move(self.inbox(), NumSet.of([1, 3, 5]), "Trash")
        self.assertEqual((moved.source, moved.target), ((1, 3), NumSet(((1, 2),))))
        self.assertEqual((set(self.named()), set(self.named("Trash"))), ({2}, {1, 2}))
        gone = {changes.mailbox: list(changes.expunged) for changes in moved.changes}
        self.assertEqual(gone[self.inbox()], [1, 3])

    def test_move_to_its_own_mailbox_gives_new_uids(self) -> None:
        self.append(MAIL, MAIL)
        since = self.box("INBOX").modseq
        moved = self.account.move(self.inbox(), one(1), "INBOX")
        self.assertEqual((moved.source, moved.target), ((1,), one(3)))
        self.assertEqual(set(self.named()), {2, 3})
        self.assertEqual(self.account.changes(self.inbox(), since), moved.changes[0])

    def test_expunge_takes_deleted_messages_all_or_of_a_set(self) -> None:
        self.append(MAIL, MAIL, MAIL, flags=("\\Deleted",))
        self.append()
        self.assertEqual(list(self.account.expunge(self.inbox(), NumSet.of([2, 4])).changes[0].expunged), [2])
        self.assertEqual(list(self.account.expunge(self.inbox()).changes[0].expunged), [1, 3])
        self.assertEqual(self.account.expunge(self.inbox()).changes, ())
        self.assertEqual(set(self.named()), {4})

    def test_expunged_messages_stay_readable_until_they_are_erased(self) -> None:
        self.append(MAIL, LARGE, flags=("\\Deleted",))
        gone = self.account.expunge(self.inbox()).modseq
        contents = [content for content, in self.rows("content")]
        self.assertEqual([content.read(0, 5) for content in contents], [b"From:"] * 2)
        self.account.set_floor(gone - 1)
        self.assertEqual(self.account.erase(gone), 0)
        self.account.set_floor(gone)
        self.assertEqual(self.account.erase(gone - 1), 0)
        self.assertEqual(self.account.erase(gone), 2)
        self.assertEqual(self.rows("uid"), [])
        self.assertEqual(list(self.account.changes(self.inbox(), 1).expunged), [1, 2])

    def test_erasing_keeps_what_a_copy_needs(self) -> None:
        self.append(LARGE)
        self.account.copy(self.inbox(), ALL, "Sent")
        self.account.store(self.inbox(), ALL, "+", ["\\Deleted"])
        gone = self.account.expunge(self.inbox()).modseq
        self.account.set_floor(gone)
        self.assertEqual(self.account.erase(gone), 0)
        ((content,),) = self.rows("content", name="Sent")
        self.assertEqual(content.read(0, content.size), LARGE)

    def test_save_date_is_set_anew_by_each_way_into_a_mailbox(self) -> None:
        self.account.append("INBOX", [NewMessage(MAIL, (), InternalDate(5))])
        self.account.copy(self.inbox(), ALL, "Sent")
        self.account.move(self.inbox(), ALL, "Trash")
        for name in ("Sent", "Trash"):
            ((saved, moment),) = self.rows("saved", "date", name=name)
            self.assertEqual(moment, 5)
            self.assertGreater(saved, 1_000_000)

    def test_counters_follow(self) -> None:
        self.append(MAIL, MAIL, flags=("\\Deleted",))
        self.append(MAIL, flags=("\\Seen",))
        box, size = self.box("INBOX"), len(MAIL)
        self.assertEqual((box.messages, box.unseen, box.deleted, box.size, box.deleted_size, box.uidnext),
                         (3, 2, 2, 3 * size, 2 * size, 4))

    def test_open_gives_only_what_is_new_to_a_known_image(self) -> None:
        known = self.append(MAIL, MAIL).modseq
        self.account.store(self.inbox(), one(2), "+", ["\\Seen"])
        opened = self.account.open("inbox", {self.inbox(): known})
        self.assertEqual((opened.changes.since, list(opened.changes.uids)), (known, [2]))
        self.assertEqual(opened.changes.modseq, opened.mailbox.modseq)
        self.assertEqual(list(self.account.open("INBOX").changes.uids), [1, 2])
        self.assertRaises(errors.NoSuchMailbox, self.account.open, "nowhere")
        self.assertRaises(errors.NoSuchMailbox, self.account.changes, 999, 1)

    def test_changes_tell_each_message_once_in_its_last_state(self) -> None:
        since = self.append(MAIL, MAIL, MAIL).modseq
        self.account.store(self.inbox(), NumSet.of([1, 3]), "+", ["\\Seen"])
        self.account.store(self.inbox(), one(1), "+", ["\\Deleted"])
        self.account.store(self.inbox(), one(2), "+", ["\\Deleted"])
        self.account.expunge(self.inbox(), one(2))
        changes = self.account.changes(self.inbox(), since)
        self.assertEqual(list(changes.uids), [3, 1])
        self.assertEqual(list(changes.modseqs), sorted(changes.modseqs))
        self.assertEqual(list(changes.expunged), [2])
        self.assertEqual(changes.modseq, self.account.mailboxes().modseq)


class MessageTests(MessageCases, OnDisk):
    pass
