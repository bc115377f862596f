"""One connection of a client: commands with literals go out, their answers come back (RFC 9051 2.2).

Commands go out one after the other: what comes without a tag meanwhile belongs to the running one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLClientConnectionCreator
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from moximap.client.reading import Answer, BadResponse, Reader, Untagged, announced, is_text, status, untagged
from moximap.net.trust import tls_problem

#: Octets that a non-synchronising literal may have by LITERAL- (RFC 7888).
SMALL: Final = 4096
#: Octets that are taken from a server for one command.
MOST: Final = 1 << 28
#: Octets that each line counts for beside its own.
COST: Final = 100


class CommandFailed(Exception):
    """The server said NO or BAD; ``answer`` is what it said."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status.decode()} {answer.text}")
        self.answer = answer


class ConnectionEnded(Exception):
    """The connection is gone; the text says what the server said last, if it said BYE."""


@attrs.frozen
class Literal:
    """Octets that are sent as a literal; ``binary`` with a "~" before it (RFC 3516)."""

    data: bytes
    binary: bool = False


Part = bytes | Literal


@attrs.frozen
class Result:
    """An OK, and what came before it."""

    answer: Answer
    untagged: tuple[Untagged, ...]

    def named(self, name: bytes) -> list[Untagged]:
        return [each for each in self.untagged if each.name == name]


@attrs.define(eq=False)
class _Running:
    """``go_on``: waits for a continuation.  ``collects``: what comes untagged, for the result."""

    tag: bytes
    collects: bool = True
    done: Deferred[Answer] = attrs.field(factory=Deferred)
    go_on: Deferred[None] | None = None


