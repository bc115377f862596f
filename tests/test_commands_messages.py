"""APPEND, FETCH, STORE, COPY, MOVE and EXPUNGE (RFC 9051 6.3.12, 6.4.3 to 6.4.9)."""

from __future__ import annotations

from tests.dialogue import HELLO, DialogueCase


class MessageTests(DialogueCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(3)

    def select(self, number: str = "", command: str = "SELECT INBOX") -> None:
        client = self.client(number)
        client.send(b"s " + command.encode() + b"\r\n")
        self.assertIn(b"\r\ns OK", client.received())

    def test_append_gives_the_uid_and_is_told_when_selected(self) -> None:
        self.select()
        self.select("2")
        self.dialogue("""
            C: a APPEND INBOX (\\Seen $Work) "17-Jul-1996 02:44:25 -0700" {13+}
            C: Subject: x
            C:
            S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)
            S: * 4 EXISTS
            S: a OK [APPENDUID {v} 4] appended
            C: b FETCH 4 (UID FLAGS INTERNALDATE RFC822.SIZE)
            S: * 4 FETCH (UID 4 FLAGS (\\Seen $Work) INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 13)
            S: b OK FETCH completed
            C2: a NOOP
            S2: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)
            S2: * 4 EXISTS
            S2: a OK NOOP completed
        """)

    def test_append_with_a_synchronising_literal_waits_for_go_ahead(self) -> None:
        self.dialogue("""
            C: a APPEND Nowhere {10}
            S: a NO [TRYCREATE] {*}
            C: b APPEND INBOX {200000000}
            S: b NO [TOOBIG] {*}
            C: c APPEND INBOX {5}
            S: + go ahead
            C: abc
            C:
            S: c OK [APPENDUID {v} 4] appended
        """)

    def test_fetch_of_everything(self) -> None:
        self.select()
        size = len(HELLO)
        self.dialogue(f"""
            C: a FETCH 1 ALL
            S: * 1 FETCH (UID 1 FLAGS () INTERNALDATE " 7-Feb-1994 21:52:25 -0800" RFC822.SIZE {size} \
ENVELOPE ("Mon, 7 Feb 1994 21:52:25 -0800" "hello" (("Ada" NIL "ada" "example.org")) \
(("Ada" NIL "ada" "example.org")) (("Ada" NIL "ada" "example.org")) ((NIL NIL "bob" "example.org")) \
NIL NIL NIL "<1@example.org>"))
            S: a OK FETCH completed
            C: b FETCH 1 BODY
            S: * 1 FETCH (UID 1 BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 13 1))
            S: b OK FETCH completed
            C: c UID FETCH 2 (BODY.PEEK[TEXT]<0.5> BODY.PEEK[TEXT]<500.5> BODY.PEEK[9])
            S: * 2 FETCH (UID 2 BODY[TEXT]<0> {{5}}
            S: Hello BODY[TEXT]<500> {{0}}
            S:  BODY[9] NIL)
            S: c OK UID FETCH completed
            C: d UID FETCH 3 BODY[HEADER.FIELDS (From Nothing)]
            S: * 3 FETCH (UID 3 FLAGS (\\Seen) BODY[HEADER.FIELDS (From Nothing)] {{31}}
            S: From: Ada <ada@example.org>
            S:
            S: )
            S: d OK UID FETCH completed
            C: e UID FETCH 3:* FLAGS
            S: * 3 FETCH (UID 3 FLAGS (\\Seen))
            S: e OK UID FETCH completed
            C: f UID FETCH 99 FLAGS
            S: f OK UID FETCH completed
            C: g FETCH 99 FLAGS
            S: g BAD {{*}}
            C: h FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1]<0.2>)
            S: * 1 FETCH (UID 1 BINARY.SIZE[1] 13 BINARY[1]<0> {{2}}
            S: He)
            S: h OK FETCH completed
        """)

    def test_store_answers_for_all_its_targets_and_others_hear_of_it(self) -> None:
        self.select()
        self.select("2")
        self.dialogue("""
            C: a STORE 1:2 +FLAGS (\\Deleted)
            S: * 1 FETCH (UID 1 FLAGS (\\Deleted))
            S: * 2 FETCH (UID 2 FLAGS (\\Deleted))
            S: a OK STORE completed
            C: b STORE 1:2 +FLAGS.SILENT \\Deleted
            S: b OK STORE completed
            C: c UID STORE 2 +FLAGS \\Deleted
            S: * 2 FETCH (UID 2 FLAGS (\\Deleted))
            S: c OK UID STORE completed
            C: d STORE 3 FLAGS.SILENT (\\Flagged)
            S: d OK STORE completed
            C2: a NOOP
            S2: * 1 FETCH (UID 1 FLAGS (\\Deleted))
            S2: * 2 FETCH (UID 2 FLAGS (\\Deleted))
            S2: * 3 FETCH (UID 3 FLAGS (\\Flagged))
            S2: a OK NOOP completed
        """)

    def test_expunge_is_told_at_once_here_and_later_elsewhere(self) -> None:
        self.select()
        self.select("2")
        self.dialogue("""
            C: a STORE 1:2 +FLAGS.SILENT (\\Deleted)
            S: a OK STORE completed
            C2: a FETCH 3 FLAGS
            S2: * 3 FETCH (UID 3 FLAGS ())
            S2: * 1 FETCH (UID 1 FLAGS (\\Deleted))
            S2: * 2 FETCH (UID 2 FLAGS (\\Deleted))
            S2: a OK FETCH completed
            C: b EXPUNGE
            S: * 2 EXPUNGE
            S: * 1 EXPUNGE
            S: b OK EXPUNGE completed
            C2: b FETCH 1 (UID BODY.PEEK[TEXT])
            S2: * 1 FETCH (UID 1 BODY[TEXT] {13}
            S2: Hello, Bob.
            S2: )
            S2: b OK [EXPUNGEISSUED] {*}
            C2: c FETCH 3 FLAGS
            S2: * 3 FETCH (UID 3 FLAGS ())
            S2: c OK FETCH completed
            C2: d NOOP
            S2: * 2 EXPUNGE
            S2: * 1 EXPUNGE
            S2: d OK NOOP completed
        """)

    def test_move_and_copy_tell_the_uids(self) -> None:
        self.select()
        self.dialogue("""
            C: a UID COPY 1:2 Archive
            S: a OK [COPYUID {v} 1:2 1:2] copied
            C: b MOVE 2 Archive
            S: * OK [COPYUID {v} 2 3] moved
            S: * 2 EXPUNGE
            S: b OK MOVE completed
            C: c UID MOVE 77 Archive
            S: c OK {*}
            C: d COPY 1 INBOX
            S: * 3 EXISTS
            S: d OK [COPYUID {w} 1 4] copied
            C: e COPY 1 Nowhere
            S: e NO [TRYCREATE] {*}
        """)


class ByteByByte(MessageTests):
    byte_by_byte = True
