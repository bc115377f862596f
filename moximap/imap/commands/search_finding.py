"""Finding messages in the selected mailbox (RFC 9051 6.4.4): from memory, or in the store.

What is found is always a part of the view: what the client was told of, and not told to be gone.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

import attrs

from moximap.imap.commands.search_memory import Columns, from_memory, from_uids, matching
from moximap.imap.commands.search_program import IKey, IScope
from moximap.imap.commands.search_tree import NOTHING, simplify, split
from moximap.imap.messageset import MessageSet
from moximap.imap.session import Gone, Session
from moximap.imap.view import View
from moximap.imap.waiting import Progress
from moximap.store.opened import OpenAccount
from moximap.searchtree import SearchTree
from moximap.values import NumSet


@attrs.frozen
class Selected:
    """The selected mailbox as what a program is about."""

    session: Session

    def uids(self, numbers: MessageSet) -> NumSet:
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
        found: NumSet = await session.call(session.account.search, view.mailbox.id, tree, uids,
                                           progress.part(len(view.uids), view.uidnext))
    return found.within(view.uids)
