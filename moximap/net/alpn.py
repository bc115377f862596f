"""One TLS port for several protocols: who asks for `imap` by ALPN (RFC 7301) gets it, all others HTTP.

For networks that let nothing out but port 443.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import (IAddress, IDelayedCall, IHandshakeListener, IProtocol,
                                         IOpenSSLServerConnectionCreator, IProtocolFactory, IReactorTime)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Request, Site
from zope.interface import implementer

from moximap.net.prompt import PromptTLSFactory

_PAGE = b"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Mail server</title>
<h1>This is a mail server</h1>
<p>Mail programs read mail here by IMAP: on the usual ports, and on this one if they ask for
<code>imap</code> in the TLS handshake (ALPN).
</html>
"""
_HEADERS = {b"content-type": b"text/html; charset=utf-8",
            b"content-security-policy": b"default-src 'none'",
            b"x-content-type-options": b"nosniff",
            b"referrer-policy": b"no-referrer",
            b"server": b"moximap"}


@implementer(IHandshakeListener)
class _Chooser(Protocol):
    """Waits for the handshake, then hands the connection to the protocol that it chose."""

    transport: Any

    def __init__(self, choose: Choose, address: IAddress | None) -> None:
        self._choose = choose
        self._address = address
        self._chosen: IProtocol | None = None
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._timer = self._choose.reactor.callLater(self._choose.patience, self._too_slow)

    def _too_slow(self) -> None:
        self._timer = None
        self.transport.abortConnection()

    def handshakeCompleted(self) -> None:
        self._stop_timer()
        if self._chosen is None:
            self._chosen = self._choose.speaker(self.transport.negotiatedProtocol, self._address)
            if self._chosen is None:
                self.transport.abortConnection()
                return
            self._chosen.makeConnection(self.transport)
        if IHandshakeListener.providedBy(self._chosen):
            self._chosen.handshakeCompleted()

    def dataReceived(self, data: bytes) -> None:
        if self._chosen is not None:
            self._chosen.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_timer()
        chosen, self._chosen = self._chosen, None
        if chosen is not None:
            chosen.connectionLost(reason)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


class Choose(Factory):
    """What speaks behind TLS: a factory by the name that ALPN agreed on, or ``otherwise``.

    ``patience``: seconds for the handshake.
    """

    noisy = False

    def __init__(self, reactor: IReactorTime, patience: float, named: Mapping[bytes, IProtocolFactory],
                 otherwise: IProtocolFactory) -> None:
        self.reactor = reactor
        self.patience = patience
        self._named = named
        self._otherwise = otherwise

    def speaker(self, name: bytes | None, address: IAddress | None) -> IProtocol | None:
        factory = self._named.get(name or b"", self._otherwise)
        return factory.buildProtocol(address)  # type: ignore[arg-type]

    def buildProtocol(self, addr: IAddress | None) -> _Chooser:
        return _Chooser(self, addr)


class _Visit(Request):
    """A request whose body is thrown away as it comes: Twisted would keep it, however large."""

    def gotLength(self, length: int | None) -> None:
        super().gotLength(0)  # type: ignore[no-untyped-call]

    def handleContentChunk(self, data: bytes) -> None:
        """Nobody asked for it."""


class _Page(Resource):
    """A page that says what this is; it loads nothing, and has nothing to fill in."""

    def render_GET(self, request: Request) -> bytes:
        for name, value in _HEADERS.items():
            request.setHeader(name, value)  # type: ignore[no-untyped-call]
        return _PAGE


def page(reactor: IReactorTime) -> IProtocolFactory:
    """An HTTP server with one page at its root, and nothing else.  It logs no visits."""
    root = Resource()  # type: ignore[no-untyped-call]
    root.putChild(b"", _Page())  # type: ignore[no-untyped-call]
    site = Site(root, _Visit, reactor=reactor, parsePOSTFormSubmission=False)  # type: ignore[no-untyped-call]
    site.noisy = False
    return site


def https(tls: IOpenSSLServerConnectionCreator, reactor: IReactorTime, patience: float,
          imap: IProtocolFactory) -> IProtocolFactory:
    """Port 443: ``imap`` for who asks for it, else the page.  ``patience``: seconds for the handshake."""
    choose = Choose(reactor, patience, {b"imap": imap}, page(reactor))
    return PromptTLSFactory(tls, False, choose, reactor)
