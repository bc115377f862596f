"""What SEARCH refuses: bad programs, and charsets."""

from __future__ import annotations

from tests.test_commands_search import SearchCase

#: What may not stand behind SEARCH in a mailbox of three messages.
BAD = (
    "", " ", " FOO", " RECENTLY", ' "ALL"', " ALL  SEEN", " SEEN,FLAGGED", " ALL {3+}\r\nabc",
    " RETURN", " RETURN ALL", " RETURN (ALL)", " RETURN (FOO) ALL", " RETURN (ALL) ", " RETURN (SAVE)",
    " RETURN (MIN MAX ALL", " RETURN(ALL) ALL", " RETURN (MIN  MAX) ALL", " RETURN (ALL ()) ALL",
    " ALL RETURN (ALL)", " CHARSET", " CHARSET UTF-8", " CHARSET UTF-8 ",
    " (", " ()", " (ALL", " ALL)", " ( ALL)", " (ALL )",
    " NOT", " NOT ", " OR", " OR SEEN", " OR SEEN ", " OR (SEEN FLAGGED)",
    " SUBJECT", " SUBJECT ", ' SUBJECT "x', " SUBJECT grün", " FROM (x)", " HEADER", " HEADER x",
    " KEYWORD", ' KEYWORD "x"', " KEYWORD \\Seen", " UNKEYWORD",
    " ON", " ON 31-Feb-1994", " ON 1-Foo-1994", " ON 1994-02-01", ' ON "1-Feb-1994', " ON 1-Feb-94",
    " LARGER", " LARGER x", " LARGER -1", " LARGER 9223372036854775808",
    " UID", " UID x", " UID 0", " UID 1:", " UID 1,,2", " UID 4294967296",
    " 0", " 1:", " 1,", " 1;2", " 4", " 1:4", " $x", " $,1",
)


class RefusedTests(SearchCase):
    def test_bad_programs(self) -> None:
        self.flagged(3)
        self.select()
        for program in BAD:
            self.refused(f"SEARCH{program}")
            self.refused(f"UID SEARCH{program}")

    def test_a_trailing_space_is_let_through(self) -> None:
        self.flagged(1)
        self.select()
        self.assertEqual(self.ask("ALL "), "1")

    def test_text_that_is_no_utf_8_cannot_be_searched_for(self) -> None:
        """JavaMail sends Latin-1 where UTF8=ACCEPT is enabled; after a NO, not after a BAD, it searches by itself."""
        self.select()
        self.client().send(b'a SEARCH SUBJECT "gr\xfcn"\r\n')
        self.assertEqual(self.client().received(), b"a NO text that is not UTF-8 cannot be searched for\r\n")

    def test_nesting_has_a_limit(self) -> None:
        self.flagged(1)
        self.select()
        self.assertEqual(self.ask("(" * 50 + "ALL" + ")" * 50), "1")
        self.assertEqual(self.ask("NOT " * 50 + "ALL"), "1")
        self.assertEqual(self.ask(" ".join(["(NOT (ALL))"] * 100)), "")
        self.refused("SEARCH " + "(" * 51 + "ALL" + ")" * 51)
        self.refused("SEARCH " + "NOT " * 51 + "ALL")
        self.refused("SEARCH " + "(NOT " * 2000 + "ALL" + ")" * 2000)

    def test_unknown_charsets_are_answered_badcharset_rule_91(self) -> None:
        self.select()
        self.dialogue("""
            C: a SEARCH CHARSET KOI8-R TEXT {4+}
            C: XXXX
            S: a NO [BADCHARSET (US-ASCII UTF-8)] there is no such charset here
            C: b UID SEARCH RETURN () CHARSET iso-8859-1 OR (UNSEEN) SUBJECT x
            S: b NO [BADCHARSET (US-ASCII UTF-8)] there is no such charset here
            C: c SEARCH CHARSET us-ascii SUBJECT x
            S: * SEARCH
            S: c OK SEARCH completed
            C: d SEARCH CHARSET KOI8-R FOO
            S: d BAD unknown search key FOO
        """)

    def test_text_in_an_unknown_charset_is_read_over(self) -> None:
        self.select()
        self.client().send(b'a SEARCH CHARSET KOI8-R SUBJECT "\xcd\xc1\xd4\xd8" HEADER X "\xcd"\r\n')
        self.assertTrue(self.client().received().startswith(b"a NO [BADCHARSET"))

    def test_with_utf8_accept_a_charset_is_bad_rfc_6855_3(self) -> None:
        self.flagged(1)
        self.send("e ENABLE UTF8=ACCEPT")
        self.select()
        self.dialogue("""
            C: a SEARCH CHARSET UTF-8 ALL
            S: a BAD with UTF8=ACCEPT enabled SEARCH takes no CHARSET
            C: b SEARCH SUBJECT "grün"
            S: * SEARCH
            S: b OK SEARCH completed
        """)

    def test_with_imap4rev2_charset_utf_8_is_redundant_and_allowed(self) -> None:
        self.flagged(1)
        self.send("e ENABLE IMAP4rev2")
        self.select()
        self.dialogue("""
            C: a SEARCH CHARSET UTF-8 ALL
            S: * ESEARCH (TAG "a") ALL 1
            S: a OK SEARCH completed
            C: b SEARCH CHARSET KOI8-R ALL
            S: b NO [BADCHARSET (US-ASCII UTF-8)] there is no such charset here
        """)


class RefusedTestsByteByByte(RefusedTests):
    byte_by_byte = True
