"""What is told of mailboxes that are not selected: STATUS and LIST (RFC 5465 section 5). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

import attrs

from moximap.imap import encoding
from moximap.imap.commands.listing import Entry, attributes, line, old_name
from moximap.imap.commands.notify_groups import FLAGS, NAME, NEW, SUBSCRIPTION, Wishes
from moximap.imap.commands.status import status_line
from moximap.store.listings import Difference
from moximap.values import Listing, Mailbox

if TYPE_CHECKING:
    from moximap.imap.session import Session

CONDSTORE: Final = b"CONDSTORE"
_COUNTED: Final = (b"UIDNEXT", b"MESSAGES", b"UNSEEN")
_FLAGGED: Final = (b"UIDVALIDITY", b"UNSEEN")
_WHOLE: Final = (b"UIDVALIDITY", b"UIDNEXT", b"MESSAGES", b"UNSEEN")


def status(session: Session, mailbox: Mailbox, names: Collection[bytes], modseq: bool = False) -> bytes:
    """A STATUS response; HIGHESTMODSEQ is in it for who knows of modseqs, or with ``modseq``."""
    table = session.dialect.tables["status"]
    items = [(name, table[name]) for name in names]
    if modseq or CONDSTORE in session.enabled:
        items.append((b"HIGHESTMODSEQ", table[b"HIGHESTMODSEQ"]))
    return status_line(session, encoding.mailbox(mailbox.name, session.utf8), mailbox, tuple(items))


def overview(session: Session, wishes: Wishes, listing: Listing) -> list[bytes]:
    """STATUS of each mailbox whose messages are watched, without the selected one (NOTIFY SET STATUS)."""
    flagged = [(mailbox, wishes.want(FLAGS, (mailbox.name,), listing.subscribed))
               for mailbox in listing.mailboxes if not session.is_selected(mailbox)
               and wishes.want(NEW, (mailbox.name,), listing.subscribed)]
    return [status(session, mailbox, _WHOLE, flags) for mailbox, flags in flagged]


@attrs.define
class News:
    """What happened to the mailboxes from one listing to the next, for one session.

    ``own``: mailbox id -> modseq up to which all that happened to its messages was this session's doing.
    """

    session: Session
    wishes: Wishes
    old: Listing
    new: Listing
    difference: Difference
    own: Mapping[int, int]
    _told: set[str] = attrs.field(factory=set, init=False)

    def lines(self) -> list[bytes]:
        """Names first: STATUS then speaks of names that the client knows."""
        events = self.wishes.elsewhere
        out: list[bytes] = []
        if NAME in events:
            out += self._names()
        if SUBSCRIPTION in events:
            out += self._subscriptions()
        if NEW in events:
            out += self._counts()
        return out

    # names

    def _names(self) -> Iterator[bytes]:
        parents: set[int | None] = set()
        for mailbox in self.difference.removed:
            parents.add(mailbox.parent)
            if self._wanted(NAME, mailbox.name) and mailbox.name not in self._by_name:
                yield self._list(mailbox.name)
        for before, mailbox in self.difference.changed:
            if before is None:
                parents.add(mailbox.parent)
                if self._wanted(NAME, mailbox.name):
                    yield self._list(mailbox.name)
            elif before.name != mailbox.name and not self._moved_along(before, mailbox) \
                    and self._wanted(NAME, mailbox.name, before.name):
                yield self._list(mailbox.name, before.name)
        for mailbox in self.new.mailboxes if parents else ():
            if mailbox.id in parents and mailbox.name not in self._told and self._wanted(NAME, mailbox.name):
                yield self._list(mailbox.name)

    def _moved_along(self, before: Mailbox, now: Mailbox) -> bool:
        """It was renamed with the mailbox that it is in, which is told of (RFC 5465 5.4)."""
        old, new = before.name.rpartition("/"), now.name.rpartition("/")
        return before.parent == now.parent and old[2] == new[2]

    def _subscriptions(self) -> Iterator[bytes]:
        for name in sorted(self.difference.subscriptions - self._told):
            if self._wanted(SUBSCRIPTION, name):
                yield self._list(name)

    def _list(self, name: str, old: str | None = None) -> bytes:
        self._told.add(name)
        mailbox = self._by_name.get(name)
        subscribed = name in self.new.subscribed
        children = mailbox is not None and mailbox.id in self._parents
        told = attributes(Entry(name, mailbox, subscribed, children))
        if subscribed:
            told.append("\\Subscribed")
        utf8 = self.session.utf8
        return line(b"LIST", told, encoding.mailbox(name, utf8), old_name(name, old or name, utf8))

    @cached_property
    def _by_name(self) -> dict[str, Mailbox]:
        return {mailbox.name: mailbox for mailbox in self.new.mailboxes}

    @cached_property
    def _parents(self) -> set[int | None]:
        return {mailbox.parent for mailbox in self.new.mailboxes}

    def _wanted(self, event: bytes, *names: str) -> bool:
        return self.wishes.want(event, names, self.new.subscribed)

    # messages

    def _counts(self) -> Iterator[bytes]:
        for before, mailbox in self.difference.changed:
            if self.session.is_selected(mailbox) or mailbox.modseq <= self.own.get(mailbox.id, 0):
                continue
            items = self._items(before, mailbox)
            if items and self._wanted(NEW, mailbox.name):
                yield status(self.session, mailbox, items)

    def _items(self, before: Mailbox | None, mailbox: Mailbox) -> Collection[bytes]:
        """What is told of a mailbox; a new one is told of when it has mail, or the name of another."""
        if before is None:
            again = any(gone.name == mailbox.name for gone in self.difference.removed)
            return _WHOLE if again or mailbox.messages else ()
        if (before.uidnext, before.messages) != (mailbox.uidnext, mailbox.messages):
            return _COUNTED
        if before.uidvalidity != mailbox.uidvalidity:
            return _WHOLE
        return _FLAGGED if self._wanted(FLAGS, mailbox.name) and self._flagged(before, mailbox) else ()

    def _flagged(self, before: Mailbox, mailbox: Mailbox) -> bool:
        """Without CONDSTORE the change can be seen in UNSEEN only, or is one of flags for all we know."""
        return before.unseen != mailbox.unseen or before.name == mailbox.name
