"""Modified UTF-7 (RFC 3501 5.1.3), INBOX, and LIST patterns (RFC 9051 6.3.9)."""

from __future__ import annotations

from functools import cache
from itertools import product
from time import perf_counter

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.imap import encoding
from moximap.imap.mailboxname import canonical, decode, encode, from_wire, matcher, parents

NAMES = st.text(st.characters(exclude_categories=("Cs",)))


class ModifiedUtf7Tests(SynchronousTestCase):
    def test_examples(self) -> None:
        """RFC 3501 5.1.3, and client 19: "&" is "&-" also between encoded runs."""
        for name, raw in (("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
                          ("Hi Mom -☺-!", b"Hi Mom -&Jjo--!"), ("R&D", b"R&-D"), ("&", b"&-"),
                          ("台&北", b"&U,A-&-&Uxc-"), ("\U0001f600", b"&2D3eAA-"), ("", b"")):
            self.assertEqual(encode(name), raw)
            self.assertEqual(decode(raw), name)

    def test_what_is_not_modified_utf7(self) -> None:
        """An & that begins nothing, what needs no encoding, half a surrogate pair, 8 bits."""
        for raw in (b"R&D", b"&", b"&AOk", b"&AGE-", b"&ACY-", b"&A-", b"&2D0-", b"\xe9", b"&AOk -"):
            with self.assertRaises(ValueError):
                decode(raw)

    @settings(deadline=None)
    @given(NAMES)
    def test_round_trip(self, name: str) -> None:
        raw = encode(name)
        self.assertTrue(all(0x20 <= octet < 0x7f for octet in raw))
        self.assertEqual(decode(raw), name)
        self.assertEqual(from_wire(raw, utf8=False), name)
        self.assertEqual(from_wire(name.encode(), utf8=True), name)

    @settings(deadline=None)
    @given(st.binary())
    def test_what_decodes_is_a_name_and_nothing_else_happens(self, raw: bytes) -> None:
        try:
            name = decode(raw)
        except ValueError:
            return
        self.assertEqual(decode(encode(name)), name)

    def test_names_as_clients_send_them(self) -> None:
        self.assertEqual(from_wire(b"R&D", utf8=False), "R&D")
        self.assertEqual(from_wire("Entwürfe".encode(), utf8=False), "Entwürfe")
        self.assertEqual(from_wire(b"&AOk-", utf8=True), "&AOk-")
        self.assertRaises(UnicodeDecodeError, from_wire, b"\xff", False)

    def test_names_on_the_wire(self) -> None:
        self.assertEqual(encoding.mailbox("INBOX", utf8=False), b"INBOX")
        self.assertEqual(encoding.mailbox("nil", utf8=True), b'"nil"')
        self.assertEqual(encoding.mailbox("a é", utf8=False), b'"a &AOk-"')
        self.assertEqual(encoding.mailbox("a é", utf8=True), '"a é"'.encode())


class CanonicalTests(SynchronousTestCase):
    def test_inbox_is_in_capitals(self) -> None:
        """Client 4, also as the first level."""
        for given_, wanted in (("inbox", "INBOX"), ("Inbox/Lists", "INBOX/Lists"), ("inboxes", "inboxes"),
                               ("a/inbox", "a/inbox"), ("INBOX/inbox", "INBOX/inbox")):
            self.assertEqual(canonical(given_), wanted)

    def test_a_separator_at_the_end_does_not_count(self) -> None:
        """Client 38: Thunderbird sends it."""
        self.assertEqual(canonical("a/b/"), "a/b")
        self.assertEqual(canonical("inbox/"), "INBOX")
        self.assertEqual(canonical("a//"), "a//")

    def test_parents(self) -> None:
        self.assertEqual(parents("a/b/c"), ["a", "a/b"])
        self.assertEqual(parents("a"), [])


def naive(pattern: str, name: str) -> bool:
    """What the RFC says, character by character."""
    inbox = name.split("/")[0] == "INBOX"

    @cache
    def match(i: int, j: int) -> bool:
        if i == len(pattern):
            return j == len(name)
        if pattern[i] in "*%":
            more = j < len(name) and (pattern[i] == "*" or name[j] != "/")
            return match(i + 1, j) or more and match(i, j + 1)
        same = j < len(name) and name[j] in (pattern[i], pattern[i].upper() if inbox and j < 5 else "")
        return same and match(i + 1, j + 1)

    return match(0, 0)


def _in_any_case(name: str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.sampled_from((c, c.lower())) for c in name)).map("".join)


class PatternTests(SynchronousTestCase):
    def test_all_short_patterns(self) -> None:
        names = ["".join(name) for length in range(5) for name in product("a/", repeat=length)]
        for length in range(5):
            for pattern in map("".join, product("a/*%", repeat=length)):
                matches = matcher(pattern)
                self.assertEqual([matches(name) for name in names], [naive(pattern, name) for name in names],
                                 pattern)

    @settings(deadline=None)
    @given(st.text("ab/*%", max_size=12), st.text("ab/", max_size=14))
    def test_patterns(self, pattern: str, name: str) -> None:
        self.assertEqual(matcher(pattern)(name), naive(pattern, name))

    @settings(deadline=None)
    @given(_in_any_case("INBOX"), st.integers(0, 5), st.text("a/*%", max_size=5), st.text("ax/", max_size=5))
    def test_inbox_in_any_case(self, start: str, cut: int, rest: str, name: str) -> None:
        pattern, name = start[:cut] + rest, "INBOX" + name
        self.assertEqual(matcher(pattern)(name), naive(pattern, name))

    def test_wildcards(self) -> None:
        for pattern, name, wanted in (("*", "a/b", True), ("%", "a/b", False), ("%", "a", True),
                                      ("a/%", "a/b", True),
                                      ("%/%", "a/b", True), ("a%c", "a/c", False), ("%*", "a/b", True),
                                      ("a*", "a", True), ("aa*aa", "aaa", False), ("", "a", False)):
            self.assertEqual(matcher(pattern)(name), wanted, (pattern, name))

    def test_no_pattern_is_exponential(self) -> None:
        start = perf_counter()
        for pattern in ("%a" * 1000 + "b", "*a" * 500 + "%a" * 400 + "b", "*%" * 1000 + "b"):
            self.assertFalse(matcher(pattern)("a" * 1000))
        self.assertLess(perf_counter() - start, 0.5)
