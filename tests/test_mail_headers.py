"""Header fields, addresses, dates, subjects and ids (moximap.mail)."""

import datetime
import re

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.mail import addresses, dates, headers, messageids, words
from moximap.mail.addresses import GROUP_END, NO_HOST, NO_MAILBOX, Address
from moximap.mail.envelope import envelope
from moximap.mail.subject import base_subject

HEADER = (
    b"From mbox line\r\nFrom: a@b\r\nSubject: one\r\n\ttwo\r\nno colon here\r\n"
    b"X-Empty:\r\nTO : c@d\r\nFrom: e@f\r\n\r\n"
)


class SelectTests(SynchronousTestCase):
    def test_selected_fields_come_in_order_with_folding_and_the_blank_line(self) -> None:
        self.assertEqual(
            headers.select(HEADER, frozenset([b"subject", b"from"]), False),
            b"From: a@b\r\nSubject: one\r\n\ttwo\r\nFrom: e@f\r\n\r\n",
        )

    def test_excluded_fields_leave_the_others(self) -> None:
        self.assertEqual(
            headers.select(HEADER, frozenset([b"subject", b"from"]), True),
            b"X-Empty:\r\nTO : c@d\r\n\r\n",
        )

    def test_no_field_leaves_the_blank_line(self) -> None:
        self.assertEqual(headers.select(HEADER, frozenset([b"cc"]), False), b"\r\n")
        self.assertEqual(headers.select(b"\r\n", frozenset([b"cc"]), False), b"\r\n")

    def test_a_header_without_blank_line_gets_none(self) -> None:
        self.assertEqual(headers.select(b"A: b\r\n", frozenset([b"a"]), False), b"A: b\r\n")
        self.assertEqual(headers.select(b"A: b", frozenset([b"a"]), False), b"A: b")

    def test_long_names_are_found_without_keeping_patterns_of_them(self) -> None:
        kept = headers._sought.cache_info().currsize
        long = b"x" * headers.LONG
        self.assertEqual(headers.select(long + b": 1\r\nTo: 2\r\n\r\n", frozenset([long, b"to"])),
                         long + b": 1\r\nTo: 2\r\n\r\n")
        self.assertEqual(headers._sought.cache_info().currsize, kept)

    def test_names_that_are_many_or_odd_are_found_as_others_are(self) -> None:
        header = b"a|b: 1\r\n]: 2\r\n^-\\: 3\r\n\xe4: 4\r\n\xc4: 5\r\n.: 6\r\n\r\n"
        odd = frozenset([b"a|b", b"]", b"^-\\", b"\xe4", b"", b"a", b" x", b"y\n"])
        many = odd | {b"x-%d" % number for number in range(headers.MANY)}
        for names in odd, many:
            self.assertEqual(headers.select(header, names),
                             b"a|b: 1\r\n]: 2\r\n^-\\: 3\r\n\xe4: 4\r\n\r\n")
        self.assertEqual(headers.select(header, frozenset([b"", b"a b", b"a:"])), b"\r\n")

    def test_large_and_small_headers_are_selected_alike(self) -> None:
        filler = b"X-Fill: " + b"x" * headers.SMALL + b"\r\n"
        names = frozenset([b"subject"])
        self.assertEqual(headers.select(filler + HEADER, names), headers.select(HEADER, names))
        self.assertEqual(headers.fields(filler + HEADER), headers.fields(HEADER))

    def test_split_gives_names_and_offsets(self) -> None:
        found = headers.split(HEADER)
        self.assertEqual([f.name for f in found], [b"From", b"Subject", b"X-Empty", b"TO", b"From"])
        for field in found:
            self.assertEqual(HEADER[field.start : field.start + len(field.raw)], field.raw)

    def test_value_is_the_first_field_unfolded(self) -> None:
        self.assertEqual(headers.value(HEADER, b"SUBJECT"), b"one two")
        self.assertEqual(headers.values(HEADER, b"from"), [b"a@b", b"e@f"])
        self.assertIsNone(headers.value(HEADER, b"cc"))

    @given(st.text("aA:\r\n \t\xe4").map(lambda text: text.encode("latin-1")), st.sampled_from([b"a", b"A", b"aa", b"", b" ", b":", b"a:", b"\xe4"]))
    @example(b"a: 1\r\nA : 2\r\n 3\r\nb\r\naa: 4\na:\n", b"a")
    @settings(deadline=None)
    def test_values_are_those_of_all_fields_of_a_name(self, header: bytes, name: bytes) -> None:
        contents = [field.raw.partition(b":")[2] for field in headers.split(header) if field.name.lower() == name.lower()]
        self.assertEqual(headers.values(header, name), list(map(headers.unfold, contents)))
        self.assertEqual(headers.values(header, name * headers.LONG), [])

    @given(st.text("a\r\n \t").map(str.encode))
    @settings(deadline=None)
    def test_lines_become_one_whatever_their_size(self, lines: bytes) -> None:
        one = words.joined(lines)
        self.assertEqual(one, re.sub(rb"\r*\n[ \t]*", b" ", lines))
        self.patch(words, "_SMALL", 0)
        self.assertEqual(words.joined(lines), one)


