"""SEARCH, by cases that every store must pass, and against a slow and simple judge."""

from __future__ import annotations

from datetime import date
from time import time

from moximap.store.interfaces import NewMessage
from moximap.searchtree import (All, And, DateIs, HasFlag, HasSaveDate, HeaderHas, IdIs, InUids,
                                ModSeqIs, Not, Or, SearchTree, SizeIs, TextHas, Within)
from moximap.values import InternalDate, NumSet
from tests.storecases import ALL, LARGE, MAIL, OnDisk, StoreCase, one

DAY = 86400
HTML = (b"Subject: two\r\nX-Empty:\r\nContent-Type: text/html; charset=iso-8859-1\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>f=FCr <b>alle</b></p>\r\n")


class SearchCases(StoreCase):
    def found(self, tree: SearchTree, uids: NumSet = ALL) -> list[int]:
        return list(self.account.search(self.inbox(), tree, uids))

    def test_flags_and_keywords_are_found(self) -> None:
        self.append(flags=("\\Seen", "Work"))
        self.append(flags=("work", "b"))
        self.append()
        self.assertEqual(self.found(HasFlag("\\SEEN")), [1])
        self.assertEqual(self.found(HasFlag("WORK")), [1, 2])
        self.assertEqual(self.found(Not(HasFlag("Work"))), [3])
        self.assertEqual(self.found(HasFlag("nothing")), [])
        self.assertEqual(self.found(Not(HasFlag("\\Recent"))), [1, 2, 3])

    def test_only_the_given_uids_and_no_expunged_ones_are_found(self) -> None:
        self.append(MAIL, MAIL, MAIL)
        self.account.store(self.inbox(), one(2), "+", ["\\Deleted"])
        self.account.expunge(self.inbox())
        self.assertEqual(self.found(All()), [1, 3])
        self.assertEqual(self.found(All(), NumSet(((2, 9),))), [3])
        self.assertEqual(self.found(Not(All())), [])

    def test_dates_are_compared_in_the_zone_they_were_written_in(self) -> None:
        moment = 10 * DAY - 3600
        for zone in (0, 120, -720):
            self.account.append("INBOX", [NewMessage(MAIL, (), InternalDate(moment, zone))])
        self.assertEqual(self.found(DateIs("internal", "=", date(1970, 1, 10))), [1, 3])
        self.assertEqual(self.found(DateIs("internal", ">=", date(1970, 1, 11))), [2])
        self.assertEqual(self.found(DateIs("internal", "<", date(1970, 1, 11))), [1, 3])

    def test_sent_dates_are_those_of_the_date_field(self) -> None:
        self.append(MAIL, b"Subject: none\r\n\r\n")
        self.assertEqual(self.found(DateIs("sent", "=", date(2021, 1, 1))), [1])
        self.assertEqual(self.found(DateIs("sent", ">=", date(2021, 1, 1))), [1])
        self.assertEqual(self.found(DateIs("sent", "<", date(2021, 1, 1))), [])
        self.assertEqual(self.found(Not(DateIs("sent", "<", date(2021, 1, 1)))), [1, 2])

    def test_save_dates_are_today(self) -> None:
        self.account.append("INBOX", [NewMessage(MAIL, (), InternalDate(0))])
        self.assertEqual(self.found(DateIs("saved", ">=", date(2020, 1, 1))), [1])
        self.assertEqual(self.found(DateIs("saved", "<", date(2020, 1, 1))), [])
        self.assertEqual(self.found(HasSaveDate()), [1])

    def test_age_is_counted_from_the_internal_date(self) -> None:
        for age in (100, 10_000):
            self.account.append("INBOX", [NewMessage(MAIL, (), InternalDate(int(time()) - age))])
        self.assertEqual(self.found(Within(5000, younger=True)), [1])
        self.assertEqual(self.found(Within(5000, younger=False)), [2])

    def test_sizes_are_compared_strictly(self) -> None:
        self.append(b"1", b"22", b"333")
        self.assertEqual(self.found(SizeIs(">", 2)), [3])
        self.assertEqual(self.found(SizeIs("<", 2)), [1])

    def test_modseqs_and_ids_are_found(self) -> None:
        self.append()
        modseq = self.append().modseq
        self.assertEqual(self.found(ModSeqIs(modseq)), [2])
        ((email,), _) = self.rows("emailid")
        self.assertEqual(self.found(IdIs("email", email)), [1])
        for nonsense in ("", "M", "Mx", "T1", "M" + "9" * 30):
            self.assertEqual(self.found(IdIs("email", nonsense)), [])
            self.assertEqual(self.found(Not(IdIs("thread", nonsense))), [1, 2])

    def test_headers_are_decoded_and_compared_without_case(self) -> None:
        self.append(MAIL, HTML)
        self.assertEqual(self.found(HeaderHas("subject", "GR\u00dcSSE")), [1])
        self.assertEqual(self.found(HeaderHas("SUBJECT", "")), [1, 2])
        self.assertEqual(self.found(HeaderHas("x-empty", "")), [2])
        self.assertEqual(self.found(Not(HeaderHas("from", "ann@"))), [2])

    def test_text_is_decoded(self) -> None:
        self.append(MAIL, HTML, LARGE)
        self.assertEqual(self.found(TextHas("F\u00dcR", header=False)), [2])
        self.assertEqual(self.found(TextHas("ann@example", header=False)), [])
        self.assertEqual(self.found(TextHas("ann@example", header=True)), [1, 3])
        self.assertEqual(self.found(TextHas("456789ABC", header=True)), [3])
        self.assertEqual(self.found(TextHas("<b>", header=False)), [])

    def test_text_and_other_keys_combine(self) -> None:
        self.append(MAIL, HTML)
        self.append(MAIL, flags=("\\Seen",))
        hello, seen = TextHas("hello", header=False), HasFlag("\\Seen")
        self.assertEqual(self.found(And((hello, seen))), [3])
        self.assertEqual(self.found(Or(hello, seen)), [1, 3])
        self.assertEqual(self.found(Not(Or(hello, seen))), [2])
        self.assertEqual(self.found(Not(And((hello, seen)))), [1, 2])
        self.assertEqual(self.found(And((Or(seen, HeaderHas("subject", "two")), Not(hello)))), [2])
        self.assertEqual(self.found(Or(And((hello, Not(seen))), And((seen, hello)))), [1, 3])

    def test_sets_inside_a_tree_may_have_many_ranges(self) -> None:
        self.append(*[b""] * 100)
        odd = InUids(NumSet.of(range(1, 5000, 2)))
        self.assertEqual(self.found(odd), list(range(1, 100, 2)))
        self.assertEqual(self.found(Not(odd)), list(range(2, 101, 2)))
        self.assertEqual(self.found(InUids(NumSet.of([3, 5, 200]))), [3, 5])
        self.assertEqual(self.found(InUids(NumSet())), [])
        self.assertEqual(self.found(InUids(NumSet.of(range(1001, 1100, 2)))), [])

    def test_trees_of_thousands_of_terms_are_searched(self) -> None:
        self.append(MAIL, MAIL)
        terms = tuple(Or(HasFlag("\\Seen"), SizeIs(">", number % 9)) for number in range(2000))
        self.assertEqual(self.found(And(terms)), [1, 2])
        self.assertEqual(self.found(And((*terms, TextHas("hello", header=False)))), [1, 2])


class SearchTests(SearchCases, OnDisk):
    pass
