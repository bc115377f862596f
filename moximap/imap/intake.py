"""Lines and literals of one connection, made into commands (RFC 9051 section 2.2, 4.3, RFC 7888).

While a command runs, parsing stops, but reading goes on, so that a client that goes away is noticed;
the transport is paused only when more waits than LineReceiver should hold.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from moximap.imap import dispatch
from moximap.imap.errors import Bye, Refusal
from moximap.imap.framing import DISCARD, Announced, Framer, Part
from moximap.imap.outlet import Outlet
from moximap.imap.receiving import Nowhere, Receiver, discard, judge
from moximap.imap.session import Gone, Session
from moximap.imap.site import Site
from moximap.imap.trace import Trace

log = Logger()

#: Octets that may wait while a command runs; above, the transport is paused.
BACKLOG = 65536
#: Seconds that one connection may keep the others waiting, with what it has sent at once or with an answer.
TURN = 0.0005


class Intake(LineReceiver):
    """What comes in; IMAPProtocol says what becomes of the commands."""

    transport: Any                # ITLSTransport, IPushProducer and IConsumer: zope.interface has no "and"
    delimiter = b"\n"             # with the CR taken off: people type into openssl s_client without -crlf
    session: Session
    write: Callable[[bytes], None]

    def __init__(self, site: Site, outlet: Outlet) -> None:
        self.MAX_LENGTH = site.limits.line
        self.site = site
        self._outlet = outlet
        self._framer = Framer()
        self._receiver: Receiver | None = None
        self._refused: Refusal | None = None
        self._lost = self._closing = self._running = self._stopped_reading = False
        self._turn = 0.0                           # when it began
        self._line: Deferred[bytes] | None = None
        self._trace: Trace | None = None

    @property
    def receiving(self) -> bool:
        """A part of a command is there."""
        return bool(self._framer.parts) or self._receiver is not None or bool(self._buffer.strip())

    @abstractmethod
    async def command(self, parts: list[Part], refused: Refusal | None) -> None:
        """Answer a whole command.  ``refused``: why it can't succeed, known before it was whole."""

    @abstractmethod
    def dismiss(self, text: str, code: bytes | None = None) -> None:
        """End the connection with one BYE; harmless where it is ending already."""

    def forget(self) -> None:
        """The connection is lost: what was being received is thrown away."""
        if self._receiver is not None:
            self._receiver.abandon()
            self._receiver = None
        discard(self.session, self._framer.take())
        line, self._line = self._line, None
        if line is not None:
            line.errback(Gone())

    def take(self, data: bytes) -> None:
        """Octets that came, or none: parse what there is."""
        if self._closing:
            return
        if self._busyReceiving:
            self._buffer += data
            return
        self._turn = self.site.reactor.seconds()
        with self._outlet:
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
                refused, self._refused = self._refused, None
                self._spawn(self.command(self._framer.take(), refused))
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
        self.session.policy.rest()
        if self._stopped_reading:
            self._stopped_reading = False
            self.transport.resumeProducing()
        if data:
            self._buffer = data + self._buffer
        self.take(b"")

    def _spawn(self, coroutine: Coroutine[Any, Any, None], result: object = None) -> None:
        """Let it run until it waits for a Deferred, which most never do; ``result``: what came of it."""
        try:
            if isinstance(result, Failure):
                awaited = result.throwExceptionIntoGenerator(coroutine)  # type: ignore[no-untyped-call]
            elif result is not None:
                awaited = coroutine.send(result)
            else:
                awaited = next(coroutine.__await__(), None)      # cheaper: its end raises nothing
        except StopIteration:
            pass
        except BaseException:
            self._broken(Failure())  # type: ignore[no-untyped-call]
        else:
            if awaited is not None:
                awaited.addBoth(partial(self._go_on, coroutine))

    def _go_on(self, coroutine: Coroutine[Any, Any, None], result: object = None) -> None:
        """The same where nothing is being taken in: what it writes before it waits again is one write."""
        self._turn = self.site.reactor.seconds()
        with self._outlet:
            self._spawn(coroutine, result)

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

    # what a command that runs may wait for

    def read_line(self) -> Deferred[bytes]:
        line: Deferred[bytes] = Deferred()
        if self._lost:
            line.errback(Gone())
            return line
        self._line = line
        self._resume()
        return line

    def ready(self) -> Awaitable[None]:
        """Wait until the client has read enough that more may be written, and others had their turn.

        Gone, where nothing may be written any more: also behind a BYE.
        """
        self._insist()
        return self._next_turn() if self._turn_is_over() else self._outlet.ready()

    def _insist(self) -> None:
        if self._closing:
            raise Gone()

    def _turn_is_over(self) -> bool:
        return self.site.reactor.seconds() - self._turn > TURN

    async def _next_turn(self) -> None:
        await self._others()
        self._insist()
        await self._outlet.ready()

    def _others(self) -> Deferred[None]:
        """Let them in."""
        later: Deferred[None] = Deferred()
        self.site.reactor.callLater(0, later.callback, None)
        return later

    async def _drained(self) -> None:
        """A client that does not read its answers gets no more of them; one that asks much lets others in."""
        if self._turn_is_over():
            await self._others()
        if self._outlet.blocked is not None and not self._closing:
            await self._outlet.ready()

    def _ran(self) -> None:
        """What ran for the session is over; so is the session, if its connection is."""
        self._running = False
        if self._lost:
            self.session.end()
