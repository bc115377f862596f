"""APPEND and MULTIAPPEND (RFC 9051 6.3.12, RFC 3502, RFC 7889, RFC 4315)."""

from __future__ import annotations

from pathlib import Path

from moximap.imap.dialect import standard
from moximap.imap.site import Limits
from moximap.values import NumSet
from tests.dialogue import HELLO, DialogueCase

JOE = """Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)
From: Fred Foobar <foobar@Blurdybloop.example.COM>
Subject: afternoon meeting
To: mooch@owatagu.example.net
Message-Id: <B27397-0100000@Blurdybloop.example.COM>
MIME-Version: 1.0
Content-Type: TEXT/PLAIN; CHARSET=US-ASCII

Hello Joe, do you think we can meet at 3:30 tomorrow?
"""
MOOCH = """Date: Mon, 7 Feb 1994 22:43:04 -0800 (PST)
From: Joe Mooch <mooch@OWaTaGu.example.net>
Subject: Re: afternoon meeting
To: foobar@blurdybloop.example.com
Message-Id: <a0434793874930@OWaTaGu.example.net>
MIME-Version: 1.0
Content-Type: TEXT/PLAIN; CHARSET=US-ASCII

3:30 is fine with me.
"""


def wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def script(text: str) -> str:
    """A message as lines that a client sends; what follows it stands in the last of them."""
    return "\n".join(f"C: {line}" for line in text.split("\n"))


class AppendCase(DialogueCase):
    def files(self, kind: str) -> list[Path]:
        """Files that receiving, or storing, has left."""
        return [path for path in (self.data / "accounts" / "ada" / kind).rglob("*") if path.is_file()]

    def contents(self, mailbox: str = "INBOX") -> list[bytes]:
        """The messages of a mailbox, and that the account is whole."""
        account = self.account()
        opened = account.open(mailbox)
        self.assertEqual(list(account.check()), [])
        return [content.read(0, content.size)
                for uid in opened.changes.uids
                for content, in account.fetch(opened.mailbox.id, one(uid), ["content"])]

    def said(self, text: bytes, number: str = "") -> bytes:
        """What the server answers."""
        self.client(number).send(text)
        self.clock.advance(0)
        return self.client(number).received()


def one(uid: int) -> NumSet:
    return NumSet(((uid, uid),))


