"""What texts are compared by: RFC 5051 for SORT and THREAD, and for SEARCH more than that."""

from __future__ import annotations

from itertools import product
from unicodedata import combining, decomposition, normalize

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.mail import collation
from moximap.mail.collation import casemap, searchable

#: Letters that have more than one spelling, and marks.
MANY = "aAiIsSß\u1e9eſıİςσΣ\u03b1\u0390ǆǅǄ\u01f0\ufb01\ufb05\uff21\uff71\uff76\uff9e\u30ac\u1ec7\u00ea\u00e9\u0301\u0302\u0323\u0307\u0344\u0f73" \
       "\ud55c\u1112\u1161\u11ab\u212a\u212b\u2460\ufdfa\U0001d15e\U0001d165\U0001e8d0\U00010400 "
#: U+0345 is a letter in capitals and a mark in small letters: RFC 5051 takes it for both.
TEXTS = st.text(st.one_of(st.sampled_from(MANY), st.characters(exclude_characters="\u0345")))


def by_the_book(text: str) -> str:
    """RFC 5051, one character after the other, by the mappings of UnicodeData; then marks in Unicode's order."""
    out: list[str] = []
    for character in text:
        title = character.title()
        out += _decompose(title if len(title) == 1 else character)
    return _ordered(out)


def _decompose(character: str) -> list[str]:
    syllable = ord(character) - 0xac00
    if 0 <= syllable < 11172:
        lead, rest = divmod(syllable, 588)
        vowel, trail = divmod(rest, 28)
        return [chr(0x1100 + lead), chr(0x1161 + vowel), *([chr(0x11a7 + trail)] if trail else [])]
    codes = [code for code in decomposition(character).split() if not code.startswith("<")]
    return [one for code in codes for one in _decompose(chr(int(code, 16)))] or [character]


def _ordered(characters: list[str]) -> str:
    """Neighbours change places until none has to."""
    again = True
    while again:
        again = False
        for at in range(1, len(characters)):
            one, other = characters[at - 1:at + 1]
            if combining(one) > combining(other) > 0:
                characters[at - 1:at + 1] = [other, one]
                again = True
    return "".join(characters)


class CasemapTests(SynchronousTestCase):
    """RFC 5051."""

    @given(TEXTS)
    @settings(deadline=None, max_examples=300)
    def test_it_is_what_the_rfc_says(self, text: str) -> None:
        self.assertEqual(casemap(text), by_the_book(text))

    def test_case_makes_no_difference(self) -> None:
        for one, other in (("Hello", "hELLO"), ("É", "é"), ("Ǆ", "ǆ"), ("ǅ", "ǆ"), ("é", "e\u0301"),
                           ("\ufb01", "\ufb01"), ("Σ", "ς"), ("ſ", "S"), ("ı", "i"), ("\uff41", "\uff21")):
            self.assertEqual(casemap(one), casemap(other), one)

    def test_a_digraph_is_mapped_first_and_then_decomposed(self) -> None:
        self.assertEqual(casemap("\u01c4"), "Dz\u030c")

    def test_what_is_no_letter_sorts_behind_letters_of_both_cases(self) -> None:
        self.assertEqual(sorted(["_", "z", "Z", "a", "[", "1"], key=casemap), ["1", "a", "z", "Z", "[", "_"])

    def test_sharp_s_has_no_simple_title_case(self) -> None:
        self.assertEqual(casemap("ß"), "ß")
        self.assertEqual(casemap(""), "")


