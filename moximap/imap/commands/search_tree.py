"""Search trees made small before they are searched for (RFC 9051 6.4.4); pure.

A tree that matches nothing is NOTHING, and stands nowhere inside a simplified tree; no more does All.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from operator import and_
from typing import Final

from moximap.searchtree import All, And, InUids, Not, Or, SearchTree, TextHas
from moximap.values import NumSet

ALL: Final = All()
NOTHING: Final = Not(ALL)


def all_of(terms: Sequence[SearchTree]) -> SearchTree:
    """A tree for what matches every term."""
    return terms[0] if len(terms) == 1 else And(tuple(terms))


def any_of(terms: Sequence[SearchTree]) -> SearchTree:
    """A tree for what matches one of the terms: balanced, so that many of them do not nest deep."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    return Or(any_of(terms[:middle]), any_of(terms[middle:]))


def leaves(tree: SearchTree) -> Iterator[SearchTree]:
    """The tests that a tree is made of."""
    if isinstance(tree, And):
        for term in tree.terms:
            yield from leaves(term)
    elif isinstance(tree, Or):
        yield from leaves(tree.left)
        yield from leaves(tree.right)
    elif isinstance(tree, Not):
        yield from leaves(tree.term)
    else:
        yield tree


def simplify(tree: SearchTree) -> SearchTree:
    """A tree that matches the same, with constants folded, nested And and Or joined, and each set of
    UIDs that can be one made one.  In an And the set of UIDs is the first term."""
    if isinstance(tree, And):
        return _and(map(simplify, tree.terms))
    if isinstance(tree, Or):
        return _or(map(simplify, (tree.left, tree.right)))
    if isinstance(tree, Not):
        return _not(simplify(tree.term))
    if isinstance(tree, InUids):
        return tree if tree.uids else NOTHING
    if isinstance(tree, TextHas) and not tree.text:
        return ALL                             # the empty string is a substring of anything
    return tree


def _not(term: SearchTree) -> SearchTree:
    return term.term if isinstance(term, Not) else Not(term)


def _and(terms: Iterable[SearchTree]) -> SearchTree:
    uids, rest = _sorted_out(_flat(terms, lambda term: term.terms if isinstance(term, And) else None))
    if NOTHING in rest:
        return NOTHING
    rest = [term for term in rest if term != ALL]
    if uids:
        common = reduce(and_, uids)
        if not common:
            return NOTHING
        rest.insert(0, InUids(common))
    return all_of(rest) if rest else ALL


def _or(terms: Iterable[SearchTree]) -> SearchTree:
    uids, rest = _sorted_out(
        _flat(terms, lambda term: (term.left, term.right) if isinstance(term, Or) else None))
    if ALL in rest:
        return ALL
    rest = [term for term in rest if term != NOTHING]
    if uids:
        rest.insert(0, InUids(NumSet.merge(pair for one in uids for pair in one.ranges)))
    return any_of(rest) if rest else NOTHING


def _flat(terms: Iterable[SearchTree],
          inner: Callable[[SearchTree], tuple[SearchTree, ...] | None]) -> Iterable[SearchTree]:
    """The terms, those of the same kind replaced by theirs, in order."""
    waiting = list(terms)[::-1]
    while waiting:
        term = waiting.pop()
        within = inner(term)
        if within is None:
            yield term
        else:
            waiting += within[::-1]


def _sorted_out(terms: Iterable[SearchTree]) -> tuple[list[NumSet], list[SearchTree]]:
    """Sets of UIDs, and the other terms, each once."""
    uids: list[NumSet] = []
    rest: dict[SearchTree, None] = {}
    for term in terms:
        if isinstance(term, InUids):
            uids.append(term.uids)
        else:
            rest[term] = None
    return uids, list(rest)


def split(tree: SearchTree) -> tuple[NumSet | None, SearchTree]:
    """A simplified tree as the UIDs that it is limited to, if it is, and what else they must match."""
    if isinstance(tree, InUids):
        return tree.uids, ALL
    if isinstance(tree, And) and isinstance(tree.terms[0], InUids):
        return tree.terms[0].uids, all_of(tree.terms[1:])
    return None, tree
