"""MIME structure, section numbers and BODYSTRUCTURE (moximap.mail.structure, bodystructure)."""

import mmap
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from moximap.mail import addressfields, media, structure
from moximap.mail.bodystructure import body, bodystructure
from moximap.mail.parts import dump_all
from moximap.mail.structure import dump, find, load, parse, walk


def crlf(text: bytes) -> bytes:
    return text.replace(b"\n", b"\r\n")


NESTED = crlf(b"""Subject: outer
Content-Type: multipart/mixed; boundary=out

preamble
--out
Content-Type: text/plain; charset=utf-8

one
two
--out
Content-Type: message/rfc822

Subject: inner
From: a@b
Content-Type: multipart/alternative; boundary=in

--in

plain
--in
Content-Type: text/html

<p>html
--in--

--out
Content-Type: message/rfc822

Subject: single

text
--out--
epilogue
""")


def content(data: bytes, *path: int) -> bytes:
    part = find(parse(data), path)
    assert part is not None
    return data[part.body : part.end]


class SectionTests(SynchronousTestCase):
    def test_parts_of_a_multipart_are_numbered_from_one(self) -> None:
        self.assertEqual(content(NESTED, 1), b"one\r\ntwo")

    def test_numbers_go_on_through_a_message_that_holds_a_multipart(self) -> None:
        self.assertEqual(content(NESTED, 2, 1), b"plain")
        self.assertEqual(content(NESTED, 2, 2), b"<p>html")

    def test_the_body_of_a_nested_single_part_message_is_its_part_one(self) -> None:
        self.assertEqual(content(NESTED, 3, 1), b"text")
        self.assertEqual(content(NESTED, 3), b"Subject: single\r\n\r\ntext")

    def test_a_message_that_is_no_multipart_has_part_one_only(self) -> None:
        data = b"Subject: x\r\n\r\nhello"
        self.assertEqual(content(data, 1), b"hello")
        for path in [(2,), (0,), (1, 1)]:
            self.assertIsNone(find(parse(data), path))

    def test_numbers_that_are_not_there_are_none(self) -> None:
        for path in [(4,), (0,), (1, 1), (2, 3), (3, 2), (2, 1, 1)]:
            self.assertIsNone(find(parse(NESTED), path), path)

    def test_the_root_is_the_empty_path(self) -> None:
        root = parse(NESTED)
        self.assertIs(find(root, ()), root)
        self.assertEqual(root.end, len(NESTED))

    def test_dumped_parts_are_found_at_the_same_offsets(self) -> None:
        root, again = parse(NESTED), load(dump(parse(NESTED)))
        self.assertEqual(dump(again), dump(root))
        for path in [(), (1,), (2,), (2, 1), (2, 2), (3,), (3, 1)]:
            one, two = find(root, path), find(again, path)
            assert one is not None and two is not None
            self.assertEqual((one.header, one.body, one.end), (two.header, two.body, two.end))


