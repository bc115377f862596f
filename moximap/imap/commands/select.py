"""SELECT, EXAMINE, CLOSE and UNSELECT (RFC 9051 6.3.2, 6.3.3, 6.4.1, 6.4.2, RFC 3691)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol

import attrs

from moximap.imap import encoding
from moximap.imap.commands.listing import line, old_name
from moximap.imap.dialect import LOGGED_IN, SELECTED, Capability, Extension, Reply, Spec
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.imap.view import View, all_flags, flags_line
from moximap.store.errors import NoSuchMailbox
from moximap.store.image import Image
from moximap.values import DELETED, Mailbox


#: A row of the table ``select_codes``: what stands behind a response code that every SELECT tells.
SelectCode = Callable[[Mailbox], bytes]

_READ_ONLY = Reply(code=b"READ-ONLY")
_READ_WRITE = Reply(code=b"READ-WRITE")


class ISelectParameter(Protocol):
    """A row of the table ``select``: a parameter of SELECT (RFC 4466)."""

    def parse(self, p: Cursor) -> Any:
        """Its value, behind its name."""

    def prepare(self, session: Session, mailbox: Mailbox, image: Image, value: Any) -> Awaitable[Any]:
        """Ask the store for what `apply` needs, once the mailbox is found; Bad where it may not be used."""

    def apply(self, session: Session, view: View, value: Any, prepared: Any) -> None:
        """After the mailbox is selected and described, before the tagged OK.

        Between the description and this nothing is awaited: both are of one moment.
        """


@attrs.frozen
class Select:
    """``given``: the name as the client has it.  ``parameters``: (row, value) in their order."""

    mailbox: str
    given: str
    read_only: bool
    parameters: tuple[tuple[ISelectParameter, Any], ...] = ()

    async def run(self, session: Session) -> Reply:
        """A SELECT that fails leaves nothing selected."""
        _leave(session)
        assert session.room is not None
        session.site.listen_to_bells()             # what memory has is as of these
        mailbox, image = await session.room.open(self.mailbox)
        try:
            prepared = [await row.prepare(session, mailbox, image, value) for row, value in self.parameters]
        except BaseException:
            session.room.release(image)
            raise
        view = View(mailbox, image, self.read_only or session.read_only, session.room.flags)
        session.select(view)
        _describe(session, view, self.given)
        for (row, value), ready in zip(self.parameters, prepared, strict=True):
            row.apply(session, view, value, ready)
        view.owed_highest()                        # SELECT has said it
        return _READ_ONLY if view.read_only else _READ_WRITE


def _leave(session: Session) -> None:
    if session.view is not None:
        session.unselect()
        session.write(b"* OK [CLOSED] the previous mailbox is closed\r\n")


def _describe(session: Session, view: View, given: str) -> None:
    """The untagged responses of SELECT, which are made once for each state of the image."""
    names = session.account.flags.keywords()
    view.keywords = len(names)
    state = (view.mailbox, view.image.modseq, view.highest, view.read_only, names, given,
             view.numbering.sequence, session.rev2, session.utf8, session.dialect)
    known, told = view.image.described
    if known != state:
        told = b"".join(_description(session, view, names, given))
        view.image.described = state, told
    session.write(told)


def _description(session: Session, view: View, names: tuple[str, ...], given: str) -> list[bytes]:
    """rev1 hears of RECENT and UNSEEN, rev2 of the name."""
    out = [_flags(names, view.read_only), b"* %d EXISTS\r\n" % len(view.uids)]
    if not session.rev2:
        out.append(b"* 0 RECENT\r\n")
        unseen = view.first_unseen() if view.mailbox.unseen and view.numbering.sequence else None
        if unseen is not None:
            out.append(b"* OK [UNSEEN %d] first message not seen\r\n" % unseen)
    out += [b"* OK [UIDVALIDITY %d] UIDs are valid\r\n" % view.mailbox.uidvalidity,
            b"* OK [UIDNEXT %d] predicted next UID\r\n" % view.uidnext,
            b"* OK [HIGHESTMODSEQ %d] highest modseq\r\n" % view.highest]
    codes: Mapping[bytes, SelectCode] = session.dialect.tables["select_codes"]
    out += [b"* OK [%b %b] of this mailbox\r\n" % (name, code(view.mailbox)) for name, code in codes.items()]
    if session.rev2:
        out.append(list_line(session, view.mailbox, given))
    return out


@lru_cache(maxsize=64)
def _flags(keywords: tuple[str, ...], read_only: bool) -> bytes:
    """FLAGS and PERMANENTFLAGS."""
    names = all_flags(keywords)
    return flags_line(names) + b"* OK [PERMANENTFLAGS (%b)] flags that are kept\r\n" % encoding.flags(
        [] if read_only else [*names, "\\*"])


def list_line(session: Session, mailbox: Mailbox, given: str) -> bytes:
    """The LIST response that RFC 9051 6.3.2 wants, with the mailbox's uses, and with OLDNAME where the
    client has another spelling."""
    return line(b"LIST", mailbox.uses, encoding.mailbox(mailbox.name, session.utf8),
                old_name(mailbox.name, given, session.utf8))


@attrs.frozen
class Close:
    """``expunge``: CLOSE; without it UNSELECT."""

    expunge: bool

    async def run(self, session: Session) -> None:
        """The store is asked unless the image is sure that nothing is \\Deleted; of a mailbox that was
        removed everything is gone already."""
        view = session.selected
        remove = self.expunge and not view.read_only and _may_have_deleted(session, view)
        session.unselect()
        if remove:
            with suppress(NoSuchMailbox):
                await session.change(session.account.expunge, view.mailbox.id)


def _may_have_deleted(session: Session, view: View) -> bool:
    return session.behind(view.image) or any(code & DELETED for code in view.image.flags)


def parse_select(read_only: bool) -> Callable[[Cursor], Select]:
    def parse(p: Cursor) -> Select:
        p.sp()
        mailbox, given = p.mailbox_as_given()
        parameters = p.list_of(lambda: _parameter(p)) if p.at_sp() else []
        return Select(mailbox, given, read_only, tuple(parameters))
    return parse


def _parameter(p: Cursor) -> tuple[ISelectParameter, Any]:
    row = p.row("select", "SELECT parameter")
    return row, row.parse(p)


def parse_close(p: Cursor) -> Close:
    return Close(expunge=True)


def parse_unselect(p: Cursor) -> Close:
    return Close(expunge=False)


EXTENSION = Extension(
    name="SELECT", rfcs=(9051, 3501, 3691, 4466),
    capabilities=(Capability(b"UNSELECT"),),
    commands={b"SELECT": Spec(parse_select(False), LOGGED_IN, tells=False),
              b"EXAMINE": Spec(parse_select(True), LOGGED_IN, tells=False),
              b"CLOSE": Spec(parse_close, SELECTED, tells=False),
              b"UNSELECT": Spec(parse_unselect, SELECTED, tells=False, capability=b"UNSELECT")},
)
