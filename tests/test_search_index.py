"""A search with an index finds what a search without one finds."""

from __future__ import annotations

import os
from random import Random
from typing import Any
from unicodedata import normalize

import apsw
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.mail import headers
from moximap.mail.collation import searchable
from moximap.store import database, indexing_text, indexing_words
from moximap.values import NumSet
from tests import beside, indexcases
from tests.indexcases import IndexCase
from tests.storecases import ALL

#: As many as are asked; MOXIMAP_SEARCHES makes them more.
QUERIES = int(os.environ.get("MOXIMAP_SEARCHES", "400"))
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("aAsS\u00df\u0130\u0131i\u0307\u0323\u1ec7\u01c5\ud55c\u212ak\0\ufffd\ufffe\uffff\"'* \r\n")))
OCTETS = st.lists(st.one_of(
    st.sampled_from([b"Subject", b"X-a", b":", b": ", b"\r\n", b"\n", b"\r", b" ", b"\t", b"=?utf-8?q?", b"=?utf-8?b?",
                     b"=?utf-16?b?", b"?=", b"=C3=9F", b"w58=", b"\xc3\x9f", b"\xdf", b"\xc4\xb1", b"=C3=A9", b"\0", b"word", b"WORD", b"a:b"]),
    st.binary(max_size=3))).map(b"".join)


class Head:
    """A message that is only a header."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.header_text = searchable(headers.decode(headers.unfold(head)))


class FoldingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.index = apsw.Connection(":memory:")
        self.index.execute((database.SCHEMAS / "search.sql").read_text())

    def in_head(self, text: str, needle: str) -> bool:
        """Whether a header that reads so is possible where the needle is looked for."""
        self.index.execute("INSERT INTO head (rowid, folded) VALUES (1, ?)", (indexing_text.fit(searchable(text)),))
        rows = self.index.execute("SELECT rowid FROM head WHERE head MATCH ?",
                                  (indexing_text.expression(indexing_text.fit(searchable(needle))),)).fetchall()
        self.index.execute("DELETE FROM head WHERE rowid = 1")
        return bool(rows)

    def in_body(self, text: str, needle: str) -> bool:
        """The same of a body."""
        segment = indexing_words.Segment()
        segment.add(7, [searchable(text)])
        indexing_words.add(self.index, segment)
        found = list(indexing_words.find(self.index, searchable(needle)))
        indexing_words.forget(self.index, [7])
        self.assertEqual(self.index.execute("SELECT count(*) FROM words").get, 0)
        return found == [7]

    @given(TEXTS, TEXTS, TEXTS)
    @example("", "Stra\u00dfe", "")
    @example("x", "a\0\ud800", "\udfff")
    @example("", "e\u0323\u0302a", "")
    @example("", "\ud55c\uae00", "\u01c4")
    @settings(deadline=None, max_examples=100)
    def test_no_substring_is_missed(self, before: str, needle: str, after: str) -> None:
        for text in (before + needle + after, before + normalize("NFD", needle.upper()) + after):
            if searchable(needle) in searchable(text):      # nearly always, but for marks at its ends
                if len(searchable(needle)) >= indexing_text.GRAM:
                    self.assertTrue(self.in_head(text, needle))
                if searchable(needle).split():
                    self.assertTrue(self.in_body(text, needle))

    @given(TEXTS, TEXTS)
    @settings(deadline=None, max_examples=100)
    def test_a_part_of_a_word_is_found_only_where_it_is(self, text: str, needle: str) -> None:
        if searchable(needle).split() == [searchable(needle)]:
            self.assertEqual(self.in_body(text, needle), searchable(needle) in searchable(text))

    @given(OCTETS)
    @example(b"A: =?utf-8?q?x\r\nSubject: hidden?=\r\n")
    @example(b"=?utf-8?q??=:\r\n")
    @example(b"A: \xdf\r\nSubject: \xc3\x9f =?utf-8?b?w58=?=\r\n")
    @example(b"A: \xdf\r\nSubject: caf\xc3\xa9 kap\xc4\xb1\r\n")
    @settings(deadline=None, max_examples=200)
    def test_every_field_of_any_header_is_in_what_is_indexed(self, head: bytes) -> None:
        message: Any = Head(head)
        text = indexing_text.head_text(message)
        self.assertIn(indexing_text.fit(message.header_text), text)
        for field in headers.split(head):
            for value in headers.values(head, field.name):
                self.assertIn(indexing_text.fit(searchable(headers.decode(value))), text)
            if field.name.isascii():
                self.assertIn(indexing_text.fit(field.name.decode().lower()), text)

    def test_long_needles_are_asked_for_in_part(self) -> None:
        needle = "".join(map(chr, range(0x4e00, 0x4f00)))
        self.assertEqual(len(indexing_text.expression(needle).split()), 24)
        self.assertTrue(self.in_head(f"x{needle}y", needle))


class EqualityTests(IndexCase):
    """Random queries, while messages come, go, and are or are not indexed."""

    def live(self) -> list[int]:
        return list(self.account.open("INBOX").changes.uids)

    def change(self, random: Random) -> None:
        kind = random.randrange(8)
        if kind < 3:
            self.append(*[indexcases.message(random) for _ in range(random.randint(1, 4))],
                        flags=("\\Seen",) if random.random() < 0.5 else ())
        elif kind < 6:
            self.account.index(random.randint(1, 6))
        elif kind == 6 and len(self.live()) > 40:
            self.expunge(*random.sample(self.live(), 4))
        elif random.random() < 0.3:
            self.erase()

    def test_a_search_finds_what_a_scan_finds(self) -> None:
        random = Random(20)
        self.append(*[indexcases.message(random) for _ in range(40)])
        hits = 0
        for number in range(QUERIES):
            if number % 4 == 0:
                self.change(random)
            tree = indexcases.tree(random)
            uids = ALL if random.random() < 0.8 else NumSet.of(random.sample(range(1, 100), 40))
            expected = indexcases.scan(self.account, self.inbox(), tree, uids)
            self.assertEqual(self.account.search(self.inbox(), tree, uids), expected, tree)
            hits += bool(expected) and len(expected) < len(self.live())
        self.assertGreater(hits, QUERIES // 4)
        self.assertGreater(self.upto(), 40)


test_suite = beside.suite(__name__)
