"""Transfer encodings, charsets, text of parts, previews (moximap.mail.text)."""

import base64
import binascii
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.mail.charsets import codec_name
from moximap.mail.structure import parse
from moximap.mail.text import body_texts, decode_transfer, html_text, part_text, preview


def text_of(data: bytes) -> str:
    return part_text(parse(data), data)


def preview_of(data: bytes) -> str:
    return preview(parse(data), data)


class TransferTests(SynchronousTestCase):
    def test_identity_encodings_give_the_octets(self) -> None:
        for encoding in ["7bit", "8BIT", "binary", ""]:
            self.assertEqual(decode_transfer(encoding, memoryview(b"a\0\r\n")), b"a\0\r\n")

    def test_base64_forgives_everything(self) -> None:
        for encoded in [
            b"aGVsbG8=",
            b"aGVs\r\nbG8=\r\n",
            b"aGVsbG8",
            b"aGV!sbG8=\0",
            b"aGU=bGxv",
            b"aGVsbG8=====\r\n",
        ]:
            self.assertEqual(decode_transfer("base64", encoded), b"hello", encoded)
        self.assertEqual(decode_transfer("base64", b"a"), b"")
        large = bytes(range(256)) * 500
        self.assertEqual(decode_transfer("base64", base64.encodebytes(large)), large)

    def test_quoted_printable_forgives_everything(self) -> None:
        encoded = b"a=3D=\r\nb =20 \t\r\nc=zz=4"
        self.assertEqual(decode_transfer("quoted-printable", encoded), b"a=b  \r\nc=zz=4")

    @given(st.text(" \t\r\na=").map(str.encode))
    @settings(deadline=None)
    def test_white_space_before_a_line_end_is_no_data(self, encoded: bytes) -> None:
        stripped = re.sub(rb"[ \t]+(?=\r?\n|\Z)", b"", encoded)
        self.assertEqual(decode_transfer("quoted-printable", encoded), binascii.a2b_qp(stripped))

    def test_uuencode_is_decoded(self) -> None:
        self.assertEqual(decode_transfer("x-uuencode", b"x\nbegin 644 a\n%:&5L;&\\ \n`\nend\ny"), b"hello")

    def test_an_unknown_encoding_is_none(self) -> None:
        self.assertIsNone(decode_transfer("x-zip", b""))


class CharsetTests(SynchronousTestCase):
    def test_usual_names_are_known_in_any_spelling(self) -> None:
        for name, codec in [
            ("UTF8", "utf_8"), ("us-ascii", "ascii"), ("ISO_8859-1", "latin_1"), ("gb2312", "gb18030"),
            ("ks_c_5601-1987", "cp949"), ("Shift_JIS", "cp932"), ("windows-1252", "cp1252"),
            ("koi8-r", "koi8_r"),
        ]:  # fmt: skip
            self.assertEqual(codec_name(name), codec)

    def test_codecs_that_are_no_charsets_are_refused(self) -> None:
        for name in [
            "zip",
            "rot13",
            "base64",
            "hex",
            "idna",
            "punycode",
            "unicode_escape",
            "undefined",
            "x" * 999,
        ]:
            self.assertIsNone(codec_name(name), name)

    def test_octets_that_do_not_fit_the_charset_are_replaced(self) -> None:
        self.assertEqual(text_of(b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xa9\xff"), "é\ufffd")
        self.assertEqual(text_of(b"Content-Type: text/plain; charset=nonsense\r\n\r\n\xe9"), "é")
        self.assertEqual(text_of(b"Content-Type: text/plain; charset=utf-16\r\n\r\nabc"), "扡\ufffd")


class HtmlTests(SynchronousTestCase):
    def test_tags_scripts_and_styles_are_not_text(self) -> None:
        html = "<title>t</title><style>s</style><body>a<script>x</script><p>b&amp;c<br>d</body>"
        self.assertEqual(html_text(html).split(), ["a", "b&c", "d"])

    def test_what_is_not_text_is_known_in_any_spelling(self) -> None:
        for tag in ("SCRIPT", "sTyle\n", "scr\0ipt", "template x='>'", "TEMPLATE"):
            self.assertEqual(html_text(f"a<{tag}>x</{tag.split()[0]}>b").split(), ["a", "b"], tag)

    def test_deep_nesting_is_text_all_the_same(self) -> None:
        self.assertEqual(html_text("<div>" * 200_000 + "x &lt;").split(), ["x", "<"])


class PreviewTests(SynchronousTestCase):
    def test_white_space_is_squeezed_and_the_length_bounded(self) -> None:
        self.assertEqual(preview_of(b"\r\n \r\n a\r\n\tb\0c\r\n"), "a b c")
        self.assertEqual(preview_of(b"\r\n" + b"x" * 1000), "x" * 200)
        self.assertEqual(preview_of(b"\r\n" + b" " * 100_000 + b"late"), "late")
        for gap in range(180, 220):        # where the 200th character is far behind, or between two words
            words = "first" + " " * gap + "ab " * gap
            self.assertEqual(preview_of(b"\r\n" + words.encode()), " ".join(words.split())[:200])

    def test_quoted_lines_are_left_out_if_there_are_others(self) -> None:
        self.assertEqual(preview_of(b"\r\n> quoted\r\nown\r\n"), "own")
        self.assertEqual(preview_of(b"\r\n> quoted\r\n"), "> quoted")

    def test_attachments_encrypted_parts_and_messages_are_passed_over(self) -> None:
        start = b"Content-Type: multipart/%b; boundary=x\r\n\r\n--x\r\n"
        attached = b"Content-Disposition: ATTACHMENT\r\n\r\nno\r\n--x\r\n\r\nyes\r\n--x--"
        self.assertEqual(preview_of(start % b"mixed" + attached), "yes")
        self.assertEqual(preview_of(start % b"encrypted" + b"\r\nno\r\n--x--"), "")
        message = b"Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\nno\r\n--x\r\n\r\nyes\r\n--x--"
        self.assertEqual(preview_of(start % b"mixed" + message), "yes")

    def test_html_is_taken_where_there_is_no_plain_text(self) -> None:
        data = b"Content-Type: text/html\r\n\r\n<style>" + b"x" * 50_000 + b"</style><p>hello</p>"
        self.assertEqual(preview_of(data), "hello")


class SearchTests(SynchronousTestCase):
    DATA = (
        b"Subject: top\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
        b"--x\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
        b"--x\r\nContent-Type: image/png\r\n\r\npixels\r\n"
        b"--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?inn=65r?=\r\n\r\nbody\r\n--x--\r\n"
    )

    def test_texts_and_headers_of_messages_within_are_searched(self) -> None:
        first, header, body = (text.folded for text in body_texts(parse(self.DATA), self.DATA))
        self.assertEqual((first, body), ("hello", "body"))
        self.assertIn("subject: inner", header)

    def test_the_limit_ends_the_search(self) -> None:
        self.assertEqual([text.folded for text in body_texts(parse(self.DATA), self.DATA, 4)], ["hel"])
