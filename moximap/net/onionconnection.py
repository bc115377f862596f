"""Who a connection from an onion service is said to be from.

A service in a torrc tells the circuit of each connection, by a PROXY line before all else.  Nothing is
said to the client before that line is there: a greeting would know no circuit.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.interfaces import (IAddress, IDelayedCall, IHandshakeListener, IProtocol,
                                         IProtocolFactory, ITransport)
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy

_T = TypeVar("_T")

#: Seconds that tor has for its PROXY line.
PROXY_SECONDS: Final = 10.0
#: The longest PROXY line, its end included.
LONGEST_LINE: Final = 107
#: Where tor's PROXY lines have circuits: their last 32 bits are its number.
_CIRCUITS: Final = IPv6Network("fc00:dead:beef:4dad::/96")


@implementer(IAddress)
@attrs.frozen
class OnionAddress:
    """One end of an onion connection.  ``host``: the service's name, or for clients `onion` and a circuit."""

    host: str
    port: int = 0


def circuit(line: bytes) -> int:
    """The circuit's number in a PROXY line without its end; ValueError."""
    word, family, source, _, _, _ = line.decode("ascii").split(" ")
    address = IPv6Address(source)
    if (word, family) != ("PROXY", "TCP6") or address not in _CIRCUITS:
        raise ValueError("not tor's PROXY line")
    return int(address) & 0xFFFFFFFF


@implementer(IHandshakeListener)
class OnionConnection(ProtocolWrapper):
    """Between the socket and the protocol, which hears of no connection before its PROXY line is there."""

    factory: OnionFactory

    def __init__(self, factory: OnionFactory, wrapped: IProtocol) -> None:
        super().__init__(factory, wrapped)
        self._peer = OnionAddress("onion")
        self._waiting: IDelayedCall | None = None
        self._line = b""

    def makeConnection(self, transport: ITransport) -> None:
        directlyProvides(self, providedBy(transport))
        self.connected = 1
        self.transport = transport
        self.factory.registerProtocol(self)  # type: ignore[no-untyped-call]
        if self.factory.proxied:
            self._waiting = self.factory.reactor.callLater(PROXY_SECONDS, self._abort)
        else:
            self.wrappedProtocol.makeConnection(self)  # type: ignore[arg-type]

    def dataReceived(self, data: bytes) -> None:
        if self._waiting is None:
            self.wrappedProtocol.dataReceived(data)
            return
        self._line += data
        line, end, rest = self._line.partition(b"\r\n")
        if len(line) + 2 > LONGEST_LINE:
            self._abort()
        elif end:
            self._proxied(line, rest)

    def _proxied(self, line: bytes, rest: bytes) -> None:
        try:
            self._peer = OnionAddress(f"onion/{circuit(line)}")
        except ValueError:
            self._abort()
            return
        self._no_longer()
        self._line = b""
        self.wrappedProtocol.makeConnection(self)  # type: ignore[arg-type]
        if rest:
            self.wrappedProtocol.dataReceived(rest)

    def _no_longer(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting.active():
            waiting.cancel()

    def _abort(self) -> None:
        self._line = b""
        assert self.transport is not None
        self.transport.abortConnection()  # type: ignore[attr-defined]

    def handshakeCompleted(self) -> None:
        """After STARTTLS, which is below us."""
        if IHandshakeListener.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.handshakeCompleted()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        untold = self._waiting is not None
        self._no_longer()
        if untold:                            # the protocol never heard of this connection
            self.factory.unregisterProtocol(self)  # type: ignore[no-untyped-call]
        else:
            super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def getPeer(self) -> OnionAddress:
        return self._peer

    def getHost(self) -> OnionAddress:
        return self.factory.host


class OnionFactory(WrappingFactory[OnionConnection]):
    """``proxied``: connections begin with a PROXY line."""

    noisy = False

    def __init__(self, wrapped: IProtocolFactory, host: OnionAddress, proxied: bool, reactor: Any) -> None:
        super().__init__(wrapped)  # type: ignore[no-untyped-call]
        self.host = host
        self.proxied = proxied
        self.reactor = reactor

    def buildProtocol(self, addr: IAddress | None) -> OnionConnection | None:  # type: ignore[override]
        wrapped = self.wrappedFactory.buildProtocol(OnionAddress("onion"))
        return OnionConnection(self, wrapped) if wrapped is not None else None


@implementer(IProtocolFactory)
@attrs.define
class _Either:
    """Two factories: of connections from the onion service, and of all others."""

    usual: IProtocolFactory
    onion: IProtocolFactory

    def doStart(self) -> None: ...

    def doStop(self) -> None: ...

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        factory = self.onion if isinstance(addr, OnionAddress) else self.usual
        return factory.buildProtocol(addr)  # type: ignore[arg-type]


def by_origin(make: Callable[[_T], IProtocolFactory], usual: _T | None, onion: _T | None) -> IProtocolFactory:
    """A factory that makes protocols with ``onion`` for connections from the onion service."""
    assert usual is not None
    return make(usual) if onion is None else _Either(make(usual), make(onion))
