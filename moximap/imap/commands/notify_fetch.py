"""What is told of new messages in the selected mailbox: the items behind MessageNew (RFC 5465 5.1)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

from moximap.imap import encoding
from moximap.imap.commands import fetch
from moximap.imap.commands.condstore import MODSEQ
from moximap.imap.errors import No, refusal
from moximap.imap.fetching import FlagsField, IFetchItem, Plan
from moximap.imap.rendering import Rendered, render
from moximap.imap.view import View
from moximap.store.errors import StoreError
from moximap.values import NumSet

if TYPE_CHECKING:
    from moximap.imap.session import Session


def _plan(session: Session, view: View, items: Sequence[IFetchItem]) -> Plan:
    """The items, and what this client must be told of any message: with CONDSTORE its MODSEQ, and with
    QRESYNC its flags, so that nothing has to be told twice (RFC 7162 3.2.4)."""
    more: list[IFetchItem] = []
    if view.all_new and not any(isinstance(item, FlagsField) for item in items):
        more.append(fetch.FLAGS)
    if view.modseq and MODSEQ not in items:
        more.append(MODSEQ)
    return fetch.plan(session, [*more, *items])


async def tell_new(session: Session, view: View, items: Sequence[IFetchItem], uids: NumSet) -> None:
    """FETCH responses for new messages; where one cannot be read that is said of it, and its UID."""
    plan = _plan(session, view, items)
    item, singly = 0, len(uids) == 1
    while uids:
        some = NumSet.of([next(iter(uids))]) if singly else uids
        try:
            piece: Rendered = await session.call(render, session.account, view, some, plan, False, item)
        except (StoreError, No) as error:
            if item:
                raise fetch.broken_off(error) from None
            if not singly:
                singly = True                      # one of them cannot be read: which?
                continue
            _unreadable(session, view, some, error)
            uids = uids.after(some.ranges[0][0])
            continue
        await fetch.send(session, piece)
        view.shown(piece.highest)
        item = piece.item
        last = some.ranges[-1][1] if piece.last is None else piece.last
        uids = uids.after(last - bool(item))


def _unreadable(session: Session, view: View, uids: NumSet, error: StoreError | No) -> None:
    """CONTRACT 61."""
    answer = refusal(error) if isinstance(error, StoreError) else error
    code = b"" if answer.code is None else b"[%b] " % answer.code
    session.write(b"* NO %b%b\r\n" % (code, encoding.text(answer.text)))
    image, plan = view.image, fetch.plan(session, (fetch.UID,))
    for uid in uids:
        place = bisect_left(image.uids, uid)
        if view.all_new and image.place(uid) is not None:
            session.write(view.fetch(uid, image.flags[place], image.modseqs[place]))
        else:
            session.write(plan.line(view.numbering.number(view, uid), (uid,)))  # type: ignore[arg-type]
