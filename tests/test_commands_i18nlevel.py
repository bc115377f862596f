"""I18NLEVEL=1 (RFC 5255 4.2, 4.3): SEARCH, SORT and THREAD by i;unicode-casemap, with an index and without."""

from __future__ import annotations

import base64

from moximap.searchtree import HeaderHas, TextHas
from tests.indexcases import IndexCase, scan
from tests.storecases import ALL
from tests.test_commands_sort import SortCase, message

#: What is written in each of some messages, and what finds these alone.
FOUND = (("Café", "CAFÉ CAFE\u0301 cafe\u0301 cafe"), ("Straße", "strasse STRASSE straße STRAẞE ſtraſſe"),
         ("ΟΔΟΣ", "οδος οδοσ"), ("kapı", "KAPI kapi"), ("İzmir", "i\u0307zmir zmir"), ("\ufb01n", "fin FIN"),
         ("\uff26\uff55\uff4c\uff4c", "full FULL"), ("ê\u0323m", "ệm e\u0323\u0302m"), ("한국어", "한국어 \u1112\u1161\u11ab국"),
         ("ǆep", "ǅep Ǆep"), ("\uff76\uff9eス", "ガス"), ("re\u0301ne\u0301", "RÉNÉ réné"))


def letter(text: str) -> bytes:
    """A message with a text in its subject and in its body, both encoded."""
    word = base64.b64encode(text.encode())
    return (b"Subject: =?utf-8?b?%b?=\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n%b\r\n" % (word, word))


class CommandTests(SortCase):
    def test_it_is_announced(self) -> None:
        self.client().send(b"a CAPABILITY\r\n")
        self.assertIn(b"I18NLEVEL=1", self.client().received().split(b"\r\n")[0].split())

    def search(self, key: str, needle: str, found: int) -> None:
        self.dialogue(f"""
            C: a SEARCH CHARSET UTF-8 {key} "{needle}"
            S: * SEARCH {found}
            S: a OK SEARCH completed
        """)

    def test_search_by_header_and_text(self) -> None:
        for text, _ in FOUND:
            self.fill(content=letter(text))
        self.select()
        for number, (_, needles) in enumerate(FOUND, 1):
            for needle in needles.split():
                for key in ("SUBJECT", "BODY", "TEXT", "HEADER SUBJECT"):
                    self.search(key, needle, number)

    def test_search_by_people(self) -> None:
        self.put(message(From="=?utf-8?q?Ren=C3=A9?= <a@b>", To="=?utf-8?q?RENE=CC=81?= <a@b>",
                         Cc="=?utf-8?q?ren=C3=A9?= <a@b>", Bcc="=?iso-8859-1?q?REN=C9?= <a@b>"))
        self.select()
        for key in ("FROM", "TO", "CC", "BCC"):
            self.search(key, "rEnÉ", 1)

    def test_sort_by_each_text(self) -> None:
        for word in ("É", "f", "e\u0301a", "D", "\u01c6", "ſ", "r"):
            self.put(message(Subject=word, From=f'"{word}" <{word}@b>', To=f"{word}@b", Cc=f"{word}@b"))
        self.select()
        for key in ("SUBJECT", "FROM", "TO", "CC", "DISPLAYFROM", "DISPLAYTO"):
            self.assertEqual(self.sort(f"({key})"), "4 5 1 3 2 7 6", key)

    def test_threads_by_subjects_that_are_equal(self) -> None:
        """ß is no ss there: by the RFC's mappings they differ."""
        for number, subject in enumerate(("Café", "Re: CAFE\u0301", "cafe", "Fwd: cafe\u0301", "Straße", "Re: STRASSE")):
            self.put(message(number, Subject=subject))
        self.select()
        self.assertEqual(self.sort("ORDEREDSUBJECT", command="THREAD", told="THREAD"), "(1 (2)(4))(3)(5)(6)")
        self.assertEqual(self.sort("REFERENCES", command="THREAD", told="THREAD"), "(1 (2)(4))(3)(5)(6)")


class IndexTests(IndexCase):
    def test_an_index_finds_what_a_scan_finds(self) -> None:
        self.append(*[letter(text) for text, _ in FOUND])
        for indexed in (False, True):
            for uid, (_, needles) in enumerate(FOUND, 1):
                for needle in needles.split():
                    for tree in (TextHas(needle, True), TextHas(needle, False), HeaderHas("Subject", needle)):
                        self.assertEqual(self.found(tree), [uid], tree)
                        self.assertEqual(list(scan(self.account, self.inbox(), tree, ALL)), [uid], tree)
            if not indexed:
                self.index_all()
                self.assertEqual(self.upto(), len(FOUND))
