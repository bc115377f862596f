"""The model's server processes, and the observer, which sees what is on the disk."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.internet.task import Clock

from moximap.identity.authenticator import Authenticator
from moximap.imap.protocol import IMAPFactory
from moximap.imap.site import Limits, Site
from moximap.net.doorbell import Doorbell
from moximap.store.directory import Directory
from moximap.store.threads import DirectPool, IPool
from tests.deflated import DeflatedClient
from tests.dialogue import Client
from tests.model_account import Sight
from tests.model_wire import split

_PATIENT = Limits(idle_timeout=1e12, write_timeout=1e12)
_STATE = re.compile(rb"\[(UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ) (\d+)\]")


class _NoReactor:
    """What Doorbell wants of a reactor."""

    def addReader(self, reader: object) -> None:
        """The world calls doRead itself."""

    removeReader = addReader


class _Deflated(DeflatedClient):
    def turn(self) -> None:
        """Nothing happens beside."""
        self.protocol.transport._flush.cancel()
        self.protocol.transport._flush_now()


class Process:
    """A server process: it has opened everything for itself."""

    def __init__(self, data: Path, clock: Clock, pool: IPool) -> None:
        self.directory = Directory(data)
        self.doorbell = Doorbell(_NoReactor(), data / "bell")
        self.site = Site(self.directory, Authenticator(self.directory), pool, clock, limits=_PATIENT,
                         listen_to_bells=self.doorbell.listen)
        self.doorbell.connect(self.site.accounts)
        self.factory = IMAPFactory(self.site)
        self.pool = pool

    def connect(self, flush: int | None = None) -> Client:
        """``flush``: how the client flushes what it deflates; None: it does not."""
        client = Client(self.factory) if flush is None else _Deflated(self.factory)
        client.login("ada")
        if isinstance(client, _Deflated):
            client.flush = flush
            client.compress()
        return client

    def close(self) -> None:
        for store in self.site.accounts.close_all():
            store.close()
        self.doorbell.stopService()
        self.directory.close()


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
