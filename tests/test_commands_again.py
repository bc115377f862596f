"""The same words a second time are not parsed again, and mean what they mean to who says them."""

from __future__ import annotations

from moximap.imap import remembering
from moximap.imap.dialect import Dialect, discover
from moximap.imap.site import Site
from tests.dialogue import DialogueCase


class AgainTests(DialogueCase):
    def make_site(self) -> Site:
        site = super().make_site()
        site.dialect = Dialect(tuple(discover()))
        return site

    def texts(self) -> list[bytes | None]:
        return [text for text, _ in self.site.dialect.parsed]

    def test_it_is_answered_again(self) -> None:
        self.fill(2)
        self.dialogue("""
            C: a EXAMINE INBOX
            S: * FLAGS {*}
            S: * OK [PERMANENTFLAGS {*}
            S: * 2 EXISTS
            S: * 0 RECENT
            S: * OK [UNSEEN 1] {*}
            S: * OK [UIDVALIDITY {v}] {*}
            S: * OK [UIDNEXT 3] {*}
            S: * OK [HIGHESTMODSEQ {m}] {*}
            S: * OK [MAILBOXID {*}
            S: a OK [READ-ONLY] EXAMINE completed
            C: b SEARCH UNSEEN
            S: * SEARCH 1 2
            S: b OK SEARCH completed
            C: c SEARCH UNSEEN
            S: * SEARCH 1 2
            S: c OK SEARCH completed
            C: d search unseen
            S: * SEARCH 1 2
            S: d OK SEARCH completed
        """)
        self.assertEqual(self.texts(), [b" EXAMINE INBOX", b" SEARCH UNSEEN", b" search unseen"])

    def test_the_state_of_who_says_it_is_looked_at(self) -> None:
        self.client("1").send(b"a SELECT INBOX\r\nb FETCH 1:* FLAGS\r\n")
        self.client("1").received()
        self.dialogue("""
            C2: a FETCH 1:* FLAGS
            S2: a BAD no mailbox is selected
        """)
        self.dialogue("""
            C3: a SELECT INBOX
            S3: * OK [CAPABILITY {*}
            S3: a BAD log in first
        """, login=None)

    def test_what_is_switched_off_for_somebody_stays_off(self) -> None:
        self.client("1").send(b"a NAMESPACE\r\n")
        self.client("1").received()
        self.client("2").protocol.session.hidden = frozenset([b"NAMESPACE"])
        self.dialogue("""
            C2: a NAMESPACE
            S2: a BAD unknown command NAMESPACE
        """)

    def test_a_name_is_read_as_who_says_it_writes_names(self) -> None:
        self.dialogue("""
            C: a CREATE &AOk-
            S: a OK {*}
            C: b STATUS &AOk- (MESSAGES)
            S: * STATUS &AOk- (MESSAGES 0)
            S: b OK STATUS completed
            C: c ENABLE UTF8=ACCEPT
            S: * ENABLED UTF8=ACCEPT
            S: c OK {*}
            C: d STATUS &AOk- (MESSAGES)
            S: d NO [NONEXISTENT] {*}
        """)

    def test_no_password_is_kept(self) -> None:
        self.dialogue("""
            C: a LOGIN ada secret
            S: * OK [CAPABILITY {*}
            S: a OK [CAPABILITY {*}
            C: b LOGIN ada secret
            S: b NO already authenticated
        """, login=None)
        self.assertEqual(self.texts(), [])

    def test_only_so_many_and_so_long_ones_are_kept(self) -> None:
        self.patch(remembering, "MOST", 2)
        client = self.client()
        for name in ("a", "b", "c", "d" * 512):
            client.send(f"x STATUS {name} (MESSAGES)\r\n".encode())
        client.send(b"x STATUS {1+}\r\ne (MESSAGES)\r\n")
        self.assertEqual(self.texts(), [b" STATUS b (MESSAGES)", b" STATUS c (MESSAGES)"])
        for item in ("FLAGS", "UID", "ENVELOPE", "BODY.PEEK[%s]" % ("1." * 255 + "1")):
            client.send(f"x SELECT INBOX\r\nx FETCH 1 {item}\r\n".encode())
        self.assertEqual([rest for _, rest, _ in self.site.dialect.numbered], [b" UID", b" ENVELOPE"])

    def test_the_same_is_said_of_other_messages(self) -> None:
        self.fill(3)
        client = self.client("1")
        client.send(b"a SELECT INBOX\r\n")
        client.received()
        self.dialogue("""
            C1: b FETCH 1 FLAGS
            S1: * 1 FETCH (UID 1 FLAGS ())
            S1: b OK FETCH completed
            C1: c FETCH 2,* FLAGS
            S1: * 2 FETCH (UID 2 FLAGS ())
            S1: * 3 FETCH (UID 3 FLAGS ())
            S1: c OK FETCH completed
            C1: d UID FETCH 3:7 FLAGS
            S1: * 3 FETCH (UID 3 FLAGS ())
            S1: d OK UID FETCH completed
            C1: e FETCH 4 FLAGS
            S1: e BAD there is no message 4{*}
            C1: f STORE 1 +FLAGS (\\Seen)
            S1: * 1 FETCH (UID 1 FLAGS (\\Seen))
            S1: f OK STORE completed
            C1: g STORE 2 +FLAGS (\\Seen)
            S1: * 2 FETCH (UID 2 FLAGS (\\Seen))
            S1: g OK STORE completed
        """)
        self.assertEqual(list(self.site.dialect.numbered),
                         [(b" FETCH", b" FLAGS", False), (b" UID FETCH", b" FLAGS", False),
                          (b" STORE", b" +FLAGS (\\Seen)", False)])

    def test_of_many_messages_the_words_alone_are_kept(self) -> None:
        self.fill(2)
        client = self.client("1")
        client.send(b"a SELECT INBOX\r\nb UID FETCH " + b",".join(b"%d" % n for n in range(1, 9999)) + b" UID\r\n")
        client.received()
        self.dialogue("""
            C1: c UID FETCH 2 UID
            S1: * 2 FETCH (UID 2)
            S1: c OK UID FETCH completed
        """)
        self.assertEqual([command.messages.numbers for _, _, command in self.site.dialect.numbered.values()],
                         [()])

    def test_numbers_that_are_none_are_refused_as_ever(self) -> None:
        self.fill(1)
        self.client("1").send(b"a SELECT INBOX\r\nb FETCH 1 FLAGS\r\n")
        self.client("1").received()
        self.dialogue("""
            C1: b FETCH 0 FLAGS
            S1: b BAD syntax error: message numbers are from 1 to 4294967295
            C1: c FETCH 1: FLAGS
            S1: c BAD syntax error: sequence-set wanted {*}
            C1: c FETCH 1,,2 FLAGS
            S1: c BAD syntax error: sequence-set wanted {*}
            C1: c FETCH 1:2:3 FLAGS
            S1: c BAD syntax error: sequence-set wanted {*}
            C1: d FETCH  FLAGS
            S1: d BAD syntax error: sequence-set wanted {*}
            C2: e FETCH 0 FLAGS
            S2: e BAD no mailbox is selected
        """)


