"""NOTIFY and the selected mailbox: what is told at once, what later, what never (docs/contract.md 62)."""

from __future__ import annotations

from tests.deflated import CompressCase
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
