"""Rendering the responses of a FETCH, in a store thread and in pieces of bounded size (RFC 9051 7.5.2).

A large body is not rendered but streamed.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import attrs

from moximap.imap.errors import No
from moximap.imap.fetching import PIECE, Plan, Rows, Streamed
from moximap.store.errors import Unavailable
from moximap.store.interfaces import IAccount
from moximap.values import SEEN, NumSet

if TYPE_CHECKING:
    from moximap.imap.view import View


@attrs.define
class Rendered:
    """A piece of a response.  ``last``: the UID up to which it goes, None: it is the end.

    ``unseen``: UIDs in it that have no \\Seen; ``count``: messages in it; ``highest``: the highest MODSEQ
    that it shows, or 0; ``item``: the item of the last message that comes next, 0 where all were there.
    """

    parts: list[bytes | Streamed]
    last: int | None
    count: int
    unseen: list[int]
    highest: int
    item: int = 0


def render(account: IAccount, view: View, uids: NumSet, plan: Plan, watch_seen: bool,
           item: int = 0) -> Rendered:
    """Render up to PIECE octets, or up to a streamed value; blocks, so in a store thread.

    ``item``: that of the first message where it begins; Unavailable where that message is gone.
    """
    mailbox = view.mailbox.id
    columns = (*plan.columns, "flags") if watch_seen else plan.columns
    first, last = uids.ranges[0]
    if first == last and len(uids.ranges) == 1:
        found = account.fetch_one(mailbox, first, columns)
        return _render_rows(found, plan, view, watch_seen, item, first)
    at_once = plan.even or plan.whole is not None
    if at_once:
        columns = (*columns, "octets")
    with closing(account.fetch(mailbox, uids, columns)) as rows:  # type: ignore[type-var]
        if at_once:
            return _render_columns(rows, plan, view, watch_seen)
        return _render_rows(rows, plan, view, watch_seen, item, first)


def _render_columns(rows: Rows, plan: Plan, view: View, watch_seen: bool) -> Rendered:
    """What lies in a file makes a piece of its own."""
    chunk: list[tuple[Any, ...]] = []
    weight, more = 0, False
    for row in rows:
        if plan.whole is not None and row[plan.whole[1]].halves is None:
            if not chunk:
                return attrs.evolve(_render_rows([row[:-1]], plan, view, watch_seen, 0, row[0]), last=row[0])
            more = True
            break
        chunk.append(row)
        weight += 64 + row[-1]
        for place in plan.made:
            weight += len(row[place])
        if weight >= PIECE:
            more = True
            break
    if not chunk:
        return Rendered([], None, 0, [], 0)
    columns = list(zip(*chunk, strict=True))
    uids = columns[0]
    unseen: list[int] = []
    if watch_seen:
        unseen = [uid for uid, flags in zip(uids, columns[-2], strict=True) if not flags & SEEN]
    highest = 0 if plan.modseq is None else max(columns[plan.modseq])
    text = plan.text(view.numbering.numbers(view, uids), columns)
    return Rendered([text], uids[-1] if more else None, len(chunk), unseen, highest)


def _render_rows(rows: Iterable[tuple[Any, ...]], plan: Plan, view: View, watch_seen: bool, item: int,
                 first: int) -> Rendered:
    out: list[bytes | Streamed] = []
    unseen: list[int] = []
    size = count = highest = 0
    before: int | None = None
    for row in rows:
        uid: int = row[0]
        if item and uid != first:
            break
        number, columns, begun = view.numbering.number(view, uid), row[:-1] if watch_seen else row, item
        try:
            if plan.bulky:
                line, item = plan.some(number, columns, item)
            else:
                line = plan.line(number, columns)
        except No:
            if before is None:
                raise
            return Rendered(out, before, count, unseen, highest)      # CONTRACT 52: this one is refused then
        before = uid
        if watch_seen and not begun and not row[-1] & SEEN:
            unseen.append(uid)
        if plan.modseq is not None:
            highest = max(highest, row[plan.modseq])
        count += not item
        if isinstance(line, bytes):
            out.append(line)
            size += len(line)
            if size < PIECE:
                continue
        else:
            out += line
        return Rendered(out, uid, count, unseen, highest, item)
    if item:
        raise Unavailable("the rest of a message is gone")
    return Rendered(out, None, count, unseen, highest)
