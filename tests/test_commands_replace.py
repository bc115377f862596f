"""REPLACE and UID REPLACE (RFC 8508)."""

from __future__ import annotations

from moximap.imap.dialect import standard
from tests.dialogue import HELLO
from tests.test_commands_append import AppendCase, script, wire

FRITZ = """Date: Thu, 1 Jan 2015 00:05:00 -0500 (EST)
From: Fritz Schmidt <fritz.ze@example.org>
Subject: happy new year !!
To: miss.mitzy@example.org
Message-Id: <B238822388-0100000@example.org>
MIME-Version: 1.0
Content-Type: TEXT/PLAIN; CHARSET=US-ASCII

Just saw the best fireworks show. Wish you were here.
"""
MORE = FRITZ + "Hopefully next year you can join us.\n"


class ReplaceCase(AppendCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(4, "Drafts", flags=("\\Draft", "$Work"))

    def select(self, number: str = "", command: str = "SELECT Drafts") -> None:
        self.assertIn(b"\r\ns OK", self.said(b"s " + command.encode() + b"\r\n", number))

    def expunge(self, uid: int, number: str = "2") -> None:
        """Another session expunges a message."""
        self.select(number)
        self.said(b"x UID STORE %d +FLAGS.SILENT (\\Deleted)\r\ny UID EXPUNGE %d\r\nz UNSELECT\r\n" % (uid, uid),
                  number)


class ReplaceTests(ReplaceCase):
    def test_the_conversations_of_rfc_8508(self) -> None:
        """Rules 75, 77: APPENDUID, EXISTS, EXPUNGE, OK; the sizes are those that the messages have."""
        self.select()
        self.dialogue(f"""
            C: A003 REPLACE 4 Drafts (\\Seen \\Draft) {{{len(wire(FRITZ))}}}
            S: + go ahead
            {script(FRITZ)}
            S: * OK [APPENDUID {{v}} 5] replacement message ready
            S: * 5 EXISTS
            S: * 4 EXPUNGE
            S: A003 OK REPLACE completed
            C: A004 UID REPLACE 5 Drafts (\\Seen \\Draft) {{{len(wire(MORE))}}}
            S: + go ahead
            {script(MORE)}
            S: * OK [APPENDUID {{v}} 6] replacement message ready
            S: * 5 EXISTS
            S: * 4 EXPUNGE
            S: A004 OK UID REPLACE completed
        """)
        self.assertEqual(self.contents("Drafts"), [HELLO] * 3 + [wire(MORE)])

    def test_nothing_is_inherited(self) -> None:
        """RFC 8508 1: no flags, no dates; 4.6: another EMAILID."""
        self.select()
        self.dialogue("""
            C: a REPLACE 2 Drafts "17-Jul-1996 02:44:25 -0700" {5+}
            C: hello
            S: * OK [APPENDUID {v} 5] replacement message ready
            S: * 5 EXISTS
            S: * 2 EXPUNGE
            S: a OK REPLACE completed
            C: b FETCH 3:4 (FLAGS INTERNALDATE)
            S: * 3 FETCH (UID 4 FLAGS (\\Draft $Work) INTERNALDATE " 7-Feb-1994 21:52:25 -0800")
            S: * 4 FETCH (UID 5 FLAGS () INTERNALDATE "17-Jul-1996 02:44:25 -0700")
            S: b OK FETCH completed
        """)

    def test_into_another_mailbox(self) -> None:
        """Defect i: APPENDUID there, too."""
        self.select()
        self.select("2", "SELECT Sent")
        self.dialogue("""
            C: a REPLACE * Sent (\\Seen) {5}
            S: + go ahead
            C: hello
            S: * OK [APPENDUID {v} 1] replacement message ready
            S: * 4 EXPUNGE
            S: a OK REPLACE completed
            C2: b STATUS Sent (UIDVALIDITY MESSAGES UNSEEN)
            S2: * STATUS Sent (UIDVALIDITY {v} MESSAGES 1 UNSEEN 0)
            S2: * 1 EXISTS
            S2: b OK STATUS completed
        """)
        self.assertEqual(self.contents("Sent"), [b"hello"])

    def test_rule_75_counters_stay_right(self) -> None:
        self.select()
        size = len(HELLO)
        self.dialogue(f"""
            C: a STORE 1 FLAGS.SILENT (\\Seen \\Deleted)
            S: a OK STORE completed
            C: b REPLACE 1 Drafts (\\Deleted) {{5+}}
            C: hello
            S: * OK [APPENDUID {{v}} 5] replacement message ready
            S: * 5 EXISTS
            S: * 1 EXPUNGE
            S: b OK REPLACE completed
            C: c REPLACE 4 Sent {{5+}}
            C: hello
            S: * OK [APPENDUID {{w}} 1] replacement message ready
            S: * 4 EXPUNGE
            S: c OK REPLACE completed
            C: d STATUS Drafts (MESSAGES UNSEEN DELETED SIZE UIDNEXT)
            S: * STATUS Drafts (MESSAGES 3 UNSEEN 3 DELETED 0 SIZE {3 * size} UIDNEXT 6)
            S: d OK STATUS completed
            C: e STATUS Sent (MESSAGES UNSEEN DELETED SIZE UIDNEXT)
            S: * STATUS Sent (MESSAGES 1 UNSEEN 1 DELETED 0 SIZE 5 UIDNEXT 2)
            S: e OK STATUS completed
        """)
        self.assertEqual(list(self.account().check()), [])

    def test_another_session_hears_of_both(self) -> None:
        self.select()
        self.select("2")
        self.dialogue("""
            C: a REPLACE 3 Drafts {5+}
            C: hello
            S: * OK [APPENDUID {v} 5] replacement message ready
            S: * 5 EXISTS
            S: * 3 EXPUNGE
            S: a OK REPLACE completed
            C2: b FETCH 3 (UID RFC822.SIZE)
            S2: * 3 FETCH (UID 3 RFC822.SIZE {*})
            S2: * 5 EXISTS
            S2: b OK [EXPUNGEISSUED] {*}
            C2: c NOOP
            S2: * 3 EXPUNGE
            S2: c OK NOOP completed
        """)

    def test_rule_77_with_condstore_the_ok_has_highestmodseq(self) -> None:
        self.select(command="SELECT Drafts (CONDSTORE)")
        self.dialogue("""
            C: a REPLACE 3 Drafts {5+}
            C: hello
            S: * OK [APPENDUID {v} 5] replacement message ready
            S: * 5 EXISTS
            S: * 3 EXPUNGE
            S: a OK [HIGHESTMODSEQ {m}] REPLACE completed
            C: b FETCH 4 MODSEQ
            S: * 4 FETCH (UID 5 MODSEQ ({m}))
            S: b OK FETCH completed
        """)

    def test_rule_77_with_qresync_it_vanishes(self) -> None:
        self.said(b"e ENABLE QRESYNC\r\n")
        self.select()
        self.dialogue("""
            C: a UID REPLACE 3 Drafts (\\Draft) {5}
            S: + go ahead
            C: hello
            S: * OK [APPENDUID {v} 5] replacement message ready
            S: * 5 EXISTS
            S: * 5 FETCH (UID 5 FLAGS (\\Draft) MODSEQ ({m}))
            S: * VANISHED 3
            S: a OK [HIGHESTMODSEQ {m}] UID REPLACE completed
        """)

    def test_rule_76_a_message_that_was_expunged_before_it_was_asked_for(self) -> None:
        self.select()
        self.expunge(2)
        self.dialogue("""
            C: a REPLACE 2 Drafts {5}
            S: * 2 EXPUNGE
            S: a NO [EXPUNGEISSUED] the message to be replaced has been expunged
            C: b UID REPLACE 2 Drafts {5}
            S: b NO the message to be replaced is not there
            C: c UID REPLACE 99 Drafts {5+}
            C: hello
            S: c NO the message to be replaced is not there
        """)
        self.assertEqual(len(self.contents("Drafts")), 3)

    def test_rule_76_a_message_that_is_expunged_while_the_new_one_comes(self) -> None:
        self.select()
        self.said(b"a REPLACE 2 Drafts {5}\r\n")
        self.expunge(2)
        self.dialogue("""
            C: hello
            S: * 2 EXPUNGE
            S: a NO [EXPUNGEISSUED] the message to be replaced has been expunged
            C: b REPLACE 2 Drafts {5+}
            C: hello
            S: * OK [APPENDUID {v} 5] replacement message ready
            S: * 4 EXISTS
            S: * 2 EXPUNGE
            S: b OK REPLACE completed
        """)
        self.assertEqual(len(self.contents("Drafts")), 3)

    def test_pending_changes_of_others_are_told_with_it(self) -> None:
        self.select()
        self.expunge(1)
        self.dialogue("""
            C: a REPLACE 4 Drafts {5+}
            C: hello
            S: * OK [APPENDUID {v} 5] replacement message ready
            S: * 5 EXISTS
            S: * 4 EXPUNGE
            S: * 1 EXPUNGE
            S: a OK REPLACE completed
        """)

    def test_rule_75_what_cannot_succeed_is_refused_before_the_message_is_asked_for(self) -> None:
        self.select()
        self.dialogue("""
            C: a REPLACE 1 Nowhere {5}
            S: a NO [TRYCREATE] {*}
            C: b REPLACE 5 Drafts {5}
            S: b BAD {*}
            C: c REPLACE 1 Drafts {0}
            S: c NO an empty message cancels {*}
            C: d REPLACE 1 Drafts {200000000}
            S: d NO [TOOBIG] {*}
            C: e REPLACE 1 Drafts (\\Bogus) {5}
            S: e BAD {*}
            C: f REPLACE 1 Drafts {1+}
            C: x {5}
            S: f BAD this command takes one message
            C: h EXAMINE Drafts
            S: * OK [CLOSED] {*}
            S: * FLAGS {*}
            S: * OK [PERMANENTFLAGS ()] {*}
            S: * 4 EXISTS
            S: * 0 RECENT
            S: * OK [UNSEEN 1] {*}
            S: * OK [UIDVALIDITY {v}] {*}
            S: * OK [UIDNEXT 5] {*}
            S: * OK [HIGHESTMODSEQ {*}
            S: * OK [MAILBOXID {*}
            S: h OK [READ-ONLY] {*}
            C: i REPLACE 1 Drafts {5}
            S: i NO [READ-ONLY] {*}
            C: j UNSELECT
            S: j OK UNSELECT completed
            C: k REPLACE 1 Drafts {5}
            S: k BAD no mailbox is selected
        """)
        self.assertEqual(self.contents("Drafts"), [HELLO] * 4)

    def test_what_comes_unasked_is_thrown_away(self) -> None:
        self.select()
        self.dialogue("""
            C: a REPLACE 1 Nowhere {5+}
            C: hello
            S: a NO [TRYCREATE] {*}
            C: b REPLACE 7 Drafts {5+}
            C: hello
            S: b BAD {*}
            C: c REPLACE 1 Drafts {0+}
            C:
            S: c NO {*}
        """)
        self.assertEqual(self.contents("Drafts"), [HELLO] * 4)

    def test_a_target_that_is_removed_while_the_message_comes(self) -> None:
        self.account().create("Brief")
        self.select()
        self.said(b"a REPLACE 1 Brief {5}\r\n")
        self.said(b"b DELETE Brief\r\n", "2")
        self.dialogue("""
            C: hello
            S: a NO [TRYCREATE] {*}
        """)
        self.assertEqual(self.contents("Drafts"), [HELLO] * 4)

    def test_rule_37_a_selected_mailbox_that_was_removed(self) -> None:
        self.account().create("Brief")
        self.fill(1, "Brief")
        for number in ("1", "3"):
            self.select(number, "SELECT Brief")
        self.said(b"b DELETE Brief\r\n", "2")
        for number, literal in (("1", b"{5}"), ("3", b"{5+}\r\nhello")):
            self.assertIn(b"a NO [NONEXISTENT] ",
                          self.said(b"a UID REPLACE 1 Drafts " + literal + b"\r\n", number))
        self.assertEqual(self.contents("Drafts"), [HELLO] * 4)

    def test_in_an_empty_mailbox_there_is_nothing_to_replace(self) -> None:
        self.select(command="SELECT Sent")
        for command in (b"REPLACE *", b"UID REPLACE *", b"UID REPLACE 1"):
            self.assertRegex(self.said(b"a " + command + b" Drafts {5}\r\n"), rb"^a NO [^\r]*\r\n$")

    def test_rule_78_literal8_and_utf8_and_a_mailbox_that_is_a_literal(self) -> None:
        self.select()
        self.dialogue("""
            C: a REPLACE 1 {6}
            S: + go ahead
            C: Drafts (\\Seen) ~{5}
            S: + go ahead
            C: hello
            S: * OK [APPENDUID {v} 5] replacement message ready
            S: * 5 EXISTS
            S: * 1 EXPUNGE
            S: a OK REPLACE completed
            C: b UID REPLACE * Drafts UTF8 (~{5+}
            C: Hello)
            S: * OK [APPENDUID {v} 6] replacement message ready
            S: * 5 EXISTS
            S: * 4 EXPUNGE
            S: b OK UID REPLACE completed
        """)
        self.assertEqual(self.contents("Drafts"), [HELLO] * 3 + [b"Hello"])

    def test_bad_syntax(self) -> None:
        self.select()
        for text in ("REPLACE", "REPLACE 1", "REPLACE 1 Drafts", "REPLACE 1 Drafts hello", "REPLACE 0 Drafts {1+}\r\nx",
                     "REPLACE 1:2 Drafts {1+}\r\nx", "REPLACE 1,2 Drafts {1+}\r\nx", "REPLACE $ Drafts {1+}\r\nx",
                     "REPLACE x Drafts {1+}\r\nx", "REPLACE 1 Drafts {1+}\r\nx y", "REPLACE 1 {1+}\r\nx",
                     "REPLACE 1 Drafts {1+}\r\nx {1+}\r\ny", "REPLACE 99999999999 Drafts {1+}\r\nx",
                     "UID REPLACE Drafts {1+}\r\nx", "REPLACE 1 Drafts () () {1+}\r\nx"):
            self.assertRegex(self.said(b"a " + text.encode() + b"\r\n"), rb"^a BAD [^\r]*\r\n$", text)
        self.assertEqual(self.contents("Drafts"), [HELLO] * 4)

    def test_announced(self) -> None:
        self.assertIn(b"REPLACE", standard().capabilities(self.client().protocol.session).split())


class ReplaceByteByByteTests(ReplaceTests):
    byte_by_byte = True


class LargeTests(ReplaceCase):
    """Messages that are received on disk."""

    def test_a_large_message(self) -> None:
        self.select()
        self.said(b"a REPLACE 1 Drafts {200000+}\r\n" + b"x" * 200000 + b"\r\n")
        self.assertEqual(self.contents("Drafts"), [HELLO] * 3 + [b"x" * 200000])
        self.assertEqual(self.files("tmp"), [])

    def test_rule_45_a_large_message_that_fails_leaves_no_file(self) -> None:
        self.select()
        self.said(b"a REPLACE 2 Drafts {200000}\r\n")
        self.expunge(2)
        answer = self.said(b"x" * 200000 + b"\r\n")
        self.assertEqual(answer, b"* 2 EXPUNGE\r\n"
                                 b"a NO [EXPUNGEISSUED] the message to be replaced has been expunged\r\n")
        self.assertEqual(self.files("tmp") + self.files("large"), [])

    def test_rule_75_what_is_useless_and_large_ends_the_connection(self) -> None:
        self.select()
        answer = self.said(b"a REPLACE 1 Nowhere {1000001+}\r\n" + b"x" * 100)
        self.assertRegex(answer, rb"^\* BYE \[ALERT\] [^\r]*\r\n$")
        self.assertTrue(self.client().transport.disconnecting)
        answer = self.said(b"a SELECT Drafts\r\na REPLACE 1 Nowhere {1000000+}\r\n" + b"x" * 1000000 + b"\r\n", "2")
        self.assertRegex(answer, rb"a NO \[TRYCREATE\] [^\r]*\r\n$")
