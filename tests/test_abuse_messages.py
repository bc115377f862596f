"""Messages that no mail program would write, appended by one client and fetched in every way."""

from __future__ import annotations

import re

from tests import beside
from tests.abusing import MB, AbuseCase

_BASE64 = b"From: a@example.org\r\nContent-Transfer-Encoding: base64\r\n\r\n"

MESSAGES = {
    "10,000 parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_000 + b"--b--\r\n",
    "1,000 levels": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(1000))
    + b"\r\nx\r\n" + b"".join(b"--b%d--\r\n" % i for i in reversed(range(1000))),
    "1,000 messages in messages": b"Content-Type: message/rfc822\r\n\r\n" * 1000 + b"x\r\n",
    "NULs": b"From: \0a\0@b\r\nSubject: \0\0\r\nContent-Type: text/\0plain; a=\"\0\"\r\n\r\n\0\0\0\r\nbody\0\r\n",
    "a boundary without end": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\nContent-Type: multipart/x; boundary=b",
    "a header of 3 MB": b"From: a@example.org\r\nX: " + b"y" * 3_000_000 + b"\r\n\r\n",
    "100,000 addresses": b"To: " + b",\r\n ".join(b"u%d@example.org" % i for i in range(100_000)) + b"\r\n\r\n",
    "100,000 parameters": b"Content-Type: text/plain" + b"".join(b";\r\n p%d=v" % i for i in range(100_000)) + b"\r\n\r\n",
    "100,000 header fields": b"".join(b"F%d: v\r\n" % i for i in range(100_000)) + b"\r\n",
    "no header": (b"x" * 76 + b"\r\n") * 50_000,
    "bare line feeds": b"Subject: x\n\nbody\n" + b"\r\n\n" * 100_000,
    "base64": _BASE64 + (b"QUFB" * 19 + b"\r\n") * 50_000,
    "base64 that is none": _BASE64 + b"\xff=!=" * 50_000,
    "one line": b"\xfe" * 1_000_000}

ITEMS = (
    b"FULL", b"BODYSTRUCTURE", b"ENVELOPE", b"RFC822.SIZE", b"RFC822", b"RFC822.HEADER", b"RFC822.TEXT", b"BODY[]", b"BODY[HEADER]",
    b"BODY[TEXT]", b"BODY.PEEK[1]", b"BODY[1.MIME]", b"BODY[1.1.1]", b"BODY[1.HEADER]", b"BODY[1.1.TEXT]", b"BODY[10000]",
    b"BODY[9999.MIME]", b"BODY[" + b"1." * 998 + b"1]", b"BODY[]<0.4294967295>", b"BODY[]<99999999999.1>", b"BODY[HEADER]<7.9>",
    b"BODY[HEADER.FIELDS (FROM TO F99999)]", b"BODY[1.HEADER.FIELDS.NOT (FROM)]", b"BINARY.SIZE[1]", b"BINARY.SIZE[1.1.1]",
    b"BINARY[1]", b"BINARY.PEEK[1]<100.5>", b"BINARY[1.1.1]", b"BINARY.PEEK[]", b"BINARY[9999]",
    b"(BODY[1] BODY[2] BODY[1.1] BINARY[1] ENVELOPE BODY[HEADER])",
    b"(" + b" ".join(b"BODY.PEEK[%d]" % i for i in range(1, 1000)) + b")")

SEARCHES = (b"TEXT body", b"BODY xyzzy", b"SUBJECT x", b"FROM a", b"HEADER F99999 v", b"OR LARGER 1000000 TO u99999@")


class MessageTests(AbuseCase):
    """All of them in one mailbox."""

    growth = 100 * MB             # answers hold whole headers

    def test_whatever_is_appended_comes_back_and_can_be_fetched_in_parts_and_searched(self) -> None:
        wire = self.client()
        for name, raw in MESSAGES.items():
            tagged = wire.command(b"APPEND INBOX ~{%d+}\r\n%b" % (len(raw), raw))[1]
            self.assertIn(b" OK [APPENDUID ", tagged, name)
        self.all_is_well()
        wire.must(b"SELECT INBOX")
        for item in ITEMS:
            fetched = wire.must(b"FETCH 1:* " + item)
            numbers = [int(re.match(rb"\* (\d+) FETCH ", line)[1]) for line in fetched]  # type: ignore[index]
            self.assertEqual(list(range(1, len(MESSAGES) + 1)), numbers, item[:60])
        for search in SEARCHES:
            self.assertEqual(1, len(wire.must(b"SEARCH " + search)))
        for number, raw in enumerate(MESSAGES.values(), start=1):
            response, = wire.must(b"FETCH %d BODY.PEEK[]" % number)
            told = raw.replace(b"\0", b"\x80")
            self.assertTrue(response.endswith(b" BODY[] {%d}\r\n%b)\r\n" % (len(told), told)), raw[:60])
        self.all_is_well()


test_suite = beside.suite(__name__)
