"""Digests of real, random and hostile messages (moximap.mail.digest)."""

import pathlib
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.mail.digest import VERSION, Digest, digest
from moximap.mail.headers import select
from moximap.mail.structure import dump, find, load, parse, walk
from moximap.mail.text import body_texts, decode_transfer
from tests import beside

CORPUS = sorted((pathlib.Path(__file__).parent / "corpus").glob("*.eml"))

quick = settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))

LITERAL = re.compile(rb"\{(\d+)\}\r\n")
QUOTED = rb'"(?:[^"\\\r\n\0\x80-\xff]|\\["\\])*"'
TOKENS = re.compile(rb"(?:[() ]+|%b|NIL|\d+)++" % QUOTED)


def check_wire(test: SynchronousTestCase, wire: bytes) -> None:
    """Fail unless these are strings, NIL and numbers in balanced parentheses."""
    at = depth = 0
    while at < len(wire):
        if match := LITERAL.match(wire, at):
            at = match.end() + int(match[1])
            test.assertNotIn(b"\0", wire[match.end() : at])
            continue
        match = TOKENS.match(wire, at)
        assert match, wire[at : at + 80]
        bare = re.sub(QUOTED, b"", match[0])
        depth += bare.count(b"(") - bare.count(b")")
        at = match.end()
    test.assertEqual(depth, 0)


def check(test: SynchronousTestCase, data: bytes) -> Digest:
    """Digest a message and everything else that reads it; check what must hold of any."""
    found = digest(data)
    for wire in (found.envelope, found.body, found.bodystructure):
        check_wire(test, wire)
    root = parse(data)
    test.assertEqual((root.header, root.body, root.end), (0, found.header_size, len(data)))
    for part in walk(root):
        test.assertTrue(part.header <= part.body <= part.end)
        at = part.body
        for child in part.children:
            test.assertTrue(at <= child.header and child.end <= part.end)
            at = child.end
        holds = part.is_multipart or (part.type == "message" and part.subtype in ("rfc822", "global"))
        test.assertEqual(bool(part.children), holds)
    again = load(found.parts)
    test.assertEqual(dump(again), found.parts)
    for path in [(), (1,), (2,), (1, 1), (2, 1)]:
        one, two = find(root, path), find(again, path)
        test.assertEqual(one and (one.header, one.body, one.end), two and (two.header, two.body, two.end))
    test.assertLessEqual(len(found.preview), 200)
    for text in body_texts(again, data):
        test.assertIsInstance(text.folded, str)
    select(data[: root.body], frozenset([b"subject", b"from"]), exclude=True)
    return found


