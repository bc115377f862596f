"""FETCH BINARY where a part cannot be decoded (RFC 9051 6.4.5 and 7.1, UNKNOWN-CTE; RFC 3516 4.3)."""

from __future__ import annotations

from tests.dialogue import DialogueCase
from tests.test_commands_notify import NotifyCase

ODD = b"Content-Transfer-Encoding: x-odd\r\n\r\n"


class UnknownEncodingTests(DialogueCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(content=ODD + b"hello\r\n")
        self.fill(content=ODD + b"0123456789abcdef" * 50_000)
        self.client().send(b"s SELECT INBOX\r\n")
        self.client().received()

    def test_each_way_to_ask_is_refused_with_its_code(self) -> None:
        for item in ("BINARY[1]", "BINARY.PEEK[1]", "BINARY.SIZE[1]", "BINARY.PEEK[1]<1.2>"):
            self.dialogue(f"""
                C: a FETCH 1 {item}
                S: a NO [UNKNOWN-CTE] {{*}}
            """)

    def test_what_needs_no_decoding_is_given(self) -> None:
        self.dialogue("""
            C: a FETCH 1 (BINARY.PEEK[9] BINARY.SIZE[])
            S: * 1 FETCH (UID 1 BINARY[9] NIL BINARY.SIZE[] 43)
            S: a OK {*}
        """)

    def test_it_is_known_before_any_octet_of_a_response_in_pieces(self) -> None:
        """A tagged line in the midst of a response would be a part of it."""
        many = " ".join(f"BODY.PEEK[]<{start}.60000>" for start in range(20))
        for item in ("BINARY.PEEK[1]", "BINARY.SIZE[1]"):
            self.dialogue(f"""
                C: a FETCH 2 ({many} {item})
                S: a NO [UNKNOWN-CTE] {{*}}
            """)


    def test_52_messages_before_it_were_sent(self) -> None:
        for content in (b"\r\nplain", ODD, b"\r\nmore"):
            self.fill(mailbox="Trash", content=content)
        self.client().send(b"s SELECT Trash\r\n")
        self.client().received()
        self.dialogue("""
            C: a UID FETCH 1:9 (BINARY[1])
            S: * 1 FETCH (UID 1 FLAGS (\\Seen) BINARY[1] {5}
            S: plain)
            S: a NO [UNKNOWN-CTE] {*}
            C: b FETCH 1:* FLAGS
            S: * 1 FETCH (UID 1 FLAGS (\\Seen))
            S: * 2 FETCH (UID 2 FLAGS ())
            S: * 3 FETCH (UID 3 FLAGS ())
            S: b OK {*}
        """)


class NewMessageTests(NotifyCase):
    def test_one_that_cannot_be_decoded_is_told_by_its_uid_and_others_go_on(self) -> None:
        """Who sends such a message must not end what its reader is told (docs/contract.md 61)."""
        self.select()
        self.notify("SET (SELECTED (MessageNew (BINARY.PEEK[1]) MessageExpunge))")
        self.deliver(content=ODD + b"hello\r\n")
        self.deliver(content=b"\r\nhello")
        self.dialogue("""
            S: * 2 EXISTS
            S: * NO [UNKNOWN-CTE] {*}
            S: * 1 FETCH (UID 1)
            S: * 2 FETCH (UID 2 BINARY[1] {5}
            S: hello)
        """)
