"""The bytes of one connection (RFC 9051 section 2.2): lines, literals, timeouts, back-pressure.

The law of this file: it is the only one that sees a transport.  While a command runs, parsing stops,
but reading goes on, so that a client that goes away is noticed; the transport is paused only when
more waits than LineReceiver should hold.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHandshakeListener
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from moximap.imap import dispatch, proving
from moximap.imap.errors import Bye, Refusal
from moximap.imap.framing import Announced, Framer, Part
from moximap.imap.outlet import Outlet
from moximap.imap.patience import Patience
from moximap.imap.receiving import Nowhere, Receiver, discard, judge
from moximap.imap.session import Gone, ILayer, MakeLayer, Session
from moximap.imap.site import Site
from moximap.imap.trace import Trace
from moximap.net.peer import Peer

log = Logger()

#: Octets that may wait while a command runs; above, the transport is paused.
BACKLOG = 65536
#: Seconds that one connection may keep the others waiting with what it has sent at once.
TURN = 0.01
#: Octets of an unusable non-synchronising literal that are read and thrown away.
DISCARD = 1000000


@implementer(IHandshakeListener)
class IMAPProtocol(LineReceiver):
    """One connection.  ``implicit_tls``: the greeting waits for the handshake."""

    transport: Any                # ITLSTransport, IPushProducer and IConsumer: zope.interface has no "and"
    delimiter = b"\n"             # with the CR taken off: people type into openssl s_client without -crlf

    def __init__(self, site: Site, implicit_tls: bool) -> None:
        self.MAX_LENGTH = site.limits.line
        self.site = site
        self.tls = self.layered = False
        self.peer: Peer
        self.peer_key: str | None = None
        self._implicit_tls = implicit_tls
        self._framer = Framer()
        self._receiver: Receiver | None = None
        self._refused: Refusal | None = None
        self._greeted = self._lost = self._closing = self._tls_next = self._tag_seen = False
        self._running = False
        self._turn = 0.0                           # when we began with what is there
        self._stopped_reading = False
        self._line: Deferred[bytes] | None = None
        self._layer: ILayer | None = None
        self._layer_next: MakeLayer | None = None
        self._trace: Trace | None = None
        self._outlet = Outlet(site.reactor, lambda: self._patience.blocked())
        self.write = self._outlet.write
        self.ready = self._outlet.ready
        self.session = Session(site, self)
        self._patience = Patience(site.reactor, site.limits, self.session, self._outlet, self._client_waits,
                                  self._silent, self._abort)

    # the connection's life

    def connectionMade(self) -> None:
        self.site.connections.add(self)
        self.peer = Peer(self.transport)
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
            proving.say_hello(self.session)
        else:
            self._hold()
            self._spawn(self._greet_owner_of_key())

    async def _greet_owner_of_key(self) -> None:
        self._running = True
        try:
            await proving.greet(self.session)
        except Bye as error:
            self.dismiss(error.text, error.code)
        finally:
            self._ran()
        self._resume()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        self.site.connections.discard(self)
        self._patience.stop()
        if self._receiver is not None:
            self._receiver.abandon()
            self._receiver = None
        discard(self.session, self._framer.take())
        line, self._line = self._line, None
        if line is not None:
            line.errback(Gone())
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

    def take(self, data: bytes) -> None:
        """Octets that came, or none: parse what there is."""
        if self._closing:
            return
        if not self._busyReceiving:
            self._turn = self.site.reactor.seconds()
        super().dataReceived(data)  # type: ignore[no-untyped-call]
        if self.paused and not (self._stopped_reading or self._closing) and len(self._buffer) > BACKLOG:
            self._stopped_reading = True
            self.transport.pauseProducing()

    def lineReceived(self, line: bytes) -> None:
        line = line[:-1] if line.endswith(b"\r") else line
        if self._trace is not None:
            self._trace.received(line)
        if self._line is not None:
            waiting, self._line = self._line, None
            self._hold()
            waiting.callback(line)
        elif line or self._framer.parts:
            announced = self._framer.line(line)
            self._hold()
            if announced is None:
                self._run()
            else:
                self._spawn(self._announced(announced))

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line that never ends: there is no way to find the next one."""
        self.dismiss("a line is too long", b"TOOBIG")

    def rawDataReceived(self, data: bytes) -> None:
        receiver = self._receiver
        if receiver is None or self._lost:
            return
        mine, rest = data[:receiver.missing], data[receiver.missing:]
        waiting = receiver.take(mine)
        if waiting is not None:
            self._hold()
            waiting.addCallbacks(lambda _: self._received(receiver, rest), self._broken)
        elif not receiver.missing:
            self._received(receiver, rest)

    def _received(self, receiver: Receiver, rest: bytes) -> None:
        """A block or the whole literal is where it belongs."""
        if self._lost or self._receiver is not receiver:
            return
        if receiver.missing:
            self._resume(rest)
            return
        self._receiver = None
        self._refused = self._refused or receiver.refused
        literal = receiver.finish()
        if literal is not None:
            self._framer.literal(literal)
        was_held = self.paused
        self.paused = False
        self.line_mode = 1
        if was_held:
            self._resume(rest)
        else:
            self.take(rest)

    # pausing and going on

    def _hold(self) -> None:
        self.paused = True

    def _resume(self, data: bytes = b"") -> None:
        """Parse on: first ``data``, then what came meanwhile."""
        if self._lost:
            return
        self.paused = False
        if self._stopped_reading:
            self._stopped_reading = False
            self.transport.resumeProducing()
        if data:
            self._buffer = data + self._buffer
        self.take(b"")

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(coroutine).addErrback(self._broken)

    def _broken(self, failure: Failure) -> None:
        if not isinstance(failure.value, Gone):
            log.failure("connection broken by a server error", failure=failure)
        self._abort()

    def _abort(self) -> None:
        if not self._lost:
            self.transport.abortConnection()

    # literals

    async def _announced(self, announced: Announced) -> None:
        """Judge a literal; then continue, throw it away, or answer at once."""
        self._running = True
        try:
            if self._refused is not None:
                raise self._refused
            receiver = await judge(self.session, self._framer, announced)
        except Bye as error:
            self.dismiss(error.text, error.code)
            return
        except Refusal as error:
            await self._drained()
            await self._literal_refused(announced, error)
            return
        finally:
            self._ran()
        self._begin(receiver, announced)

    def _begin(self, receiver: Receiver, announced: Announced) -> None:
        if self._lost:
            return
        if announced.sync:
            self.write(b"+ go ahead\r\n")
        self._receiver = receiver
        if not announced.size:                     # raw mode would never hear of it
            self._received(receiver, b"")
            return
        self.line_mode = 0
        self._resume()

    async def _literal_refused(self, announced: Announced, error: Refusal) -> None:
        if announced.sync:
            parts = self._framer.take()
            self._refused = None
            try:
                await dispatch.refuse(self.session, parts, error)
            finally:
                discard(self.session, parts)
            self._resume()
        elif announced.size > DISCARD:
            self.dismiss(error.text, b"TOOBIG" if error.code == b"TOOBIG" else b"ALERT")
        else:
            self._refused = error
            self._begin(Nowhere(announced, error), announced)

    # commands

    def _run(self) -> None:
        self._spawn(self._command())

    async def _command(self) -> None:
        parts = self._framer.take()
        refused, self._refused = self._refused, None
        self._running = True
        try:
            await self._answer(parts, refused)
            await self._drained()
        finally:
            discard(self.session, parts)
            self._ran()
        if self._closing:
            self._finish()
        elif not self._lost:
            if self._tls_next:
                self._start_tls()
            if self._layer_next is not None:
                self._start_layer(self._layer_next)
            self._resume()

    async def _answer(self, parts: list[Part], refused: Refusal | None) -> None:
        try:
            await dispatch.answer(self.session, parts, refused)
            self._tag_seen = True
        except dispatch.NotIMAP:
            if self._tag_seen:
                self.write(b"* BAD a command starts with a tag\r\n")
            else:
                dispatch.bye(self.session, Bye("please try again speaking IMAP"))

    async def _drained(self) -> None:
        """A client that does not read its answers gets no more of them; one that asks much lets others in."""
        if self.site.reactor.seconds() - self._turn > TURN:
            others: Deferred[None] = Deferred()
            self.site.reactor.callLater(0, others.callback, None)
            await others
        if self._outlet.blocked is not None and not self._closing:
            await self._outlet.ready()

    def _ran(self) -> None:
        """What ran for the session is over; so is the session, if its connection is."""
        self._running = False
        if self._lost:
            self.session.end()

    def _start_tls(self) -> None:
        """Whatever came in plaintext behind STARTTLS is thrown away (RFC 9051 6.2.1)."""
        self._tls_next = False
        self._buffer = b""
        self._outlet.detach()
        self.transport.startTLS(self.site.tls)
        self._outlet.attach(self.transport)

    def _start_layer(self, make: MakeLayer) -> None:
        """Whatever came behind the command went through the client's layer already."""
        self._layer_next, self.layered = None, True
        came, self._buffer = self._buffer, b""
        self.transport = self._layer = make(self.transport, self)
        self._outlet.divert(self.transport)
        self._layer.received(came)

    def _finish(self) -> None:
        """Close, once what was written is sent."""
        self._closing = self.paused = True
        self.session.end()
        if not self._lost:
            self._outlet.detach()
            self.transport.loseConnection()
            self._patience.hurry = True
            self._patience.start(self.site.limits.login_write_timeout)

    # IOutlet, for the session

    def read_line(self) -> Deferred[bytes]:
        line: Deferred[bytes] = Deferred()
        if self._lost:
            line.errback(Gone())
            return line
        self._line = line
        self._resume()
        return line

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

    def close(self) -> None:
        self._closing = True


class IMAPFactory(Factory):
    """Makes a protocol for each connection of a site.  ``implicit_tls``: behind a TLS listener."""

    noisy = False

    def __init__(self, site: Site, implicit_tls: bool = False) -> None:
        self.site = site
        self._implicit_tls = implicit_tls

    def buildProtocol(self, addr: IAddress | None) -> IMAPProtocol:
        protocol = IMAPProtocol(self.site, self._implicit_tls)
        protocol.factory = self
        return protocol
