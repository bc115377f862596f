"""`KIND=onion:PORT`: a socket in the file system, for a tor on this machine to connect to."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from moximap.net import onionkeys
from moximap.net.listeners import BadListen, IListen, Listen
from moximap.net.onionconnection import OnionAddress, OnionFactory
from moximap.net.onionplace import BadOnion, OnionSettings, Place, control_address, place

#: Connections that wait to be accepted.
_BACKLOG: Final = 128
_ENDPOINT: Final = re.compile(r"onion:(\d{1,5})")


class _Port(unix.Port):
    """A socket that others may have as well, and that only who made it removes."""

    mode = 0o660

    def connectionLost(self, reason: Failure) -> None:
        tcp.Port.connectionLost(self, reason)  # type: ignore[no-untyped-call]


@implementer(IListeningPort)
@attrs.define
class OnionPort:
    """A port whose address is that of the service.  ``path``: of the socket, where it goes with the port."""

    port: Any
    host: OnionAddress
    path: Path | None

    def startListening(self) -> None:
        self.port.startListening()

    async def _stop(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        await self.port.stopListening()

    def stopListening(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    def getHost(self) -> OnionAddress:
        return self.host

    def __getattr__(self, name: str) -> Any:
        """What a supervisor asks for, to hand the socket over."""
        return getattr(self.port, name)


def bind(path: Path) -> socket.socket:
    """A listening socket, in place of one that a killed server has left; BadListen, OSError."""
    path.parent.mkdir(mode=0o710, parents=True, exist_ok=True)
    with closing(socket.socket(socket.AF_UNIX)) as other, suppress(FileNotFoundError, ConnectionRefusedError):
        other.connect(str(path))
        raise BadListen(f"{path}: another server listens there")
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX)
    made.setblocking(False)
    made.bind(str(path))
    path.chmod(0o660)
    made.listen(_BACKLOG)
    return made


@attrs.frozen
class OnionListen:
    """A port of the onion service, and what speaks there.  ``proxied``: tor says PROXY first."""

    kind: str
    port: int
    place: Place
    proxied: bool

    @classmethod
    def parse(cls, listen: Listen, where: Place, proxied: bool) -> OnionListen:
        """From `KIND=onion:PORT`; BadListen."""
        found = _ENDPOINT.fullmatch(listen.endpoint)
        if found is None or not 0 < int(found[1]) < 65536:
            raise BadListen(f"{listen}: not onion:PORT, such as onion:993")
        return cls(listen.kind, int(found[1]), where, proxied)

    def __str__(self) -> str:
        return f"{self.kind}={self.endpoint}"

    @property
    def setting(self) -> str:
        return str(self)

    @property
    def endpoint(self) -> str:
        return f"onion:{self.port}"

    @property
    def path(self) -> Path:
        return self.place.socket(self.kind, self.port)

    def on(self, reactor: Any, inherited: int | None = None) -> IStreamServerEndpoint:
        """``inherited``: the descriptor of the socket where another process has made it."""
        try:
            self.place.socket(self.kind, self.port)
        except BadOnion as error:
            raise BadListen(f"{self}: {error}") from error
        return _Endpoint(reactor, self, inherited)


@implementer(IStreamServerEndpoint)
@attrs.frozen
class _Endpoint:
    reactor: Any
    what: OnionListen
    inherited: int | None

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Not before the reactor runs: `twistd --uid` is another user then, whose files these are."""
        listening: Deferred[IListeningPort] = Deferred()

        def start() -> None:
            if not listening.called:
                Deferred.fromCoroutine(self._start(factory)).chainDeferred(listening)

        self.reactor.callWhenRunning(start)
        return listening

    async def _start(self, factory: IProtocolFactory) -> IListeningPort:
        what = self.what
        host = OnionAddress(onionkeys.ensure(what.place).address, what.port)
        wrapped = OnionFactory(factory, host, what.proxied, self.reactor)
        if self.inherited is not None:
            return OnionPort(_port(self.reactor, self.inherited, wrapped), host, None)
        with closing(bind(what.path)) as made:
            return OnionPort(_port(self.reactor, made.fileno(), wrapped), host, what.path)


def _port(reactor: Any, descriptor: int, factory: OnionFactory) -> _Port:
    port: _Port = _Port._fromListeningDescriptor(  # type: ignore[no-untyped-call]
        reactor, descriptor, factory)
    port.startListening()  # type: ignore[no-untyped-call]
    return port


def parse_all(texts: Sequence[str], kinds: Mapping[str, object], data: Path,
              settings: OnionSettings) -> list[Listen | OnionListen]:
    """All listeners of the settings, those of the onion service among them; BadListen."""
    listens: list[Listen | OnionListen] = []
    where, taken = place(data, settings), set()
    for text in texts:
        listen = Listen.parse(text, kinds)
        if listen.endpoint.partition(":")[0] != "onion":
            listens.append(listen)
            continue
        onion = OnionListen.parse(listen, where, settings.tells_circuits)
        if onion.port in taken:
            raise BadListen(f"{onion}: the onion service has that port already")
        taken.add(onion.port)
        listens.append(onion)
    if taken and not settings.tells_circuits:
        try:
            control_address(settings.tor)
        except BadOnion as error:
            raise BadListen(str(error)) from error
    return listens


def onion_ports(listens: Sequence[IListen]) -> tuple[OnionListen, ...]:
    return tuple(listen for listen in listens if isinstance(listen, OnionListen))


def share(ports: Sequence[OnionListen], tor: str) -> str | None:
    """Let the user that a tor runs as connect to our sockets; gives what keeps it out, in one line.

    Debian's lets its group use the control socket; who is in that group may give files to it.
    """
    control = control_address(tor)
    if not isinstance(control, Path) or not ports:
        return None
    try:
        theirs = control.stat()
        if theirs.st_uid in (os.geteuid(), 0):
            return None
        paths = [port.path for port in ports if port.path.exists()]
        for path in (ports[0].place.sockets, *paths):
            if path.stat().st_gid != theirs.st_gid:
                os.chown(path, -1, theirs.st_gid)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    for directory in reversed((ports[0].place.sockets / "x").parents):
        status = directory.stat()
        wanted = 0o010 if status.st_gid == theirs.st_gid else 0o001
        if status.st_uid != theirs.st_uid and not status.st_mode & wanted:
            return f"its user may not enter {directory}; choose another place by `sockets` in [onion]"
    return None
