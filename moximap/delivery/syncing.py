"""Mail of another server, mailbox by mailbox, into an account here: what `moximap sync` does.

The next messages are fetched while the last ones are written; no more of them than two batches are in
memory, and none that is large.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

import attrs
from twisted.internet.defer import Deferred

from moximap.client import listing
from moximap.client.client import Client
from moximap.client.listing import Listed
from moximap.client.protocol import CommandFailed
from moximap.client.reading import number
from moximap.delivery import syncing_names
from moximap.delivery.syncing_fetching import Fetching, Summary, batches
from moximap.store.account import Account
from moximap.store.annotations import clean
from moximap.store.errors import Cannot, NoSuchMailbox, StoreError
from moximap.store.interfaces import NewMessage
from moximap.store.syncing import Bringer
from moximap.store.syncing_table import Begun, There
from moximap.values import NumSet

#: Messages whose sizes are asked for at once, and whose flags.
SIZES: Final = 500
FLAGS: Final = 5000
#: Messages of a mailbox that are believed; each takes some hundred octets of memory.
MOST: Final = 10_000_000


class IProgress(Protocol):
    """Who is told how far it is."""

    def expect(self, messages: int) -> None:
        """There are so many more."""

    def advance(self, messages: int) -> None:
        """So many more are here."""


@attrs.frozen
class Place:
    """A mailbox there, and its name here."""

    listed: Listed
    target: str
    subscribed: bool


@attrs.define
class Sync:
    """One run, with a client that is logged in.

    ``source`` names the other server and who we are there.  ``call`` runs a blocking function elsewhere.
    ``wanted`` chooses mailboxes by their names here; ``told`` hears of each modseq that was written.
    ``condstore``: flags are asked for since the last time, where the server can (RFC 7162).
    """

    client: Client
    account: Account
    source: str
    call: Callable[..., Awaitable[Any]]
    progress: IProgress
    told: Callable[[int], object] = lambda modseq: None
    wanted: Callable[[str], bool] = lambda name: True
    condstore: bool = True
    done: Summary = attrs.field(factory=Summary)
    _modseqs: bool = False
    _bringer: Bringer = attrs.field(init=False)
    _fetching: Fetching = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._bringer = self.account.bringer(self.source)
        self._fetching = Fetching(self.client, self.account.spool, self.call, self.done)

    async def run(self) -> Summary:
        """All of it; StoreError, ConnectionEnded, BadResponse, and CommandFailed where nothing goes on.

        What concerns one mailbox or message only is among the summary's problems.
        """
        capabilities = await self.client.capability()
        if self.condstore and {b"ENABLE", b"CONDSTORE"} <= capabilities:
            # Some servers keep no modseqs of flags until somebody has asked for them.
            self._modseqs = b"CONDSTORE" in await self.client.enable(b"CONDSTORE")
        places, others = await self._places()
        for place in places:
            self.progress.expect(await self._count(place))
        for place in places:
            try:
                await self._mailbox(place)
            except (CommandFailed, Cannot, NoSuchMailbox) as error:
                self.done.problems.append(f"{place.target}: {error}")
        for name in others:
            await self._subscribe(name)
        if b"METADATA" in capabilities:
            await self._annotations("", "")
        return self.done

    # what there is

    async def _places(self) -> tuple[list[Place], list[str]]:
        """The mailboxes that are wanted, parents first, and subscribed names of which there is none."""
        namespaces = await listing.namespaces(self.client)

        def ours(found: Sequence[Listed]) -> dict[str, Listed]:
            return {each.name: each for each in found if not each.name.startswith(namespaces.others)
                    and self.wanted(syncing_names.here(each, namespaces.personal))}

        boxes = ours([each for each in await listing.mailboxes(self.client) if each.selectable])
        subscribed = ours(await listing.subscribed(self.client))
        places = [Place(each, syncing_names.here(each, namespaces.personal), name in subscribed)
                  for name, each in boxes.items()]
        others = [syncing_names.here(each, namespaces.personal) for name, each in subscribed.items()
                  if name not in boxes]
        return sorted(places, key=lambda place: (place.target != "INBOX", place.target)), others

    async def _count(self, place: Place) -> int:
        try:
            result = await self.client.command(
                b"STATUS " + self.client.mailbox(place.listed.raw) + b" (MESSAGES)")
        except CommandFailed:
            return 0                         # what is wrong with it is told when it is opened
        found = [each.value(-1) for each in result.named(b"STATUS")]
        messages = found[-1][-1] if found and isinstance(found[-1], tuple) and found[-1] else None
        return 0 if messages is None else min(number(messages), MOST)

    # one mailbox

    async def _mailbox(self, place: Place) -> None:
        selected = await self.client.select(place.listed.raw, read_only=True)
        uids = await listing.uids(self.client)
        if len(uids) > MOST:
            raise Cannot(f"the other server says that there are {len(uids)} messages in it")
        uidnext = selected.uidnext or (uids.ranges[-1][1] + 1 if uids else 1)
        there = There(place.listed.name, selected.uidvalidity, uidnext, place.subscribed,
                      tuple(place.listed.attributes))
        begun: Begun = await self.call(self._bringer.begin, there, place.target)
        name = begun.mailbox.name
        self.told(begun.mailbox.modseq)
        if begun.news:
            self.done.notes.append(f"{name}: {begun.news}")
        modseq = selected.highestmodseq if self._modseqs else 0
        known = [uid for uid in uids if uid in begun.known]
        new = [uid for uid in uids if uid not in begun.known and uid < uidnext]
        if known and not 0 < begun.row.modseq == modseq:
            await self._flags(begun, known)
        self.done.present += len(known)
        self.progress.advance(len(known))
        problems = len(self.done.problems)
        await self._messages(begun, new)
        if b"METADATA" in await self.client.capability():
            await self._annotations(place.listed.raw, name)
        if len(self.done.problems) == problems:
            self.told(await self.call(self._bringer.finish, begun, uidnext, modseq))
        self.done.mailboxes += 1
        self.done.kept += begun.row.kept

    async def _flags(self, begun: Begun, uids: Sequence[int]) -> None:
        """What changed there; where the server can tell, since the last time only."""
        since = begun.row.modseq if self._modseqs and begun.row.modseq else None
        for start in range(0, len(uids), FLAGS):
            some = uids[start:start + FLAGS]
            found, _ = await self.client.fetch(NumSet(((some[0], some[-1]),)), [b"UID", b"FLAGS"],
                                               changed_since=since)
            flags = {each.uid: self._fetching.keepable(each) for each in found if each.has(b"UID", b"FLAGS")}
            changed, modseq = await self.call(self._bringer.flag, begun, flags)
            self.done.flags += changed
            if changed:
                self.told(modseq)

    # messages

    async def _messages(self, begun: Begun, uids: Sequence[int]) -> None:
        """Fetch the next ones while the last ones are written."""
        writing: Deferred[None] | None = None
        try:
            for start in range(0, len(uids), SIZES):
                for batch in batches(await self._fetching.sizes(uids[start:start + SIZES])):
                    messages = await self._fetching.batch(begun.mailbox.name, batch)
                    if writing is not None:
                        last, writing = writing, None
                        await last
                    writing = Deferred.fromCoroutine(self._add(begun, messages, len(batch)))
        finally:
            if writing is not None:
                await writing

    async def _add(self, begun: Begun, messages: dict[int, NewMessage], asked: int) -> None:
        try:
            if messages:
                new, modseq = await self.call(self._bringer.add, begun, messages)
                self.done.messages += new
                self.done.present += len(messages) - new
                self.told(modseq)
        finally:
            for message in messages.values():
                if not isinstance(message.content, bytes):
                    message.content.discard()
        self.progress.advance(asked)

    # the rest

    async def _subscribe(self, name: str) -> None:
        try:
            self.told((await self.call(self.account.subscribe, name, True)).modseq)
        except StoreError as error:
            self.done.problems.append(f"subscription of {name}: {error}")

    async def _annotations(self, there: bytes | str, here: str) -> None:
        """Those that are not here yet: what is here may be newer."""
        what = f"annotations of {here or 'the account'}"
        try:
            found = await listing.metadata(self.client, there)
            held = await self.call(self.account.annotations.of, here)
            new = {entry: value for entry, value in found.items() if clean(entry) not in held}
            if new:
                self.told((await self.call(self.account.annotations.change, here, new)).modseq)
                self.done.annotations += len(new)
        except (CommandFailed, StoreError) as error:
            self.done.problems.append(f"{what}: {error}")