class BoundaryTests(SynchronousTestCase):
    def test_the_line_break_before_a_boundary_belongs_to_it(self) -> None:
        data = crlf(b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n\n--x--\n")
        self.assertEqual(content(data, 1), b"a\r\n")

    def test_the_blank_line_before_a_boundary_belongs_to_it(self) -> None:
        data = crlf(b"Content-Type: multipart/mixed; boundary=x\n\n--x\nA: b\n\n--x--\n")
        part = parse(data).children[0]
        self.assertEqual(data[part.header : part.body], b"A: b\r\n")
        self.assertEqual(part.body, part.end)

    def test_bare_lf_serves_as_line_end(self) -> None:
        data = b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x\n\nb\n--x--\n"
        self.assertEqual([content(data, 1), content(data, 2)], [b"a", b"b"])

    def test_the_longest_of_similar_boundaries_counts(self) -> None:
        data = crlf(
            b"Content-Type: multipart/mixed; boundary=x\n\n--x\n"
            b"Content-Type: multipart/mixed; boundary=xy\n\n--xy\n\ninner\n--xy--\n\n--x\n\nouter\n--x--\n"
        )
        self.assertEqual(content(data, 1, 1), b"inner")
        self.assertEqual(content(data, 2), b"outer")

    def test_an_outer_boundary_ends_an_unterminated_inner_multipart(self) -> None:
        data = crlf(
            b"Content-Type: multipart/mixed; boundary=x\n\n--x\n"
            b"Content-Type: multipart/mixed; boundary=y\n\n--y\n\ninner\n--x\n\nouter\n"
        )
        self.assertEqual(content(data, 1, 1), b"inner")
        self.assertEqual(content(data, 2), b"outer\r\n")

    def test_a_boundary_ends_a_header(self) -> None:
        data = crlf(b"Content-Type: multipart/mixed; boundary=x\n\n--x\nA: b\n--x\n\nc\n--x--\n")
        self.assertEqual([content(data, 1), content(data, 2)], [b"", b"c"])

    def test_nothing_after_the_closing_boundary_is_a_part(self) -> None:
        data = crlf(b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x--\n--x\n\nb\n")
        self.assertEqual(len(parse(data).children), 1)

    def test_parts_of_a_digest_are_messages_by_default(self) -> None:
        data = crlf(b"Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: a\n\nb\n--x--\n")
        self.assertTrue(parse(data).children[0].is_message)
        self.assertEqual(content(data, 1, 1), b"b")


class BodystructureTests(SynchronousTestCase):
    def both(self, text: bytes) -> tuple[bytes, bytes]:
        data = crlf(text)
        return body(parse(data), data), bodystructure(parse(data), data)

    def test_a_plain_message_is_text_in_us_ascii(self) -> None:
        short, full = self.both(b"Subject: x\n\na\nb\n")
        self.assertEqual(short, b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 2)')
        self.assertEqual(full, short[:-1] + b" NIL NIL NIL NIL)")

    def test_all_fields_of_a_part_are_told(self) -> None:
        _, full = self.both(
            b"Content-Type: Application/PDF; Name=a.pdf\nContent-Transfer-Encoding: BASE64\n"
            b"Content-ID: <i@d>\nContent-Description: a\n  file\nContent-MD5: abc=\n"
            b'Content-Disposition: attachment; filename="a \\"b\\".pdf"\n'
            b"Content-Language: en, de\nContent-Location: http://a/\n b\n\nAAAA"
        )
        self.assertEqual(
            full,
            b'("application" "pdf" ("Name" "a.pdf") "<i@d>" "a file" "base64" 4 "abc="'
            b' ("attachment" ("filename" "a \\"b\\".pdf")) ("en" "de") "http://a/b")',
        )

    def test_a_disposition_without_parameters_is_told(self) -> None:
        _, full = self.both(b"Content-Disposition: inline\n\n")
        self.assertIn(b' ("inline" NIL) ', full)

    def test_a_multipart_without_parts_has_an_empty_text(self) -> None:
        data = b"Content-Type: multipart/mixed; boundary=x\r\n\r\nnothing"
        self.assertEqual(
            body(parse(data), data),
            b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed")',
        )
        self.assertEqual(content(data, 1), b"")

    def test_an_empty_parameter_is_an_empty_string_never_nil(self) -> None:
        _, full = self.both(b'Content-Type: text/plain; a=; b=""; charset=x\n\n')
        self.assertIn(b'("a" "" "b" "" "charset" "x")', full)

    def test_continued_parameters_are_joined_and_stay_encoded(self) -> None:
        _, full = self.both(
            b"Content-Type: a/b; name*0*=utf-8''%e2; name*1=\"a b%\"; c*1=2; c*0=1; d*=us-ascii'en'x\n\n"
        )
        for pair in [b'"name*" "utf-8\'\'%e2a b%25"', b'"c" "12"', b'"d*" "us-ascii\'en\'x"']:
            self.assertIn(pair, full)

    def test_a_message_has_envelope_body_and_lines(self) -> None:
        data = crlf(b"Content-Type: message/rfc822\n\nSubject: s\n\na\nb\n")
        self.assertEqual(
            body(parse(data), data),
            b'("message" "rfc822" NIL NIL NIL "7bit" 20'
            b' (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL)'
            b' ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 2) 4)',
        )

    def test_a_message_whose_header_a_boundary_cuts_off_has_an_empty_one_in_it(self) -> None:
        told = (b'("message" "%b" NIL NIL NIL "7bit" 0 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)'
                b' ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) 0)')
        mixed = b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/%b\n--b--"
        for text, subtype, parts in [
            (mixed % b"rfc822", b"rfc822", told % b"rfc822"),
            (mixed % b"global", b"global", told % b"global"),
            (b"Content-Type: multipart/digest; boundary=b\n\n--b\n--b\n--b--", b"rfc822", told % b"rfc822" * 2),
        ]:
            data = crlf(text)
            self.assertIn(b"(" + parts, body(parse(data), data))
            self.assertIn(b'"%b" NIL NIL NIL "7bit" 0 (' % subtype, bodystructure(parse(data), data))
            root, again = parse(data), load(dump(parse(data)))
            self.assertEqual(dump_all(structure.parse_with_fields(data)[0]), dump(root))
            self.assertEqual(dump(again), dump(root))
            self.assertTrue(again.children[0].is_message)
            self.assertEqual([content(data, 1), content(data, 1, 1)], [b"", b""])

    def test_octets_beyond_ascii_are_a_literal_without_nul(self) -> None:
        _, full = self.both(b'Content-Type: a/b; name="\xc3\xa9\0"\n\n')
        self.assertIn(b'("name" {2}\r\n\xc3\xa9)', full)

    def test_a_type_without_subtype_is_completed(self) -> None:
        self.assertTrue(self.both(b"Content-Type: text\n\n")[0].startswith(b'("text" "plain"'))
        self.assertIn(b'"octet-stream"', self.both(b"Content-Type: image\n\n")[0])


class RememberedTests(SynchronousTestCase):
    """Short headers and address fields are read once only."""

    def test_a_header_says_the_same_wherever_it_stands_but_for_what_it_leaves_out(self) -> None:
        parts = b"Content-Type: multipart/%b; boundary=x\r\n\r\n--x\r\n\r\n\r\n--x--\r\n"
        for _ in range(2):
            for kind, expected in [(b"mixed", "text"), (b"digest", "message"), (b"mixed", "text")]:
                self.assertEqual(parse(parts % kind).children[0].type, expected)

    def test_a_part_too_deep_makes_no_other_with_its_header_opaque(self) -> None:
        header = b"Content-Type: message/rfc822\r\n\r\n"
        *_, last = walk(parse(header * 200))
        self.assertEqual(last.subtype, "octet-stream")
        self.assertEqual(media.of_header(header, media.TEXT).subtype, "rfc822")

    def test_what_is_long_is_not_remembered(self) -> None:
        for size, is_same in [(10, True), (10_000, False)]:
            header = b"Content-Type: text/plain; x=" + b"y" * size
            again = media.of_header(header, media.TEXT)
            self.assertEqual(media.of_header(header, media.TEXT) is again, is_same)
            content = b"y" * size + b"@x"
            self.assertEqual(addressfields.read(content) is addressfields.read(content), is_same)


class LimitTests(SynchronousTestCase):
    def test_beyond_the_depth_limit_a_part_is_opaque(self) -> None:
        data = b"".join(
            b"Content-Type: multipart/mixed; boundary=%04d\r\n\r\n--%04d\r\n" % (n, n) for n in range(2000)
        )
        *_, last = walk(parse(data))
        self.assertEqual((last.type, last.subtype, last.end), ("application", "octet-stream", len(data)))
        self.assertEqual(len(list(walk(parse(data)))), structure.MAX_DEPTH + 1)
        bodystructure(parse(data), data)
        load(dump(parse(data)))

    def test_messages_in_messages_stop_at_the_same_depth(self) -> None:
        data = b"Content-Type: message/rfc822\r\n\r\n" * 2000
        self.assertEqual(len(list(walk(parse(data)))), structure.MAX_DEPTH + 1)
        bodystructure(parse(data), data)

    def test_the_last_part_allowed_reaches_to_the_end(self) -> None:
        data = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\na\r\n" * 20_000
        parts = list(walk(parse(data)))
        self.assertEqual(len(parts), structure.MAX_PARTS)
        self.assertEqual(parts[-1].end, len(data))
        self.assertEqual(len(list(walk(load(dump(parts[0]))))), structure.MAX_PARTS)

    def test_parts_that_stand_for_missing_ones_count_too(self) -> None:
        for header in [b"multipart/x", b"message/global"]:
            for first, more in [(b"", 0), (b"--x\r\n\r\na\r\n", 1)]:
                data = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + first
                data += b"--x\r\nContent-Type: %b\r\n" % header * 6000
                parts = walk(parse(data))
                self.assertEqual(len(parts), structure.MAX_PARTS + more)
                self.assertEqual((parts[-1].type, parts[-1].end), ("application", len(data)))
                self.assertEqual(dump(load(dump(parts[0]))), dump(parts[0]))

    def test_lines_of_nested_messages_are_counted_once_per_message(self) -> None:
        data = b"Content-Type: message/rfc822\n\n" * 50 + b"\n" + b"x\n" * 1000
        lines = [part.lines for part in walk(parse(data))]
        self.assertEqual(lines, [1001 + 2 * n for n in range(49, -1, -1)] + [1000])


class BufferTests(SynchronousTestCase):
    def test_every_kind_of_buffer_gives_the_same(self) -> None:
        expected = dump(parse(NESTED))
        buffers = [bytearray(NESTED), memoryview(NESTED), memoryview(b"xx" + NESTED)[2:]]
        for buffer in buffers:
            self.assertEqual(dump(parse(buffer)), expected)
        with tempfile.TemporaryFile() as file:
            file.write(NESTED)
            file.flush()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                root = parse(mapped)
                self.assertEqual(dump(root), expected)
                self.assertEqual(bodystructure(root, mapped), bodystructure(root, NESTED))
