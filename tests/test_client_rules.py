"""What real clients trip over: the entries of docs/contract.md that no other file tests."""

from __future__ import annotations

import re

from tests.dialogue import HELLO, DialogueCase

INLINE = (b"Subject: pictures\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
          b"--b\r\nContent-Type: text/plain\r\nContent-Disposition: inline\r\n\r\nhi\r\n"
          b"--b\r\nContent-Type: image/png; name=x.png\r\nContent-Disposition: attachment\r\n"
          b"Content-Transfer-Encoding: base64\r\n\r\niVBO\r\n--b--\r\n")
CHILDLESS = (b"Subject: empty\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
             b"nothing here\r\n")


class ClientRules(DialogueCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(4)

    def select(self, number: str = "", mailbox: str = "INBOX") -> None:
        self.client(number).send(b"s SELECT %b\r\n" % mailbox.encode())
        self.assertIn(b"\r\ns OK", self.client(number).received())

    def ask(self, command: bytes, number: str = "") -> bytes:
        self.client(number).send(b"x " + command + b"\r\n")
        return self.client(number).received()

    def test_client_1_a_partial_says_its_first_octet_only(self) -> None:
        self.select()
        answer = self.ask(b"UID FETCH 1 (BODY.PEEK[]<0.393216>)")
        self.assertIn(b"BODY[]<0> {%d}\r\n%b)" % (len(HELLO), HELLO), answer)

    def test_client_2_past_the_end_there_is_an_empty_literal(self) -> None:
        self.select()
        self.dialogue("""
            C: a FETCH 1 (BODY.PEEK[1]<393216.393216> BODY.PEEK[TEXT]<7.100>)
            S: * 1 FETCH (UID 1 BODY[1]<393216> {0}
            S:  BODY[TEXT]<7> {6}
            S: Bob.
            S: )
            S: a OK FETCH completed
        """)

    def test_client_3_every_item_that_is_asked_is_in_the_answer(self) -> None:
        self.select()
        items = (b"FLAGS INTERNALDATE RFC822 RFC822.SIZE RFC822.HEADER RFC822.TEXT ENVELOPE BODY BODYSTRUCTURE "
                 b"BODY[1] BODY[1.MIME] BODY[2] BODY[1.HEADER] BODY[HEADER] BODY[TEXT] BINARY[1] BINARY.SIZE[1]")
        answer = self.ask(b"FETCH 1 (%b)" % items)
        self.assertIn(b"\r\nx OK", answer)
        for item in items.split():
            self.assertIn(b" " + item + b" ", answer.replace(b"(UID", b" UID"))
        self.assertRegex(self.ask(b"FETCH 1 (FLAGS NOSUCH)"), rb"^x BAD unknown FETCH item NOSUCH\r\n$")

    def test_client_13_who_expunges_hears_of_it_before_its_ok(self) -> None:
        self.select()
        self.dialogue("""
            C: a STORE 2 +FLAGS.SILENT (\\Deleted)
            S: a OK STORE completed
            C: b UID EXPUNGE 2
            S: * 2 EXPUNGE
            S: b OK UID EXPUNGE completed
        """)

    def test_client_14_no_expunge_while_sequence_numbers_are_used(self) -> None:
        self.select()
        self.select("2")
        self.ask(b"STORE 1 +FLAGS (\\Deleted)")
        self.ask(b"EXPUNGE")
        for command in (b"UID FETCH 2:* FLAGS", b"FETCH 2 FLAGS", b"STORE 3 +FLAGS (\\Flagged)",
                        b"UID STORE 3 -FLAGS (\\Flagged)", b"SEARCH ALL", b"UID SEARCH ALL"):
            self.assertNotIn(b"EXPUNGE\r\n", self.ask(command, "2"), command)
        self.assertEqual(self.ask(b"NOOP", "2"), b"* 1 EXPUNGE\r\nx OK NOOP completed\r\n")

    def test_client_15_changes_of_others_stay_out_of_a_bulk_fetch(self) -> None:
        self.select()
        self.select("2")
        self.ask(b"STORE 1:4 +FLAGS (\\Seen)")
        answer = self.ask(b"UID FETCH 1:* (RFC822.SIZE)", "2").split(b"\r\n")
        self.assertTrue(all(b"RFC822.SIZE" in line for line in answer[:4]))
        self.assertTrue(all(b"FLAGS (\\Seen)" in line for line in answer[4:8]))

    def test_client_16_a_multipart_without_parts_has_an_empty_one(self) -> None:
        self.fill(1, "Drafts", CHILDLESS)
        self.select(mailbox="Drafts")
        self.assertIn(b'BODY (("text" "plain" ', self.ask(b"FETCH 1 BODY"))
        self.assertNotIn(b"(NIL", self.ask(b"FETCH 1 BODYSTRUCTURE"))

    def test_client_17_a_disposition_without_parameters_is_there(self) -> None:
        self.fill(1, "Drafts", INLINE)
        self.select(mailbox="Drafts")
        answer = self.ask(b"FETCH 1 BODYSTRUCTURE")
        self.assertIn(b'("inline" NIL)', answer)
        self.assertIn(b'("attachment" NIL)', answer)
        self.assertIn(b'("name" "x.png")', answer)

    def test_client_18_no_text_is_empty_and_a_continuation_has_its_space(self) -> None:
        script = (b"a SELECT INBOX\r\nb FETCH 1 FLAGS\r\nc NOOP\r\nd EXAMINE Sent\r\ne CLOSE\r\nf XX\r\ng ENABLE\r\n"
                  b"h STATUS INBOX (MESSAGES)\r\ni IDLE\r\nDONE\r\nj LOGOUT\r\n")
        self.client().send(script)
        for line in self.client().received().split(b"\r\n"):
            found = re.match(rb"(?:\S+ (?:OK|NO|BAD|BYE)|\+)(.*)", line)
            if found:
                self.assertRegex(found[1], rb"^ (\[[^\]]+\] )?\S")

    def test_client_20_uidvalidity_is_never_zero_and_grows_when_a_mailbox_is_made_again(self) -> None:
        seen = []
        for _ in range(3):
            self.ask(b"CREATE again")
            found = re.search(rb"UIDVALIDITY (\d+)", self.ask(b"STATUS again (UIDVALIDITY)"))
            assert found
            seen.append(int(found[1]))
            self.ask(b"DELETE again")
        self.assertTrue(0 < seen[0] < seen[1] < seen[2])

    def test_client_21_appenduid_and_copyuid_always_come(self) -> None:
        self.select()
        self.assertIn(b"[APPENDUID ", self.ask(b"APPEND Sent {3+}\r\nabc"))
        self.assertIn(b"[COPYUID ", self.ask(b"COPY 1 Sent"))
        self.assertIn(b"[COPYUID ", self.ask(b"MOVE 1 Sent"))

    def test_client_22_gone_uids_are_no_failure(self) -> None:
        self.select()
        for command in (b"UID MOVE 475 \"Trash\"", b"UID COPY 475 Trash", b"UID STORE 475 +FLAGS (\\Seen)",
                        b"UID EXPUNGE 475", b"UID FETCH 475 (FLAGS)"):
            self.assertRegex(self.ask(command), rb"^x OK ", command)

    def test_client_27_noop_tells_arrivals_and_expunges(self) -> None:
        self.select()
        self.select("2")
        self.ask(b"APPEND INBOX {3+}\r\nabc", "2")
        self.ask(b"STORE 2 +FLAGS (\\Deleted)", "2")
        self.ask(b"EXPUNGE", "2")
        self.assertEqual(self.ask(b"NOOP"), b"* 2 EXPUNGE\r\n* 4 EXISTS\r\nx OK NOOP completed\r\n")

    def test_client_30_authenticating_again_is_a_quick_no(self) -> None:
        self.dialogue("""
            C: a AUTHENTICATE PLAIN
            S: a NO already authenticated
            C: b LOGIN ada secret
            S: b NO already authenticated
            C: c AUTHENTICATE EXTERNAL =
            S: c NO already authenticated
            C: d STARTTLS
            S: d NO already authenticated
        """)

    def test_client_34_enable_always_says_enabled(self) -> None:
        self.dialogue("""
            C: a ENABLE X-NOTHING
            S: * ENABLED
            S: a OK ENABLE completed
            C: b ENABLE utf8=accept imap4rev2
            S: * ENABLED UTF8=ACCEPT IMAP4rev2
            S: b OK ENABLE completed
        """)

    def test_client_38_a_mailbox_may_be_named_with_its_separator(self) -> None:
        self.ask(b"CREATE lists/")
        self.assertIn(b"x OK", self.ask(b"STATUS lists/ (MESSAGES)"))
        self.assertIn(b"x OK", self.ask(b"SELECT \"lists/\""))


class GrammarTests(DialogueCase):
    """What a parser of the RFC's grammar would stumble over."""

    def test_no_plain_literal_has_a_nul(self) -> None:
        message = b"Subject: n\0x\r\n\r\nhi\0 " + b"\0" * 300000
        self.fill(1, content=message)
        client = self.client()
        client.send(b"a SELECT INBOX\r\nb FETCH 1 (BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.5>)\r\n")
        answer = client.received()
        self.assertIn(b"BODY[] {%d}\r\n%b " % (len(message), message.replace(b"\0", b"\x80")), answer)
        self.assertNotIn(b"\0", answer)
        client.send(b"c FETCH 1 BINARY.PEEK[]\r\n")
        self.assertIn(b"BINARY[] ~{%d}\r\n%b)" % (len(message), message), client.received())

    def test_a_long_literal_does_not_come_unasked_before_login(self) -> None:
        client = self.client(login=None)
        client.received()
        client.send(b"a LOGIN {4097+}\r\n" + b"x" * 4097 + b" y\r\nb LOGIN {4097}\r\n")
        self.assertRegex(client.received(), rb"^a BAD \[TOOBIG\] [^\r]*\r\n\+ go ahead\r\n$")

    def test_copying_by_number_what_is_gone_is_no_success(self) -> None:
        self.fill(2)
        for name in "12":
            self.client(name).send(b"a SELECT INBOX\r\n")
            self.client(name).received()
        self.client("2").send(b"b STORE 2 +FLAGS (\\Deleted)\r\nc EXPUNGE\r\n")
        self.client("2").received()
        self.dialogue("""
            C1: a COPY 2 Archive
            S1: * 2 EXPUNGE
            S1: a NO [EXPUNGEISSUED] {*}
            C1: b UID COPY 2 Archive
            S1: b OK {*}
        """)


class LoginRules(DialogueCase):
    plaintext_login = False

    def test_passwords_are_refused_without_tls(self) -> None:
        self.client(login=None).received()
        self.dialogue("""
            C: a CAPABILITY
            S: * CAPABILITY {caps} {*}LOGINDISABLED{*}
            S: a OK CAPABILITY completed
            C: b LOGIN ada secret
            S: b NO [PRIVACYREQUIRED] {*}
            C: c AUTHENTICATE PLAIN AGFkYQBzZWNyZXQ=
            S: c NO [PRIVACYREQUIRED] {*}
        """)


class PasswordTests(DialogueCase):
    def dialogue(self, script: str, login: str | None = None) -> None:
        self.client(login=None)
        super().dialogue(script, None)

    def setUp(self) -> None:
        super().setUp()
        self.client(login=None).received()

    def test_login(self) -> None:
        self.dialogue("""
            C: a LOGIN ada wrong
            S: a NO [AUTHENTICATIONFAILED] {*}
            C: b LOGIN nobody secret
            S: b NO [AUTHENTICATIONFAILED] {*}
            C: c LOGIN "ada" {6+}
            C: secret
            S: c OK [CAPABILITY {*}LITERAL+{*}] welcome
        """)

    def test_authenticate_plain_with_and_without_an_initial_response(self) -> None:
        self.dialogue("""
            C: a AUTHENTICATE PLAIN
            S: +{*}
            C: *
            S: a BAD {*}
            C: b AUTHENTICATE PLAIN
            S: +{*}
            C: not base64!
            S: b BAD {*}
            C: c AUTHENTICATE PLAIN =
            S: c BAD {*}
            C: d AUTHENTICATE NOSUCH
            S: d NO [CANNOT] {*}
            C: e AUTHENTICATE PLAIN AGFkYQB3cm9uZw==
            S: e NO [AUTHENTICATIONFAILED] {*}
            C: f AUTHENTICATE PLAIN AGFkYQBzZWNyZXQ=
            S: f OK [CAPABILITY {*}] welcome
        """)

    def test_an_initial_response_of_another_account_is_refused(self) -> None:
        self.dialogue("""
            C: a AUTHENTICATE PLAIN Ym9iAGFkYQBzZWNyZXQ=
            S: a NO [AUTHENTICATIONFAILED] {*}
        """)

    def test_too_many_failures_end_the_connection_with_one_bye(self) -> None:
        for i in range(9):
            self.client().send(b"a%d LOGIN ada wrong\r\n" % i)
        self.client().received()
        self.client().send(b"z LOGIN ada wrong\r\ny NOOP\r\n")
        self.assertEqual(self.client().received(), b"* BYE too many failed logins\r\n")
        self.assertTrue(self.client().transport.disconnecting)
