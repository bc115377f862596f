"""The policy of a session with NOTIFY (RFC 5465): what it asked for, also between commands.

A session keeps no queue: the view of the selected mailbox, the Listing that it was told last, and who
wrote since.  Whoever does not read is told the difference later, as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from moximap.imap import encoding
from moximap.imap.commands import metadata
from moximap.imap.commands.listing import send
from moximap.imap.commands.notify_fetch import tell_new
from moximap.imap.commands.notify_groups import FLAGS, METADATA, SERVER, Wishes
from moximap.imap.commands.notify_mailboxes import News, overview
from moximap.imap.errors import Bye
from moximap.imap.policy import Usual
from moximap.imap.session import Gone
from moximap.imap.view import StoreAnswer, View
from moximap.values import Changes, Listing, NumSet, Written

if TYPE_CHECKING:
    from moximap.imap.session import Session

log = Logger()

#: Changes that are told at once, and expunges that are held back, at most (CONTRACT 63).
MOST: Final = 10_000
MOST_HELD: Final = 1_000
#: Seconds from one telling of other mailboxes to the next: all of them are read for it.
PAUSE: Final = 0.05


class Told:
    """What a session knows of all mailboxes: those of ``listing``, and what it did itself since.

    ``own``: mailbox id -> modseq; up to there nobody else changed the mailbox.  ``alone``: up to this
    modseq nobody else changed anything in the account.
    """

    def __init__(self, listing: Listing, moment: tuple[int, int]) -> None:
        self.listing = listing
        self.moment = moment
        self.own: dict[int, int] = {}
        self.alone = listing.modseq
        self.names = False                     # we have changed names or subscriptions

    def wrote(self, written: Written) -> None:
        if written.modseq == self.alone + 1 and (written.changes or written.names):
            self.alone = written.modseq
        self.names |= written.names
        for changes in written.changes:
            known = max(self.listing.modseq, self.own.get(changes.mailbox, 0))
            if changes.since <= known:
                self.own[changes.mailbox] = changes.modseq

    def is_now(self, moment: tuple[int, int]) -> bool:
        """Nothing happened that anybody else did."""
        return moment == self.moment or not self.names and moment == (self.moment[0], self.alone)


class Notifying(Usual):
    """``wishes`` say what is told.  `begin`, then it may be put in the place of the last policy."""

    def __init__(self, session: Session, wishes: Wishes) -> None:
        super().__init__(session)
        assert session.room is not None
        self._room = session.room
        self._wishes = wishes
        self._told: Told | None = None
        self._behind = self._touched = False
        self._made: set[tuple[int, int]] = set()     # new messages: mailbox and UID
        self._timer: IDelayedCall | None = None
        self._next = 0.0

    async def begin(self, overviewed: bool) -> None:
        """Listen.  ``overviewed``: tell how the mailboxes stand from which changes will be told."""
        session, elsewhere = self.session, self._wishes.elsewhere
        if METADATA in elsewhere or SERVER in elsewhere:
            metadata.watch(session, self._wants_metadata)
        else:
            metadata.unwatch(session)
        session.site.listen_to_bells()
        moment = self._room.moment
        if elsewhere:
            self._told = Told(await self._room.listings.current(), moment)
            if session.watches:
                await self.tell_news()
            if overviewed:
                await send(session, overview(session, self._wishes, self._told.listing))
        if session.room is not self._room:
            raise Gone()
        if elsewhere or self._wishes.selected.events:
            self._room.listen(self, None, self._ring)

    def _wants_metadata(self, mailbox: str) -> bool:
        if not mailbox:
            return SERVER in self._wishes.elsewhere
        subscribed = () if self._told is None else self._told.listing.subscribed
        return self._wishes.want(METADATA, (mailbox,), subscribed)

    # IPolicy

    @property
    def everywhere(self) -> bool:
        return bool(self._wishes.elsewhere)

    async def tell(self, may_expunge: bool, answered: StoreAnswer | None = None) -> None:
        self.session.site.listen_to_bells()
        await self._tell(may_expunge, answered)

    async def _tell(self, may_expunge: bool, answered: StoreAnswer | None = None) -> None:
        """What is known in this process: enough where nobody has asked."""
        self._behind = False
        view, wanted = self.session.view, self._wishes.selected
        if view is not None:
            view.flag_changes = FLAGS in wanted.events or not wanted.events
        if wanted.events or self._touched or answered is not None:
            self._touched = False
            await self.tell_selected(may_expunge, answered)
        if self._told is not None:
            await self._tell_mailboxes(self._told)
        if self.session.watches:
            await self.tell_news()
        if view is not None and wanted.events and not (may_expunge or wanted.delayed or view.settled()):
            self._behind = True

    def wrote(self, written: Written) -> None:
        view = self.session.view
        for changes in written.changes:
            if view is not None and changes.mailbox == view.mailbox.id:
                self._touched = True
                self._made.update((changes.mailbox, uid) for uid in changes.uids if uid > view.last)
        if self._told is not None:
            self._told.wrote(written)

    def rest(self) -> None:
        if self._behind and self._timer is None:
            clock = self.session.site.reactor
            self._timer = clock.callLater(max(0.0, self._next - clock.seconds()), self._speak)

    def end(self) -> None:
        self._room.unlisten(self)
        self._behind = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # between commands

    def _ring(self, mailbox: int | None) -> None:
        """What rings in one turn of the reactor, or before the next may be told, is told once."""
        view = self.session.view
        if mailbox is None or self._told is not None or view is not None and mailbox == view.mailbox.id:
            self._behind = True
            self.rest()

    def _speak(self) -> None:
        """Nothing is done while a command runs: its end calls `rest`."""
        self._timer = None
        if self._behind:
            self.session.out.interject(self._unasked)

    async def _unasked(self) -> None:
        """Tell, once the client has read what it was told last; what cannot be told is told to be so."""
        try:
            await self.session.out.ready()
            await self._tell(not self._wishes.selected.delayed)
            if self._told is not None:
                self._next = self.session.site.reactor.seconds() + PAUSE
            self._owed_highest()
        except (Gone, Bye):
            raise
        except Exception:
            if self.session.room is None:
                raise Gone() from None
            log.failure("changes could not be told")
            if self.session.midway:
                raise Bye("changes cannot be told now", b"UNAVAILABLE") from None
            self._overflow("changes cannot be told now")

    def _owed_highest(self) -> None:
        """A client that resumes from the MODSEQs that it saw must know what was held back (RFC 7162 3.2)."""
        view = self.session.view
        highest = None if view is None else view.owed_highest()
        if highest is not None:
            self.session.write(b"* OK [HIGHESTMODSEQ %d] everything up to there was told\r\n" % highest)

    def _overflow(self, text: str) -> None:
        """As if NOTIFY NONE had been said."""
        self.end()
        self._wishes, self._told = Wishes(), None
        metadata.unwatch(self.session)
        self.session.write(b"* OK [NOTIFICATIONOVERFLOW] %b\r\n" % encoding.text(text))

    # the selected mailbox

    async def show(self, view: View, changes: list[Changes], may_expunge: bool,
                   answered: StoreAnswer | None) -> None:
        wanted, last = self._wishes.selected, view.last
        if wanted.events and answered is None and _too_many(view, changes, may_expunge or not wanted.delayed):
            self._overflow("there were too many changes")
            return
        came = {uid for c in changes for uid in c.uids if uid > last} if wanted.items else set()
        view.told_elsewhere = {uid for uid in came if (view.mailbox.id, uid) not in self._made}
        await super().show(view, changes, may_expunge, answered)
        self._made.clear()
        theirs = [uid for uid in sorted(view.told_elsewhere) if view.has(uid)]
        if theirs:
            await tell_new(self.session, view, wanted.items, NumSet.of(theirs))

    # the others

    async def _tell_mailboxes(self, told: Told) -> None:
        session, room = self.session, self._room
        moment = room.moment
        if told.is_now(moment):
            return
        new = await room.listings.current()
        if session.room is not room:
            raise Gone()
        self._told = Told(new, moment)
        if new.modseq <= told.alone:
            return
        difference = room.listings.difference(told.listing, new)
        if len(difference.changed) + len(difference.removed) > MOST:
            self._overflow("there were too many changes")
            return
        lines = News(session, self._wishes, told.listing, new, difference, told.own).lines()
        await send(session, lines)


def _too_many(view: View, changes: list[Changes], may_expunge: bool) -> bool:
    """More than may be told at once, or held back."""
    gone = sum(len(c.expunged) for c in changes)
    if gone > MOST_HELD and not may_expunge:
        gone = sum(view.has(uid) for c in changes for uid in c.expunged)
        if gone > MOST_HELD:
            return True
    if gone + sum(len(c.uids) for c in changes) <= MOST:
        return False
    return sum(m > view.changed for c in changes for m in (*c.modseqs, *c.expunged_modseqs)) > MOST
