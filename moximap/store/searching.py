"""SEARCH: what SQL can judge is a condition, what it cannot is checked on the messages that are left.

A tree is first freed of Not above And and Or.  Then each largest part without a test of text is one
SQL expression.  Tests of text count as true while candidates are selected, and are made afterwards,
on one message at a time.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import apsw
import attrs

from moximap.store.checks import Check, Message, check_of
from moximap.store.flags import FlagTable
from moximap.store.database import Bindings
from moximap.store.transaction import pieces
from moximap.values import (SYSTEM_BITS, SYSTEM_FLAGS, All, And, DateIs, HasFlag, HasSaveDate,
                            HeaderHas, IdIs, InUids, ModSeqIs, Not, NumSet, Or, SearchTree, SizeIs,
                            TextHas, Within)

_EPOCH: Final = 719163                       # date(1970, 1, 1).toordinal()
_DAY: Final = 86400
_FEW: Final = 8                              # ranges that are compared one by one
_SYSTEM = {name.lower(): bit for name, bit in SYSTEM_FLAGS.items()}


@attrs.frozen
class Sql:
    """An expression that is 0 or 1, never NULL."""

    text: str
    bindings: Bindings = ()


@attrs.frozen
class Both:
    """All of the terms, or with ``any`` one of them."""

    terms: tuple[Term, ...]
    any: bool


@attrs.frozen
class Text:
    """A test of text, or its opposite."""

    check: Check
    expected: bool


Term = Sql | Both | Text


@attrs.frozen
class Scope:
    """What leaves are compiled with: names of flags, the moment, UIDs of a set that are there."""

    flags: FlagTable
    now: int
    present: Callable[[NumSet], array[int]]


def compile_tree(tree: SearchTree, scope: Scope, expected: bool = True) -> Term:
    """The term for a tree, or with ``expected`` False for its opposite."""
    if isinstance(tree, Not):
        return compile_tree(tree.term, scope, not expected)
    if isinstance(tree, And):
        return _join([compile_tree(term, scope, expected) for term in tree.terms], any=not expected)
    if isinstance(tree, Or):
        return _join([compile_tree(term, scope, expected) for term in (tree.left, tree.right)],
                     any=expected)
    if isinstance(tree, (HeaderHas, TextHas)):
        return Text(check_of(tree), expected)
    leaf = _LEAVES[type(tree)](tree, scope)
    return leaf if expected else Sql(f"(NOT {leaf.text})", leaf.bindings)


def _join(terms: Sequence[Term], any: bool) -> Term:
    """One term for several; what is SQL becomes one expression and comes first."""
    sql = [term for term in terms if isinstance(term, Sql)]
    rest = [term for term in terms if not isinstance(term, Sql)]
    whole = _balanced(sql, " OR " if any else " AND ", "0" if any else "1")
    return Both((whole, *rest), any) if rest else whole


def _balanced(terms: Sequence[Sql], operator: str, empty: str) -> Sql:
    """Joined in halves: SQLite bounds how deep an expression may be."""
    if not terms:
        return Sql(empty)
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    left, right = (_balanced(half, operator, empty) for half in (terms[:middle], terms[middle:]))
    return Sql(f"({left.text}{operator}{right.text})", left.bindings + right.bindings)


def candidates(term: Term) -> Sql:
    """An expression that is true at least where the term is."""
    if isinstance(term, Sql):
        return term
    if isinstance(term, Text):
        return Sql("1")
    return _balanced([candidates(part) for part in term.terms], " OR " if term.any else " AND ", "1")


def search(connection: apsw.Connection, mailbox: int, uids: NumSet, term: Term,
           read: Callable[[int], Message]) -> array[int]:
    """UIDs, ascending.  ``read`` gives the message of a content id for its checks."""
    where = candidates(term)
    leaves = list(_leaves(term)) if not isinstance(term, Sql) else []
    columns = "".join(f", {leaf.text}" for leaf in leaves)
    bound = tuple(value for leaf in leaves for value in leaf.bindings)
    found = array("I")
    for clause, bindings in pieces(connection.execute, mailbox, uids):
        rows = connection.execute(
            f"SELECT m.uid, m.content{columns} FROM message m WHERE m.mailbox = ? AND NOT m.expunged"
            f" AND m.{clause} AND {where.text} ORDER BY m.uid",
            (*bound, mailbox, *bindings, *where.bindings))
        if isinstance(term, Sql):
            found.extend(uid for uid, _ in rows)
        else:
            found.extend(uid for uid, content, *values in rows
                         if _holds(term, iter(values), read(content)))
    return found


def _leaves(term: Term) -> Iterator[Sql]:
    if isinstance(term, Sql):
        yield term
    elif isinstance(term, Both):
        for part in term.terms:
            yield from _leaves(part)


def _holds(term: Term, values: Iterator[object], message: Message) -> bool:
    """Whether a message matches; ``values`` are those of _leaves, in their order."""
    if isinstance(term, Sql):
        return bool(next(values))
    if isinstance(term, Text):
        return term.check(message) is term.expected
    verdict = not term.any
    for part in term.terms:
        if verdict is term.any:
            for _ in _leaves(part):
                next(values)                 # decided: what is left is passed over, texts unread
        else:
            verdict = _holds(part, values, message)
    return verdict


def _has_flag(tree: HasFlag, scope: Scope) -> Sql:
    bit = _SYSTEM.get(tree.name.lower())
    if bit is not None:
        return Sql(f"(m.flags & {bit} <> 0)")
    numbers = sorted(scope.flags.codes(tree.name) or ())
    return Sql(f"(m.flags >> {SYSTEM_BITS} IN ({', '.join(map(str, numbers))}))")


def _date_is(tree: DateIs, scope: Scope) -> Sql:
    day = tree.day.toordinal()
    if tree.which == "sent":
        value = "(SELECT sent FROM digest WHERE content = m.content)"
        return Sql(f"ifnull({value} {tree.how} ?, 0)", (day,))
    moment = "m.date + m.zone * 60"
    if tree.which == "saved":
        moment = f"ifnull(m.saved, {moment})"
    start = (day - _EPOCH) * _DAY
    if tree.how == "=":
        return Sql(f"({moment} >= ? AND {moment} < ?)", (start, start + _DAY))
    return Sql(f"({moment} {tree.how} ?)", (start,))


def _within(tree: Within, scope: Scope) -> Sql:
    return Sql(f"(m.date {'>=' if tree.younger else '<='} ?)", (scope.now - tree.seconds,))


def _in_uids(tree: InUids, scope: Scope) -> Sql:
    if len(tree.uids.ranges) <= _FEW:
        return _balanced([Sql("(m.uid BETWEEN ? AND ?)", pair) for pair in tree.uids.ranges], " OR ", "0")
    present = scope.present(tree.uids)
    if not present:
        return Sql("0")
    return Sql("(m.uid IN (SELECT value FROM carray(?)))", (apsw.carray(array("q", present)),))


def _id_is(tree: IdIs, scope: Scope) -> Sql:
    letter, number = ("M", "m.content") if tree.which == "email" else (
        "T", "(SELECT thread FROM content WHERE id = m.content)")
    digits = tree.id[1:]
    if tree.id[:1] != letter or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        return Sql("0")
    return Sql(f"ifnull({number} = ?, 0)", (int(digits),))


_LEAVES: Final[dict[type, Callable[..., Sql]]] = {
    All: lambda tree, scope: Sql("1"),
    HasFlag: _has_flag, DateIs: _date_is, Within: _within, InUids: _in_uids, IdIs: _id_is,
    SizeIs: lambda tree, scope: Sql(f"(m.size {tree.how} ?)", (tree.size,)),
    ModSeqIs: lambda tree, scope: Sql("(m.modseq >= ?)", (tree.modseq,)),
    HasSaveDate: lambda tree, scope: Sql("(m.saved IS NOT NULL)"),
}
