"""Threads of messages: ORDEREDSUBJECT and REFERENCES (RFC 5256 section 3); pure.

Messages are numbers from 0, in the order of the mailbox.  Nothing here recurses: a thread may be as deep as
there are messages, and who writes mail decides what its References say.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import attrs

#: Steps for each message that all searches for loops may take together.  Mail that people wrote takes next
#: to none; where somebody made up References to waste time, links that may close a loop are left out.
_STEPS: Final = 50
NONE: Final = -1


@attrs.frozen
class Messages:
    """What threading needs to know; all columns have a value for each message.

    ``ids``: of Message-ID, 0 where there is none.  ``references``: ids, oldest first.  ``dates`` and
    ``subjects``: ranks of sent dates and of base subjects; 0 is the empty subject.  ``reply``: whether a
    message is a reply or forward by its subject.
    """

    ids: Sequence[int]
    references: Iterable[Sequence[int]]
    dates: Sequence[int]
    subjects: Sequence[int]
    reply: Callable[[int], bool]

    def by_date(self) -> list[int]:
        """The messages by sent date, then in the order of the mailbox."""
        return sorted(range(len(self.ids)), key=self.dates.__getitem__)


@attrs.frozen
class Forest:
    """``roots``: threads in order.  ``children``: of those that have some, in order.  A number that is no
    message's (``count`` and above) is a dummy, and only a root."""

    count: int
    roots: list[int]
    children: dict[int, list[int]]


def ordered_subject(messages: Messages) -> Forest:
    """A thread is what has the same base subject; its first message is the parent of the others."""
    first: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for message in messages.by_date():
        root = first.setdefault(messages.subjects[message], message)
        if root != message:
            children.setdefault(root, []).append(message)
    return Forest(len(messages.ids), list(first.values()), children)


def references(messages: Messages) -> Forest:
    """A thread is what refers to one another, or is a reply by its subject."""
    forest = _pruned(_Links(messages).parents, messages.by_date(), len(messages.ids))
    return _Gathering(messages, forest).forest()


class _Links:
    """Step 1: ``parents`` of messages, and of ids that are no message's (dummies); or NONE."""

    def __init__(self, messages: Messages) -> None:
        count = len(messages.ids)
        self.parents = [NONE] * count
        # Joins whatever was ever linked: in different sets there is no loop.
        self._sets = [NONE] * count
        self._has_children = bytearray(count)
        self._steps = _STEPS * count
        self._nodes = dict(zip(reversed(messages.ids), range(count - 1, -1, -1), strict=True))
        self._nodes.pop(0, None)
        for message, ids in enumerate(messages.references):
            last = self._chain(ids)
            if self.parents[message] != last:
                self.parents[message] = NONE
                if last != NONE:
                    self._link(last, message)

    def _chain(self, ids: Iterable[int]) -> int:
        """Link references to one another (step 1.A); gives the last of them."""
        last, parents, nodes = NONE, self.parents, self._nodes
        for id in ids:
            node = nodes.get(id, NONE)
            if node == NONE:
                node = nodes[id] = len(parents)
                parents.append(NONE)
                self._sets.append(NONE)
                self._has_children.append(0)
            if last != NONE and parents[node] == NONE:
                self._link(last, node)
            last = node
        return last

    def _link(self, parent: int, child: int) -> None:
        """Unless it would close a loop; the child has no parent."""
        if parent == child:
            return
        if not self._has_children[child] and self._sets[child] == NONE:
            self._sets[child] = parent
        else:
            ours, theirs = self._set(child), self._set(parent)
            if ours != theirs:
                self._sets[ours] = theirs
            elif self._is_below(parent, child):
                return
        self.parents[child] = parent
        self._has_children[parent] = 1

    def _set(self, node: int) -> int:
        sets = self._sets
        while (above := sets[node]) != NONE:
            higher = sets[above]
            if higher != NONE:
                sets[node] = higher
            node = above
        return node

    def _is_below(self, node: int, ancestor: int) -> bool:
        """Whether it is, or may be: nobody looks for ever."""
        while node not in (ancestor, NONE) and self._steps:
            node = self.parents[node]
            self._steps -= 1
        return node != NONE


def _pruned(parents: list[int], by_date: Iterable[int], count: int) -> Forest:
    """Steps 2 to 4, all siblings in order: dummies are gone, but for roots with several children."""
    above = _real_parents(parents, count)
    roots: list[int] = []
    children: dict[int, list[int]] = {}
    for message in by_date:
        parent = above[message]
        if parent == NONE:
            roots.append(message)
        elif parent in children:
            children[parent].append(message)
        else:
            children[parent] = [message]
            if parent >= count:
                roots.append(parent)
    for place, root in enumerate(roots):
        if root >= count and len(children[root]) == 1:
            roots[place], = children.pop(root)
    return Forest(count, roots, children)


