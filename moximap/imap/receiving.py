"""Literals on their way in: into memory, onto disk, or nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from twisted.internet.defer import Deferred

from moximap.imap import dispatch
from moximap.imap.dialect import NOT_AUTHENTICATED
from moximap.imap.errors import Bye, Refusal, TooBig, refusal
from moximap.imap.framing import Announced, Framer, Literal, Part
from moximap.imap.session import Session
from moximap.store.errors import StoreError
from moximap.store.interfaces import ISpool

#: Octets of a literal that may come unasked where LITERAL- is announced (RFC 7888 section 5).
LITERAL_MINUS = 4096
#: Octets that are gathered before they are written to disk in one call.
BLOCK = 262144


class Receiver(Protocol):
    """Takes the octets of one literal."""

    missing: int

    def take(self, data: bytes) -> Deferred[None] | None:
        """Take octets of the literal, none beyond it; a Deferred where the client must wait."""

    def finish(self) -> Literal | None:
        """The literal, when nothing is missing; None where it was thrown away."""

    def abandon(self) -> None:
        """The connection ended inside the literal."""

    refused: Refusal | None


class InMemory:
    """A literal that stays in memory."""

    def __init__(self, announced: Announced) -> None:
        self._announced = announced
        self._data = bytearray()
        self.missing = announced.size
        self.refused: Refusal | None = None

    def take(self, data: bytes) -> None:
        self._data += data
        self.missing -= len(data)

    def finish(self) -> Literal | None:
        return Literal(bytes(self._data), self._announced.size, self._announced.binary)

    def abandon(self) -> None:
        self._data.clear()


class Nowhere:
    """A literal that cannot be used: it is read and thrown away."""

    def __init__(self, announced: Announced, refused: Refusal) -> None:
        self.missing = announced.size
        self.refused: Refusal | None = refused

    def take(self, data: bytes) -> None:
        self.missing -= len(data)

    def finish(self) -> Literal | None:
        return None

    def abandon(self) -> None:
        """Nothing was kept."""


class OnDisk:
    """A literal that is too large for memory: written in blocks, one at a time, to the page cache.

    The client waits while a block is written; where that takes long it is done in a thread.
    """

    def __init__(self, announced: Announced, session: Session) -> None:
        self._announced = announced
        self._session = session
        self._account = session.account        # the session may end while a thread writes
        self._block = bytearray()
        self._spool: ISpool | None = None
        self._abandoned = False
        self._writing = False
        self.missing = announced.size
        self.refused: Refusal | None = None

    def take(self, data: bytes) -> Deferred[None] | None:
        self._block += data
        self.missing -= len(data)
        if len(self._block) < BLOCK and self.missing:
            return None
        block, self._block = self._block, bytearray()
        if self.refused is not None:
            return None
        self._writing = True
        return self._session.quick(self._write, block).addCallbacks(self._written, self._failed)

    def finish(self) -> Literal | None:
        if self.refused is not None or self._spool is None:
            return None
        return Literal(self._spool, self._announced.size, self._announced.binary)

    def abandon(self) -> None:
        self._abandoned = True
        if self._spool is not None and not self._writing:
            self._session.call(self._spool.discard)

    def _write(self, block: bytearray) -> None:
        if self._spool is None:
            self._spool = self._account.spool()
        self._spool.write(block)

    def _written(self, result: None) -> None:
        self._writing = False
        if self._abandoned:
            self.abandon()

    def _failed(self, failure: object) -> None:
        self._writing = False
        error = getattr(failure, "value", None)
        if not isinstance(error, StoreError):
            raise error or RuntimeError("spooling failed")
        self.refused = refusal(error)
        self.abandon()


async def judge(session: Session, framer: Framer, announced: Announced) -> Receiver:
    """The receiver for a literal, by the command that it belongs to; refusals are raised.

    Whether it may come is known before the continuation is sent.
    """
    try:
        return await _judge(session, framer, announced)
    except StoreError as error:
        raise refusal(error) from None


async def _judge(session: Session, framer: Framer, announced: Announced) -> Receiver:
    limits = session.site.limits
    try:
        cursor, _ = dispatch.tag_of(framer.parts, session)
    except dispatch.NotIMAP:
        raise Bye("please try again speaking IMAP") from None
    _, spec = dispatch.start(cursor, session)
    dispatch.allowed(session, spec)
    if session.state == NOT_AUTHENTICATED and not announced.sync and announced.size > LITERAL_MINUS:
        raise TooBig("LITERAL- is announced: a longer literal waits to be asked for")
    if framer.literals >= limits.literal_count or framer.text > limits.line:
        raise TooBig("the command is too big")
    if spec.admit is not None and await spec.admit(session, cursor, announced):
        fits = announced.size <= limits.memory and framer.octets + announced.size <= limits.batch
        return InMemory(announced) if fits else OnDisk(announced, session)
    if announced.size > limits.literal or framer.octets + announced.size > limits.literals:
        raise TooBig("the literal is too big")
    return InMemory(announced)


def discard(session: Session, parts: Iterable[Part]) -> None:
    """Remove spooled literals that no append took; harmless for one that was taken."""
    for part in parts:
        if isinstance(part, Literal) and not isinstance(part.content, bytes) and not part.content.done:
            session.call(part.content.discard)
