"""The world of the model: two server processes on one data directory, three clients, one observer.

The processes are Sites of their own, joined by nothing but the disk and the bell.  No reactor runs:
a client's command is answered when it was said, unless the pool keeps it waiting.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.task import Clock

from moximap.store.threads import DirectPool
from tests.deflated import FLUSHES
from tests.dialogue import Client, template
from tests.memory import MEMORY
from tests.model_account import Account, Box, Sight
from tests.model_cache import Cache
from tests.model_client import Listener
from tests.model_process import Observer, Process
from tests.model_ways import PLAIN, SHARE, UidListener, Ways
from tests.model_wire import split

NAMES = ("INBOX", "Other", "Third")


@attrs.define(eq=False)
class Member:
    """A device of the user: its caches live longer than its connections.

    ``due``: what others were answered before it asked: UIDVALIDITY -> the highest UID that is there.
    ``owed``: mailboxes in which others made or removed messages, of which NOTIFY has yet to tell.
    """

    number: int
    caches: dict[str, Cache] = attrs.field(factory=dict)
    client: Client | None = None
    listener: Listener | None = None
    sent: int = 0
    due: dict[int, int] = attrs.field(factory=dict)
    owed: set[str] = attrs.field(factory=set)

    @property
    def notified(self) -> bool:
        """It hears of changes between commands."""
        return self.listener is not None and self.listener.notified is not None

    @property
    def busy(self) -> bool:
        return self.listener is not None and self.listener.command is not None


class World:
    """``predicts``: commands come one after the other, so the account's model says what must be."""

    def __init__(self, predicts: bool, pools: Any = DirectPool, ways: Ways = PLAIN) -> None:
        self.ways = ways
        self.data = Path(tempfile.mkdtemp(prefix="moximap-model-", dir=MEMORY)) / "data"
        shutil.copytree(template(), self.data)
        self.predicts = predicts
        self.clock = Clock()
        self.account = Account()
        self.boxes: list[Box] = []
        self.established: set[Box] = set()           # known for a while
        self.tokens = 0
        self.processes = [Process(self.data, self.clock, pools()) for _ in range(2)]
        self.members = [Member(number) for number in range(3)]
        self.observer = Observer(self.data)
        self._setup()
        self.trace: list[str] = []

    def _setup(self) -> None:
        assert b"x OK" in self.observer._ask("CREATE Other")
        self.observe()

    def close(self) -> None:
        for member in self.members:
            self.lose(member)
        self.observer.close()
        for process in self.processes:
            process.close()
        shutil.rmtree(self.data.parent, ignore_errors=True)

    # what is true

    def observe(self) -> None:
        """Compare with what the model says, or learn."""
        sights = {name: self.observer.look(name) for name in NAMES}
        there = {name: sight for name, sight in sights.items() if sight is not None}
        if not self.predicts:
            self._adopt(there)
        names = set(self.account.boxes)
        assert names == set(there), f"there are {set(there)}, the model has {names}"
        for name, sight in there.items():
            box = self.account.boxes[name]
            if self.predicts:
                box.agree(sight)
            else:
                box.adopt(sight)
            box.learn(sight)
            if box not in self.boxes:
                self.boxes.append(box)

    def _adopt(self, sights: dict[str, Sight]) -> None:
        known = {box.uidvalidity: box for box in [*self.boxes, *self.account.boxes.values()]}
        self.account.boxes = {name: known.get(sight.uidvalidity) or known.pop(0, None) or Box()
                              for name, sight in sights.items()}
        for box in self.boxes:
            if box not in self.account.boxes.values():
                box.removed = True
                box.messages.clear()

    def find(self, uidvalidity: int) -> Box | None:
        return next((box for box in self.boxes if box.uidvalidity == uidvalidity), None)

    def arrived(self, box: Box, after: int) -> list[int] | None:
        return sorted(uid for uid in box.messages if uid > after) if self.predicts else None

    def name_of(self, box: Box | None) -> str:
        return next((name for name, known in self.account.boxes.items() if known is box), "")

    def counts(self) -> dict[Box, tuple[str, int, int]]:
        """Of each mailbox its name, how many messages it has, and its UIDNEXT."""
        return {box: (name, len(box.messages), box.uidnext) for name, box in self.account.boxes.items()}

    def owe(self, doer: Member, before: dict[Box, tuple[str, int, int]]) -> None:
        """Those who asked for it must hear that somebody else made or removed messages."""
        now = self.counts()
        for member in self.members:
            listener = member.listener
            member.owed &= {name for box, (name, *_) in now.items()
                            if before.get(box, ("",))[0] == name and (listener is None or listener.box is not box)}
            if member is not doer and listener is not None and listener.notified and listener.notified.everywhere:
                member.owed |= {now[box][0] for box in before.keys() & now.keys() & self.established
                                if before[box][0] == now[box][0] and before[box] != now[box]
                                and listener.box is not box}

    def check_caches(self, members: list[Member]) -> None:
        for member in members:
            for cache in member.caches.values():
                box = self.find(cache.uidvalidity)
                if box is not None:
                    cache.check(box)

    def settled(self) -> None:
        """Nothing runs any more on the server."""
        for member in self.members:
            for cache in member.caches.values():
                cache.settled()

    # connections

    def connect(self, member: Member, rng: random.Random) -> None:
        process = self.processes[(member.number == 2) ^ (rng.random() < 0.1)]
        flush = rng.choice([*FLUSHES.values()]) if self.ways.deflate and rng.random() < SHARE else None
        member.client = process.connect(flush)
        listener = UidListener if self.ways.uidonly and rng.random() < SHARE else Listener
        member.listener = listener(member.caches, self.find, self.arrived)
        member.owed.clear()
        self.note(member, f"connects to process {self.processes.index(process)}")

    def lose(self, member: Member) -> None:
        """The connection is cut; what the client did not read is lost."""
        if member.client is not None:
            member.client.lose()
            member.client = member.listener = None

    def note(self, member: Member | None, text: str) -> None:
        self.trace.append(f"{'-' if member is None else member.number}: {text}")

    def read(self, member: Member, rng: random.Random, cut: float) -> list[Any]:
        """The client reads what came, perhaps not all of it; gives what it read."""
        assert member.client is not None and member.listener is not None
        responses = split(member.client.received())
        end = rng.randrange(len(responses) + 1) if rng.random() < cut else len(responses)
        for response in responses[:end]:
            self.note(member, f"    {response}")
            member.listener.hear(response)
            self.check_caches([member])
        self._counted(member, member.listener)
        if end < len(responses):
            self.note(member, f"    is cut off: {len(responses) - end} more")
            self.lose(member)
        return responses[:end]

    def _counted(self, member: Member, listener: Listener) -> None:
        """STATUS told how things are: who has NOTIFY reads at once."""
        for name, counts in listener.counts.items():
            member.owed.discard(name)
            box = self.account.boxes.get(name)
            if self.predicts and box is not None:
                now = {"MESSAGES": len(box.messages), "UIDNEXT": box.uidnext, "UIDVALIDITY": box.uidvalidity,
                       "UNSEEN": len(box.messages) - len(box.having("\\Seen")), "HIGHESTMODSEQ": box.highest}
                assert counts.items() <= now.items(), f"STATUS of {name} says {counts}, true is {now}"
        listener.counts.clear()

    # quiet points

    def quiet(self, member: Member, exact: bool = True) -> None:
        """The client was told everything: its list is the mailbox, as far as it knows."""
        listener = member.listener
        if listener is None or listener.box is None:
            return
        box = listener.box
        live = sorted(box.messages)
        entries = listener.arranged(live)
        if not exact:
            entries = [entry for entry in entries if (entry.uid or entry.true) in box.messages]
            live = live[:len(entries)]
        assert len(entries) == len(live), f"the client has {len(entries)} messages, there are {live}"
        for entry, uid in zip(entries, live, strict=True):
            assert entry.uid in (None, uid), f"the client has UID {entry.uid} for {uid}"
            flags = box.messages[uid].flags
            known = listener.notified is None or listener.notified.flags
            assert not known or entry.flags in (None, flags), f"UID {uid}: the client has {entry.flags}, true is {flags}"
