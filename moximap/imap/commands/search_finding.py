"""Finding messages in the selected mailbox (RFC 9051 6.4.4): from memory, or in the store.

What is found is always a part of the view: what the client was told of, and not told to be gone.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.defer import Deferred

from moximap.imap.commands.search_memory import Columns, from_memory, from_uids, matching
from moximap.imap.commands.search_program import IKey, IScope
from moximap.imap.commands.search_tree import NOTHING, simplify, split
from moximap.imap.errors import No
from moximap.imap.messageset import MessageSet
from moximap.imap.session import Gone, Session
from moximap.imap.view import View
from moximap.imap.waiting import Progress
from moximap.store.opened import OpenAccount
from moximap.searchtree import SearchTree
from moximap.values import NumSet


_T = TypeVar("_T")

#: What the sets of messages in one search may come to, in ranges, where there are more sets than a few.
#: They are joined while nobody else is served, and "$" alone may have a range for each second message.
MOST_RANGES: Final = 200_000
FEW_SETS: Final = 10


@attrs.define
class Allowance:
    """How many sets of messages a search has had, and what they came to."""

    sets: int = 0
    ranges: int = 0

    def spend(self, uids: NumSet, messages: int) -> NumSet:
        """The same set, of a mailbox with so many messages; No where it is too much."""
        self.sets += 1
        self.ranges += len(uids.ranges) + messages // 256
        if self.sets > FEW_SETS and self.ranges > MOST_RANGES:
            raise No("the sets of messages in this search come to too much", b"LIMIT")
        return uids


@attrs.frozen
class Selected:
    """The selected mailbox as what a program is about."""

    session: Session
    allowance: Allowance = attrs.field(factory=Allowance)

    def uids(self, numbers: MessageSet) -> NumSet:
        return self.allowance.spend(self._uids(numbers), len(self.session.selected.uids))

    def _uids(self, numbers: MessageSet) -> NumSet:
        view = self.session.selected
        if numbers.numbers is None:
            return self.session.saved
        if numbers.uid:
            return view.uid_set(numbers.numbers)
        return NumSet.ascending(numbers.resolve(self.session))


async def find(session: Session, key: IKey, scope: IScope | None = None) -> array[int]:
    """The UIDs of the messages that a key matches, ascending; not to be changed in place.

    ``scope``: what numbers mean, where it is not what they usually do.
    """
    view, room = session.view, session.room
    if view is None or room is None:
        raise Gone
    chosen, rest = split(simplify(key.tree(scope or Selected(session))))
    if rest == NOTHING or not view.uids:
        return array("I")
    if from_uids(rest):
        empty = array("Q")
        columns = Columns(view.uids, empty, empty)
    elif from_memory(rest):
        columns = await _columns(session, view, room)
    else:
        return await _stored(session, view, chosen, rest)
    return matching(rest, columns if chosen is None else columns.within(chosen),
                    room.store.flags.codes)


async def _columns(session: Session, view: View, room: OpenAccount) -> Columns:
    """The image's messages, as far as the client was told of them.

    UIDs only grow, so these are all up to the view's last.  Those of the view that the image has not
    are gone, and match nothing, as in the store.
    """
    image = view.image
    if session.behind(image):
        await room.refresh(image)
    count = bisect_right(image.uids, view.last)
    if count == len(image.uids):
        return Columns(image.uids, image.flags, image.modseqs)
    return Columns(image.uids[:count], image.flags[:count], image.modseqs[:count])


async def _stored(session: Session, view: View, chosen: NumSet | None, tree: SearchTree) -> array[int]:
    everything = NumSet(((1, view.last),))
    uids = everything if chosen is None else chosen & everything
    if not uids:
        return array("I")
    progress = Progress(len(view.uids))
    with session.waiting(progress):
        found: NumSet = await in_turn(session, session.account.search, view.mailbox.id, tree, uids,
                                      progress.part(len(view.uids), view.uidnext))
    return found.within(view.uids)


def in_turn(session: Session, function: Callable[..., _T], *args: Any) -> Deferred[_T]:
    """Run what may read a whole mailbox: not in all threads, so that others are served meanwhile.

    Gone, where the client did not wait so long: then others need not wait for it.
    """
    def begin() -> Deferred[_T]:
        if session.gone:
            raise Gone
        return session.call(function, *args)

    site = session.site
    return site.searching_of(session.account.name).run(site.searching.run, begin)
