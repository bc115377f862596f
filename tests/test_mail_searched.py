"""A text as SEARCH looks into it (moximap.mail.searched): what is not parsed had not what is looked for."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.mail import htmltext, searched
from moximap.mail.collation import searchable
from moximap.mail.htmltext import html_text
from moximap.mail.searched import Searched

#: Elements that are put elsewhere, are left out, or whose content is read in another way.
NAMES = ["a", "b", "p", "div", "table", "tr", "td", "caption", "colgroup", "col", "select", "option", "svg", "math",
         "mi", "title", "textarea", "xmp", "plaintext", "noframes", "script", "style", "template", "pre", "form",
         "button", "frameset", "html", "head", "body", "center", "image", "input", "svg:script"]
TAGS = [form % name for name in NAMES for form in ("<%s>", "</%s>", "<%s x=y>", "<%s/>")]
WORDS = ["he", "llo", "z", "ze", "bra", "ſs", "\u212a", "ﬁ", "nd", "é", "e\u0301", "İ", "ß", "Ａ", "\u0345", "\u0323", "\ufdfa", "при", "ВЕТ", "й", "が", "日本", "\uff76\uff9e"]
REFERENCES = ["&amp;", "&lt;", "&#122;", "&#x7a;", "&eacute;", "&nbsp;", "&notit;", "&amp", "&ltz", "&#122", "&#0;", "&#1;",
              "&#128;", "&#xD800;", "&fjlig;", "&shy;", "&#65313;", "&#8490;", "&nvlt;", "&", "&#", "&#38;#122;"]
SPACES = [" ", "\n", "\t", "\r", "\f", "\0", "\x0b", "\xa0", "\u2028"]
ODD = ["<", "</", ">", "</>", "<!", "<!-->", "<!-- x -->", "--!>", "<?x?>", "<!DOCTYPE html>", "<![CDATA[", "]]>", "<3",
       "<a href='x>y'>", "<a href=\"z", "'", '"', "<!--", "-->"]
PIECES = st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS), *map(st.sampled_from, (TAGS, REFERENCES, SPACES, ODD)))
DOCUMENTS = st.lists(PIECES, max_size=14).map("".join)
#: How many documents are made; MOXIMAP_SEARCHES makes them more.
EXAMPLES = int(os.environ.get("MOXIMAP_SEARCHES", "100"))


def says(document: str) -> str:
    """The text that is looked into, after parsing."""
    return searchable(html_text(document))


class CertainTests(SynchronousTestCase):
    """Whatever is in the text is found."""

    def finds_all_of(self, document: str) -> None:
        text, asked = says(document), Searched(document, html=True)
        for start in range(len(text)):
            for length in (1, 2, 3, 5, 8, 40):
                needle = text[start:start + length]
                self.assertTrue(asked.has(needle), needle)
                self.assertFalse(asked._lacks(searched._word(needle)), needle)

    @given(DOCUMENTS)
    @example("<select>he<b>l<i>lo</select>")
    @example("<table>\n<col> he</x>llo<col>\f z<col>\nebra")
    @example("he<table><colgroup> llo<tr>zebra")
    @example("<table>z<tr>e<td>cell</td>bra")
    @example("he</x>l<!DOCTYPE html>lo</>x")
    @example("<svg>he<![CDATA[llo]]>z")
    @example("<svg><![CDATA[he]]>llo")
    @example("&#122;e&#98ra h&eacute;llo &amp;#122; <xmp>&#122;</xmp>")
    @example("ﬁ&fjlig;\u212aelvin")
    @example("a < b <3 he<lo")
    @settings(deadline=None, max_examples=EXAMPLES)
    def test_a_text_has_all_that_is_in_it(self, document: str) -> None:
        self.finds_all_of(document)

    @given(DOCUMENTS)
    @example("<a><a>&#65\0006x")
    @settings(deadline=None, max_examples=EXAMPLES // 2)
    def test_so_has_one_whose_tags_are_only_cut_out(self, document: str) -> None:
        self.patch(htmltext, "_LONGEST", 0)
        self.finds_all_of(document)

    def test_a_document_of_long_ligatures_is_parsed(self) -> None:
        document = "\ufdfa" * 20_000 + "Ａ"
        self.assertTrue(Searched(document, html=True).has(says(document)[-1:]))
        self.finds_all_of("<p>" * 20_000 + "\ufdfa" * 900 + "Ａ")


class UnparsedTests(SynchronousTestCase):
    """What is certain is not parsed for."""

    def setUp(self) -> None:
        def fail(document: str) -> Any:
            raise AssertionError("it was parsed")

        self.patch(searched, "html_text", fail)

    def test_a_document_is_not_parsed_for_what_it_cannot_say(self) -> None:
        document = "<html><body>caf&eacute; <p style='margin:0'>Straße<br>&nbsp;&lt;a<b>z</b>\u2019 \u212aelvin</p>"
        for needle in ("kumquat", "strassen", "zebra", "cafes", "e", "two words", "словo", "gro\u0308ssten", "q" * 10_000, "]" * 40):
            self.assertEqual(Searched(document.upper(), html=True)._lacks(searched._word(needle)), needle != "e", needle)
        self.assertFalse(Searched(document, html=True).has("kumquat"))

    def test_a_large_document_is_parsed_at_once(self) -> None:
        self.assertRaises(AssertionError, Searched("q" * ((1 << 20) + 1), html=True).has, "kumquat")

    def test_one_with_more_brackets_than_are_looked_at_is_parsed_at_once(self) -> None:
        few, many = "q" * 999 + "<b>" * 4000, "q" * 999 + "<b>" * 4001
        self.assertFalse(Searched(few, html=True).has("qz" + "q" * 30))
        self.assertRaises(AssertionError, Searched(many, html=True).has, "qz" + "q" * 30)

    def test_other_texts_never_are(self) -> None:
        self.assertTrue(Searched("Straße <b>", html=False).has("strasse <b>"))