class MultiAppendTests(AppendCase):
    def test_the_conversation_of_rfc_3502(self) -> None:
        """A003 and A004 (rules 73, 74); the sizes are those that the messages have."""
        self.account().create("saved-messages")
        self.dialogue(f"""
            C: A003 APPEND saved-messages (\\Seen) {{{len(wire(JOE))}}}
            S: + go ahead
            {script(JOE)} (\\Seen) " 7-Feb-1994 22:43:04 -0800" {{{len(wire(MOOCH))}}}
            S: + go ahead
            {script(MOOCH)}
            S: A003 OK [APPENDUID {{v}} 1:2] appended
            C: A004 APPEND bogusname (\\Flagged) {{1023}}
            S: A004 NO [TRYCREATE] there is no such mailbox
        """)
        self.assertEqual(self.contents("saved-messages"), [wire(JOE), wire(MOOCH)])

    def test_each_message_has_its_own_flags_and_date(self) -> None:
        self.dialogue("""
            C: a APPEND INBOX (\\Seen $Work) "17-Jul-1996 02:44:25 -0700" {5+}
            C: first (\\Draft) {6+}
            C: second " 1-Jan-2001 00:00:00 +0000" {5+}
            C: third (\\Recent \\seen $WORK) {6+}
            C: fourth
            S: a OK [APPENDUID {v} 1:4] appended
            C: b EXAMINE INBOX
            S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)
            S: * OK [PERMANENTFLAGS ()] {*}
            S: * 4 EXISTS
            S: * 0 RECENT
            S: * OK [UNSEEN 2] {*}
            S: * OK [UIDVALIDITY {v}] {*}
            S: * OK [UIDNEXT 5] {*}
            S: * OK [HIGHESTMODSEQ {m}] {*}
            S: * OK [MAILBOXID {*}
            S: b OK [READ-ONLY] {*}
            C: c FETCH 1:4 (FLAGS MODSEQ)
            S: * OK [HIGHESTMODSEQ {m}] {*}
            S: * 1 FETCH (UID 1 FLAGS (\\Seen $Work) MODSEQ ({m}))
            S: * 2 FETCH (UID 2 FLAGS (\\Draft) MODSEQ ({m}))
            S: * 3 FETCH (UID 3 FLAGS () MODSEQ ({m}))
            S: * 4 FETCH (UID 4 FLAGS (\\Seen $Work) MODSEQ ({m}))
            S: c OK FETCH completed
            C: d FETCH 1,3 INTERNALDATE
            S: * 1 FETCH (UID 1 INTERNALDATE "17-Jul-1996 02:44:25 -0700")
            S: * 3 FETCH (UID 3 INTERNALDATE " 1-Jan-2001 00:00:00 +0000")
            S: d OK FETCH completed
        """)
        self.assertEqual(self.contents(), [b"first", b"second", b"third", b"fourth"])

    def test_rule_74_pending_changes_come_first_then_exists(self) -> None:
        self.fill(3)
        self.said(b"a SELECT INBOX\r\n")
        self.said(b"a SELECT INBOX\r\nb STORE 2 +FLAGS.SILENT (\\Deleted)\r\nc EXPUNGE\r\n", "2")
        self.dialogue("""
            C: a APPEND INBOX {5+}
            C: first {6+}
            C: second
            S: * 2 EXPUNGE
            S: * 4 EXISTS
            S: a OK [APPENDUID {v} 4:5] appended
            C2: d NOOP
            S2: * 4 EXISTS
            S2: d OK NOOP completed
        """)

    def test_client_21_appenduid_is_always_there(self) -> None:
        self.assertRegex(self.said(b"a APPEND Sent {1+}\r\nx\r\n"), rb"^a OK \[APPENDUID [1-9]\d* 1\] ")

    def test_an_empty_message_cancels_all(self) -> None:
        """Rule 73, RFC 3502: the first, one in the middle, or the last; asked for first or not."""
        self.dialogue("""
            C: a APPEND INBOX {5+}
            C: first {0}
            S: a NO an empty message cancels {*}
            C: b APPEND INBOX {0}
            S: b NO an empty message cancels {*}
            C: c APPEND INBOX {5}
            S: + go ahead
            C: first {0+}
            C:
            S: c NO an empty message cancels {*}
            C: d APPEND INBOX {0+}
            C:  {5+}
            C: first
            S: d NO an empty message cancels {*}
            C: e APPEND INBOX ~{0+}
            C:  {5}
            S: e NO an empty message cancels {*}
        """)
        self.assertEqual(self.contents(), [])

    def test_a_refused_message_refuses_all_at_the_first_possible_point(self) -> None:
        """Rule 73: what comes unasked is thrown away, and the error said at the next chance."""
        self.dialogue("""
            C: a APPEND INBOX {5+}
            C: first (\\Bogus) {3+}
            C: two {5}
            S: a BAD there is no system flag \\Bogus that can be changed
            C: b APPEND INBOX {5+}
            C: first "32-Jul-1996 02:44:25 -0700" {3+}
            C: two
            S: b BAD {*}
            C: c NOOP
            S: c OK NOOP completed
        """)
        self.assertEqual(self.contents(), [])

    def test_bad_syntax(self) -> None:
        for text in (b"APPEND", b"APPEND INBOX", b"APPEND INBOX hello", b"APPEND INBOX (\\Seen)",
                     b"APPEND INBOX {1+}\r\nx {1+}\r\ny (", b"APPEND INBOX {1+}\r\nx(\\Seen) {1+}\r\ny",
                     b"APPEND INBOX {1+}\r\nx junk {1+}\r\ny", b"APPEND INBOX () () {1+}\r\nx",
                     b"APPEND INBOX NIL {1+}\r\nx", b"APPEND INBOX{1+}\r\nx", b"APPEND {1+}\r\nx",
                     b"APPEND INBOX UTF8 (~{1+}\r\nx", b"APPEND INBOX UTF8 (~{1+}\r\nx {1+}\r\ny",
                     b"APPEND INBOX {1+}\r\nx) {1+}\r\ny", b"APPEND INBOX UTF8 ({1+}\r\nx))",
                     b"APPEND INBOX \"17-Foo-1996 02:44:25 -0700\" {1+}\r\nx"):
            answer = self.said(b"a " + text + b"\r\n")
            self.assertRegex(answer, rb"^a BAD [^\r]*\r\n$", text)
        self.assertEqual(self.contents(), [])

    def test_bad_syntax_is_known_before_the_message_is_asked_for(self) -> None:
        for text in (b"APPEND INBOX hello {5}", b"APPEND INBOX(\\Seen) {5}", b"APPEND INBOX (\\Bogus) {5}",
                     b"APPEND INBOX {1+}\r\nx junk {5}", b"APPEND INBOX UTF8 (~{1+}\r\nx {5}"):
            self.assertRegex(self.said(b"a " + text + b"\r\n"), rb"^a BAD [^\r]*\r\n$", text)

    def test_trailing_spaces_are_let_through(self) -> None:
        self.assertIn(b"a OK [APPENDUID ", self.said(b"a APPEND INBOX {1+}\r\nx {1+}\r\ny  \r\n"))

    def test_rule_78_literal8_and_utf8(self) -> None:
        zero = b"a\0b"
        answer = self.said(b"a APPEND INBOX ~{3+}\r\n" + zero + b" UTF8 (~{3+}\r\n" + "é!".encode() + b") ("
                           b"\\Seen) utf8 (~{1}\r\n")
        self.assertEqual(answer, b"+ go ahead\r\n")
        self.assertIn(b"a OK [APPENDUID ", self.said(b"z)\r\n"))
        self.assertEqual(self.contents(), [zero, "é!".encode(), b"z"])

    def test_the_mailbox_may_be_a_literal(self) -> None:
        self.dialogue("""
            C: a APPEND {5}
            S: + go ahead
            C: INBOX (\\Seen) {5}
            S: + go ahead
            C: first {6+}
            C: second
            S: a OK [APPENDUID {v} 1:2] appended
            C: b APPEND {7+}
            C: Nowhere {5}
            S: b NO [TRYCREATE] {*}
            C: c APPEND {200000}
            S: c BAD [TOOBIG] {*}
        """)
        self.assertEqual(self.contents(), [b"first", b"second"])

    def test_a_hundred_messages_have_one_modseq(self) -> None:
        """Rule 73: one transaction."""
        self.said(b"a APPEND INBOX" + b"".join(b" {%d+}\r\n%b" % (len(HELLO), HELLO) for _ in range(100))
                  + b"\r\n")
        changes = self.account().open("INBOX").changes
        self.assertEqual((len(changes.uids), len(set(changes.modseqs))), (100, 1))

    def test_login_comes_first(self) -> None:
        client = self.client(login=None)
        client.received()
        self.assertEqual(self.said(b"a APPEND INBOX {1+}\r\nx {1}\r\n"), b"a BAD log in first\r\n")

    def test_announced(self) -> None:
        names = standard().capabilities(self.client().protocol.session).split()
        self.assertIn(b"MULTIAPPEND", names)
        self.assertIn(b"APPENDLIMIT=104857600", names)


