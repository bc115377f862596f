"""NOTIFY and the selected mailbox: what is told at once, what later, what never (docs/contract.md 61 to 63)."""

from __future__ import annotations

from unittest import mock

from moximap.imap.commands import notify_policy
from moximap.store.errors import Unavailable
from moximap.values import NumSet
from tests.test_commands_compress import CompressCase
from tests.test_commands_notify import NotifyCase

EVERYTHING = "SET (SELECTED (MessageNew MessageExpunge FlagChange))"


class SelectedTests(NotifyCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(3)
        self.select()

    def test_62_changes_are_told_without_a_command(self) -> None:
        self.notify(EVERYTHING)
        self.deliver()
        self.dialogue("S: * 4 EXISTS")
        self.remove(2)
        self.flag(3)
        self.dialogue("""
            S: * 2 EXPUNGE
            S: * 2 FETCH (UID 3 FLAGS (\\Flagged))
        """)

    def test_what_happened_before_is_told_with_the_command(self) -> None:
        self.deliver()
        self.flag(1)
        self.dialogue("""
            C: a NOTIFY SET (PERSONAL NONE)
            S: * 4 EXISTS
            S: * 1 FETCH (UID 1 FLAGS (\\Flagged))
            S: a OK NOTIFY completed
        """)

    def test_without_a_group_the_selected_mailbox_stands_still(self) -> None:
        self.notify("SET (PERSONAL (MailboxName))")
        self.deliver()
        self.remove(2)
        self.dialogue("""
            C: a NOOP
            S: a OK NOOP completed
            C: b FETCH 2 RFC822.SIZE
            S: * 2 FETCH (UID 2 RFC822.SIZE {*})
            S: b OK [EXPUNGEISSUED] {*}
            C: c NOTIFY SET (SELECTED (MessageNew MessageExpunge))
            S: * 2 EXPUNGE
            S: * 3 EXISTS
            S: c OK NOTIFY completed
        """)

    def test_none_ends_it_and_own_changes_are_answered_still(self) -> None:
        self.notify(EVERYTHING)
        self.notify("NONE")
        self.deliver()
        self.silent()
        self.dialogue("""
            C: a NOOP
            S: a OK NOOP completed
            C: b STORE 1 +FLAGS (\\Deleted)
            S: * 4 EXISTS
            S: * 1 FETCH (UID 1 FLAGS (\\Deleted))
            S: b OK STORE completed
            C: c EXPUNGE
            S: * 1 EXPUNGE
            S: c OK EXPUNGE completed
        """)

    def test_flags_that_were_not_wished_are_told_when_they_are(self) -> None:
        self.client().send(b"a ENABLE CONDSTORE\r\n")
        self.client().received()
        self.notify("SET (SELECTED (MessageNew MessageExpunge))")
        self.flag(1)
        self.silent()
        self.remove(3)
        self.dialogue("""
            S: * 3 EXPUNGE
            S: * OK [HIGHESTMODSEQ {low}] {*}
            C: a STORE 2 +FLAGS (\\Seen)
            S: * 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ ({high}))
            S: a OK [HIGHESTMODSEQ {low}] STORE completed
            C: b NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))
            S: * 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ ({*}))
            S: * 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ ({high}))
            S: b OK NOTIFY completed
        """)

    def test_delayed_expunges_wait_for_a_command_that_allows_them(self) -> None:
        self.notify("SET (SELECTED-DELAYED (MessageNew MessageExpunge FlagChange))")
        self.remove(1)
        self.flag(3)
        self.deliver()
        self.dialogue("""
            S: * 4 EXISTS
            S: * 3 FETCH (UID 3 FLAGS (\\Flagged))
            C: a FETCH 3 UID
            S: * 3 FETCH (UID 3)
            S: a OK {*}
            C: b NOOP
            S: * 1 EXPUNGE
            S: b OK NOOP completed
        """)
        self.remove(2)
        self.silent()
        self.dialogue("""
            C: c IDLE
            S: * 1 EXPUNGE
            S: + idling
        """)
        self.remove(3)
        self.dialogue("""
            S: * 1 EXPUNGE
            C: DONE
            S: c OK IDLE completed
        """)

    def test_delayed_ones_with_condstore_hold_back_highestmodseq(self) -> None:
        self.client().send(b"a ENABLE QRESYNC\r\n")
        self.client().received()
        self.notify("SET (SELECTED-DELAYED (MessageNew MessageExpunge FlagChange))")
        self.remove(1)
        self.flag(3)
        self.dialogue("""
            S: * 3 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ ({*}))
            S: * OK [HIGHESTMODSEQ {*}] {*}
            C: a NOOP
            S: * VANISHED 1
            S: a OK [HIGHESTMODSEQ {*}] NOOP completed
        """)

    def test_expunges_that_a_fetch_held_back_are_told_after_it(self) -> None:
        self.notify(EVERYTHING)
        self.remove(1)
        self.client().send(b"a FETCH 2 UID\r\n")
        self.dialogue("""
            S: * 2 FETCH (UID 2)
            S: a OK {*}
            S: * 1 EXPUNGE
        """)

    def test_idle_tells_the_same_events(self) -> None:
        self.notify("SET (SELECTED (MessageNew (UID) MessageExpunge)) (PERSONAL (MailboxName))")
        self.dialogue("C: a IDLE\nS: + idling")
        self.deliver()
        self.flag(1)
        self.room.write(self.room.store.create, "New", (), False)
        self.dialogue("""
            S: * 4 EXISTS
            S: * 4 FETCH (UID 4)
            S: * LIST (\\HasNoChildren) "/" New
            C: DONE
            S: a OK IDLE completed
        """)

    def test_it_follows_the_selection(self) -> None:
        self.fill(1, "Junk")
        self.notify("SET (SELECTED (MessageNew MessageExpunge)) (PERSONAL (MessageNew MessageExpunge))")
        self.client().send(b"a SELECT Junk\r\n")
        self.client().received()
        self.deliver()
        self.deliver("Junk")
        self.dialogue("""
            S: * 2 EXISTS
            S: * STATUS INBOX (UIDNEXT 5 MESSAGES 4 UNSEEN 4)
        """)

    def test_with_uidonly(self) -> None:
        self.client().send(b"a ENABLE UIDONLY\r\n")
        self.client().received()
        self.notify("SET (SELECTED (MessageNew (FLAGS) MessageExpunge FlagChange))")
        self.remove(1)
        self.flag(2)
        self.deliver()
        self.dialogue("""
            S: * VANISHED 1
            S: * 3 EXISTS
            S: * 2 UIDFETCH (FLAGS (\\Flagged))
            S: * 4 UIDFETCH (FLAGS ())
        """)

    def test_with_qresync(self) -> None:
        self.client().send(b"a ENABLE QRESYNC\r\n")
        self.client().received()
        self.notify(EVERYTHING)
        self.remove(1)
        self.deliver()
        self.dialogue("""
            S: * VANISHED 1
            S: * 3 EXISTS
            S: * 3 FETCH (UID 4 FLAGS () MODSEQ ({*}))
            S: * OK [HIGHESTMODSEQ {*}] {*}
        """)

    def test_a_command_that_has_begun_is_not_interrupted(self) -> None:
        self.notify(EVERYTHING)
        client = self.client()
        client.send(b"a SEARCH SUBJ")
        self.deliver()
        self.silent()
        client.send(b"ECT {4}\r\n")
        self.dialogue("S: + go ahead")
        self.deliver()
        self.silent()
        client.send(b"none\r\n")
        self.dialogue("""
            S: * SEARCH
            S: a OK SEARCH completed
            S: * 5 EXISTS
        """)

    def test_a_wrong_command_does_not_swallow_a_change(self) -> None:
        self.notify(EVERYTHING)
        client = self.client()
        client.send(b"a WHAT")
        self.deliver()
        self.silent()
        client.send(b"EVER\r\n")
        self.dialogue("""
            S: a BAD {*}
            S: * 4 EXISTS
        """)

    def test_who_does_not_read_is_told_the_difference_later_as_one(self) -> None:
        self.notify("SET (SELECTED (MessageNew MessageExpunge)) (PERSONAL (MessageNew MessageExpunge))")
        client = self.client()
        client.protocol._outlet.pauseProducing()
        for _ in range(5):
            self.deliver()
            self.deliver("Junk")
            self.silent()
        client.protocol._outlet.resumeProducing()
        self.dialogue("""
            S: * 8 EXISTS
            S: * STATUS Junk (UIDNEXT 6 MESSAGES 5 UNSEEN 5)
        """)


class ThroughCompressTests(CompressCase, SelectedTests):
    """The same through COMPRESS."""


class ByteByByteTests(SelectedTests):
    byte_by_byte = True


class NewMessageTests(NotifyCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(1)
        self.select()

    def test_61_the_items_of_each_new_message(self) -> None:
        self.notify("SET (SELECTED (MessageNew (UID FLAGS PREVIEW RFC822.SIZE) MessageExpunge))")
        self.deliver(flags=("\\Flagged",))
        self.deliver()
        self.dialogue("""
            S: * 3 EXISTS
            S: * 2 FETCH (UID 2 FLAGS (\\Flagged) PREVIEW {*} RFC822.SIZE {*})
            S: * 3 FETCH (UID 3 FLAGS () PREVIEW {*} RFC822.SIZE {*})
        """)

    def test_61_a_whole_message_does_not_become_seen(self) -> None:
        self.notify("SET (SELECTED (MessageNew (BODY[]) MessageExpunge FlagChange))")
        self.deliver(content=b"Subject: x\r\n\r\nshort\r\n")
        self.dialogue("""
            S: * 2 EXISTS
            S: * 2 FETCH (UID 2 BODY[] {{*}}
            S: Subject: x
            S:
            S: short
            S: )
            C: a FETCH 2 FLAGS
            S: * 2 FETCH (UID 2 FLAGS ())
            S: a OK {*}
        """)

    def test_61_one_that_cannot_be_read_is_told_by_its_uid(self) -> None:
        self.notify("SET (SELECTED (MessageNew (PREVIEW) MessageExpunge))")
        real = notify_policy.render

        def broken(account: object, mailbox: int, uids: NumSet, *rest: object) -> object:
            if 3 in uids:
                raise Unavailable("a file is broken")
            return real(account, mailbox, uids, *rest)      # type: ignore[arg-type]

        with mock.patch.object(notify_policy, "render", broken):
            for _ in range(3):
                self.deliver()
            self.dialogue("""
                S: * 4 EXISTS
                S: * 2 FETCH (UID 2 PREVIEW {*})
                S: * NO [UNAVAILABLE] {*}
                S: * 3 FETCH (UID 3)
                S: * 4 FETCH (UID 4 PREVIEW {*})
            """)

    def test_a_large_one_is_sent_as_it_is_read(self) -> None:
        body = b"Subject: x\r\n\r\n" + b"0123456789abcde\r\n" * 60000
        self.notify("SET (SELECTED (MessageNew (BODY.PEEK[]) MessageExpunge))")
        self.deliver(content=body)
        self.clock.advance(0)
        self.assertEqual(self.client().received(),
                         b"* 2 EXISTS\r\n* 2 FETCH (UID 2 BODY[] {%d}\r\n%b)\r\n" % (len(body), body))


class OverflowTests(NotifyCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(notify_policy, "MOST", 5)
        self.patch(notify_policy, "MOST_HELD", 2)
        self.fill(8)
        self.select()

    def everything(self, expunge: bool) -> None:
        box = self.room.store.mailbox("INBOX").id
        uids = NumSet(((1, 8 if not expunge else 3),))
        self.room.write(self.room.store.store, box, uids, "+", ["\\Deleted"])
        if expunge:
            self.room.write(self.room.store.expunge, box, uids)

    def test_63_too_many_changes_end_it(self) -> None:
        self.notify("SET (SELECTED (MessageNew MessageExpunge FlagChange)) (PERSONAL (MailboxName))")
        self.everything(expunge=False)
        self.dialogue("S: * OK [NOTIFICATIONOVERFLOW] {*}")
        self.deliver()
        self.room.write(self.room.store.create, "New")
        self.dialogue("""
            C: a NOOP
            S: a OK NOOP completed
        """)

    def test_63_so_do_too_many_that_are_held_back(self) -> None:
        self.notify("SET (SELECTED-DELAYED (MessageNew MessageExpunge))")
        self.everything(expunge=True)
        self.dialogue("S: * OK [NOTIFICATIONOVERFLOW] {*}")
        self.silent()

    def test_63_and_too_many_mailboxes(self) -> None:
        self.notify("SET (PERSONAL (MailboxName))")
        for number in range(6):
            self.room.write(self.room.store.create, f"M{number}")
        self.dialogue("S: * OK [NOTIFICATIONOVERFLOW] {*}")

    def test_63_after_it_notify_can_be_set_again(self) -> None:
        self.notify(EVERYTHING)
        self.everything(expunge=False)
        self.dialogue("S: * OK [NOTIFICATIONOVERFLOW] {*}")
        self.client().send(b"n NOTIFY %b\r\n" % EVERYTHING.encode())
        self.assertEqual(self.client().received().count(b" FETCH (UID "), 8)
        self.remove(8)
        self.dialogue("S: * 8 EXPUNGE")

    def test_changes_that_cannot_be_read_end_it_too(self) -> None:
        self.notify("SET (PERSONAL (MailboxName))")

        def broken() -> None:
            raise Unavailable("the disk is gone")

        with mock.patch.object(self.room.store, "mailboxes", broken):
            self.room.write(self.room.store.create, "New")
            self.dialogue("S: * OK [NOTIFICATIONOVERFLOW] {*}")
        self.assertEqual(len(self.flushLoggedErrors(Unavailable)), 1)
