"""The mailboxes of an account from one moment to the next, read and compared once for all sessions.

The law of this file: it is touched in the reactor thread only.  A session keeps the Listing that it
was told last and nothing else; what happened since is the difference of two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from moximap.values import Listing, Mailbox

#: Differences that are kept: sessions that read at different speeds are few steps apart.
KEPT: Final = 16

Moment = tuple[int, int]


@attrs.frozen
class Difference:
    """``changed``: (before, now) of mailboxes that took another modseq; before is None of new ones.

    ``removed``: as they were; ``subscriptions``: names that are subscribed in one listing only.
    """

    changed: tuple[tuple[Mailbox | None, Mailbox], ...] = ()
    removed: tuple[Mailbox, ...] = ()
    subscriptions: frozenset[str] = frozenset()


def compare(old: Listing, new: Listing) -> Difference:
    """What leads from one listing to a later one."""
    before = {mailbox.id: mailbox for mailbox in old.mailboxes}
    changed = tuple((before.get(mailbox.id), mailbox) for mailbox in new.mailboxes
                    if mailbox.modseq > old.modseq or mailbox.id not in before)
    for mailbox in new.mailboxes:
        before.pop(mailbox.id, None)
    return Difference(changed, tuple(before.values()), old.subscribed ^ new.subscribed)


class Listings:
    """``read`` reads the mailboxes elsewhere; ``moment`` is another one after every known write."""

    def __init__(self, read: Callable[[], Deferred[Listing]], moment: Callable[[], Moment]) -> None:
        self._read = read
        self._moment = moment
        self._last: tuple[Moment, Listing] | None = None
        self._reading: tuple[Moment, list[Deferred[Listing]]] | None = None
        self._differences: dict[tuple[int, int], Difference] = {}

    async def current(self) -> Listing:
        """A listing whose reading began after the last known write; all who wait for it share it."""
        moment = self._moment()
        if self._last is not None and self._last[0] == moment:
            return self._last[1]
        ours: Deferred[Listing] = Deferred()
        if self._reading is not None and self._reading[0] == moment:
            self._reading[1].append(ours)
        else:
            waiting = [ours]
            self._reading = (moment, waiting)
            self._read().addBoth(self._ended, moment, waiting)
        return await ours

    def _ended(self, result: Listing | Failure, moment: Moment, waiting: list[Deferred[Listing]]) -> None:
        """Give it to who waits, a Failure too."""
        if self._reading is not None and self._reading[1] is waiting:
            self._reading = None
        if isinstance(result, Listing):
            if self._last is not None and self._last[1].modseq == result.modseq:
                result = self._last[1]             # one object for all
            if self._last is None or self._last[1].modseq <= result.modseq:
                self._last = (moment, result)
        for each in waiting:
            each.callback(result)

    def difference(self, old: Listing, new: Listing) -> Difference:
        """What happened between two listings that `current` gave."""
        key = (old.modseq, new.modseq)
        known = self._differences.get(key)
        if known is None:
            known = self._differences[key] = compare(old, new)
            while len(self._differences) > KEPT:
                del self._differences[next(iter(self._differences))]
        return known