class AppendAgainTests(DialogueCase):
    """What stands before a message's literal is remembered from when it was announced."""

    def test_flags_and_dates_are_those_of_each_message(self) -> None:
        options = (rb'(\Seen) "17-Jul-1996 02:44:25 -0700"', rb'"17-Jul-1996 02:44:25 -0700"', rb"(\Flagged)")
        for message in options * 2:
            self.client().send(b"a APPEND INBOX %b {2+}\r\nab %b {2+}\r\ncd\r\n" % (message, options[0]))
            self.assertIn(b"a OK [APPENDUID ", self.client().received())
        self.client().send(b"b SELECT INBOX\r\n")
        self.client().received()
        self.client().send(b"c FETCH 7:12 (FLAGS INTERNALDATE)\r\n")
        lines = self.client().received().split(b"\r\n")
        for line, message in zip(lines, [options[0], options[0], options[1], options[0], options[2], options[0]],
                                 strict=False):
            for flag in (b"\\Seen", b"\\Flagged"):
                self.assertEqual(flag in line, flag in message, line)
            self.assertEqual(b'"17-Jul-1996 02:44:25 -0700"' in line, b"1996" in message, line)

    def test_where_it_is_bad_is_told_by_the_octets_of_each_command(self) -> None:
        for tag in (b"a", b"abc", b"a"):
            self.client().send(tag + b" APPEND INBOX (\\Seen]) {2+}\r\nab\r\n")
            self.assertEqual(self.client().received(), tag + b" BAD syntax error:   wanted at octet %d of the"
                             b" command\r\n" % (len(tag) + 20))