class MultiAppendByteByByteTests(MultiAppendTests):
    byte_by_byte = True


class LargeTests(AppendCase):
    """Messages that are received on disk."""

    def test_a_mailbox_removed_after_it_was_judged(self) -> None:
        self.account().create("Brief")
        self.dialogue("""
            C: a APPEND Brief {5}
            S: + go ahead
            C: first {200000}
            S: + go ahead
            C2: b DELETE Brief
            S2: b OK DELETE completed
        """)
        self.assertEqual(self.said(b"x" * 200000 + b"\r\n"), b"a NO [TRYCREATE] there is no such mailbox\r\n")
        self.assertEqual(self.files("tmp") + self.files("large"), [])

    def test_a_mailbox_removed_between_two_messages(self) -> None:
        self.account().create("Brief")
        self.said(b"a APPEND Brief {200000}\r\n")
        self.assertEqual(self.said(b"x" * 200000 + b" {5}\r\n"), b"+ go ahead\r\n")
        self.said(b"b DELETE Brief\r\n", "2")
        self.assertEqual(self.said(b"first {5}\r\n"), b"a NO [TRYCREATE] there is no such mailbox\r\n")
        self.assertEqual(self.files("tmp") + self.files("large"), [])
        self.assertEqual(self.said(b"c NOOP\r\n"), b"c OK NOOP completed\r\n")

    def test_large_and_small_messages_together(self) -> None:
        messages = [HELLO, b"x" * 200000, HELLO + b"y", b"z" * 150000]
        self.said(b"a APPEND INBOX" + b"".join(b" {%d+}\r\n%b" % (len(m), m) for m in messages) + b"\r\n")
        self.assertEqual(self.contents(), messages)
        self.assertEqual(self.files("tmp"), [])
        self.assertEqual(len(self.files("large")), 2)

    def test_the_client_goes_between_two_messages(self) -> None:
        self.said(b"a APPEND INBOX {200000+}\r\n" + b"x" * 200000 + b" {300000+}\r\n" + b"x" * 299999)
        self.client().lose()
        self.assertEqual(self.files("tmp") + self.files("large"), [])
        self.assertEqual(self.contents(), [])


