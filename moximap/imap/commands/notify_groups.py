"""What a NOTIFY SET asks for: groups of events, each with its mailboxes (RFC 5465 section 6 and 8)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, Protocol

import attrs

from moximap.imap.commands.fetch import parse_item
from moximap.imap.errors import Bad, No
from moximap.imap.fetching import IFetchItem
from moximap.imap.grammar import Cursor
from moximap.imap.mailboxname import SEPARATOR, parents

NEW: Final = b"MESSAGENEW"
EXPUNGE: Final = b"MESSAGEEXPUNGE"
FLAGS: Final = b"FLAGCHANGE"
NAME: Final = b"MAILBOXNAME"
SUBSCRIPTION: Final = b"SUBSCRIPTIONCHANGE"
METADATA: Final = b"MAILBOXMETADATACHANGE"
SERVER: Final = b"SERVERMETADATACHANGE"

_MESSAGE_EVENTS: Final = frozenset((NEW, EXPUNGE, FLAGS))
#: All that there are, as BADEVENT spells them.
EVENTS: Final = {NEW: b"MessageNew", EXPUNGE: b"MessageExpunge", FLAGS: b"FlagChange",
                 NAME: b"MailboxName", SUBSCRIPTION: b"SubscriptionChange",
                 METADATA: b"MailboxMetadataChange", SERVER: b"ServerMetadataChange"}


#: Each is asked about each mailbox, while nobody else is served; more are refused (RFC 5465 section 3.1).
MOST_GROUPS: Final = 32


class IFilter(Protocol):
    """A set of mailboxes, by name."""

    def has(self, name: str, subscribed: Collection[str]) -> bool: ...


@attrs.frozen
class Personal:
    """All mailboxes are personal, and to each of them mail may be delivered: INBOXES means the same."""

    def has(self, name: str, subscribed: Collection[str]) -> bool:
        return True


@attrs.frozen
class Subscribed:
    def has(self, name: str, subscribed: Collection[str]) -> bool:
        return name in subscribed


@attrs.frozen
class Names:
    """These and no others; ``*`` and ``%`` are letters like others."""

    names: frozenset[str]

    def has(self, name: str, subscribed: Collection[str]) -> bool:
        return name in self.names


@attrs.frozen
class Trees:
    """Mailboxes and what is below them.  ``one``: directly below (RFC 7377 2.2)."""

    tops: frozenset[str]
    one: bool

    def has(self, name: str, subscribed: Collection[str]) -> bool:
        """By looking up what is above: there may be thousands of tops, and of mailboxes."""
        if name in self.tops:
            return True
        if self.one:
            return name.rpartition(SEPARATOR)[0] in self.tops
        return "" in self.tops or any(above in self.tops for above in parents(name))


@attrs.frozen
class Group:
    """``where``: None is the selected mailbox, whatever that is.  ``events``: none at all for NONE.

    ``items``: what is told of new messages in the selected mailbox.  ``delayed``: SELECTED-DELAYED.
    """

    where: IFilter | None
    events: frozenset[bytes] = frozenset()
    items: tuple[IFetchItem, ...] = ()
    delayed: bool = False


_NOTHING: Final = Group(None)


@attrs.frozen
class Wishes:
    """All groups of a client; none for NOTIFY NONE."""

    groups: tuple[Group, ...] = ()

    @property
    def selected(self) -> Group:
        """The group for the selected mailbox: without one its messages are not told of."""
        return next((group for group in self.groups if group.where is None), _NOTHING)

    @property
    def elsewhere(self) -> frozenset[bytes]:
        """Events that are wanted of some mailbox, selected or not."""
        return frozenset().union(*(group.events for group in self.groups if group.where is not None))

    def want(self, event: bytes, names: Collection[str], subscribed: Collection[str]) -> bool:
        """Whether this is wanted of a mailbox that has or had these names.

        The first group decides that has the mailbox and either the event or NONE.
        """
        for group in self.groups:
            where = group.where
            if where is not None and any(where.has(name, subscribed) for name in names):
                if event in group.events:
                    return True
                if not group.events:
                    return False
        return False


# grammar

def parse_groups(p: Cursor) -> Wishes:
    """event-groups = event-group *(SP event-group)"""
    groups = [_group(p)]
    while not p.only_spaces():
        p.sp()
        groups.append(_group(p))
        if len(groups) > MOST_GROUPS:
            raise No(f"a NOTIFY has {MOST_GROUPS} groups at most", b"NOTIFICATIONOVERFLOW")
    if sum(group.where is None for group in groups) > 1:
        raise Bad("the selected mailbox can be named once only")
    return Wishes(tuple(groups))


def _group(p: Cursor) -> Group:
    """event-group = "(" filter-mailboxes SP events ")" """
    p.take(b"(")
    word = p.one_of(_FILTERS, "set of mailboxes")
    where = _FILTERS[word](p)
    p.sp()
    events, items = _events(p)
    p.take(b")")
    _check(where, events, items)
    return Group(where, frozenset(events), tuple(dict.fromkeys(items)), word == b"SELECTED-DELAYED")


def _check(where: IFilter | None, events: Collection[bytes], items: Collection[IFetchItem]) -> None:
    if (NEW in events) != (EXPUNGE in events):
        raise Bad("MessageNew and MessageExpunge come together")
    if FLAGS in events and NEW not in events:
        raise Bad("FlagChange comes with MessageNew and MessageExpunge")
    if where is None and not _MESSAGE_EVENTS.issuperset(events):
        raise Bad("the selected mailbox has events of messages only")
    if where is not None and items:
        raise Bad("FETCH items are for new messages in the selected mailbox only")


def _events(p: Cursor) -> tuple[list[bytes], list[IFetchItem]]:
    """events = ( "(" event *(SP event) ")" ) / "NONE"; without parentheses, too, as in an example of
    RFC 5465."""
    items: list[IFetchItem] = []
    if p.peek() == b"(":
        return p.list_of(lambda: _event(p, items)), items
    if p.at(b"NONE"):
        return [], items
    events = [_event(p, items)]
    while p.at_sp():
        events.append(_event(p, items))
    return events, items


def _event(p: Cursor, items: list[IFetchItem]) -> bytes:
    """One event's name; what stands behind MessageNew goes to ``items``."""
    event = p.atom().upper()
    if event not in EVENTS:
        raise No(f"there is no event {event.decode()} here", b"BADEVENT (%b)" % b" ".join(EVENTS.values()))
    if event == NEW and p.at(b" ("):
        p.pos -= 1
        items += p.list_of(lambda: parse_item(p))
    return event


def _mailboxes(p: Cursor) -> list[str]:
    """SP one-or-more-mailbox"""
    p.sp()
    return p.list_of(p.mailbox) if p.peek() == b"(" else [p.mailbox()]


_FILTERS: Final[dict[bytes, Callable[[Cursor], IFilter | None]]] = {
    b"SELECTED": lambda p: None,
    b"SELECTED-DELAYED": lambda p: None,
    b"INBOXES": lambda p: Personal(),
    b"PERSONAL": lambda p: Personal(),
    b"SUBSCRIBED": lambda p: Subscribed(),
    b"SUBTREE": lambda p: Trees(frozenset(_mailboxes(p)), one=False),
    b"SUBTREE-ONE": lambda p: Trees(frozenset(_mailboxes(p)), one=True),
    b"MAILBOXES": lambda p: Names(frozenset(_mailboxes(p))),
}