@implementer(IHandshakeListener)
class Connection(LineReceiver):
    """``greeted`` fires with the greeting.  ``heard`` is called with each untagged response."""

    transport: Any
    delimiter = b"\r\n"
    MAX_LENGTH = 1 << 26

    def __init__(self) -> None:
        self.greeted: Deferred[Answer] = Deferred()
        self.heard: Callable[[Untagged], None] = lambda response: None
        self.capabilities: frozenset[bytes] = frozenset()
        self.lost = False
        self._bye = ""
        self._count = 0
        self._lock = DeferredLock()
        self._running: _Running | None = None
        self._came: list[Untagged] = []
        self._lines: list[bytes] = []
        self._literals: list[bytes] = []
        self._literal: list[bytes] | None = None
        self._missing = 0
        self._taken = 0
        self._closed: Deferred[None] = Deferred()
        self._challenge = b""
        self._handshake: Deferred[None] | None = None

    # commands

    async def command(self, *parts: Part, during: Callable[[], Deferred[bytes]] | None = None,
                      answers: Callable[[bytes], bytes] | None = None) -> Result:
        """Send a command without its tag, such as b"NOOP"; CommandFailed, ConnectionEnded, BadResponse.

        ``during`` is called at the continuation that the command itself asks for, and gives the line
        that goes out then, as for IDLE; what comes untagged is heard only, and not in the result.
        ``answers`` gives a line for the text of each continuation, as for AUTHENTICATE; what it raises
        is raised, and the connection is of no use then.
        """
        await self._lock.acquire()
        try:
            if self.lost:
                raise ConnectionEnded(self._bye)
            self._count += 1
            running = self._running = _Running(b"c%d" % self._count, collects=during is None)
            # What a literal waits for may be the answer: then that is what counts.
            sent = await self._send(running, parts)
            if sent and during is not None and await self._continued(running):
                during().addCallback(lambda line: self._say(running, line))
            while sent and answers is not None and await self._continued(running):
                self._say(running, answers(self._challenge))
            answer = await running.done
        finally:
            self._running = None
            came, self._came = self._came, []
            self._taken = 0
            self._lock.release()
        if answer.status != b"OK":
            raise CommandFailed(answer)
        self._learn(answer)
        return Result(answer, tuple(came))

    async def start_tls(self, options: IOpenSSLClientConnectionCreator) -> None:
        """STARTTLS, and wait until TLS has begun; what was said before does not count (RFC 9051 6.2.1)."""
        await self.command(b"STARTTLS")
        # Whoever is on the way might have put this there, for us to take it as said under TLS.
        if self.clearLineBuffer():  # type: ignore[no-untyped-call]
            self._fail(BadResponse("silence before TLS begins"))
            raise BadResponse("silence before TLS begins")
        self.capabilities = frozenset()
        self._handshake = Deferred()
        self.transport.startTLS(options)
        await self._handshake

    def handshakeCompleted(self) -> None:
        if self._handshake is not None and not self._handshake.called:
            self._handshake.callback(None)

    async def _send(self, running: _Running, parts: tuple[Part, ...]) -> bool:
        """False where the answer came before all was sent."""
        out = running.tag + b" "
        for part in parts:
            if not isinstance(part, Literal):
                out += part
                continue
            at_once = b"LITERAL+" in self.capabilities or (
                len(part.data) <= SMALL and not self.capabilities.isdisjoint((b"LITERAL-", b"IMAP4REV2")))
            out += b"%b{%d%b}\r\n" % (b"~" * part.binary, len(part.data), b"+" * at_once)
            if not at_once:
                self.transport.write(out)
                out = b""
                if not await self._continued(running):
                    return False
            out += part.data
        self.transport.write(out + b"\r\n")
        return True

    async def _continued(self, running: _Running) -> bool:
        """Wait for a continuation; False where the command's answer came in its place."""
        if running.done.called:
            return False
        running.go_on = Deferred()
        await running.go_on
        return not running.done.called

    def _say(self, running: _Running, line: bytes) -> None:
        if not (self.lost or running.done.called):
            self.transport.write(line + b"\r\n")

    # what comes

    def lineReceived(self, line: bytes) -> None:
        self._lines.append(line)
        size = None if is_text(self._lines[0]) else announced(line)
        self._taken += len(line) + COST + (size or 0)
        if self._taken > MOST:
            self._fail(BadResponse("a shorter answer"))
            return
        if size is not None:
            self._literal, self._missing = [], size
            if size:
                self.setRawMode()  # type: ignore[no-untyped-call]
            else:
                self._literal_ended()
            return
        lines, self._lines = self._lines, []
        literals, self._literals = self._literals, []
        try:
            self._response(Reader(lines, literals))
        except BadResponse as error:
            self._fail(error)

    def rawDataReceived(self, data: bytes) -> None:
        assert self._literal is not None
        mine, rest = data[:self._missing], data[self._missing:]
        self._literal.append(mine)
        self._missing -= len(mine)
        if not self._missing:
            self._literal_ended()
            self.setLineMode(rest)  # type: ignore[no-untyped-call]

    def _literal_ended(self) -> None:
        assert self._literal is not None
        self._literals.append(b"".join(self._literal))
        self._literal = None

    def lineLengthExceeded(self, line: bytes) -> None:
        self._fail(BadResponse("a shorter line"))

    def _response(self, reader: Reader) -> None:
        if reader.skip(b"* "):
            self._untagged(untagged(reader))
        elif reader.skip(b"+"):
            reader.skip(b" ")
            self._continuation(reader.rest())
        else:
            self._tagged(reader.atom(), reader)

    def _untagged(self, response: Untagged) -> None:
        if response.name == b"CAPABILITY":
            self._announce(response.values)
        if response.answer is not None:
            self._learn(response.answer)
            if response.name == b"BYE":
                self._bye = response.answer.text
            if not self.greeted.called:
                self.greeted.callback(response.answer)
                return
        if self._running is None or self._running.collects:
            self._came.append(response)
        else:
            self._taken = 0
        self.heard(response)

    def _learn(self, answer: Answer) -> None:
        if answer.code_name == b"CAPABILITY":
            self._announce(answer.code[1:])

    def _announce(self, values: tuple[object, ...]) -> None:
        self.capabilities = frozenset(each.upper() for each in values if isinstance(each, bytes))

    def _continuation(self, text: bytes) -> None:
        if self._running is None or self._running.go_on is None:
            raise BadResponse("no continuation")
        self._challenge = text
        waiting, self._running.go_on = self._running.go_on, None
        waiting.callback(None)

    def _tagged(self, tag: bytes, reader: Reader) -> None:
        running = self._running
        if running is None or tag != running.tag or not reader.skip(b" "):
            raise BadResponse("the tag of the running command")
        running.done.callback(status(reader))
        waiting, running.go_on = running.go_on, None
        if waiting is not None:
            waiting.callback(None)

    # the end

    def _fail(self, error: Exception) -> None:
        """What comes from here on makes no sense."""
        self._end(error)
        self.transport.abortConnection()

    def _end(self, error: Exception) -> None:
        self.lost = True
        running = self._running
        waiting = (running.go_on, running.done) if running is not None else ()
        for deferred in (self.greeted, self._handshake, *waiting):
            if deferred is not None and not deferred.called:
                deferred.errback(error)
        if running is not None and running.go_on is not None:
            running.go_on = None
            running.done.addErrback(lambda _: None)     # who waits has heard of it by the other

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.lost:
            self._end(ConnectionEnded(self._bye or tls_problem(reason.value) or "the connection is lost"))
        if not self._closed.called:
            self._closed.callback(None)

    async def close(self) -> None:
        """End the connection, and wait until it has ended."""
        self.transport.loseConnection()
        waiting: Deferred[None] = Deferred()
        self._closed.chainDeferred(waiting)
        await waiting