class DecodeTests(SynchronousTestCase):
    def test_encoded_words_are_decoded_and_joined(self) -> None:
        for encoded, text in [
            (b"=?utf-8?Q?a_b=C3=A9?=", "a bé"),
            (b"x =?ISO-8859-1?q?=E9?= y", "x é y"),
            (b"=?utf-8?b?w6k=?=\r\n =?utf-8?b?w6k?=", "éé"),
            (b"=?utf-8?b?ww==?= =?utf-8?b?qQ==?=", "é"),
            (b"=?utf-8*en?q?a?= b", "a b"),
            (b"a =?utf-8?q?b", "a =?utf-8?q?b"),
            (b"=?nonsense?q?=C3=A9?=", "é"),
            (b"=?rot13?q?abc?= =?zip?q?abc?=", "abcabc"),
            (b"\xc3\xa9", "é"),
            (b"\xe9", "é"),
        ]:
            self.assertEqual(headers.decode(encoded), text, encoded)


def parsed(value: bytes) -> list[tuple[bytes | None, ...]]:
    return [(a.name, a.mailbox, a.host) for a in addresses.parse(value)]


class AddressTests(SynchronousTestCase):
    def test_ordinary_lists_are_read(self) -> None:
        self.assertEqual(
            parsed(b'a@b, "C, D" <c@d> ,E  F <e@f>,=?utf-8?q?x?= <g@h>'),
            [(None, b"a", b"b"), (b"C, D", b"c", b"d"), (b"E F", b"e", b"f"), (b"=?utf-8?q?x?=", b"g", b"h")],
        )

    def test_groups_have_a_start_and_an_end(self) -> None:
        start = Address(None, None, b"My group", None)
        self.assertEqual(addresses.parse(b"My group:;"), [start, GROUP_END])
        self.assertEqual(
            addresses.parse(b"My group: a@b, c@d"),
            [start, Address(None, None, b"a", b"b"), Address(None, None, b"c", b"d"), GROUP_END],
        )

    def test_obsolete_forms_are_read(self) -> None:
        self.assertEqual(addresses.parse(b"<@a,@b:c@d>"), [Address(None, b"@a,@b", b"c", b"d")])
        self.assertEqual(parsed(b"a@b (The (real) Name)"), [(b"The (real) Name", b"a", b"b")])
        self.assertEqual(parsed(b"a . b @ c . d"), [(None, b"a.b", b"c.d")])
        self.assertEqual(parsed(b", a@b,,"), [(None, b"a", b"b")])
        self.assertEqual(parsed(b"John Q. Public <a@[1.2.3.4]>"), [(b"John Q. Public", b"a", b"[1.2.3.4]")])
        self.assertEqual(parsed(b'"a b"@c, "q\\"q" <d@e>'), [(None, b"a b", b"c"), (b'q"q', b"d", b"e")])

    def test_a_list_of_two_thousand_is_whole(self) -> None:
        for form in [b"Some Name %d <u%d@example.org>", b'"Name, \\"%d\\"" <u%d@example.org>', b"=?utf-8?q?=C3=89_%d?= <u%d@x> (c)"]:
            found = parsed(b", ".join(form % (n, n) for n in range(2000)))
            self.assertEqual([mailbox for _, mailbox, _ in found], [b"u%d" % n for n in range(2000)], form)

    def test_of_more_addresses_than_are_taken_the_first_count(self) -> None:
        for one in [b"a@b,", b"a,", b"a@b ", b"<>,", b"a@b;"]:
            for times in [6000, 60_000]:
                self.assertEqual(parsed(one * times), parsed(one) * addresses.MOST, one)
        exactly = b"a@b," * addresses.MOST
        self.assertEqual(parsed(exactly + b"x: y@z;"), parsed(exactly))

    def test_a_group_that_is_cut_has_its_end(self) -> None:
        for start, one in [(b"x:", b"a@b,"), (b"x:", b"a@b "), (b"", b"a:;"), (b",,y,", b"a:;"), (b"x:", b"@:")]:
            found = addresses.parse(start + one * 60_000)
            self.assertLessEqual(len(found), addresses.MOST + 1)
            self.assertEqual(found[-1], GROUP_END)
            groups = [a.mailbox is not None for a in found if a.host is None]
            self.assertEqual(groups, [True, False] * (len(groups) // 2))

    def test_an_address_that_the_limit_of_tokens_cuts_is_left_out_unless_it_is_the_only_one(self) -> None:
        words = b"w " * addresses.MOST_TOKENS
        self.assertTrue(parsed(b"a@b, " + words + b'"x" <c@d>') == [(None, b"a", b"b")])
        (name, mailbox, host), = parsed(words + b'"x" <c@d>')
        self.assertTrue(name == words[: addresses.MOST_TOKENS].strip())
        self.assertEqual((mailbox, host), (NO_MAILBOX, NO_HOST))
        comment = b"(" + b"()" * addresses.MOST_TOKENS
        self.assertTrue(parsed(b"a@b " + comment + b"), c@d") == [(comment[1:] + b"), c@d", b"a", b"b")])

    def test_fields_that_are_joined_are_kept_up_to_the_length_of_one(self) -> None:
        field = b"To: " + b"x" * 600_000 + b"\r\n"
        self.assertEqual(len(headers.fields(field * 3)[b"to"]), headers.LONGEST)

    def test_something_is_found_in_broken_ones(self) -> None:
        for value, found in [
            (b"John", [(None, b"John", NO_HOST)]),
            (b"John Doe", [(b"John Doe", NO_MAILBOX, NO_HOST)]),
            (b"<>", [(None, NO_MAILBOX, NO_HOST)]),
            (b"a@", [(None, b"a", NO_HOST)]),
            (b"<a@b", [(None, b"a", b"b")]),
            (b"a@b@c", [(None, b"a@b", b"c")]),
            (b"a@b c@d", [(None, b"a", b"b"), (None, b"c", b"d")]),
            (b"x@y <a@b>", [(b"x@y", b"a", b"b")]),
            (b'"a <a@b>', [(b"a <a@b>", NO_MAILBOX, NO_HOST)]),
            (b"@", []),
            (b"", []),
        ]:
            self.assertEqual(parsed(value), found, value)


class EnvelopeTests(SynchronousTestCase):
    def test_sender_and_reply_to_are_from_where_they_are_missing_or_empty(self) -> None:
        one = b'((NIL NIL "a" "b"))'
        self.assertEqual(
            envelope(b"From: a@b\r\nSender:\r\n\r\n"),
            b"(NIL NIL " + one + b" " + one + b" " + one + b" NIL NIL NIL NIL NIL)",
        )

    def test_missing_is_nil_and_empty_is_empty(self) -> None:
        self.assertEqual(
            envelope(b"Subject:\r\nMessage-ID: \r\nTo:\r\n\r\n"),
            b'(NIL "" NIL NIL NIL NIL NIL NIL NIL "")',
        )

    def test_quotes_are_escaped_and_raw_octets_are_literals(self) -> None:
        self.assertIn(b'"a \\"b\\" \\\\"', envelope(b'Subject: a "b" \\\r\n\r\n'))
        self.assertIn(b" {2}\r\n\xc3\xa9 ", envelope(b"Subject: \xc3\xa9\r\n\r\n"))
        self.assertIn(b' "ab" ', envelope(b"Subject: a\0b\r\n\r\n"))
        self.assertIn(b" {3}\r\na\rb ", envelope(b"Subject: a\rb\r\n\r\n"))

    def test_several_address_fields_of_one_name_are_one_list(self) -> None:
        self.assertIn(
            b'((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)',
            envelope(b"To: a@b\r\nTo: c@d\r\n\r\n"),
        )

    def test_a_group_is_marked_with_nil(self) -> None:
        self.assertIn(b'((NIL NIL "none" NIL)(NIL NIL NIL NIL))', envelope(b"To: none:;\r\n\r\n"))


class DateTests(SynchronousTestCase):
    def test_the_day_is_the_one_written(self) -> None:
        for content, day in [
            (b"Tue, 3 Feb 2026 23:11:09 -0800", (2026, 2, 3)),
            (b"3 Feb 2026", (2026, 2, 3)),
            (b"Tue, 03-Feb-26 10:00:00 GMT", (2026, 2, 3)),
            (b"Tue Feb  3 10:00:00 2026", (2026, 2, 3)),
            (b"Tue Feb  3 10:00:00 EST 2026", (2026, 2, 3)),
            (b"Feb 3, 2026", (2026, 2, 3)),
            (b"2026-02-03T10:00:00Z", (2026, 2, 3)),
            (b"3 February 99 10:00 (comment)", (1999, 2, 3)),
            (b"3 (day) Feb\r\n 126", (2026, 2, 3)),
        ]:
            self.assertEqual(dates.sent_date(b"Date: " + content + b"\r\n\r\n"), datetime.date(*day), content)

    def test_no_valid_day_is_none(self) -> None:
        for content in [b"", b"yesterday", b"31 Feb 2026", b"0 Feb 2026", b"3 Foo 2026", b"1 Jan 0000"]:
            self.assertIsNone(dates.sent_date(b"Date: " + content + b"\r\n\r\n"), content)
        self.assertIsNone(dates.sent_date(b"\r\n"))

    def test_the_moment_regards_time_and_zone(self) -> None:
        for content, expected in [
            (b"1 Jan 1970 01:00:00 +0100", 0),
            (b"31 Dec 1969 16:00:01 PST", 1),
            (b"1 Jan 1970 00:01 +nonsense", 60),
            (b"1 Jan 70 00 : 01 : 02 +0000", 62),
            (b"1 Jan 1970 0.01.03", 63),
            (b"1 Jan 1970. 00 : 01", 60),
            (b"1 Jan 1970 99:00:00 +0000", 0),
        ]:
            sent = dates.parse(content)
            assert sent is not None
            self.assertEqual(sent.moment, expected, content)


class SubjectTests(SynchronousTestCase):
    def test_base_subjects(self) -> None:
        for subject, base in [
            ("Re: Hello", "Hello"),
            ("RE: fwd: [list] Re[2]: Hello (fwd) ", "Hello"),
            ("[list] Hello", "Hello"),
            ("[list]", "[list]"),
            ("[a] [b]", "[b]"),
            ("re: [only]", "[only]"),
            ("[fwd: re: Hello]", "Hello"),
            ("[Fwd: [Fwd: x]] (fwd)", "x"),
            ("a\t  b", "a b"),
            ("Re:", ""),
            ("", ""),
            ("regarding", "regarding"),
            ("[unclosed re: x", "[unclosed re: x"),
            ("[a] [", "["),
            ("re : [x] : y", ": y"),
        ]:
            self.assertEqual(base_subject(subject), base, subject)


class MessageIdTests(SynchronousTestCase):
    def test_quoting_makes_no_difference(self) -> None:
        self.assertEqual(
            messageids.parse(b'<"01KF8JCEOCBS0045PS"@xxx.yyy.com>'), [b"01KF8JCEOCBS0045PS@xxx.yyy.com"]
        )

    def test_references_are_those_of_the_field_or_the_first_of_in_reply_to(self) -> None:
        reply = b"text <c@d> <e@f>"
        self.assertEqual(
            messageids.references({b"references": b"<a@b>\r\n <b@c>, x", b"in-reply-to": reply}),
            (b"a@b", b"b@c"),
        )
        self.assertEqual(messageids.references({b"references": b"none", b"in-reply-to": reply}), (b"c@d",))
        self.assertEqual(messageids.references({}), ())

    def test_of_many_references_the_first_and_the_last_are_kept(self) -> None:
        found = messageids.references({b"references": b"".join(b"<%d@x>" % n for n in range(500))})
        self.assertEqual((len(found), found[0], found[1], found[-1]), (100, b"0@x", b"401@x", b"499@x"))
