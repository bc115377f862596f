"""ESEARCH: a search of several mailboxes, selected or not (RFC 7377 MULTISEARCH)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from functools import cached_property

import attrs

from moximap.imap import encoding
from moximap.imap.commands.esearch import All
from moximap.imap.commands.search import parse_options
from moximap.imap.commands.search_answer import Found, Option, esearch
from moximap.imap.commands.search_finding import Allowance, Selected, find, in_turn
from moximap.imap.commands.search_program import IKey, Program, parse_program
from moximap.imap.commands.search_tree import NOTHING, simplify
from moximap.imap.commands.searchres import Save
from moximap.imap.dialect import LOGGED_IN, Capability, Extension, Spec
from moximap.imap.dispatch import catch_up
from moximap.imap.errors import Bad, No
from moximap.imap.grammar import Cursor
from moximap.imap.sequences import Sequence_
from moximap.imap.mailboxfilter import SELECTED, SELECTED_DELAYED, Filter, parse_filter
from moximap.imap.messageset import MessageSet
from moximap.imap.session import Gone, Session
from moximap.imap.waiting import Progress
from moximap.store.errors import NoSuchMailbox
from moximap.store.interfaces import IAccount
from moximap.values import Mailbox, NumSet


def places(uids: array[int], numbers: Sequence_) -> NumSet:
    """UIDs by their places from 1; a place that nobody has is no error here (RFC 7377 section 2)."""
    count = len(uids)
    chosen = NumSet.merge((low or count, high or count) for low, high in numbers)
    return NumSet.of(uid for low, high in chosen.ranges for uid in uids[max(low, 1) - 1:high])


class Here(Selected):
    """The selected mailbox; its sequence numbers may lie behind its end."""

    def _uids(self, numbers: MessageSet) -> NumSet:
        if numbers.uid or numbers.numbers is None:
            return super()._uids(numbers)
        self.session.numbering.check()
        return places(self.session.selected.uids, numbers.numbers)


class There:
    """A mailbox that is not selected; used in a store thread."""

    def __init__(self, session: Session, account: IAccount, mailbox: Mailbox) -> None:
        self._session = session
        self._account = account
        self._mailbox = mailbox
        self._allowance = Allowance()

    @cached_property
    def _all(self) -> array[int]:
        """The UIDs of its messages: read once, however many sets there are."""
        return self._account.changes(self._mailbox.id, 0).uids

    def uids(self, numbers: MessageSet) -> NumSet:
        return self._allowance.spend(self._uids(numbers), len(self._all))

    def _uids(self, numbers: MessageSet) -> NumSet:
        if numbers.numbers is None:
            raise No("$ is of the selected mailbox")
        uids = self._all
        if not numbers.uid:
            self._session.numbering.check()
            return places(uids, numbers.numbers)
        if not uids:
            return NumSet()
        return NumSet.merge((low or uids[-1], high or uids[-1]) for low, high in numbers.numbers)


@attrs.frozen
class Elsewhere(Found):
    """A result in a mailbox that is not selected."""

    modseqs: Mapping[int, int] = attrs.field(factory=dict)

    def modseq(self, uid: int) -> int:
        return self.modseqs.get(uid, 0)


@attrs.frozen
class MultiSearch:
    sources: tuple[Filter, ...]
    options: tuple[Option, ...]
    program: Program

    async def run(self, session: Session) -> None:
        try:
            results = await self._results(session)
        except (Bad, Gone):
            raise
        except Exception:
            for option in self.options:
                option.failed(session)
            raise
        self._tell(session, results)

    async def _results(self, session: Session) -> list[tuple[Mailbox, Found]]:
        here = session.view.mailbox if session.view is not None else None
        if here is None and any(source.selected for source in self.sources):
            raise Bad("no mailbox is selected")
        self.program.check(session)
        mailboxes: list[Mailbox] = await session.call(self._mailboxes, session.account, here)
        results = [(mailbox, await self._here(session)) for mailbox in mailboxes
                   if here is not None and mailbox.id == here.id]
        others = [mailbox for mailbox in mailboxes if here is None or mailbox.id != here.id]
        if others:
            progress = Progress(sum(mailbox.messages for mailbox in others))
            with session.waiting(progress):
                results += await in_turn(session, self._there, session, session.account, others, progress)
        return results

    def _mailboxes(self, account: IAccount, here: Mailbox | None) -> list[Mailbox]:
        """Those that the sources mean, each once; blocks.  One that does not exist has no messages."""
        found: dict[int, Mailbox] = {}
        if here is not None and any(source.selected for source in self.sources):
            found[here.id] = _as_it_is(account, here)
        if not all(source.selected for source in self.sources):
            listing = account.mailboxes()
            found |= {mailbox.id: mailbox for mailbox in listing.mailboxes
                      if any(source.has(mailbox.name, mailbox.name in listing.subscribed)
                             for source in self.sources)}
        return list(found.values())

    async def _here(self, session: Session) -> Found:
        """As UID SEARCH does it: the client is told first what is new."""
        await catch_up(session, may_expunge=False)
        uids = await find(session, self.program.key, Here(session))
        return Found(session.selected, uids, True, self._told)

    @property
    def _told(self) -> tuple[Option, ...]:
        return (*self.options, *self.program.added)

    def _there(self, session: Session, account: IAccount, mailboxes: Iterable[Mailbox],
               progress: Progress) -> list[tuple[Mailbox, Found]]:
        """All mailboxes that are not selected, one by one; blocks."""
        results: list[tuple[Mailbox, Found]] = []
        done = 0
        for mailbox in mailboxes:
            try:
                uids = _search(account, mailbox, self.program.key, There(session, account, mailbox), progress)
            except NoSuchMailbox:
                continue                               # removed meanwhile
            done += mailbox.messages
            progress.reached(done)
            modseqs = self._modseqs(account, mailbox, uids)
            results.append((mailbox, Elsewhere(None, uids, True, self._told, modseqs)))
        return results

    def _modseqs(self, account: IAccount, mailbox: Mailbox, uids: array[int]) -> dict[int, int]:
        """Where a key brings along that modseqs are told."""
        if not self.program.added or not uids:
            return {}
        rows = account.fetch(mailbox.id, NumSet.ascending(uids), ("uid", "modseq"))
        return dict(rows)  # type: ignore[arg-type]

    def _tell(self, session: Session, results: Iterable[tuple[Mailbox, Found]]) -> None:
        """A response for each mailbox that has messages which match, in the order of names."""
        for mailbox, found in sorted(results, key=lambda result: result[0].name):
            if found.uids and not all(option.silent for option in found.options):
                where = b" MAILBOX %b UIDVALIDITY %d" % (encoding.mailbox(mailbox.name, session.utf8),
                                                         mailbox.uidvalidity)
                session.write(esearch(session.tag, found, where))
            for option in found.options:
                option.done(session, found)


def _as_it_is(account: IAccount, selected: Mailbox) -> Mailbox:
    """It may have been renamed, or removed, since it was selected."""
    try:
        return account.mailbox_by_id(selected.id)
    except NoSuchMailbox:
        return selected


def _search(account: IAccount, mailbox: Mailbox, key: IKey, scope: There,
            progress: Progress) -> array[int]:
    tree = simplify(key.tree(scope))
    if tree == NOTHING or not mailbox.messages:
        return array("I")
    found = account.search(mailbox.id, tree, NumSet(((1, mailbox.uidnext),)),
                           progress.part(mailbox.messages, mailbox.uidnext))
    return array("I", found)


# grammar

def parse(p: Cursor) -> MultiSearch:
    """esearch = "ESEARCH" [SP esearch-source-opts] [SP search-return-opts] SP search-program."""
    p.sp()
    sources = _sources(p) if p.at(b"IN ") else (Filter(SELECTED),)
    options = parse_options(p) if p.at(b"RETURN ") else ()
    saves = any(isinstance(option, Save) for option in options)
    if saves and not all(source.selected for source in sources):
        raise Bad("SAVE is for the selected mailbox alone")
    return MultiSearch(sources, options or (All(),), parse_program(p))


def _sources(p: Cursor) -> tuple[Filter, ...]:
    """ "(" source-mbox [SP "(" scope-options ")"] ")" SP; there are no scope options."""
    sources = p.list_of(lambda: parse_filter(p))
    if any(source.kind == SELECTED_DELAYED for source in sources):
        raise Bad("SELECTED-DELAYED is not for searching")
    p.sp()
    names: dict[bytes, set[str]] = {}
    for source in sources:                         # thousands that name a mailbox each become one
        names.setdefault(source.kind, set()).update(source.names)
    return tuple([Filter(kind, frozenset(named)) for kind, named in names.items()])


EXTENSION = Extension(
    name="MULTISEARCH", rfcs=(5465, 7377),
    capabilities=(Capability(b"MULTISEARCH"),),
    commands={b"ESEARCH": Spec(parse, LOGGED_IN, may_expunge=False, capability=b"MULTISEARCH")},
)