class RealMessageTests(SynchronousTestCase):
    def test_all_hold_together(self) -> None:
        self.assertGreater(len(CORPUS), 90)
        for path in CORPUS:
            data = path.read_bytes()
            check(self, data)
            check(self, data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    def test_a_digest_tells_what_sorting_and_threading_need(self) -> None:
        found = digest(
            b"Date: Tue, 3 Feb 2026 00:30:00 +0100\r\nFrom: =?utf-8?q?=C3=89va?= <Eva@x>\r\nTo: bob@y\r\n"
            b"Cc: Team: c@z;\r\nSubject: Re: =?utf-8?q?Caf=C3=A9?=\r\nMessage-ID: <m@x>\r\n"
            b"References: <a@x> <b@x>\r\n\r\nhello\r\n"
        )
        self.assertEqual((found.sent, found.sent_time), (739650, 1770075000))
        self.assertEqual((found.subject, found.base_subject), ("Re: Café", "Café"))
        self.assertEqual((found.from_key, found.to_key, found.cc_key), ("Eva", "bob", "Team"))
        self.assertEqual((found.from_display, found.to_display), ("Éva", "bob@y"))
        self.assertEqual((found.message_id, found.references), (b"m@x", (b"a@x", b"b@x")))
        self.assertEqual((found.preview, found.version), ("hello", VERSION))

    def test_a_group_is_shown_by_its_name(self) -> None:
        found = digest(b"From: Friends: a@x, b@y;\r\nTo: undisclosed-recipients:;\r\n\r\n")
        self.assertEqual((found.from_display, found.to_display), ("Friends", "undisclosed-recipients"))

    def test_nothing_at_all_has_a_digest(self) -> None:
        found = check(self, b"")
        self.assertEqual((found.header_size, found.subject, found.sent), (0, "", None))

    def test_a_body_without_header_is_found(self) -> None:
        self.assertEqual(check(self, b"\r\nhello").header_size, 2)
        self.assertEqual(check(self, b"\nhello").header_size, 1)


def header(name: bytes, content: bytes) -> bytes:
    return name + b": " + content + b"\r\n\r\nbody"


MIXED = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n"


class HostileTests(SynchronousTestCase):
    """Inputs that cost time in their square, or memory, or the stack, if handled carelessly."""

    def test_line_ends_and_nuls(self) -> None:
        for octets in [b"\r", b"\n", b"\0", b"\r\n\r", b" \r\n", b"\xff"]:
            check(self, octets * 500_000)
            check(self, header(b"Subject", octets * 250_000))

    def test_huge_headers(self) -> None:
        check(self, header(b"Subject", b"x" * 5_000_000))
        check(self, header(b"To", b"x,\r\n " * 50_000))
        check(self, b"X-Field: a@b\r\n" * 100_000 + b"\r\nbody")
        check(self, b"To: a@b\r\n" * 30_000 + b"\r\nbody")
        check(self, b"a:\n" * 150_000 + b"\nbody")
        check(self, b"no colon\n" * 150_000)

    def test_address_lists(self) -> None:
        n = 15_000
        for content in [
            b"(",
            b'"\\',
            b"<",
            b"@",
            b"@ ",
            b"a@b ",
            b"a . ",
            b"a:",
            b"<@a,",
            b"[",
            b"\\",
            b"(a)",
        ]:
            check(self, header(b"To", content * n))
        check(self, header(b"To", b"<" + b"@a," * n))
        check(self, header(b"To", b"w " * n + b"@" + b" :" * n))

    def test_structured_fields(self) -> None:
        n = 50_000
        for content in [b";a=b", b';a="\\"', b";a*1=b", b"(", b" ", b"/", b'"\\', b";" + b"=" * 9]:
            check(self, header(b"Content-Type", b"text/plain" + content * n))
            check(self, header(b"Content-Disposition", b"inline" + content * n))
        for name in [b"Date", b"References", b"Subject", b"Content-Transfer-Encoding", b"Message-ID"]:
            for content in [b"<", b"1 ", b'<"', b"[a]", b"re:", b"=?utf-8?q?x?= ", b"(", b"=?", b"[fwd:"]:
                check(self, header(name, content * n))

    def test_ten_thousand_parts(self) -> None:
        for part in [b"\r\nhi\r\n", b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nhi\r\n"]:
            check(self, MIXED % b"x" + (b"--x\r\n" + part) * 10_050)

    def test_parts_that_open_and_drop_a_multipart(self) -> None:
        check(self, MIXED % b"x" + (b"--x\r\n" + MIXED % b"y" + b"--y\r\n\r\nz\r\n") * 10_000)

    def test_deep_nesting(self) -> None:
        check(self, b"".join((MIXED + b"--%b\r\n") % (b"%05d" % n, b"%05d" % n) for n in range(5000)))
        check(self, b"Content-Type: message/rfc822\r\n\r\n" * 5000)
        check(self, (MIXED + b"--x\r\n") % b"x" * 3000)

    def test_many_boundaries_and_lines_of_dashes(self) -> None:
        names = [bytes([97 + n % 26]) * (n + 1) for n in range(90)]
        start = b"".join((MIXED + b"--%b\r\n") % (name, name) for name in names)
        for line in [b"--\r\n", b"--~\r\n", b"-- \r\n", b"--" + b"z" * 100 + b"\r\n"]:
            check(self, start + line * 50_000)

    def test_a_large_attachment(self) -> None:
        body = b"aGVsbG8gd29ybGQhIGhlbGxvIHdvcmxkISBoZWxsbyB3b3JsZCEg\r\n" * 900_000
        data = MIXED % b"x" + b"--x\r\nContent-Transfer-Encoding: base64\r\nContent-Type: a/b\r\n\r\n" + body
        self.assertIn(b'"base64" %d' % len(body), digest(data).body)

    def test_an_unterminated_boundary(self) -> None:
        check(self, b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x")
        check(self, b'Content-Type: multipart/mixed; boundary="x\r\n\r\n--x\r\n\r\na')
        check(self, b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n\r\na")

    def test_texts(self) -> None:
        html = b"Content-Type: text/html\r\n\r\n"
        for content in [b"<div>", b"<a ", b"<", b"&amp", b"<!--", b"<table><b>", b"<script>"]:
            check(self, html + content * 50_000)
        for encoding in [b"quoted-printable", b"base64", b"x-uuencode", b"x-unknown"]:
            for content in [b" ", b"=", b"=\r\n", b"> a\r\n", b"begin \n"]:
                check(self, b"Content-Transfer-Encoding: %b\r\n\r\n" % encoding + content * 100_000)


FRAGMENTS = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b":", b";", b'"', b"\\", b"(", b")", b"<",
    b">", b"@", b",", b"--x", b"--x--", b"--xy", b"--", b"\x00", b"\xff", b"\xc3\xa9",
    b"=?utf-8?q?", b"?=", b"=", b"[", b"]", b"re:", b"Content-Type: ", b"multipart/mixed",
    b"multipart/digest", b"; boundary=x", b"; boundary=xy", b"*0*=", b"charset=",
    b"message/rfc822", b"text/html", b"<p>", b"Content-Transfer-Encoding: ", b"base64",
    b"quoted-printable", b"From: ", b"To: ", b"Subject: ", b"Date: ", b"1 Jan 2026",
    b"References: ", b"<a@b>", b"Content-Disposition: ", b"a", b"b",
]  # fmt: skip

fragments = st.lists(st.sampled_from(FRAGMENTS), max_size=60).map(b"".join)


class RandomTests(SynchronousTestCase):
    @quick
    @given(st.binary(max_size=300))
    def test_random_octets(self, data: bytes) -> None:
        check(self, data)

    @quick
    @given(fragments)
    def test_random_fragments(self, data: bytes) -> None:
        check(self, data)
        check(self, b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + data)

    @quick
    @given(st.sampled_from(CORPUS), st.integers(0, 6000), st.integers(0, 200), fragments)
    def test_mutated_messages(self, path: pathlib.Path, at: int, gone: int, new: bytes) -> None:
        data = path.read_bytes()
        at %= len(data)
        check(self, data[:at] + new + data[at + gone :])

    @quick
    @given(st.sampled_from(["7bit", "base64", "quoted-printable", "x-uuencode", "x"]), st.binary())
    def test_transfer_decoding(self, encoding: str, data: bytes) -> None:
        decode_transfer(encoding, data)


test_suite = beside.suite(__name__)
