"""The model of a client: it believes what it is told, and nothing else.

A `Listener` replays the responses of one connection into its own list of messages, and fails where
RFC 9051 (7.4, 7.5.1) or 7162 (3.2.10) would leave a real client confused.  What it keeps across
connections is a `Cache` for each mailbox.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.model_account import Box, Flags, changed
from tests.model_cache import Cache
from tests.model_command import Command, Entry, Notified, Opening
from tests.model_wire import Response, found_by, numbers

#: Commands during which no expunge may be told (client 14: their UID forms too).
QUIET = ("fetch", "store", "search")


class Listener:
    """One connection.  ``caches``: by mailbox name.

    ``find`` gives the truth about a UIDVALIDITY; ``arrived`` the UIDs that the account's model expects
    for messages that are new in a box after a UID, None where it makes no prediction.  ``notified``: it
    hears of changes between commands.  ``counts``: what STATUS told since somebody looked.
    """

    def __init__(self, caches: dict[str, Cache], find: Callable[[int], Box | None],
                 arrived: Callable[[Box, int], list[int] | None]) -> None:
        self.caches = caches
        self.find = find
        self.arrived = arrived
        self.enabled: set[str] = set()
        self.command: Command | None = None
        self.idling = False
        self.box: Box | None = None
        self.cache: Cache | None = None
        self.read_only = False
        self.entries: list[Entry] = []
        self.opening = Opening()
        self.failed: set[int] = set()
        self.resumed = False
        self.notified: Notified | None = None
        self.counts: dict[str, dict[str, int]] = {}
        self._leaving = False
        self._told: set[int] = set()
        self._highest_uid = 0

    @property
    def condstore(self) -> bool:
        return not self.enabled.isdisjoint(("CONDSTORE", "QRESYNC"))

    @property
    def vanishes(self) -> bool:
        return "QRESYNC" in self.enabled

    @property
    def may_expunge(self) -> bool:
        """Expunges may be told now; who asked to hear of them at once must expect them at any time."""
        at_once = self.notified is not None and not self.notified.delayed
        return at_once or self.kind not in (*QUIET, "unasked")

    numbers = True

    @property
    def selected(self) -> Box:
        assert self.box is not None
        return self.box

    @property
    def kind(self) -> str:
        return "unasked" if self.command is None else self.command.kind

    def say(self, command: Command) -> None:
        """The client sends a command."""
        self.command = command
        self.failed, self._told = set(), set()
        if command.kind in ("select", "leave"):
            self._leaving = self.box is not None and self.notified is not None
            self.box = self.cache = None
            self.entries, self.opening, self.resumed = [], Opening(), False

    def hear(self, response: Response) -> None:
        """The client reads a response."""
        assert self.command is not None or self.notified is not None and not response.tagged, (
            f"nothing was asked: {response}")
        assert response.word != "BYE" and response.code != "SERVERBUG", str(response)
        if self._leaving and (response.tagged or response.code == "CLOSED"):
            self._leaving = False
        elif self._leaving:
            return                       # told between commands, and the client has gone on already
        handler = getattr(self, f"_{response.word.lower()}", None)
        if response.tagged:
            self._answered(response)
        elif response.tag == "+":
            self.idling = self.kind == "idle"
        elif handler is not None:
            handler(response)

    # untagged responses

    def _ok(self, response: Response) -> None:
        if self.kind == "select":
            if response.code in ("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ"):
                name = response.code.lower().replace("modseq", "")
                setattr(self.opening, name, int(response.argument))
        elif response.code == "HIGHESTMODSEQ" and self.cache is not None:
            sure = self.command is None or self.command.silent is None
            self.cache.highest(int(response.argument), self._known() if sure else None)

    def _known(self) -> dict[int, Flags] | None:
        """The whole list, if nothing in it is unknown."""
        known = {entry.uid: entry.flags for entry in self.entries
                 if entry.uid is not None and entry.flags is not None}
        return known if len(known) == len(self.entries) else None

    def _enabled(self, response: Response) -> None:
        self.enabled.update(response.argument.upper().split())

    def _exists(self, response: Response) -> None:
        if self.kind == "select":
            self.opening.exists = response.number
            return
        grown = response.number - len(self.entries)
        assert self.box is not None and grown >= 0, f"{response} after {len(self.entries)}"
        self._grow(grown, "QRESYNC" in self.enabled)

    def _grow(self, count: int, promised: bool = False) -> None:
        new = self.arrived(self.selected, self._highest_uid)
        assert new is None or count <= len(new), f"{count} more messages, there are {new}"
        for place in range(count):
            self.entries.append(Entry(true=None if new is None else new[place], promised=promised))
            if new is not None:
                self._highest_uid = new[place]

    def _expunge(self, response: Response) -> None:
        assert not self.vanishes, "EXPUNGE, where VANISHED was promised"
        assert 1 <= response.number <= len(self.entries), f"{response} of {len(self.entries)}"
        self._remove(response.number - 1)

    def _vanished(self, response: Response) -> None:
        early = response.argument.startswith("(EARLIER) ")
        uids = numbers(response.argument.removeprefix("(EARLIER) "))
        assert self.vanishes, f"VANISHED is unknown here: {response}"
        if self.kind == "select":
            assert early, f"a message that was not there yet went: {response}"
            self.opening.vanished += uids
            if self.command is not None and self.command.resync is not None:
                self.command.resync[0].earlier(uids, self.find(self.opening.uidvalidity))
            return
        for uid in uids:
            place = self._place(uid)
            if early:
                assert self.kind == "fetch", f"nobody asked: {response}"
                entry = Entry() if place is None else self.entries[place]
                assert uid not in (entry.uid, entry.true), f"{uid} is in the list: {response}"
                self._must_be_gone(uid)
            else:
                assert place is not None, f"{uid} is not in the list: {response}"
                self._remove(place, uid)

    def _place(self, uid: int) -> int | None:
        """Where a UID is in the list, or could be: unknown neighbours are alike."""
        for place, entry in enumerate(self.entries):
            if entry.uid is None and entry.true in (None, uid) or entry.uid == uid:
                after = [e.uid for e in self.entries[place + 1:] if e.uid is not None]
                if entry.uid == uid or not after or uid < after[0]:
                    return place
            elif entry.uid is not None and entry.uid > uid:
                return None
        return None

    def _remove(self, place: int, uid: int | None = None) -> None:
        assert self.may_expunge, f"an expunge inside {self.kind}"
        entry = self.entries.pop(place)
        if self.cache is not None and (uid or entry.uid):
            self.cache.gone(uid or entry.uid or 0)
        for gone in (uid, entry.uid, entry.true):
            self._must_be_gone(gone or 0)

    def _must_be_gone(self, uid: int) -> None:
        assert uid not in self.selected.messages, f"UID {uid} exists, and was said to be gone"

    def _fetch(self, response: Response) -> None:
        fetched = response.fetched
        assert fetched is not None and fetched.uid is not None, f"no UID: {response}"
        if self.kind == "select":
            self.opening.fetched.append((response.number, fetched.uid))
            assert self.command is not None and self.command.resync is not None, f"FETCH in a SELECT: {response}"
            self.command.resync[0].fetched(fetched)
            return
        place = self.place_of(response.number, fetched.uid)
        entry = self.entries[place]
        if self.condstore and self.kind != "fetch":
            assert fetched.modseq is not None, f"no MODSEQ: {response}"
        self._identify(place, fetched.uid)
        if fetched.flags is not None:
            entry.flags = fetched.flags
            self._told.add(fetched.uid)
        elif self.command is not None and self.command.silent is not None:
            self.command.silent[0].append(entry)         # a MODSEQ alone: it was changed as asked
            self._told.discard(fetched.uid)
        if fetched.token is not None:
            assert self.selected.tokens[fetched.uid] == fetched.token, f"another message: {response}"
        if self.cache is not None:
            self.cache.fetched(fetched)

    def arranged(self, live: list[int]) -> list[Entry]:
        return self.entries

    def place_of(self, number: int, uid: int) -> int:
        """Where the message of a response is."""
        assert 1 <= number <= len(self.entries), f"message {number} of {len(self.entries)}"
        return number - 1

    def _identify(self, place: int, uid: int) -> None:
        entry = self.entries[place]
        assert entry.uid in (None, uid), f"message {place + 1} was UID {entry.uid}, and now {uid}"
        assert entry.true in (None, uid), f"message {place + 1} is UID {entry.true}, and was said to be {uid}"
        entry.uid = uid
        known = [e.uid for e in self.entries if e.uid is not None]
        assert known == sorted(set(known)), f"UIDs do not ascend: {known}"

    def _search(self, response: Response) -> None:
        """RFC 7162 3.2.6, example 1: what is not listed is gone, what is and did not change is cached."""
        uids = found_by([response])
        if self.command is not None and self.command.resumes == "listed" and len(uids) == len(self.entries):
            assert self.cache is not None
            for number, uid in enumerate(uids, 1):
                place = self.place_of(number, uid)
                self._identify(place, uid)
                self.entries[place].flags = self.cache.flags.get(uid)       # a newer one is yet to be fetched

    _esearch = _search

    def _status(self, response: Response) -> None:
        name, _, items = response.argument.partition(" (")
        words = items.rstrip(")").split()
        self.counts[name] = dict(zip(words[::2], map(int, words[1::2]), strict=True))

    # tagged lines

    def _answered(self, response: Response) -> None:
        command, self.command, self.idling = self.command, None, False
        assert command is not None
        if response.code == "HIGHESTMODSEQ" and self.cache is not None:
            assert command.kind != "leave", "HIGHESTMODSEQ in the OK of CLOSE"
            self.cache.highest(int(response.argument), None)
        if response.word == "OK" and command.modseqs:
            self.enabled.add("CONDSTORE")
        if response.word == "OK" and command.notified is not None:
            self.notified = command.notified
        if response.word == "OK" and command.kind == "select":
            self._select(command)
        if response.code == "MODIFIED":
            self.failed = self._modified(command, numbers(response.argument))
        self.resumed = self.resumed or response.word == "OK" and command.resumes == "changed"
        if response.word == "OK" and command.silent is not None:
            self._silently(*command.silent)
        assert all(e.flags is not None for e in self.entries if e.promised), "a new message was only counted"
        if self.cache is not None:
            self.cache.tagged(self._known())

    def _modified(self, command: Command, named: list[int]) -> set[int]:
        """The UIDs that UNCHANGEDSINCE kept from being changed, as far as the client knows them."""
        if command.text.startswith("UID"):
            return set(named)
        return {self.entries[n - 1].uid or self.entries[n - 1].true or 0 for n in named}

    def _silently(self, entries: list[Entry], how: str, flags: Flags) -> None:
        if any(entry.flags is None for entry in entries):
            self.resumed = False                 # what is cached of them is to be asked for again
        for entry in entries:
            uid = entry.uid or entry.true
            if entry.flags is not None and uid not in self.failed and uid not in self._told:
                entry.flags = changed(entry.flags, how, flags)
                if self.cache is not None and entry.uid is not None:
                    self.cache.flags[entry.uid] = entry.flags

    def _select(self, command: Command) -> None:
        opening = self.opening
        self.box = self.find(opening.uidvalidity)
        assert self.box is not None, f"no mailbox has UIDVALIDITY {opening.uidvalidity}"
        self.read_only = command.read_only
        self._highest_uid = 0
        self._grow(opening.exists)
        self.cache = self.caches.setdefault(command.name, Cache())
        self.cache.opened(opening.uidvalidity, opening.highest)
        assert not self.cache.fresh or not (opening.fetched or opening.vanished), "changes of another mailbox"
        if command.resync is not None and command.resync[1] is None and not self.cache.fresh:
            uids = sorted(self.cache.flags)
            assert len(uids) == opening.exists, f"resynchronised to {uids}, {opening.exists} EXISTS"
            for place, uid in enumerate(uids):
                self._identify(place, uid)
                self.entries[place].flags = self.cache.flags[uid]
        for number, uid in opening.fetched:
            place = self.place_of(number, uid)
            self._identify(place, uid)
            self.entries[place].flags = self.cache.flags[uid]
