"""Flags, keywords and STORE, by cases that every store must pass."""

from __future__ import annotations

from array import array
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from moximap.store import errors
from moximap.store.flags import count, replace
from moximap.values import NumSet
from tests.storecases import ALL, MAIL, OnDisk, StoreCase, one


class FlagCases(StoreCase):
    def test_flags_are_added_removed_and_set(self) -> None:
        self.append(flags=("\\Seen", "a"))
        for how, flags, expected in (("+", ("\\Flagged", "b"), {"\\Seen", "\\Flagged", "a", "b"}),
                                     ("-", ("\\Seen", "A", "c"), {"\\Flagged", "b"}),
                                     ("=", ("\\Draft", "a"), {"\\Draft", "a"}),
                                     ("-", ("a",), {"\\Draft"}),
                                     ("=", (), set())):
            self.account.store(self.inbox(), ALL, how, flags)
            self.assertEqual(self.named(), {1: expected})

    def test_keywords_keep_their_first_spelling(self) -> None:
        self.append(flags=("Work",))
        self.append(flags=("WORK", "wOrK"))
        self.assertEqual(self.named(), {1: {"Work"}, 2: {"Work"}})
        self.account.store(self.inbox(), one(1), "-", ["work"])
        self.assertEqual(self.named(), {1: set(), 2: {"Work"}})
        self.assertEqual(self.account.flags.keywords(), ("Work",))

    def test_one_store_maps_each_set_of_keywords(self) -> None:
        for flags in (("a",), ("b", "\\Seen"), ("a", "b"), ()):
            self.append(flags=flags)
        stored = self.account.store(self.inbox(), ALL, "+", ["b"])
        self.assertEqual(self.named(), {1: {"a", "b"}, 2: {"b", "\\Seen"}, 3: {"a", "b"}, 4: {"b"}})
        self.assertEqual(list(stored.changes[0].uids), [1, 4])

    def test_flags_as_wished_already_keep_their_modseq(self) -> None:
        self.append(flags=("\\Seen",))
        before = self.append().modseq
        stored = self.account.store(self.inbox(), ALL, "+", ["\\Seen"])
        self.assertEqual(list(stored.changes[0].uids), [2])
        self.assertEqual(self.rows("modseq"), [(before - 1,), (stored.modseq,)])
        again = self.account.store(self.inbox(), ALL, "+", ["\\seen"])
        self.assertEqual((again.modseq, again.changes), (stored.modseq, ()))

    def test_recent_and_unknown_system_flags_are_not_kept(self) -> None:
        self.append(flags=("\\Recent", "\\Nonsense"))
        self.assertEqual(self.account.store(self.inbox(), ALL, "+", ["\\Recent"]).changes, ())
        self.assertEqual(self.named(), {1: set()})

    def test_a_keyword_that_is_no_atom_is_refused(self) -> None:
        self.append()
        for keyword in ("", "a b", "a(", "\u00e4", "x" * 256, "a\x7f"):
            self.assertRaises(errors.Cannot, self.account.store, self.inbox(), ALL, "+", [keyword])

    def test_keywords_are_bounded_and_a_store_over_the_bound_changes_nothing(self) -> None:
        self.append()
        self.account.store(self.inbox(), ALL, "=", [f"k{number}" for number in range(499)])
        self.assertRaises(errors.OverQuota, self.account.store, self.inbox(), ALL, "=", ["x", "y"])
        self.assertEqual(len(self.named()[1]), 499)
        self.account.store(self.inbox(), ALL, "=", ["x"])
        self.assertEqual(len(self.account.flags.keywords()), 500)

    def test_unchangedsince_is_judged_message_by_message(self) -> None:
        since = self.append(MAIL, MAIL, MAIL).modseq
        self.account.store(self.inbox(), one(2), "+", ["\\Seen"])
        stored = self.account.store(self.inbox(), ALL, "+", ["\\Flagged"], cursor=since,
                                    unchangedsince=since)
        self.assertEqual((stored.modified, stored.foreign), (one(2), one(2)))
        self.assertEqual(self.named(), {1: {"\\Flagged"}, 2: {"\\Seen"}, 3: {"\\Flagged"}})
        none = self.account.store(self.inbox(), ALL, "+", ["\\Draft"], unchangedsince=0)
        self.assertEqual((len(none.modified), none.changes), (3, ()))

    def test_foreign_are_targets_that_changed_after_the_cursor(self) -> None:
        self.append(MAIL, MAIL, MAIL)
        cursor = self.account.store(self.inbox(), one(1), "+", ["\\Seen"]).modseq
        self.account.store(self.inbox(), NumSet.of([2, 3]), "+", ["\\Seen"])
        stored = self.account.store(self.inbox(), NumSet.of([1, 2]), "+", ["\\Seen"], cursor=cursor)
        self.assertEqual(stored.foreign, one(2))
        cursor = self.account.store(self.inbox(), ALL, "-", ["\\Seen"], cursor=cursor).modseq
        self.assertEqual(self.account.store(self.inbox(), ALL, "+", ["a"], cursor=cursor).foreign, NumSet())

    def test_what_a_store_tells_is_what_changes_tell(self) -> None:
        since = self.append(*[MAIL] * 200).modseq
        for uids in (ALL, NumSet.of(range(1, 200, 2)), NumSet.of([1, 90, 180])):
            stored = self.account.store(self.inbox(), uids, "+", [f"k{since}"])
            self.assertEqual(self.account.changes(self.inbox(), since), stored.changes[0])
            since = stored.modseq

    def test_counters_follow_flags(self) -> None:
        self.append(MAIL, MAIL, MAIL)
        self.append(flags=("\\Seen", "\\Deleted"))
        self.account.store(self.inbox(), NumSet(((2, 4),)), "=", ["\\Seen", "x"])
        box = self.box("INBOX")
        self.assertEqual((box.unseen, box.deleted, box.deleted_size), (1, 0, 0))
        self.account.store(self.inbox(), ALL, "+", ["\\Deleted"])
        self.assertEqual(self.box("INBOX").deleted_size, 4 * len(MAIL))

    def test_more_distinct_flags_than_one_statement_maps_are_stored(self) -> None:
        for number in range(250):
            self.append(b"", flags=(f"k{number}",))
        self.account.store(self.inbox(), ALL, "+", ["\\Flagged"])
        self.assertEqual(self.named(), {n + 1: {"\\Flagged", f"k{n}"} for n in range(250)})

    def test_numbers_of_sets_are_found_by_keyword_in_any_case(self) -> None:
        self.append(flags=("a", "b"))
        self.append(flags=("b",))
        codes = self.account.open("INBOX").changes.flags
        self.assertEqual(self.account.flags.codes("B"), {code >> 5 for code in codes})
        self.assertEqual(self.account.flags.codes("c"), frozenset())


class FlagTests(FlagCases, OnDisk):
    def test_who_fetches_one_message_knows_its_keywords(self) -> None:
        other = self.open()
        self.append(flags=("Work", "\\Seen"))
        ((code,),) = other.fetch_one(self.inbox(), 1, ("flags",))
        self.assertEqual(set(other.flags.names(code)), {"Work", "\\Seen"})


class CodesTests(SynchronousTestCase):
    """Flag codes in bulk, those that are one octet and others."""

    def test_they_are_counted(self) -> None:
        for codes in ([], [0, 1, 0, 31, 255], [0, 256, 1, 256], [1 << 40]):
            self.assertEqual(count(array("Q", codes)), {code: codes.count(code) for code in codes})

    def test_they_are_replaced(self) -> None:
        self.enterContext(mock.patch("moximap.store.flags._FEW", 1))
        for codes, becomes in (([], {}), ([0, 1, 0, 3], {0: 1}), ([0, 1, 3], {0: 1, 1: 3}), ([0, 1, 2], {1: 256}),
                               ([256, 0, 257], {256: 0, 0: 5}), ([255, 254], {255: 254, 254: 255})):
            self.assertEqual(replace(array("Q", codes), becomes),
                             array("Q", [becomes.get(code, code) for code in codes]))
