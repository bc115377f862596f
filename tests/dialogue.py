"""A player of protocol dialogues: what clients send and what the server must answer, line by line.

    C1: a UID MOVE 3:5 Archive
    S1: * OK [COPYUID {v} 3:5 1:3] moved
    S2: * 3 EXISTS

``C:`` and ``S:`` are the first connection.  ``{name}`` binds one word and must match it later;
``{*}`` is anything.  Every line must come, in order, and nothing else.  No reactor runs: the store
is called directly, and time is a Clock.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import attrs
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from moximap.identity.authenticator import Authenticator
from moximap.identity.passwords import make_verifiers
from moximap.imap.protocol import IMAPFactory, IMAPProtocol
from moximap.imap.site import Limits, Site
from moximap.store.directory import Directory
from moximap.store.interfaces import IAccount, NewMessage
from moximap.store.threads import DirectPool
from moximap.values import InternalDate
from tests.memory import MEMORY, InMemory

_LINE = re.compile(r"([CS])(\d?): ?(.*)")
_FIELD = re.compile(r"\\\{(\w+|\\\*)\\\}")

#: A message that tests append where any will do.
HELLO = (b"From: Ada <ada@example.org>\r\nTo: bob@example.org\r\nSubject: hello\r\n"
         b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-ID: <1@example.org>\r\n\r\nHello, Bob.\r\n")


class FakeTransport(StringTransport):
    """A transport in memory that notes how it ended; the client is on this host, which nothing slows."""

    aborted = False
    started_tls = False

    def __init__(self, peer: str = "127.0.0.1") -> None:
        super().__init__(peerAddress=IPv4Address("TCP", peer, 54321))  # type: ignore[no-untyped-call]

    def abortConnection(self) -> None:
        self.aborted = True
        self.disconnecting = True

    def startTLS(self, creator: object) -> None:
        self.started_tls = True


class Client:
    """One connection from the client's side.  ``byte_by_byte``: the server gets single octets."""

    def __init__(self, factory: IMAPFactory, byte_by_byte: bool = False) -> None:
        protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        assert isinstance(protocol, IMAPProtocol)
        self.protocol = protocol
        self.transport = FakeTransport()
        self.byte_by_byte = byte_by_byte
        self.protocol.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        pieces = [data[i:i + 1] for i in range(len(data))] if self.byte_by_byte else [data]
        for piece in pieces:
            self.protocol.dataReceived(piece)

    def received(self) -> bytes:
        """What the server has written since the last call."""
        value: bytes = self.transport.value()
        self.transport.clear()
        return value

    def login(self, name: str) -> None:
        """Log in without a LOGIN command, whose hash would cost milliseconds."""
        session = self.protocol.session
        record = session.site.directory.account(name)
        Deferred.fromCoroutine(session.login(record))
        assert session.room is not None
        self.received()

    def lose(self) -> None:
        """The client goes away."""
        from twisted.internet.protocol import connectionDone
        self.protocol.connectionLost(connectionDone)


_TEMPLATE: list[Path] = []


def template() -> Path:
    """A data directory with the account "ada", password "secret", made once per process."""
    if not _TEMPLATE:
        path = Path(tempfile.mkdtemp(prefix="moximap-test-", dir=MEMORY))
        directory = Directory(path / "data")
        directory.add("ada", make_verifiers("secret"))
        directory.add("bob", make_verifiers("secret"))
        directory.close()
        _TEMPLATE.append(path / "data")
        import atexit
        atexit.register(shutil.rmtree, path, ignore_errors=True)
    return _TEMPLATE[0]


