"""FETCH and UID FETCH, and the items that are columns (RFC 9051 6.4.5, 7.5.2, RFC 3501 6.4.5)."""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from twisted.internet.defer import Deferred

from moximap.imap import encoding
from moximap.imap.commands.store import mark_seen
from moximap.imap.dialect import SELECTED, Extension, Reply, Spec
from moximap.imap.errors import Bye, No
from moximap.imap.fetching import PIECE, Context, Field, FlagsField, IFetchItem, Plan, Streamed, without_nul
from moximap.imap.grammar import Cursor
from moximap.imap.messageset import MessageSet
from moximap.imap.rendering import Rendered, render
from moximap.imap.sequences import Sequence_
from moximap.imap.session import Session
from moximap.imap.waiting import Progress
from moximap.store.errors import NoSpace, StoreError, Unavailable
from moximap.values import SEEN, NumSet, frozen

#: A row of the table ``fetch``: parses what stands behind an item's name.
FetchRow = Callable[[Cursor], IFetchItem]

UID = Field(b"UID %d", ("uid",))
#: Messages that are rendered from memory before the client is waited for.
BATCH = 5000
#: Messages that are rendered without a trip through a thread.
FEW = 10
#: Compiled plans that a session keeps.
PLANS = 16


class IFetchModifier(Protocol):
    """A FETCH modifier (RFC 4466 2.4), as a row of the table ``fetch_modifiers`` parsed it."""

    @property
    def items(self) -> tuple[IFetchItem, ...]:
        """Items that it adds."""

    def check(self, session: Session, fetch: Fetch) -> None:
        """Raise Bad where it may not be used."""

    def narrow(self, session: Session, fetch: Fetch, uids: array[int]) -> Awaitable[array[int]]:
        """Write what comes before the FETCH responses; give the messages that are left."""


@frozen
class Fetch:
    messages: MessageSet
    items: tuple[IFetchItem, ...]
    modifiers: tuple[IFetchModifier, ...] = ()

    def about(self, numbers: Sequence_) -> Fetch:
        return Fetch(MessageSet(numbers, self.messages.uid), self.items, self.modifiers)

    async def run(self, session: Session) -> Reply | None:
        view = session.selected
        uids = self.messages.resolve(session)
        for modifier in self.modifiers:
            modifier.check(session, self)
        for item in self.items:
            if item.enables:
                session.enable(item.enables)
        for modifier in self.modifiers:
            uids = await modifier.narrow(session, self, uids)
        plan, seen = self._plan(session)
        if plan.from_memory:
            uids = uids[await _from_memory(session, plan, uids):]
            if not uids:
                return None
        unseen: list[int] = []
        try:
            found = await _stream(session, plan, uids, seen, unseen)
        finally:
            if unseen:
                await _note_seen(session, unseen)
        if found < len(uids):
            raise No("some of the messages are gone for good", b"EXPUNGEISSUED")
        if view.uids is not view.image.uids and any(view.image.place(uid) is None for uid in uids):
            return Reply("some of the messages have been expunged", b"EXPUNGEISSUED")
        return None

    def _plan(self, session: Session) -> tuple[Plan, bool]:
        """The items with UID first, asked for or not, and FLAGS where \\Seen is going to be set."""
        view = session.selected
        seen = any(item.sets_seen for item in self.items) and not view.read_only
        items = list(self.items)
        if seen and not any(isinstance(item, FlagsField) for item in items):
            items.insert(1 if UID in items[:1] else 0, FlagsField())
        return plan(session, items, SEEN if seen else 0), seen


def plan(session: Session, items: Sequence[IFetchItem], seen: int = 0) -> Plan:
    """Compile items for the selected mailbox; responses with sequence numbers have the UID too, first.

    ``seen``: flags that are added to all messages.
    """
    key = (tuple(items), seen, session.utf8, session.numbering.word)
    known = session.plans.get(key)
    if known is None:
        assert session.room is not None
        if session.numbering.sequence:
            items = [UID, *(item for item in items if item != UID)]
        known = Plan(items, Context(session.room.flags, session.utf8, seen), session.numbering.word)
        if len(session.plans) >= PLANS:
            session.plans.clear()
        session.plans[key] = known
    return known


async def _from_memory(session: Session, plan: Plan, uids: array[int]) -> int:
    """Answer from the image as long as it has the messages; for how many it did."""
    view, room = session.selected, session.room
    assert room is not None
    if session.behind(view.image):
        await room.refresh(view.image)
    for start in range(0, len(uids), BATCH):
        text = plan.from_image(view, uids[start:start + BATCH])
        if plan.modseq is not None:
            view.shown(view.image.highest)         # at most that
        if text is None:
            return start
        session.write(text)
        await session.out.ready()
    return len(uids)


async def _note_seen(session: Session, unseen: list[int]) -> None:
    """Do what the responses have said, also where the client is gone: it believes them."""
    # Who reads gets what he reads, also where the disk is too full to note that he did.
    with suppress(NoSpace, Unavailable):
        await mark_seen(session, unseen)


