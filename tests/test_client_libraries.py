"""What parsers of client libraries need that the grammar leaves open."""

from __future__ import annotations

from tests.dialogue import DialogueCase

EMPTY = (b"Subject: nothing\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
         b"--b\r\n\r\n\r\n--b--\r\n")


class ParserTests(DialogueCase):
    def fetch(self, message: bytes, items: bytes) -> bytes:
        self.fill(1, content=message)
        self.client().send(b"a EXAMINE INBOX\r\n")
        self.client().received()
        self.client().send(b"b FETCH 1 (%b)\r\n" % items)
        return self.client().received()

    def test_octets_of_a_message_are_a_literal_even_where_there_are_none(self) -> None:
        """node-imap drops the message, and scripts on imaplib index into the wrong thing, for a quoted string."""
        answer = self.fetch(EMPTY, b"BODY[1] BODY[TEXT]<999.9> BODY[HEADER]<999.9> BINARY[1] FLAGS")
        self.assertEqual(answer, b"* 1 FETCH (UID 1 BODY[1] {0}\r\n BODY[TEXT]<999> {0}\r\n BODY[HEADER]<999> {0}\r\n"
                         b" BINARY[1] {0}\r\n FLAGS ())\r\nb OK FETCH completed\r\n")

    def test_a_long_name_or_parameter_is_a_literal(self) -> None:
        """Mail::IMAPTalk gives up the connection for a quoted string of more than 65534 octets."""
        long, longest = b"n" * 1025, b"n" * 1024
        answer = self.fetch(b"To: %b <a@example.org>\r\nContent-Type: text/plain; x=%b; y=%b\r\n\r\n"
                            % (long, long, longest), b"ENVELOPE BODYSTRUCTURE")
        self.assertIn(b'(({1025}\r\n%b NIL "a" "example.org"))' % long, answer)
        self.assertIn(b'("x" {1025}\r\n%b "y" "%b"' % (long, longest), answer)
