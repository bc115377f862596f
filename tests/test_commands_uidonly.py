"""UIDONLY (RFC 9586), rule 55 of docs/contract.md."""

from __future__ import annotations

from tests.dialogue import DialogueCase


class UidOnlyTests(DialogueCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(4)
        self.client().send(b"e ENABLE UIDONLY\r\n")
        self.assertEqual(self.client().received(), b"* ENABLED UIDONLY\r\ne OK ENABLE completed\r\n")
        self.select()

    def select(self, number: str = "") -> bytes:
        self.client(number).send(b"s SELECT INBOX\r\n")
        return self.client(number).received()

    def test_select_tells_no_sequence_number(self) -> None:
        answer = self.select()
        self.assertIn(b"* 4 EXISTS\r\n", answer)
        self.assertNotIn(b"UNSEEN", answer)
        self.assertIn(b"UNSEEN 1", self.select("2"))

    def test_commands_with_sequence_numbers_are_refused(self) -> None:
        for command in ("FETCH 1 FLAGS", "STORE 1 +FLAGS (\\Seen)", "COPY 1 Sent", "MOVE 1 Sent", "SEARCH ALL",
                        "UID SEARCH 1:2", "UID SEARCH OR 1 UNSEEN", "REPLACE 1 INBOX {3+}\r\nabc",
                        "SEARCH RETURN (ALL) 1"):
            self.client().send(b"x " + command.encode() + b"\r\n")
            self.assertRegex(self.client().received(), rb"^x BAD \[UIDREQUIRED\] [^\r]+\r\n$", command)

    def test_match_data_of_qresync_is_refused(self) -> None:
        self.dialogue("""
            C: a ENABLE QRESYNC
            S: * OK [HIGHESTMODSEQ {m}] CONDSTORE is enabled
            S: * ENABLED QRESYNC
            S: a OK ENABLE completed
            C: b SELECT INBOX (QRESYNC (1 1 1:4 (1 1)))
            S: * OK [CLOSED] {*}
            S: b BAD [UIDREQUIRED] {*}
        """)

    def test_responses_are_named_by_uid(self) -> None:
        self.select("2")
        self.dialogue("""
            C: a UID FETCH 2:3 (FLAGS)
            S: * 2 UIDFETCH (FLAGS ())
            S: * 3 UIDFETCH (FLAGS ())
            S: a OK UID FETCH completed
            C: b UID FETCH 2 (RFC822.SIZE UID)
            S: * 2 UIDFETCH (RFC822.SIZE 148 UID 2)
            S: b OK UID FETCH completed
            C: c UID FETCH 3 BODY[TEXT]<0.2>
            S: * 3 UIDFETCH (FLAGS (\\Seen) BODY[TEXT]<0> {2}
            S: He)
            S: c OK UID FETCH completed
            C: d UID STORE 1 +FLAGS (\\Deleted)
            S: * 1 UIDFETCH (FLAGS (\\Deleted))
            S: d OK UID STORE completed
            C2: a EXPUNGE
            S2: * 1 EXPUNGE
            S2: * 2 FETCH (UID 3 FLAGS (\\Seen))
            S2: a OK EXPUNGE completed
        """)

    def test_expunges_are_vanished_without_qresync(self) -> None:
        self.dialogue("""
            C: a UID STORE 1,3 +FLAGS.SILENT (\\Deleted)
            S: a OK UID STORE completed
            C: b EXPUNGE
            S: * VANISHED 1,3
            S: b OK EXPUNGE completed
            C: c UID MOVE 2 Sent
            S: * OK [COPYUID {v} 2 1] moved
            S: * VANISHED 2
            S: c OK UID MOVE completed
        """)

    def test_uid_search_answers_by_esearch(self) -> None:
        self.dialogue("""
            C: a UID SEARCH UNSEEN
            S: * ESEARCH (TAG "a") UID ALL 1:4
            S: a OK UID SEARCH completed
            C: b UID SEARCH RETURN (COUNT) UID 2:3
            S: * ESEARCH (TAG "b") UID COUNT 2
            S: b OK UID SEARCH completed
        """)

    def test_it_may_be_enabled_while_a_mailbox_is_selected(self) -> None:
        self.select("2")
        self.dialogue("""
            C2: a ENABLE UIDONLY
            S2: * ENABLED UIDONLY
            S2: a OK ENABLE completed
            C2: b UID STORE 1 +FLAGS (\\Seen)
            S2: * 1 UIDFETCH (FLAGS (\\Seen))
            S2: b OK UID STORE completed
        """)
