"""STORE and UID STORE (RFC 9051 6.4.6, RFC 3501 6.4.6)."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Literal, Protocol

from twisted.internet.defer import Deferred

from moximap.imap.dialect import SELECTED, Extension, Reply, Spec
from moximap.imap.dispatch import catch_up
from moximap.imap.errors import Bad
from moximap.imap.grammar import Cursor
from moximap.imap.messageset import MessageSet
from moximap.imap.sequences import Sequence_
from moximap.imap.session import Session
from moximap.imap.view import Drawn, StoreAnswer, View
from moximap.imap.waiting import Progress
from moximap.store.errors import NoSuchMailbox
from moximap.store.threads import IPool
from moximap.values import Changes, Known, NumSet, Stored, frozen

_HOW: dict[bytes, Literal["+", "-", "="]] = {b"+": "+", b"-": "-", b"": "="}
#: Messages that are changed without a trip through a thread.
FEW = 10
#: Responses that are made before their rows are written: 50 octets each, in memory until then.
MOST_DRAWN = 100_000

_TOLD = Reply(told=True)


class IStoreModifier(Protocol):
    """A STORE modifier (RFC 4466 2.5), as a row of the table ``store_modifiers`` parsed it."""

    def options(self, session: Session) -> dict[str, Any]:
        """What it gives IAccount.store."""

    def reply(self, session: Session, store: Store, stored: Stored) -> Reply | None:
        """The tagged answer, where it is not the usual one."""


@frozen
class Store:
    messages: MessageSet
    how: Literal["+", "-", "="]
    flags: tuple[str, ...]
    silent: bool
    modifiers: tuple[IStoreModifier, ...] = ()

    def about(self, numbers: Sequence_) -> Store:
        messages = MessageSet(numbers, self.messages.uid)
        return Store(messages, self.how, self.flags, self.silent, self.modifiers)

    async def run(self, session: Session) -> Reply | None:
        """The view answers for all targets, unchanged ones too."""
        uids = self.messages.resolve(session)
        options: dict[str, Any] = {}
        for modifier in self.modifiers:
            options |= modifier.options(session)
        if not uids:
            return None
        stored = await change_flags(session, uids, self.how, self.flags, self.silent, options)
        if not self.modifiers:
            return _TOLD
        replies = [modifier.reply(session, self, stored) for modifier in self.modifiers]
        return next((reply for reply in replies if reply is not None), None)


async def change_flags(session: Session, uids: array[int], how: Literal["+", "-", "="],
                       flags: tuple[str, ...], silent: bool, options: Mapping[str, Any] = MappingProxyType({})
                       ) -> Stored:
    """Change flags of messages in the selected mailbox, and tell what came of it."""
    view, targets, conditional = session.selected, NumSet.ascending(uids), bool(options)
    draft: Draft | None = None
    if len(uids) > FEW:
        draft = Draft(session.site.pool, view, flags, silent)
        options = {**options, "soon": draft.soon}
    change = session.change_few if draft is None else session.change
    known = _known(session, view, uids)
    stored: Stored | Deferred[Stored] = change(session.account.store, view.mailbox.id, targets, how, flags,
                                               cursor=view.changed, known=known, **options)
    if not isinstance(stored, Stored):            # of Deferred, an abstract class, it is slow to ask
        with session.waiting(Progress()):
            stored = await stored
    drawn = None if draft is None else draft.take()
    await catch_up(session, False, answered=StoreAnswer(targets, silent, stored, conditional, drawn))
    return stored


class Draft:
    """The responses for many messages, made in the reactor thread while another writes their rows.

    Not of keywords: their names may not be known before they are committed.
    """

    def __init__(self, pool: IPool, view: View, flags: tuple[str, ...], silent: bool) -> None:
        self._drawn: Drawn | None = None
        self._pool = pool
        self._view = view
        self._wanted = not silent and all(flag.startswith("\\") for flag in flags)

    def soon(self, changes: Changes) -> None:
        """In the other thread: these are going to be written."""
        if self._wanted:
            self._pool.soon(lambda: self._draw(changes))

    def _draw(self, changes: Changes) -> None:
        if self._wanted and len(changes.uids) <= MOST_DRAWN:
            told = self._view.fetches(changes.uids, changes.flags, changes.modseqs)
            self._drawn = changes, list(told)

    def take(self) -> Drawn | None:
        """What was made; it is too late now for more."""
        self._wanted = False
        return self._drawn


def _known(session: Session, view: View, uids: array[int]) -> Known | None:
    """What memory has of the targets, so that the store need not read them."""
    room = session.room
    assert room is not None
    columns = view.image.columns(uids) if room.fresh(view.image) else None
    return None if columns is None else Known(view.image.modseq, uids, columns[0])


async def mark_seen(session: Session, uids: list[int]) -> None:
    """Set \\Seen of messages that were fetched with it; their FETCH has told it already.

    A removed mailbox can still be read (CONTRACT 37).
    """
    with suppress(NoSuchMailbox):
        await change_flags(session, array("I", sorted(uids)), "+", ("\\Seen",), silent=True)


def parse_store(uid: bool) -> Callable[[Cursor], Store]:
    def parse(p: Cursor) -> Store:
        p.sp()
        messages = MessageSet.parse(p, uid)
        p.sp()
        modifiers = p.list_of(lambda: _modifier(p)) if p.peek() == b"(" else []
        if modifiers:
            p.sp()
        how = next(h for sign, h in _HOW.items() if p.at(sign))
        p.take(b"FLAGS")
        silent = p.at(b".SILENT")
        p.sp()
        return Store(messages, how, check_flags(_flags(p)), silent, tuple(modifiers))
    return parse


def _modifier(p: Cursor) -> IStoreModifier:
    row: Callable[[Cursor], IStoreModifier] = p.row("store_modifiers", "STORE modifier")
    return row(p)


def _flags(p: Cursor) -> tuple[str, ...]:
    """store-att-flags: with parentheses or, in STORE only, without."""
    if p.peek() == b"(":
        return p.flag_list()
    flags = [p.flag()]
    while p.at_sp():
        flags.append(p.flag())
    return tuple(flags)


SYSTEM = {name.upper(): name for name in ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")}


def check_flags(flags: tuple[str, ...]) -> tuple[str, ...]:
    """System flags in their own spelling, each flag once; \\Recent and unknown ones are Bad."""
    out: dict[str, str] = {}
    for flag in flags:
        if flag.startswith("\\") and flag.upper() not in SYSTEM:
            raise Bad(f"there is no system flag {flag} that can be changed")
        out.setdefault(flag.upper(), SYSTEM.get(flag.upper(), flag))
    return tuple(out.values())


EXTENSION = Extension(
    name="STORE", rfcs=(9051, 3501),
    commands={b"STORE": Spec(parse_store(False), SELECTED, may_expunge=False, writes=True,
                             numbered=True),
              b"UID STORE": Spec(parse_store(True), SELECTED, may_expunge=False, writes=True)},
)