def _real_parents(parents: list[int], count: int) -> list[int]:
    """The nearest ancestor that is a message, or else the highest dummy."""
    above = parents[:]
    for node in range(count):
        dummies = []
        parent = above[node]
        while parent >= count and above[parent] != NONE:
            dummies.append(parent)
            parent = above[parent]
        for dummy in dummies:
            above[dummy] = parent
        above[node] = parent
    return above


class _Gathering:
    """Step 5: roots of the same base subject become one thread; step 6: what that changed is sorted."""

    def __init__(self, messages: Messages, forest: Forest) -> None:
        self._messages = messages
        self._count = forest.count
        self._roots = forest.roots
        self._children = forest.children
        self._table: dict[int, int] = {}
        self._next = max(forest.count, max(forest.children, default=0) + 1)
        self._made: list[int] = []
        self._gone: set[int] = set()
        self._changed: set[int] = set()

    def forest(self) -> Forest:
        subjects = [self._subject(root) for root in self._roots]
        for root, subject in zip(self._roots, subjects, strict=True):
            if subject:
                self._enter(root, subject)
        for root, subject in zip(self._roots, subjects, strict=True):
            if subject and root not in self._gone:
                self._merge(root, subject)
        if self._changed:
            self._sort()
        return Forest(self._count, self._roots, self._children)

    def _sort(self) -> None:
        dates = self._messages.dates
        for parent in self._changed:
            self._children[parent].sort(key=lambda message: (dates[message], message))
        self._roots = [root for root in self._roots if root not in self._gone] + self._made
        self._roots.sort(key=lambda root: (dates[self._first(root)], self._first(root)))

    def _first(self, root: int) -> int:
        """The message that a thread is sorted by."""
        return root if root < self._count else self._children[root][0]

    def _subject(self, root: int) -> int:
        return self._messages.subjects[self._first(root)]

    def _enter(self, root: int, subject: int) -> None:
        """Step 5.B: who stands for a subject."""
        there = self._table.setdefault(subject, root)
        if there == root or there >= self._count:
            return
        if root >= self._count or self._messages.reply(there) and not self._messages.reply(root):
            self._table[subject] = root

    def _merge(self, root: int, subject: int) -> None:
        """Step 5.C: below what stands for the subject."""
        there = self._table[subject]
        if there == root:
            return
        reply = self._messages.reply
        if there < self._count and not (reply(root) and not reply(there)):
            there = self._table[subject] = self._dummy_above(there)
        self._changed.add(there)
        self._gone.add(root)
        self._children.setdefault(there, []).extend(
            self._children.pop(root) if root >= self._count else [root])

    def _dummy_above(self, root: int) -> int:
        dummy, self._next = self._next, self._next + 1
        self._children[dummy] = [root]
        self._made.append(dummy)
        self._gone.add(root)
        return dummy


ALGORITHMS: Final = {"orderedsubject": ordered_subject, "references": references}


@attrs.frozen
class Written:
    """Threads in the syntax of the THREAD response, with %d for each of ``messages``, in their order."""

    template: bytes
    messages: array[int]


def write(forest: Forest, most: int) -> list[Written]:
    """Whole threads, of ``most`` messages together unless one alone has more."""
    done: list[Written] = []
    out: list[bytes] = []
    messages = array("I")
    for root in forest.roots:
        _write_thread(root, forest, out, messages)
        if len(messages) >= most:
            done.append(Written(b"".join(out), messages))
            out, messages = [], array("I")
    if messages:
        done.append(Written(b"".join(out), messages))
    return done


def _write_thread(root: int, forest: Forest, out: list[bytes], messages: array[int]) -> None:
    if root not in forest.children:
        out.append(b"(%d)")
        messages.append(root)
        return
    todo = [NONE, root]                           # NONE closes what its node has opened
    while todo:
        node = todo.pop()
        if node == NONE:
            out.append(b")")
            continue
        out.append(b"(")
        below = _write_members(node, forest, out, messages)
        for child in reversed(below):
            todo += (NONE, child)


def _write_members(node: int, forest: Forest, out: list[bytes], messages: array[int]) -> Sequence[int]:
    """A message and its line of only children; gives the children where the line ends."""
    if node >= forest.count:
        return forest.children[node]
    while True:
        messages.append(node)
        below = forest.children.get(node, ())
        if len(below) != 1:
            out.append(b"%d " if below else b"%d")
            return below
        out.append(b"%d ")
        node = below[0]
