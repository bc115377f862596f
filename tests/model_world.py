"""The world of the model: two server processes on one data directory, three clients, one observer.

The processes are Sites of their own, joined by nothing but the disk and the bell.  No reactor runs:
a client's command is answered when it was said, unless the pool keeps it waiting.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.task import Clock

from moximap.identity.authenticator import Authenticator
from moximap.imap.protocol import IMAPFactory
from moximap.imap.site import ICall, Limits, Site
from moximap.net.doorbell import Doorbell
from moximap.store.directory import Directory
from moximap.store.threads import DirectPool
from tests.dialogue import Client, template
from tests.model_account import Account, Box, Sight
from tests.model_cache import Cache
from tests.model_client import Listener
from tests.model_wire import split

NAMES = ("INBOX", "Other", "Third")
#: What is written to the disk is of no interest here, and waiting for it costs most of the time.
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_PATIENT = Limits(idle_timeout=1e12, write_timeout=1e12)
_STATE = re.compile(rb"\[(UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ) (\d+)\]")


class _NoReactor:
    """What Doorbell wants of a reactor."""

    def addReader(self, reader: object) -> None:
        """The world calls doRead itself."""

    removeReader = addReader


class Process:
    """A server process: it has opened everything for itself."""

    def __init__(self, data: Path, clock: Clock, pool: ICall) -> None:
        self.directory = Directory(data)
        self.doorbell = Doorbell(_NoReactor(), data / "bell")
        self.site = Site(self.directory, Authenticator(self.directory), pool, clock, limits=_PATIENT,
                         listen_to_bells=self.doorbell.doRead)
        self.doorbell.connect(self.site.accounts)
        self.factory = IMAPFactory(self.site)
        self.pool = pool

    def connect(self) -> Client:
        client = Client(self.factory)
        client.login("ada")
        return client

    def close(self) -> None:
        for store in self.site.accounts.close_all():
            store.close()
        self.doorbell.stopService()
        self.directory.close()


@attrs.define(eq=False)
class Member:
    """A device of the user: its caches live longer than its connections.

    ``due``: what others were answered before it asked: UIDVALIDITY -> the highest UID that is there.
    """

    number: int
    caches: dict[str, Cache] = attrs.field(factory=dict)
    client: Client | None = None
    listener: Listener | None = None
    sent: int = 0
    due: dict[int, int] = attrs.field(factory=dict)

    @property
    def busy(self) -> bool:
        return self.listener is not None and self.listener.command is not None


class Observer:
    """A session of a third process, which nobody tells anything: it sees what is on the disk."""

    def __init__(self, data: Path) -> None:
        self.process = Process(data, Clock(), DirectPool())
        self.client = self.process.connect()
        room = self.client.protocol.session.room
        assert room is not None
        room.store.set_floor(1 << 60)                # it never reads what is expunged
        self._seen: dict[int, int] = {}

    def _ask(self, text: str) -> bytes:
        self.client.send(b"x %b\r\n" % text.encode())
        return self.client.received()

    def look(self, name: str) -> Sight | None:
        """A fresh SELECT and a FETCH of everything; None where there is no such mailbox."""
        said = self._ask(f"EXAMINE {name}")
        if b"\r\nx OK" not in said:
            return None
        state = {word: int(value) for word, value in _STATE.findall(said)}
        validity = state[b"UIDVALIDITY"]
        rows = [r.fetched for r in split(self._ask("UID FETCH 1:* (FLAGS MODSEQ)")) if r.fetched is not None]
        messages = {row.uid: (row.flags, row.modseq) for row in rows}
        tokens = self._tokens(self._seen.get(validity, 1), state[b"UIDNEXT"])
        self._seen[validity] = state[b"UIDNEXT"]
        return Sight(validity, state[b"UIDNEXT"], state[b"HIGHESTMODSEQ"], messages, tokens)  # type: ignore[arg-type]

    def _tokens(self, first: int, after: int) -> dict[int, str]:
        if first >= after:
            return {}
        said = self._ask(f"UID FETCH {first}:{after - 1} BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        return {r.fetched.uid: r.fetched.token for r in split(said) if r.fetched is not None}  # type: ignore[misc]

    def close(self) -> None:
        self.client.lose()
        self.process.close()


class World:
    """``predicts``: commands come one after the other, so the account's model says what must be."""

    def __init__(self, predicts: bool, pools: Any = DirectPool) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="moximap-model-", dir=_MEMORY)) / "data"
        shutil.copytree(template(), self.data)
        self.predicts = predicts
        self.clock = Clock()
        self.account = Account()
        self.boxes: list[Box] = []
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
        member.client = process.connect()
        member.listener = Listener(member.caches, self.find, self.arrived)
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
        if end < len(responses):
            self.note(member, f"    is cut off: {len(responses) - end} more")
            self.lose(member)
        return responses[:end]

    # quiet points

    def quiet(self, member: Member, exact: bool = True) -> None:
        """The client was told everything: its list is the mailbox, as far as it knows."""
        listener = member.listener
        if listener is None or listener.box is None:
            return
        box = listener.box
        live = sorted(box.messages)
        entries = listener.entries
        if not exact:
            entries = [entry for entry in entries if (entry.uid or entry.true) in box.messages]
            live = live[:len(entries)]
        assert len(entries) == len(live), f"the client has {len(entries)} messages, there are {live}"
        for entry, uid in zip(entries, live, strict=True):
            assert entry.uid in (None, uid), f"the client has UID {entry.uid} for {uid}"
            flags = box.messages[uid].flags
            assert entry.flags in (None, flags), f"UID {uid}: the client has {entry.flags}, true is {flags}"