class DialogueCase(InMemory, SynchronousTestCase):
    """A test with a server for it.  Override ``limits``, ``plaintext_login``, ``byte_by_byte``."""

    limits = Limits()
    plaintext_login = True
    byte_by_byte = False

    def setUp(self) -> None:
        self.data = Path(self.mktemp())
        shutil.copytree(template(), self.data)
        self.directory = Directory(self.data)
        self.addCleanup(self.directory.close)
        self.clock = Clock()
        self.site = self.make_site()
        self.addCleanup(lambda: [store.close() for store in self.site.accounts.close_all()])
        self.factory = IMAPFactory(self.site)
        self.clients: dict[str, Client] = {}
        self.bound: dict[str, str] = {}

    def make_site(self) -> Site:
        return Site(self.directory, Authenticator(self.directory), DirectPool(), self.clock,
                    limits=attrs.evolve(self.limits), plaintext_login=self.plaintext_login)

    def account(self, name: str = "ada") -> IAccount:
        """The account's store, as another process has it; changes there need `bell`."""
        account: IAccount = self.directory.open(name)
        self.addCleanup(account.close)
        return account

    def fill(self, count: int = 1, mailbox: str = "INBOX", content: bytes = HELLO,
             flags: Iterable[str] = (), date: InternalDate | None = InternalDate(760686745, -480)) -> None:
        """Append messages by the store, before any session is there."""
        account = self.directory.open("ada")
        account.append(mailbox, [NewMessage(content, tuple(flags), date)] * count)
        account.close()
        self.site.accounts.bell("ada")

    def client(self, number: str = "", login: str | None = "ada") -> Client:
        """A connection by its number in scripts, made at its first use."""
        if number not in self.clients:
            client = self.clients[number] = Client(self.factory, self.byte_by_byte)
            self.addCleanup(client.lose)
            if login is not None:
                client.login(login)
        return self.clients[number]

    def dialogue(self, script: str, login: str | None = "ada") -> None:
        """Play a script; indentation and empty lines do not count."""
        for number, line in enumerate(script.splitlines(), 1):
            if line.strip():
                self._play(number, line.strip(), login)
        for name, client in self.clients.items():
            rest = self._pending(name)
            self.assertEqual(rest, [], f"S{name}: more than the script has")
            self.assertIsNotNone(client)

    def _play(self, number: int, line: str, login: str | None) -> None:
        found = _LINE.fullmatch(line)
        assert found, f"line {number} is neither C: nor S:"
        side, name, text = found[1], found[2], found[3]
        client = self.client(name, login)
        if side == "C":
            client.send(self._filled(text).encode("utf-8", "surrogateescape") + b"\r\n")
            return
        pending = self._pending(name)
        self.assertTrue(pending, f"line {number}: nothing came, wanted {text!r}")
        self._match(number, text, pending[0])
        self._rest[name] = pending[1:]

    _rest: dict[str, list[str]]

    def _pending(self, name: str) -> list[str]:
        if not hasattr(self, "_rest"):
            self._rest = {}
        lines = self._rest.setdefault(name, [])
        self.clock.advance(0)                # what waits for the reactor's next turn
        text = self.clients[name].received().decode("utf-8", "surrogateescape")
        if text:
            self.assertTrue(text.endswith("\r\n"), f"an unfinished line: {text[-80:]!r}")
            lines += text[:-2].split("\r\n")
        return lines

    def _filled(self, text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda m: self.bound.get(m[1], m[0]), text)

    def _match(self, number: int, wanted: str, line: str) -> None:
        names: list[str] = []

        def field(found: re.Match[str]) -> str:
            name = found[1]
            if name == "\\*":
                return ".*"
            if name.isdigit():
                return re.escape("{" + name + "}")
            if name in self.bound:
                return re.escape(self.bound[name])
            if name in names:
                return f"(?P={name})"
            names.append(name)
            return f"(?P<{name}>[^ \\])]+)"

        pattern = _FIELD.sub(field, re.escape(wanted))
        found = re.fullmatch(pattern, line, re.DOTALL)
        self.assertIsNotNone(found, f"line {number}:\n  wanted {wanted!r}\n  got    {line!r}")
        assert found is not None
        self.bound.update({name: found[name] for name in names})
