"""Accounts as this process has them open: shared images, who listens, and what the doorbell said.

The law of this file: everything here is touched in the reactor thread only, and asks the store
through the pool.  A write's changes are applied to the images first, then the command answers, then
others are told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from moximap.store.errors import Busy, NoSpace, Unavailable
from moximap.store.image import Image
from moximap.store.housework import EraseSoon, Turn
from moximap.store.indexing_soon import IIndexer, IndexSoon
from moximap.store.interfaces import IAccount
from moximap.store.listings import Listings
from moximap.store.memory import give_back
from moximap.store.threads import IPool
from moximap.values import Changes, Mailbox, Opened, Written

log = Logger()

_W = TypeVar("_W", bound=Written)
Listener = Callable[[int | None], None]
#: Called after a write with the account's name, the modseq, and whether its number matters to others: what
#: was expunged is erased when all have gone past it.
OnWrite = Callable[[str, int, bool], None]

#: Images that are kept for mailboxes that nobody has selected, per account.
SPARE_IMAGES = 8
#: Seconds for which a mailbox is as it was read if nothing is heard.  Who was killed between a commit and the
#: bell is not heard at all.
TRUST = 0.1
#: Seconds after which flag-only commits are synced.
SYNC_DELAY = 0.8


class IReader(Protocol):
    """Who has a mailbox selected, and may still read what it was not told is gone."""

    image: Image
    told: int

    def up_to_date(self) -> bool:
        """Everything that the image knows was told."""


@attrs.frozen
class _Found:
    """A mailbox as it was at a moment of the account, and of its image; ``read`` in seconds."""

    mailbox: Mailbox
    moment: tuple[int, int]
    modseq: int
    read: float

    def holds(self, moment: tuple[int, int], image: Image, now: float) -> bool:
        return self.moment == moment and self.modseq == image.modseq and 0 <= now - self.read < TRUST


class OpenAccount:
    """One account: its store, its images, its listeners.  ``users`` counts sessions."""

    def __init__(self, store: IAccount, pool: IPool, reactor: IReactorTime, turn: Turn, indexer: IIndexer,
                 index_turn: Turn) -> None:
        self.store = store
        self.pool = pool
        self._found: dict[str, _Found] = {}       # by name
        self.few_names = False                    # of mailboxes, when they were last listed
        self.users = 0
        self.heard = 0
        self.images: dict[int, Image] = {}
        self._users_of: dict[int, int] = {}
        self._missed: dict[int, int] = {}         # mailbox -> modseq of a write here that no image took in
        self._refreshing: dict[int, Deferred[None]] = {}
        self._listeners: dict[object, tuple[int | None, Listener]] = {}
        self._reactor = reactor
        self._sync: IDelayedCall | None = None
        self._erasing = EraseSoon(self._erase, self._failed, reactor, turn)
        self.indexing = IndexSoon(store, indexer, self._failed, reactor, index_turn)
        self._turn = turn
        self._last = 0
        self._erased_much = False                 # the last batch was not all
        self._closed = False
        self.readers: set[IReader] = set()
        self.on_write: OnWrite = lambda account, modseq, again: None
        self.flag_bytes: dict[int, bytes] = {}
        self.listings = Listings(lambda: pool.call(store.mailboxes), lambda: self.moment)

    # flags

    def flags(self, code: int) -> bytes:
        """The names of a flag code, as they go on the wire."""
        try:
            return self.flag_bytes[code]
        except KeyError:
            rendered = " ".join(self.store.flags.names(code)).encode()
            self.flag_bytes[code] = rendered
            return rendered

    # images

    async def open(self, name: str) -> tuple[Mailbox, Image]:
        """SELECT: the mailbox and its image, up to date, held until `release`."""
        moment, now = self.moment, self._reactor.seconds()
        found = self._found.get(name)
        image = None if found is None else self.images.get(found.mailbox.id)
        if image is None or found is None:
            mailbox, image = await self._read(name)
        elif found.holds(moment, image, now) and self.fresh(image):
            self._hold(image)                           # nothing has happened at all
            return found.mailbox, image
        else:
            mailbox = await self.pool.quick(self.store.mailbox, name)
            if self.images.get(mailbox.id) is image and mailbox.modseq <= image.modseq:
                self._hold(image)                       # nothing has happened in it
            else:
                mailbox, image = await self._read(name)
        image.checked = max(image.checked, moment[0])
        image.highest = max(image.highest, mailbox.modseq)
        self._found[name] = _Found(mailbox, moment, image.modseq, now)
        return mailbox, image

    async def _read(self, name: str) -> tuple[Mailbox, Image]:
        """A mailbox and its image from the store."""
        self._last = max([self._last, *(image.modseq for image in self.images.values())])
        known = {id: image.modseq for id, image in self.images.items()}
        found = self._found.get(name)
        cached = found is not None and found.mailbox.id in known        # then there is little to read
        opened: Opened = await (self.pool.quick if cached else self.pool.call)(self.store.open, name, known)
        if opened.changes.since and opened.mailbox.id not in self.images:
            opened = await self.pool.call(self.store.open, name, {})
        image = self.images.get(opened.mailbox.id)
        if image is None:
            image = self.images[opened.mailbox.id] = Image(opened.changes)
        self._hold(image)
        try:
            await self._bring(image, opened.changes)
        except BaseException:
            self.release(image)
            raise
        return opened.mailbox, image

    def _hold(self, image: Image) -> None:
        self._users_of[image.mailbox] = self._users_of.get(image.mailbox, 0) + 1

    async def _bring(self, image: Image, snapshot: Changes) -> None:
        """Bring an image that others have made or moved meanwhile up to a snapshot.

        A whole snapshot says nothing of what is gone, so it is of no use for that.
        """
        if image.modseq < snapshot.modseq and not (snapshot.since and image.apply(snapshot)):
            await self.refresh(image, snapshot.modseq)

    def release(self, image: Image) -> None:
        """One session fewer has the mailbox selected."""
        self._users_of[image.mailbox] -= 1
        if not self._users_of[image.mailbox]:
            del self._users_of[image.mailbox]
            spare = [id for id in self.images if id not in self._users_of]
            for id in spare[:-SPARE_IMAGES]:
                del self.images[id]
                self._found = {name: found for name, found in self._found.items() if found.mailbox.id != id}
            for id in spare[-SPARE_IMAGES:]:
                if id != image.mailbox:
                    self.images[id].threads.forget()       # of one that nobody has selected it is kept
            if image.mailbox in self.images:
                self.images[image.mailbox] = self.images.pop(image.mailbox)      # the youngest spare

    @property
    def moment(self) -> tuple[int, int]:
        """It is another one after every write that this process knows of."""
        return self.heard, self._last

    def fresh(self, image: Image) -> bool:
        """No bell was heard since the start of a query that has finished, and no write of ours was missed."""
        return image.checked == self.heard and image.modseq >= self._missed.get(image.mailbox, 0)

    async def refresh(self, image: Image, least: int = 0) -> None:
        """Bring an image up to date, and to a modseq, with one query, shared by all who wait for it."""
        while image.modseq < least or not self.fresh(image):
            waiting = self._refreshing.get(image.mailbox)
            if waiting is None:
                await self._load(image)
            else:
                ours: Deferred[None] = Deferred()
                waiting.chainDeferred(ours)
                await ours

    async def _load(self, image: Image) -> None:
        start = self.heard
        done: Deferred[None] = Deferred()
        self._refreshing[image.mailbox] = done
        try:
            changes: Changes = await self.pool.quick(self.store.changes, image.mailbox, image.modseq)
            image.apply(changes)
            image.checked = max(image.checked, start)
        finally:
            del self._refreshing[image.mailbox]
            done.callback(None)

    # writing

    def write(self, method: Callable[..., _W], *args: Any, **kwargs: Any) -> Deferred[_W]:
        """Call a store method that writes, and apply what it did before anyone hears of it.

        It is applied even where the caller stopped waiting.
        """
        return self._taken_in(self.pool.call(method, *args, **kwargs))

    def write_few(self, method: Callable[..., _W], *args: Any, **kwargs: Any) -> _W | Deferred[_W]:
        """The same for a method that changes few rows, needs no sync, and has ``now``: perhaps at once,
        if nobody else is writing; then what was written is given as it is."""
        try:
            tried: _W | Deferred[_W] = self.pool.at_once(method, *args, now=True, **kwargs)
        except Busy:
            return self.write(method, *args, **kwargs)
        if isinstance(tried, Written):                # nobody can have stopped waiting
            self.applied(tried)
            return tried
        return self._taken_in(tried.addErrback(self._busy, method, *args, **kwargs))

    def write_in_halves(self, begin: Callable[..., Callable[[], _W]], method: Callable[..., _W],
                        *args: Any) -> Deferred[_W]:
        """The same for a method that must be durable: ``begin``, perhaps at once, does all but the commit."""
        return self._taken_in(self.pool.halves(begin, *args).addErrback(self._busy, method, *args))

    def _busy(self, failure: Failure, method: Callable[..., _W], *args: Any, **kwargs: Any) -> Deferred[_W]:
        """What could not be done at once is done elsewhere."""
        failure.trap(Busy)  # type: ignore[no-untyped-call]
        return self.pool.call(method, *args, **kwargs)

    def _taken_in(self, written: Deferred[_W]) -> Deferred[_W]:
        ours: Deferred[_W] = Deferred()
        written.addCallback(self._applied).addCallbacks(ours.callback, ours.errback)
        return ours

    def _applied(self, written: _W) -> _W:
        self.applied(written)
        return written

    def applied(self, written: Written) -> None:
        """Take in a write of this process."""
        expunged = False
        for changes in written.changes:
            expunged = expunged or bool(changes.expunged)
            image = self.images.get(changes.mailbox)
            if image is None or not image.apply(changes):
                self._missed[changes.mailbox] = max(changes.modseq, self._missed.get(changes.mailbox, 0))
        self._last = max(self._last, written.modseq)
        if self._listeners:
            self._tell({changes.mailbox for changes in written.changes})
        try:
            self.on_write(self.store.name, written.modseq, expunged)
        except OSError:                           # too many open files: it is committed all the same
            log.failure("other processes cannot be told of a write")
        if self._sync is None:
            self._sync = self._reactor.callLater(SYNC_DELAY, self._sync_now)
        self._turn.written = self._reactor.seconds()
        self.indexing.soon()
        if expunged:
            self._erasing.soon()

    # keeping house

    def _sync_now(self) -> None:
        self._sync = None
        if self.store.needs_sync:                 # else a durable commit has synced it all
            self._in_background(self.store.sync)

    def keep_house(self) -> None:
        """It was opened: do what may have been left undone."""
        self._erasing.soon()
        self.indexing.soon()

    def floor(self) -> int:
        """What was expunged up to this modseq is read by nobody in this process any more."""
        return min((reader.told for reader in self.readers
                    if not (reader.up_to_date() and self.fresh(reader.image))), default=self._last)

    def _erase(self, limit: int) -> Deferred[bool]:
        floor = self.floor()
        if floor < self._last:
            self._erasing.soon()                  # somebody was not told everything yet
        return self.pool.call(self._erase_to, floor, limit).addCallback(self._erased)

    def _erase_to(self, floor: int, limit: int) -> bool:
        self.store.set_floor(floor)
        return self.store.erase_some(floor, limit)

    def _erased(self, more: bool) -> bool:
        if self._erased_much and not (more or self._turn.busy):
            self._in_background(give_back)
        self._erased_much = more
        return more

    def _in_background(self, function: Callable[..., object], *args: object) -> None:
        self.pool.call(function, *args).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if isinstance(failure.value, NoSpace):
            log.warn("keeping house of {name} waits: the disk is full", name=self.store.name)
        elif not (self._closed and isinstance(failure.value, Unavailable)):
            log.failure("keeping house failed", failure=failure)

    # listening

    def listen(self, who: object, mailbox: int | None, listener: Listener) -> None:
        """Call ``listener`` with the mailbox that changed (None: any may have); None: of all of them."""
        self._listeners[who] = (mailbox, listener)

    def unlisten(self, who: object) -> None:
        self._listeners.pop(who, None)

    def bell(self, modseq: int = 0) -> None:
        """Another process wrote."""
        self._last = max(self._last, modseq)
        self.overslept()
        for _, listener in list(self._listeners.values()):
            listener(None)

    def overslept(self) -> None:
        """Others may have written without ringing: nothing here is fresh, and they may wait for us to let
        something go."""
        self.heard += 1
        self._erasing.soon()

    def _tell(self, mailboxes: set[int]) -> None:
        for wanted, listener in list(self._listeners.values()):
            if wanted is None:
                for mailbox in mailboxes or {0}:
                    listener(mailbox)
            elif wanted in mailboxes:
                listener(wanted)

    def closing(self) -> None:
        """Stop the timers; the store is closed by who opened it."""
        if self._sync is not None:
            self._sync.cancel()
            self._sync = None
        self._erasing.stop()
        self.indexing.stop()
        self._closed = True
