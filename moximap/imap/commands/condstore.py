"""CONDSTORE: conditional STORE and quick flag changes (RFC 7162 3.1)."""

from __future__ import annotations

from array import array
from typing import Any

import attrs

from moximap.imap import encoding
from moximap.imap.commands.fetch import Fetch
from moximap.imap.commands.search_answer import Found, Option
from moximap.imap.commands.search_program import IKey, KeyReader, Plain
from moximap.imap.commands.status import StatusItem
from moximap.imap.commands.store import Store
from moximap.imap.dialect import Capability, Enabling, Extension, Reply, logged_in
from moximap.imap.errors import Bad
from moximap.imap.fetching import Field, IFetchItem
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.imap.view import View
from moximap.store.image import Image
from moximap.searchtree import ModSeqIs
from moximap.values import Mailbox, NumSet, Stored

CONDSTORE = b"CONDSTORE"
MODSEQ = Field(b"MODSEQ (%d)", ("modseq",), enables=CONDSTORE)


def dress(view: View) -> None:
    view.modseq = True


def begin(session: Session) -> None:
    """Enabled while a mailbox is selected: the client must know from where it counts."""
    if session.view is not None:
        session.write(b"* OK [HIGHESTMODSEQ %d] CONDSTORE is enabled\r\n" % session.view.highest)


@attrs.frozen
class SelectCondstore:
    """SELECT x (CONDSTORE)."""

    def parse(self, p: Cursor) -> None:
        """It has no value."""

    async def prepare(self, session: Session, mailbox: Mailbox, image: Image, value: None) -> None:
        session.enable(CONDSTORE)

    def apply(self, session: Session, view: View, value: None, prepared: None) -> None:
        """The view is dressed, and HIGHESTMODSEQ was told."""


@attrs.frozen
class ChangedSince:
    """FETCH ... (CHANGEDSINCE n): 0 is let through: iOS sends it."""

    modseq: int
    items: tuple[IFetchItem, ...] = (MODSEQ,)

    @classmethod
    def parse(cls, p: Cursor) -> ChangedSince:
        p.sp()
        return cls(p.number64())

    def check(self, session: Session, fetch: Fetch) -> None:
        """Allowed everywhere."""

    async def narrow(self, session: Session, fetch: Fetch, uids: array[int]) -> array[int]:
        image, room = session.selected.image, session.room
        assert room is not None
        if session.behind(image):
            await room.refresh(image)
        rows = zip(image.uids, image.modseqs, strict=True)
        changed = array("I", [uid for uid, m in rows if m > self.modseq])
        return NumSet.ascending(changed).within(uids)


@attrs.frozen
class UnchangedSince:
    """STORE set (UNCHANGEDSINCE n)."""

    modseq: int

    @classmethod
    def parse(cls, p: Cursor) -> UnchangedSince:
        p.sp()
        return cls(p.number64())

    def options(self, session: Session) -> dict[str, Any]:
        session.enable(CONDSTORE)
        return {"unchangedsince": self.modseq}

    def reply(self, session: Session, store: Store, stored: Stored) -> Reply | None:
        """MODIFIED names messages as the command did."""
        if not stored.modified:
            return None
        view = session.selected
        failed = stored.modified.within(view.uids)
        if not store.messages.uid:
            failed = array("I", [view.numbering.number(view, uid) for uid in failed])
        return Reply("some messages were changed by others",
                     b"MODIFIED %b" % encoding.numset(NumSet.ascending(failed)))


@attrs.frozen
class HighestOption(Option):
    """What a MODSEQ key adds to the result: the highest modseq of the messages that are told of."""

    silent = True

    def item(self, found: Found) -> bytes | None:
        highest = self._highest(found)
        return b"MODSEQ %d" % highest if highest else None

    def suffix(self, found: Found) -> bytes:
        highest = self._highest(found)
        return b" (MODSEQ %d)" % highest if highest else b""

    def _highest(self, found: Found) -> int:
        return max(map(found.modseq, found.told()), default=0)

    def done(self, session: Session, found: Found) -> None:
        session.enable(CONDSTORE)


def parse_key(reader: KeyReader) -> IKey:
    """MODSEQ [entry-name SP entry-type-req SP] mod-sequence-valzer; all entries have one modseq here."""
    p = reader.p
    p.sp()
    if p.peek() == b'"':
        p.string()
        p.sp()
        if p.word("entry type") not in (b"PRIV", b"SHARED", b"ALL"):
            raise Bad("an entry type is priv, shared or all")
        p.sp()
    reader.added.append(HighestOption())
    return Plain(ModSeqIs(p.number64()))


EXTENSION = Extension(
    name="CONDSTORE", rfcs=(7162, 4551),
    capabilities=(Capability(CONDSTORE, logged_in),),
    enable={CONDSTORE: Enabling(dress=dress, begin=begin)},
    fetch={b"MODSEQ": lambda p: MODSEQ},
    fetch_modifiers={b"CHANGEDSINCE": ChangedSince.parse},
    store_modifiers={b"UNCHANGEDSINCE": UnchangedSince.parse},
    search={b"MODSEQ": parse_key},
    select={CONDSTORE: SelectCondstore()},
    status={b"HIGHESTMODSEQ": StatusItem(lambda session, mailbox: b"%d" % max(1, mailbox.modseq),
                                         lambda session: session.enable(CONDSTORE))},
)
