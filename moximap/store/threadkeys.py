"""What the messages of a mailbox are threaded by, and the threads, kept in memory (RFC 5256).

The law of this file is that of sortkeys.py.  A message id is kept as its hash, whose secret is the process's.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Final

import attrs

from moximap.mail import threading
from moximap.mail.subject import is_reply
from moximap.store.interfaces import Column, IAccount
from moximap.store.sortkeys import ROOM, SortKeys, in_columns
from moximap.values import NumSet

#: Messages of one response: its line stays below what clients read at most, whatever their numbers are.
_TOGETHER: Final = 75_000
#: References of all messages together, and of one on average: more than both is nobody's conversation, and
#: then each message's last ones must do.
_MANY: Final = 1_000_000
_USUAL: Final = 20
_LAST: Final = 5
_COLUMNS: Final[tuple[Column, ...]] = ("uid", "message_id", "references", "subject", "base_subject")


@attrs.frozen(eq=False)
class Links:
    """Of each of ``uids``: its id or 0, whether it is a reply, and where its ``references`` end."""

    uids: array[int] = attrs.field(factory=lambda: array("I"))
    ids: array[int] = attrs.field(factory=lambda: array("q"))
    replies: bytearray = attrs.field(factory=bytearray)
    ends: array[int] = attrs.field(factory=lambda: array("I"))
    references: array[int] = attrs.field(factory=lambda: array("q"))

    def has(self, uids: array[int]) -> bool:
        return uids == self.uids or set(uids) <= set(self.uids)

    @property
    def size(self) -> int:
        """Octets."""
        return 17 * len(self.uids) + 8 * len(self.references)

    def places(self, uids: array[int]) -> Sequence[int]:
        """Of messages that are all here."""
        return range(len(uids)) if uids == self.uids else [bisect_left(self.uids, uid) for uid in uids]

    def of(self, place: int) -> array[int]:
        """The references of a message."""
        return self.references[self.ends[place - 1] if place else 0:self.ends[place]]

    def add(self, uids: Iterable[int], ids: Iterable[bytes | None], references: Iterable[bytes],
            subjects: Sequence[str], bases: Sequence[str]) -> None:
        """Messages after those that are here."""
        self.uids.extend(uids)
        self.ids.extend([0 if id is None else hash(id) for id in ids])
        for named in references:
            if named:
                self.references.extend(map(hash, named.split(b" ")))
            self.ends.append(len(self.references))
        replies = {both: both[0] != both[1] and is_reply(both[0])
                   for both in {*zip(subjects, bases, strict=True)}}
        self.replies.extend(map(replies.__getitem__, zip(subjects, bases, strict=True)))

    def extended(self, account: IAccount, mailbox: int, uids: array[int]) -> Links:
        """Of some messages, those that are not here among them."""
        known = set(self.uids)
        missing = array("I", [uid for uid in uids if uid not in known])
        read = Links()
        for columns in in_columns(account.fetch(mailbox, NumSet.ascending(missing), _COLUMNS)):
            read.add(*columns)
        if read.uids == uids:
            return read
        found = set(read.uids)
        links = Links()
        for uid in uids:
            if uid in known or uid in found:
                source = self if uid in known else read
                links._copy(source, bisect_left(source.uids, uid))
            else:
                links.add((uid,), (None,), (b"",), ("",), ("",))       # it is erased: alone
        return links

    def shortened(self) -> Links:
        """With each message's last references only."""
        links = Links()
        for place in range(len(self.uids)):
            links._copy(self, place, _LAST)
        return links

    def _copy(self, other: Links, place: int, most: int = 0) -> None:
        self.uids.append(other.uids[place])
        self.ids.append(other.ids[place])
        self.references.extend(other.of(place)[-most:])
        self.ends.append(len(self.references))
        self.replies.append(other.replies[place])


@attrs.frozen
class Threaded:
    """Threads with %d for each of ``uids``, in their order."""

    template: bytes
    uids: array[int]


class Threads:
    """The threads of one mailbox, made when they are first asked for; in any thread."""

    def __init__(self, keys: SortKeys) -> None:
        self._keys = keys
        self._lock = Lock()
        self._links = Links()
        self._known: dict[str, tuple[array[int], list[Threaded]]] = {}

    def threaded(self, account: IAccount, mailbox: int, algorithm: str, uids: array[int],
                 living: array[int]) -> list[Threaded]:
        """The threads of some messages, ascending, by a name in `threading.ALGORITHMS`; blocks.

        ``living``: all messages of the mailbox.
        """
        before, threads = self._known.get(algorithm, (None, []))
        if before == uids:
            return threads
        forest = threading.ALGORITHMS[algorithm](self._messages(account, mailbox, algorithm, uids, living))
        threads = [Threaded(some.template, array("I", map(uids.__getitem__, some.messages)))
                   for some in threading.write(forest, _TOGETHER)]
        self._known[algorithm] = uids, threads
        return threads

    def forget(self) -> None:
        """Everything, sort keys too; what is in use meanwhile stays whole."""
        self._links, self._known = Links(), {}
        self._keys.forget()

    def _messages(self, account: IAccount, mailbox: int, algorithm: str, uids: array[int],
                  living: array[int]) -> threading.Messages:
        dates = self._keys.ranks(account, mailbox, "date", uids, living)
        subjects = self._keys.ranks(account, mailbox, "subject", uids, living, above="")
        if algorithm == "orderedsubject":
            nothing = bytes(len(uids))
            return threading.Messages(nothing, (), dates, subjects, lambda message: False)
        links = self._read(account, mailbox, uids, living)
        places = links.places(uids)
        return threading.Messages([links.ids[place] for place in places], map(links.of, places),
                                  dates, subjects, lambda message: bool(links.replies[places[message]]))

    def _read(self, account: IAccount, mailbox: int, uids: array[int], living: array[int]) -> Links:
        with self._lock:
            links = self._links
            if not links.has(uids):
                wanted = array("I", sorted({*uids, *set(links.uids).intersection(living)}))
                links = links.extended(account, mailbox, wanted)
                if len(links.references) > max(_MANY, _USUAL * len(wanted)):
                    links = links.shortened()
                self._links = links if links.size <= ROOM else Links()
            return links
