"""SEARCH and UID SEARCH (RFC 9051 6.4.4, RFC 3501 6.4.4, RFC 4466 2.6)."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable

import attrs

from moximap.imap.commands.esearch import All
from moximap.imap.commands.search_answer import Found, Option, esearch, search
from moximap.imap.commands.search_finding import find
from moximap.imap.commands.search_program import Program, parse_program
from moximap.imap.dialect import SELECTED, Extension, Spec
from moximap.imap.dispatch import catch_up
from moximap.imap.errors import Bad
from moximap.imap.grammar import Cursor
from moximap.imap.session import Gone, Session


@attrs.frozen
class Search:
    """``options``: those of RETURN, None where there was no RETURN."""

    program: Program
    options: tuple[Option, ...] | None
    uid: bool

    async def run(self, session: Session) -> None:
        options = self._all_options(session)
        try:
            found = await self.found(session, options)
        except (Bad, Gone):
            raise
        except Exception:
            for option in options:
                option.failed(session)
            raise
        for response in self._responses(session, found):
            session.write(response)
        for option in options:
            option.done(session, found)

    def _all_options(self, session: Session) -> tuple[Option, ...]:
        """An empty list of options means ALL, and so does none at all where the answer is ESEARCH."""
        options = self.options
        if not options and self.extended(session):
            options = (All(),)
        return (*(options or ()), *self.program.added)

    def extended(self, session: Session) -> bool:
        """Whether it is answered by ESEARCH: in IMAP4rev2, and without sequence numbers (RFC 9586 3)."""
        return self.options is not None or session.rev2 or not session.numbering.sequence

    async def found(self, session: Session, options: tuple[Option, ...]) -> Found:
        return Found(session.selected, await self.find(session), self.uid, options)

    async def find(self, session: Session) -> array[int]:
        """With UID the client is told first what is new, so that it is found too."""
        self.program.check(session)
        if self.uid:
            await catch_up(session, may_expunge=False)
        return await find(session, self.program.key)

    def _responses(self, session: Session, found: Found) -> Iterable[bytes]:
        if not self.extended(session):
            return self.plain(found)
        if all(option.silent for option in found.options):
            return ()
        return (esearch(session.tag, found),)

    def plain(self, found: Found) -> Iterable[bytes]:
        """The answer without ESEARCH."""
        return search(found)


def parse(uid: bool) -> Callable[[Cursor], Search]:
    def parse(p: Cursor) -> Search:
        p.sp()
        options = parse_options(p) if p.at(b"RETURN ") else None
        return Search(parse_program(p), options, uid)
    return parse


def parse_options(p: Cursor) -> tuple[Option, ...]:
    """ "(" [search-return-opt *(SP search-return-opt)] ")" SP; an option that comes again is one."""
    options = dict.fromkeys(p.list_of(lambda: _option(p), least=0))
    if sum(option.lists for option in options) > 1:
        raise Bad("one option that lists the messages is enough")
    p.sp()
    return tuple(options)


def _option(p: Cursor) -> Option:
    row: Callable[[Cursor], Option] = p.row("search_returns", "RETURN option")
    return row(p)


EXTENSION = Extension(
    name="SEARCH", rfcs=(9051, 3501, 4466, 5530),
    commands={b"SEARCH": Spec(parse(uid=False), SELECTED, tells=False, numbered=True),
              b"UID SEARCH": Spec(parse(uid=True), SELECTED, may_expunge=False)},
)