async def _stream(session: Session, plan: Plan, uids: array[int], seen: bool, unseen: list[int]) -> int:
    """Render and send piece by piece; gives the number of messages, and in ``unseen`` which had no \\Seen."""
    view, count = session.selected, 0
    item = 0
    run = _runner(session, plan, len(uids))
    progress, left = Progress(len(uids)), NumSet.ascending(uids)
    while left:
        try:
            rendering = run(render, session.account, view, left, plan, seen, item)
            if item or rendering.called:
                piece: Rendered = await rendering
            else:
                with session.waiting(progress):
                    piece = await rendering
        except (StoreError, No) as error:
            raise broken_off(error) if item else error from None
        unseen += piece.unseen
        await send(session, piece)
        count += piece.count
        view.shown(piece.highest)
        if piece.last is None:
            break
        progress.reached(count)
        progress.since = None
        item = piece.item
        left = left.after(piece.last - 1 if item else piece.last)
    return count


def _runner(session: Session, plan: Plan, count: int) -> Callable[..., Deferred[Rendered]]:
    if count <= FEW:
        return session.quick
    # What is taken out of a part may have to be decoded, which may take long.
    return session.call if "parts" in plan.columns else session.site.pool.series()


def broken_off(error: StoreError | No) -> Bye:
    """The end, in the middle of a response: then nothing is said that a client could take for mail."""
    return Bye(str(error), b"UNAVAILABLE")


async def send(session: Session, piece: Rendered) -> None:
    """Send a piece; where it fails in the midst of a response, the session knows that it is there."""
    ready: list[bytes] = []
    for part in piece.parts:
        if isinstance(part, Streamed):
            session.write(b"".join(ready))
            ready = []
            session.midway = True
            await _send_streamed(session, part)
        else:
            ready.append(part)
    session.write(b"".join(ready))
    session.midway = piece.item > 0
    await session.out.ready()


async def _send_streamed(session: Session, part: Streamed) -> None:
    """Send a large value as the client takes it."""
    for start in range(part.start, part.end, PIECE):
        await session.out.ready()
        end = min(start + PIECE, part.end)
        try:
            data = await session.call(part.content.read, start, end)
        except StoreError as error:
            raise broken_off(error) from None
        if len(data) != end - start:
            raise RuntimeError("a message is shorter than its size")
        session.write(without_nul(data) if part.text else data)


def parse_fetch(uid: bool) -> Callable[[Cursor], Fetch]:
    def parse(p: Cursor) -> Fetch:
        p.sp()
        messages = MessageSet.parse(p, uid)
        p.sp()
        return Fetch(messages, *_wanted(p))
    return parse


def _wanted(p: Cursor) -> tuple[tuple[IFetchItem, ...], tuple[IFetchModifier, ...]]:
    items = parse_items(p)
    modifiers = p.list_of(lambda: _modifier(p)) if p.at_sp() else []
    added = [item for modifier in modifiers for item in modifier.items]
    return tuple(dict.fromkeys([*items, *added])), tuple(modifiers)


def _modifier(p: Cursor) -> IFetchModifier:
    row: Callable[[Cursor], IFetchModifier] = p.row("fetch_modifiers", "FETCH modifier")
    return row(p)


def parse_items(p: Cursor) -> tuple[IFetchItem, ...]:
    """A macro, one item, or a list of items; each item once."""
    if p.peek() == b"(":
        items = p.list_of(lambda: parse_item(p))
    else:
        for macro, names in _MACROS.items():
            if p.at(macro):
                return tuple(names)
        items = [parse_item(p)]
    return tuple(dict.fromkeys(items))


def parse_item(p: Cursor) -> IFetchItem:
    row: FetchRow = p.row("fetch", "FETCH item")
    return row(p)


def _always(item: IFetchItem) -> FetchRow:
    return lambda p: item


FLAGS = FlagsField()
ENVELOPE = Field(b"ENVELOPE %b", ("envelope",))
INTERNALDATE = Field(b"INTERNALDATE %b", ("date", "zone"), encoding.internaldate)
SIZE = Field(b"RFC822.SIZE %d", ("size",))
BODY = Field(b"BODY %b", ("body",))
_MACROS: dict[bytes, tuple[IFetchItem, ...]] = {
    b"ALL": (FLAGS, INTERNALDATE, SIZE, ENVELOPE),
    b"FAST": (FLAGS, INTERNALDATE, SIZE),
    b"FULL": (FLAGS, INTERNALDATE, SIZE, ENVELOPE, BODY)}

EXTENSION = Extension(
    name="FETCH", rfcs=(9051, 3501, 5530),
    commands={b"FETCH": Spec(parse_fetch(False), SELECTED, may_expunge=False, numbered=True),
              b"UID FETCH": Spec(parse_fetch(True), SELECTED, may_expunge=False)},
    fetch={b"UID": _always(UID), b"FLAGS": _always(FLAGS), b"ENVELOPE": _always(ENVELOPE),
           b"INTERNALDATE": _always(INTERNALDATE), b"RFC822.SIZE": _always(SIZE),
           b"BODYSTRUCTURE": _always(Field(b"BODYSTRUCTURE %b", ("bodystructure",)))},
)
