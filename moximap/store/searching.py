"""SEARCH: what SQL can judge is a condition, what it cannot is checked on the messages that are left.

A tree is first freed of Not above And and Or.  Then each largest part without a test of text is one
SQL expression.  Tests of text count as true while candidates are selected, except that the index may
know the few contents that can match.  They are made afterwards, on one message at a time, and only
where the index does not know better.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from time import time
from typing import Final

import apsw
import attrs

from moximap.store.checks import Check, Message, check_of
from moximap.store.contents import Files
from moximap.store.flags import FlagTable
from moximap.store.database import Bindings, every
from moximap.store.indexing import UNKNOWN, Known, View
from moximap.store.transaction import pieces, present
from moximap.searchtree import (All, And, DateIs, HasFlag, HasSaveDate, HeaderHas, IdIs, InUids,
                                ModSeqIs, Not, Or, SearchTree, SizeIs, TextHas, Within)
from moximap.values import SYSTEM_BITS, SYSTEM_FLAGS, NumSet

_EPOCH: Final = 719163                       # date(1970, 1, 1).toordinal()
_DAY: Final = 86400
_FEW: Final = 8                              # ranges that are compared one by one
_SCANNED: Final = 8                          # messages that are read rather than asked for
_MORE: Final = 20                            # contents for each message that the index is asked for
_OBJECTID: Final = re.compile(r"([MT])(0|[1-9][0-9]{0,17})_([1-9][0-9]{0,17})", re.ASCII)
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
    known: Known = UNKNOWN

    def holds(self, message: Message) -> bool:
        verdict = self.known.says(message.content)
        return (self.check(message) if verdict is None else verdict) is self.expected


Term = Sql | Both | Text


@attrs.frozen
class Scope:
    """What leaves are compiled with: names of flags, the moment, UIDs of a set that are there, and what
    the index knows of a test of text."""

    flags: FlagTable
    now: int
    present: Callable[[NumSet], array[int]]
    known: Callable[[HeaderHas | TextHas], Known] = lambda tree: UNKNOWN


def find(connection: apsw.Connection, index: View, files: Files, flags: FlagTable, mailbox: int,
         tree: SearchTree, uids: NumSet, looked: Callable[[int], None] | None = None) -> array[int]:
    """UIDs of ``uids`` that a tree matches, ascending, in one snapshot."""
    asked = View() if len(uids) <= _SCANNED else index
    (messages,), = every(connection.execute, "SELECT messages FROM mailbox WHERE id = ?"
                         " UNION ALL SELECT 0 LIMIT 1", (mailbox,))
    term = compile_tree(tree, Scope(
        flags, int(time()), lambda some: present(connection.execute, mailbox, some),
        lambda test: asked.known(test, messages, _MORE * messages + _SCANNED)))
    return search(connection, mailbox, uids, term, messages,
                  lambda content: Message(connection, files, content), looked)


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
        return Text(check_of(tree), expected, scope.known(tree))
    leaf = _LEAVES[type(tree)](tree, scope)
    return leaf if expected else Sql(f"(NOT {leaf.text})", leaf.bindings)


def _join(terms: Sequence[Term], any: bool) -> Term:
    """One term for several; what is SQL becomes one expression and comes first."""
    sql = [term for term in terms if isinstance(term, Sql)]
    rest = [term for term in terms if not isinstance(term, Sql)]
    if rest and not sql:
        return Both(tuple(rest), any)
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


def narrowed(term: Term) -> Known | None:
    """The contents that a term may match, as ``possible``; None: any."""
    if isinstance(term, Text):
        known = term.known
        return Known(known.upto, {*known.possible, *known.sure}) if term.expected and known.upto else None
    if isinstance(term, Sql):
        return None
    parts = [narrowed(part) for part in term.terms]
    some = [part for part in parts if part is not None]
    if not some or (term.any and len(some) < len(parts)):
        return None
    join = frozenset.union if term.any else frozenset.intersection
    return Known(min(part.upto for part in some), join(*(frozenset(part.possible) for part in some)))


def _way(connection: apsw.Connection, term: Term, most: int) -> Sql:
    """How messages are looked up: by their contents where these are known, and at most so many."""
    narrow = None if isinstance(term, Sql) else narrowed(term)
    if narrow is None:
        return Sql("message m WHERE")
    room = most - len(narrow.possible)
    newer = [] if room <= 0 else every(
        connection.execute, "SELECT content FROM message INDEXED BY message_content WHERE content > ?"
        " LIMIT ?", (narrow.upto, room))
    if len(newer) >= room:
        return Sql("message m WHERE")
    contents = array("q", sorted({*narrow.possible, *(content for content, in newer)}))
    return Sql("message m INDEXED BY message_content WHERE m.content IN (SELECT value FROM carray(?)) AND",
               (apsw.carray(contents),)) if contents else Sql("message m WHERE 0 AND")


def search(connection: apsw.Connection, mailbox: int, uids: NumSet, term: Term, messages: int,
           read: Callable[[int], Message], looked: Callable[[int], None] | None = None) -> array[int]:
    """UIDs, ascending, in a mailbox of so many messages.

    ``read`` gives the message of a content id for its checks.
    """
    where = candidates(term)
    parts = pieces(connection.execute, mailbox, uids)
    way = _way(connection, term, messages // (4 * len(parts) or 1))
    leaves = list(_leaves(term)) if not isinstance(term, Sql) else []
    columns = "".join(f", {leaf.text}" for leaf in leaves)
    bound = tuple(value for leaf in leaves for value in leaf.bindings)
    found = array("I")
    for clause, bindings in parts:
        rows = connection.execute(
            f"SELECT m.uid, m.content{columns} FROM {way.text} m.mailbox = ? AND NOT m.expunged"
            f" AND m.{clause} AND {where.text} ORDER BY m.uid",
            (*bound, *way.bindings, mailbox, *bindings, *where.bindings))
        if isinstance(term, Sql):
            found.extend(uid for uid, _ in rows)
        else:
            for uid, content, *values in rows:
                if _holds(term, iter(values), read(content)):
                    found.append(uid)
                if looked is not None:
                    looked(uid)
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
        return term.holds(message)
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
    """In a form for which there is an index."""
    letter, test = ("M", "= ?") if tree.which == "email" else (
        "T", "IN (SELECT id FROM content WHERE thread = ?)")
    found = _OBJECTID.fullmatch(tree.id)
    if found is None or found[1] != letter:
        return Sql("0")
    return Sql(f"((SELECT number FROM origin) = ? AND m.content IS NOT NULL AND m.content {test})",
               (int(found[2]), int(found[3])))


_LEAVES: Final[dict[type, Callable[..., Sql]]] = {
    All: lambda tree, scope: Sql("1"),
    HasFlag: _has_flag, DateIs: _date_is, Within: _within, InUids: _in_uids, IdIs: _id_is,
    SizeIs: lambda tree, scope: Sql(f"(m.size {tree.how} ?)", (tree.size,)),
    ModSeqIs: lambda tree, scope: Sql("(m.modseq >= ?)", (tree.modseq,)),
    HasSaveDate: lambda tree, scope: Sql("(m.saved IS NOT NULL)"),
}
