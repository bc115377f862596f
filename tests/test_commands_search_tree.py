"""Search trees: what simplifying keeps, and searches from memory beside a naive evaluator."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.imap.commands.search_answer import sequence_numbers
from moximap.imap.commands.search_memory import Columns, from_memory, from_uids, matching
from moximap.imap.commands.search_tree import ALL, NOTHING, all_of, any_of, leaves, simplify, split
from moximap.searchtree import All, And, HasFlag, InUids, ModSeqIs, Not, Or, SearchTree, SizeIs, TextHas
from moximap.values import SYSTEM_FLAGS, NumSet

SEEN, FLAGGED, JUNK = HasFlag("\\Seen"), HasFlag("\\flagged"), HasFlag("$Junk")
#: Numbers of the keyword sets that have a keyword.
SETS = {"$junk": frozenset({1, 3, 15}), "work": frozenset({2, 3, 8})}


def codes(name: str) -> frozenset[int] | None:
    return SETS.get(name.lower())


def in_uids(*ranges: tuple[int, int]) -> InUids:
    return InUids(NumSet(ranges))


def naive(tree: SearchTree, uid: int, code: int, modseq: int) -> bool:
    """Whether one message matches, by the letter."""
    if isinstance(tree, And):
        return all(naive(term, uid, code, modseq) for term in tree.terms)
    if isinstance(tree, Or):
        return naive(tree.left, uid, code, modseq) or naive(tree.right, uid, code, modseq)
    if isinstance(tree, Not):
        return not naive(tree.term, uid, code, modseq)
    if isinstance(tree, InUids):
        return any(low <= uid <= high for low, high in tree.uids.ranges)
    if isinstance(tree, ModSeqIs):
        return modseq >= tree.modseq
    if isinstance(tree, HasFlag):
        bit = {name.lower(): bit for name, bit in SYSTEM_FLAGS.items()}.get(tree.name.lower())
        return bool(code & bit) if bit is not None else code >> 5 in (codes(tree.name) or ())
    assert isinstance(tree, All)
    return True


numsets = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=4).map(NumSet.merge)
tests = st.one_of(
    st.just(ALL), st.just(NOTHING), numsets.map(InUids), st.integers(1, 50).map(ModSeqIs),
    st.sampled_from(["\\Seen", "\\FLAGGED", "\\Draft", "$Junk", "WORK", "never"]).map(HasFlag))
trees = st.recursive(tests, lambda inner: st.one_of(
    st.lists(inner, min_size=1, max_size=5).map(lambda terms: And(tuple(terms))),
    st.tuples(inner, inner).map(lambda pair: Or(*pair)),
    inner.map(Not)), max_leaves=25)
flag_codes = st.tuples(st.integers(0, 31), st.integers(0, 20)).map(lambda pair: pair[0] | pair[1] << 5)
mailboxes = st.lists(st.tuples(st.integers(1, 60), flag_codes, st.integers(1, 50)),
                     unique_by=lambda row: row[0], max_size=40).map(sorted)


def columns_of(rows: list[tuple[int, int, int]]) -> Columns:
    uids, flags, modseqs = zip(*rows, strict=True) if rows else ((), (), ())
    return Columns(array("I", uids), array("Q", flags), array("Q", modseqs))


class SimplifyTests(SynchronousTestCase):
    def check(self, tree: SearchTree, expected: SearchTree) -> None:
        self.assertEqual(simplify(tree), expected)

    def test_what_is_simple_stays(self) -> None:
        for tree in (ALL, NOTHING, SEEN, Not(SEEN), in_uids((1, 5)), And((SEEN, FLAGGED)), Or(SEEN, FLAGGED)):
            self.check(tree, tree)

    def test_and_is_flat_and_has_each_term_once(self) -> None:
        self.check(And((SEEN, And((FLAGGED, And((SEEN, JUNK)))))), And((SEEN, FLAGGED, JUNK)))
        self.check(And((SEEN,)), SEEN)
        self.check(And((SEEN, And((SEEN, SEEN)))), SEEN)

    def test_or_is_flat_and_balanced_and_has_each_term_once(self) -> None:
        self.check(Or(Or(SEEN, FLAGGED), Or(FLAGGED, JUNK)), Or(SEEN, Or(FLAGGED, JUNK)))
        self.check(Or(SEEN, SEEN), SEEN)

    def test_not_of_not_is_nothing_at_all(self) -> None:
        self.check(Not(Not(SEEN)), SEEN)
        self.check(Not(Not(Not(SEEN))), Not(SEEN))

    def test_constants_fold(self) -> None:
        self.check(And((ALL, SEEN, ALL)), SEEN)
        self.check(And(()), ALL)
        self.check(And((ALL, ALL)), ALL)
        self.check(And((SEEN, NOTHING)), NOTHING)
        self.check(Or(SEEN, ALL), ALL)
        self.check(Or(NOTHING, SEEN), SEEN)
        self.check(Or(NOTHING, NOTHING), NOTHING)
        self.check(Not(NOTHING), ALL)
        self.check(in_uids(), NOTHING)
        self.check(TextHas("", header=True), ALL)
        self.check(Not(TextHas("", header=False)), NOTHING)
        self.check(And((SEEN, Not(in_uids()))), SEEN)

    def test_sets_of_uids_become_one_and_come_first(self) -> None:
        self.check(And((SEEN, in_uids((1, 9)), in_uids((5, 20)))), And((in_uids((5, 9)), SEEN)))
        self.check(And((in_uids((1, 4)), SEEN, in_uids((5, 9)))), NOTHING)
        self.check(Or(in_uids((1, 4)), Or(SEEN, in_uids((5, 9)))), Or(in_uids((1, 9)), SEEN))

    def test_split_takes_the_uids_off(self) -> None:
        self.assertEqual(split(in_uids((1, 4))), (NumSet(((1, 4),)), ALL))
        self.assertEqual(split(And((in_uids((1, 4)), SEEN))), (NumSet(((1, 4),)), SEEN))
        self.assertEqual(split(And((in_uids((1, 4)), SEEN, JUNK))), (NumSet(((1, 4),)), And((SEEN, JUNK))))
        self.assertEqual(split(And((SEEN, JUNK))), (None, And((SEEN, JUNK))))
        self.assertEqual(split(ALL), (None, ALL))

    def test_thousands_of_terms_do_not_nest_deep(self) -> None:
        terms = [SizeIs("<", n) for n in range(5000)]
        tree = simplify(any_of(terms))
        self.assertEqual(list(leaves(tree)), terms)
        self.assertEqual(simplify(all_of(terms)), And(tuple(terms)))
        depth = 0
        while isinstance(tree, Or):
            tree, depth = tree.right, depth + 1
        self.assertLess(depth, 15)

    @given(trees, mailboxes)
    @settings(deadline=None)
    def test_a_simplified_tree_matches_the_same(self, tree: SearchTree,
                                                rows: list[tuple[int, int, int]]) -> None:
        simple = simplify(tree)
        chosen, rest = split(simple)
        for row in rows:
            wanted = naive(tree, *row)
            self.assertIs(naive(simple, *row), wanted)
            self.assertIs((chosen is None or row[0] in chosen) and naive(rest, *row), wanted)
        self.assertEqual(simplify(simple), simple)

    @given(trees)
    @settings(deadline=None)
    def test_constants_stand_nowhere_inside(self, tree: SearchTree) -> None:
        simple = simplify(tree)
        if simple not in (ALL, NOTHING):
            self.assertNotIn(ALL, list(leaves(simple)))


class MemoryTests(SynchronousTestCase):
    @given(trees, mailboxes)
    @settings(deadline=None)
    def test_memory_finds_what_a_naive_evaluator_finds(self, tree: SearchTree,
                                                       rows: list[tuple[int, int, int]]) -> None:
        wanted = [row[0] for row in rows if naive(tree, *row)]
        columns = columns_of(rows)
        self.assertEqual(matching(tree, columns, codes).tolist(), wanted)
        chosen, rest = split(simplify(tree))
        narrow = columns if chosen is None else columns.within(chosen)
        self.assertEqual(matching(rest, narrow, codes).tolist(), wanted)

    def test_what_memory_can_decide(self) -> None:
        self.assertTrue(from_memory(And((SEEN, Or(ALL, Not(ModSeqIs(3))), in_uids((1, 2))))))
        self.assertFalse(from_memory(And((SEEN, Not(SizeIs("<", 3))))))
        self.assertFalse(from_memory(And(tuple(Not(in_uids((n, n))) for n in range(1, 1000, 2)))))
        self.assertTrue(from_uids(Not(in_uids((1, 2)))))
        self.assertFalse(from_uids(And((in_uids((1, 2)), SEEN))))

    def test_flags_are_judged_once_for_each_code(self) -> None:
        asked = []

        def counted(name: str) -> frozenset[int] | None:
            asked.append(name)
            return codes(name)

        rows = [(uid, 33 if uid % 2 else 1, 1) for uid in range(1, 1001)]
        self.assertEqual(len(matching(And((JUNK, SEEN)), columns_of(rows), counted)), 500)
        self.assertEqual(asked, ["$Junk"])

    def test_few_of_many_are_found_and_many_of_them(self) -> None:
        rows = [(3 * uid, 1 if uid % 50 else 4, 1) for uid in range(1, 1001)]
        for tree, count in ((SEEN, 980), (Not(SEEN), 20), (FLAGGED, 20), (And((SEEN, FLAGGED)), 0)):
            found = matching(tree, columns_of(rows), codes).tolist()
            self.assertEqual(found, [uid for uid, code, modseq in rows if naive(tree, uid, code, modseq)])
            self.assertEqual(len(found), count)

    def test_a_range_of_everything_copies_nothing(self) -> None:
        columns = columns_of([(uid, 0, 1) for uid in range(1, 11)])
        self.assertIs(columns.within(NumSet(((1, 10),))), columns)
        self.assertIs(matching(ALL, columns, codes), columns.uids)


class NumberTests(SynchronousTestCase):
    @given(st.sets(st.integers(1, 200)), st.integers(1, 7), st.booleans())
    @settings(deadline=None)
    def test_sequence_numbers_are_places(self, chosen: set[int], step: int, contiguous: bool) -> None:
        everything = array("I", range(3, 203) if contiguous else sorted(chosen | {7, 9, 500}))
        some = array("I", [uid for uid in everything if uid % step == 0])
        self.assertEqual(sequence_numbers(everything, some).tolist(),
                         [bisect_left(everything, uid) + 1 for uid in some])

    def test_of_nothing_there_are_none(self) -> None:
        self.assertEqual(sequence_numbers(array("I"), array("I")).tolist(), [])
        self.assertEqual(sequence_numbers(array("I", [1, 5]), array("I")).tolist(), [])

    @given(st.sets(st.integers(1, 2000)), st.integers(1, 400))
    @settings(deadline=None)
    def test_the_set_of_ascending_numbers(self, chosen: set[int], hole: int) -> None:
        numbers = array("I", sorted(chosen.union(range(5000, 5900)) - {5000 + hole}))
        self.assertEqual(NumSet.ascending(numbers), NumSet.of(numbers))
        self.assertEqual(NumSet.ascending(array("I")), NumSet())

    @given(numsets, numsets)
    @settings(deadline=None)
    def test_the_intersection_of_two_sets(self, one: NumSet, other: NumSet) -> None:
        both = one & other
        self.assertEqual(set(both), set(one) & set(other))
        self.assertEqual(both, NumSet.merge(both.ranges))


