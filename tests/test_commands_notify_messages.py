"""NOTIFY: items of new messages, and too many changes (docs/contract.md 61 and 63)."""

from __future__ import annotations

from unittest import mock

from moximap.imap.commands import notify_fetch, notify_policy
from moximap.store.errors import Unavailable
from moximap.values import NumSet
from tests.test_commands_notify import NotifyCase

EVERYTHING = "SET (SELECTED (MessageNew MessageExpunge FlagChange))"


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
        real = notify_fetch.render

        def broken(account: object, mailbox: int, uids: NumSet, *rest: object) -> object:
            if 3 in uids:
                raise Unavailable("a file is broken")
            return real(account, mailbox, uids, *rest)      # type: ignore[arg-type]

        with mock.patch.object(notify_fetch, "render", broken):
            for _ in range(3):
                self.deliver()
            self.dialogue("""
                S: * 4 EXISTS
                S: * 2 FETCH (UID 2 PREVIEW {*})
                S: * NO [UNAVAILABLE] {*}
                S: * 3 FETCH (UID 3)
                S: * 4 FETCH (UID 4 PREVIEW {*})
            """)

    def enable_qresync(self) -> None:
        self.dialogue("""
            C: a ENABLE QRESYNC
            S: {*}
            S: * ENABLED QRESYNC
            S: a OK ENABLE completed
        """)

    def test_with_qresync_one_response_has_all_that_is_to_be_told_of_it(self) -> None:
        """RFC 7162 3.2.4 wants flags and MODSEQ of new messages told; RFC 5465 the items."""
        self.enable_qresync()
        self.notify("SET (SELECTED (MessageNew (PREVIEW) MessageExpunge))")
        self.deliver()
        self.dialogue("""
            S: * 2 EXISTS
            S: * 2 FETCH (UID 2 FLAGS () MODSEQ ({m}) PREVIEW {*})
            C: a APPEND INBOX {1+}
            C: x
            S: * 3 EXISTS
            S: * 3 FETCH (UID 3 FLAGS () MODSEQ ({n}))
            S: a OK [APPENDUID {*}
        """)

    def test_with_qresync_one_that_cannot_be_read_is_told_by_its_flags(self) -> None:
        self.enable_qresync()
        self.notify("SET (SELECTED (MessageNew (PREVIEW) MessageExpunge))")
        with mock.patch.object(notify_fetch, "render", side_effect=Unavailable("a file is broken")):
            self.deliver()
            self.dialogue("""
                S: * 2 EXISTS
                S: * NO [UNAVAILABLE] {*}
                S: * 2 FETCH (UID 2 FLAGS () MODSEQ ({m}))
            """)

    def test_with_condstore_every_response_has_the_modseq(self) -> None:
        """RFC 7162 3.1: in all FETCH responses that nobody asked for."""
        self.dialogue("""
            C: a ENABLE CONDSTORE
            S: {*}
            S: * ENABLED CONDSTORE
            S: a OK ENABLE completed
        """)
        self.notify("SET (SELECTED (MessageNew (FLAGS) MessageExpunge))")
        self.deliver()
        self.dialogue("""
            S: * 2 EXISTS
            S: * 2 FETCH (UID 2 MODSEQ ({m}) FLAGS ())
        """)

    def test_asking_for_modseq_enables_condstore_at_once(self) -> None:
        self.dialogue("""
            C: a NOTIFY SET (SELECTED (MessageNew (MODSEQ) MessageExpunge FlagChange))
            S: * OK [HIGHESTMODSEQ {m}] CONDSTORE is enabled
            S: a OK NOTIFY completed
            C: b STORE 1 +FLAGS (\\Seen)
            S: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ ({n}))
            S: b OK STORE completed
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
