"""One connection (RFC 9051 section 2.2): its greeting, TLS, timeouts, layers and end.

The law: nothing but this module, intake and outlet sees a transport.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.interfaces import IAddress, IHandshakeListener
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from moximap.imap import dispatch, proving
from moximap.imap.errors import Bye, Refusal
from moximap.imap.framing import Part
from moximap.imap.intake import Intake
from moximap.imap.outlet import Outlet
from moximap.imap.patience import Patience
from moximap.imap.receiving import discard
from moximap.imap.session import ILayer, MakeLayer, Session
from moximap.imap.site import Site
from moximap.imap.trace import Trace
from moximap.net.peer import Peer


@implementer(IHandshakeListener)
class IMAPProtocol(Intake):
    """One connection.  ``implicit_tls``: the greeting waits for the handshake.  ``hidden``: capabilities."""

    def __init__(self, site: Site, implicit_tls: bool, hidden: frozenset[bytes] = frozenset()) -> None:
        super().__init__(site, Outlet(site.reactor, lambda: self._patience.blocked()))
        self.tls = self.layered = False
        self.peer: Peer
        self.peer_key: str | None = None
        self._implicit_tls = implicit_tls
        self._greeted = self._tls_next = self._tag_seen = False
        self._layer: ILayer | None = None
        self._layer_next: MakeLayer | None = None
        self.write = self._outlet.write
        self.session = Session(site, self, hidden)
        self._patience = Patience(site.reactor, site.limits, self.session, self._outlet, self._client_waits,
                                  self._silent, self._abort)

    # the connection's life

    def connectionMade(self) -> None:
        self.site.connections.add(self)
        self.peer = Peer(self.transport)
        self.session.visit = self.site.brakes.enter(self.peer.remote)
        self._outlet.attach(self.transport)
        no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if no_delay is not None:                   # an answer in two writes would wait for an ACK
            no_delay(True)
        if self._implicit_tls:
            self._patience.hurry = True
            self._patience.start(self.site.limits.handshake_timeout)
        else:
            self._greet()

    def handshakeCompleted(self) -> None:
        """TLS is there: implicit, so greet; or after STARTTLS."""
        self.tls = True
        self.peer_key = self.site.peer_key(self.transport)
        if not self._greeted:
            self._greet()

    def _greet(self) -> None:
        self._greeted = True
        self._patience.hurry = False
        self._patience.start(self.site.limits.login_timeout)
        if len(self.site.connections) > self.site.limits.connections:
            self.dismiss("too many connections, try again later", b"UNAVAILABLE")
            return
        if self.peer_key is None:
            try:
                proving.say_hello(self.session)
            except Bye as error:
                self.dismiss(error.text, error.code)
        else:
            self._hold()
            self._spawn(self._aside(proving.greet(self.session)))

    async def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Something that is done between commands."""
        self._running = True
        try:
            await work
        except Bye as error:
            self.dismiss(error.text, error.code)
        finally:
            self._ran()
        self._resume()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = self.session.gone = True
        self.site.connections.discard(self)
        self._patience.stop()
        self.forget()
        if self._layer is not None:
            self._layer.lost()
        self._outlet.lost()
        if not self._running:
            self.session.end()

    # timeouts

    def _client_waits(self) -> bool:
        return self._running and self._line is None

    def _silent(self) -> None:
        self.dismiss("inactive for too long")

    def dismiss(self, text: str, code: bytes | None = None) -> None:
        """End the connection with one BYE; harmless where it is ending already."""
        if not self._closing and not self._lost:
            dispatch.bye(self.session, Bye(text, code))
            self._finish()

    # coming in

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            return                                 # nothing that comes now is of use
        self._patience.heard()
        if self._layer is not None:
            self._layer.received(data)
        else:
            self.take(data)

    # commands

    async def command(self, parts: list[Part], refused: Refusal | None) -> None:
        self._running = True
        try:
            try:
                await dispatch.answer(self.session, parts, refused)
                if not self._buffer:               # nothing follows whose answer could go with it
                    self._outlet.send()
                self._tag_seen = True
            except dispatch.NotIMAP:
                self._not_imap()
            if self._layer_next is not None:
                self._start_layer(self._layer_next)
            # Behind the answer to STARTTLS comes TLS, perhaps in the very next turn: it would be thrown away.
            if self._tls_next:
                await self._outlet.ready()
            elif self._outlet.blocked is not None or self._turn_is_over():
                await self._drained()
        finally:
            discard(self.session, parts)
            self._ran()
        if self._closing:
            self._finish()
        elif not self._lost:
            if self._tls_next:
                self._start_tls()
            self._resume()

    def _not_imap(self) -> None:
        if self._tag_seen:
            self.write(b"* BAD a command starts with a tag\r\n")
        else:
            dispatch.bye(self.session, Bye("please try again speaking IMAP"))

    def _start_tls(self) -> None:
        """Whatever came in plaintext behind STARTTLS is thrown away (RFC 9051 6.2.1)."""
        self._tls_next = False
        self._buffer = b""
        self._outlet.detach()
        tls = self.peer.onion and self.site.onion_tls or self.site.tls
        assert tls is not None
        self.transport.startTLS(proving.asking(tls, self.session.hidden))
        self._outlet.attach(self.transport)

    def _start_layer(self, make: MakeLayer) -> None:
        """Whatever came behind the command went through the client's layer already."""
        self._layer_next, self.layered = None, True
        if self._lost or self._closing:
            return
        if self._stopped_reading:
            self._stopped_reading = False          # the layer stops it where there is too much
            self.transport.resumeProducing()
        came, self._buffer = self._buffer, b""
        self.transport = self._layer = make(self.transport, self)
        self._outlet.divert(self.transport)
        self._layer.received(came)

    def _finish(self) -> None:
        """Close, once what was written is sent."""
        self._closing = self.paused = self.session.gone = True
        self.session.end()
        if not self._lost:
            self._outlet.detach()
            self.transport.loseConnection()
            self._patience.hurry = True
            self._patience.start(self.site.limits.login_write_timeout)

    # IOutlet, for the session

    def trace(self, account: str) -> None:
        trace, write = Trace(account, self.site.trace_messages), self._outlet.write
        self._trace = trace

        def traced(data: bytes) -> None:
            trace.sent(data)
            write(data)

        self.write = traced

    def start_tls(self) -> None:
        self._tls_next = True

    def add_layer(self, make: MakeLayer) -> None:
        self._layer_next = make

    def interject(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        if self.paused or self._running or self.receiving or self._closing or self._lost:
            return False
        self._hold()
        self._go_on(self._aside(work()))
        return True

    def close(self) -> None:
        self._closing = True


class IMAPFactory(Factory):
    """Makes a protocol for each connection of a site.  ``implicit_tls``: behind a TLS listener.

    ``hidden``: capabilities, in upper case, that are switched off there.
    """

    noisy = False

    def __init__(self, site: Site, implicit_tls: bool = False,
                 hidden: frozenset[bytes] = frozenset()) -> None:
        self.site = site
        self._implicit_tls = implicit_tls
        self._hidden = hidden

    def buildProtocol(self, addr: IAddress | None) -> IMAPProtocol:
        protocol = IMAPProtocol(self.site, self._implicit_tls, self._hidden)
        protocol.factory = self
        return protocol