class LimitTests(AppendCase):
    limits = Limits(append=100, memory=60, batch=100, literal_count=5)

    def test_the_limit_is_judged_per_message(self) -> None:
        """RFC 7889; what comes unasked and is too large is thrown away."""
        self.dialogue("""
            C: a APPEND INBOX {5}
            S: + go ahead
            C: first {101}
            S: a NO [TOOBIG] a message of over 100 octets is not taken here
        """)
        answer = self.said(b"b APPEND INBOX {100+}\r\n" + b"x" * 100 + b" {101+}\r\n" + b"y" * 101 + b"\r\n")
        self.assertRegex(answer, rb"^b NO \[TOOBIG\] [^\r]*\r\n$")
        self.assertEqual(self.contents(), [])
        self.assertIn(b"c OK", self.said(b"c APPEND INBOX {100+}\r\n" + b"x" * 100 + b" {100+}\r\n"
                                         + b"y" * 100 + b"\r\n"))

    def test_what_is_refused_and_very_large_ends_the_connection(self) -> None:
        self.assertRegex(self.said(b"a APPEND INBOX {1+}\r\nx {2000000+}\r\n"), rb"^\* BYE \[TOOBIG\] ")
        self.assertTrue(self.client().transport.disconnecting)

    def test_small_messages_that_are_large_together_are_spooled(self) -> None:
        message = b"x" * 50
        self.client().send(b"a APPEND INBOX" + (b" {50+}\r\n" + message) * 3)
        self.assertEqual(len(self.files("tmp")), 1)
        self.assertIn(b"a OK", self.said(b"\r\n"))
        self.assertEqual(self.contents(), [message] * 3)
        self.assertEqual(self.files("tmp"), [])

    def test_more_literals_than_a_command_may_have(self) -> None:
        self.assertRegex(self.said(b"a APPEND INBOX" + b" {1+}\r\nx" * 5 + b" {1}\r\n"),
                         rb"^a BAD \[TOOBIG\] [^\r]*\r\n$")
        self.assertIn(b"b OK", self.said(b"b APPEND INBOX" + b" {1+}\r\nx" * 5 + b"\r\n"))