class SearchableTests(SynchronousTestCase):
    def test_one_letter_in_all_its_spellings(self) -> None:
        for spellings in ("ß ẞ ss SS sS ſs", "ſ s S", "ı i I", "İ i\u0307 I\u0307", "Σ σ ς", "\ufb01 fi FI Fi",
                          "\ufb05 \ufb06 st ST", "\uff21\uff42 ab AB", "\uff76\uff9e \u30ac \u30ab\u3099",
                          "é É e\u0301 E\u0301", "ệ e\u0323\u0302 e\u0302\u0323 ê\u0323 ẹ\u0302 Ệ",
                          "한 \u1112\u1161\u11ab 하\u11ab", "ǆ ǅ Ǆ d\u017e DŽ dz\u030c", "\u212a k K",
                          "\u212b å Å A\u030a", "\u1f80 \u1f88 α\u0313\u0345 Α\u0313Ι", "\u2460 1", "ŉ ʼn"):
            self.assertEqual(len({searchable(one) for one in spellings.split(" ")}), 1, spellings)

    def test_letters_that_are_others(self) -> None:
        for one, other in ("oø", "dđ", "lł", "aæ", "iİ", "eé", "ıİ", "하한", "かが"):
            self.assertNotEqual(searchable(one), searchable(other))

    def test_a_letter_is_found_with_marks_or_without(self) -> None:
        """RFC 5051: what is looked for is a substring after the letters were decomposed."""
        for needle, text in (("cafe", "Café"), ("CAFÉ", "le cafe\u0301"), ("café", "CAFÉ"), ("strasse", "Straße"),
                             ("STRAẞE", "strasse"), ("i", "İ"), ("하", "한"), ("か", "が"), ("σας", "ΣΑΣ")):
            self.assertIn(searchable(needle), searchable(text))
        self.assertNotIn(searchable("café"), searchable("cafe"))

    @given(TEXTS)
    @settings(deadline=None, max_examples=300)
    def test_it_makes_equal_what_casemap_and_casefold_do(self, text: str) -> None:
        for same in (casemap(text), text.casefold(), normalize("NFC", text), normalize("NFD", text),
                     normalize("NFKD", text), searchable(text)):
            self.assertEqual(searchable(same), searchable(text))

    @given(TEXTS, TEXTS, TEXTS)
    @example("a\u0301", "b\u0301", "c")
    @settings(deadline=None, max_examples=300)
    def test_no_substring_is_missed(self, before: str, needle: str, after: str) -> None:
        assume(not combining(normalize("NFKD", needle + "a")[0]) and not combining(normalize("NFKD", after + "a")[0]))
        self.assertEqual(searchable(before + needle + after), searchable(before) + searchable(needle) + searchable(after))

    @given(TEXTS, st.integers(1, 9))
    @example("ae\u0302\u0323", 3)
    @settings(deadline=None, max_examples=200)
    def test_a_long_text_is_folded_in_pieces(self, text: str, size: int) -> None:
        self.patch(collation, "_LONGER", 18)
        self.patch(collation, "_PIECE", size)
        self.assertEqual(searchable(text), normalize("NFKD", text).casefold().replace("ı", "i"))


class MarksTests(SynchronousTestCase):
    """Who writes thousands of marks on one letter, or sentences in one character, costs no more than others."""

    def test_many_marks_are_ordered_as_unicode_has_it(self) -> None:
        for marks in ("\u0301\u0323", "\u0344\u0f73\U0001d165", "\u0345\u0301", "\U0001d165\U0001d16d\u0323"):
            for first, last in product(("a", "\u1ec7", "", "\U0001f600"), ("", "\u0390", "b", "\U0001f600\U0001d165")):
                text = first + marks * 40 + last
                self.assertEqual(casemap(text), normalize("NFKD", "".join(map(collation._titlecase, text))))

    def test_many_marks_are_seen_wherever_they_begin(self) -> None:
        self.patch(collation, "_in_order", lambda run: "seen")
        for at in range(70):
            for mark in "\u0301\u309a\U0001d165":
                self.assertEqual(casemap("A" * at + mark * 32), "A" * at + "seen")

    def test_all_marks_are_known(self) -> None:
        """Those above U+FFFF are in the pattern whatever they are."""
        marks = collation._many_marks()
        for code in (*range(0x300, 0xd800), *range(0xe000, 0x10000), 0x1d165, 0x1e94a):
            character = chr(code)
            if combining(normalize("NFKD", character)[0]):
                self.assertIsNotNone(marks.fullmatch(character * 32), hex(code))
                self.assertIsNone(marks.fullmatch(character * 31))
        self.assertIsNone(marks.search("日本語のメール" * 10 + "Привет" * 10 + "สวัสดีครับ" * 10))

    def test_what_would_be_many_times_as_long_is_left_as_it_is(self) -> None:
        text = "\ufdfa" * 50_000
        self.assertLess(len(searchable(text)), 2 * len(text))
        self.assertEqual(len(searchable("\ufdfa" * 100)), 1800)
        self.assertIn(searchable("\ufdfa"), searchable("x\ufdfay"))
