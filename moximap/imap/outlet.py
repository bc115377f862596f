"""What goes out on one connection, with back-pressure: a push producer that commands can wait for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer, IReactorTime
from zope.interface import implementer

from moximap.imap.session import Gone


#: Octets that are gathered before they are sent, more or less.
GATHERED = 16384


class _Now:
    """Nothing is to be waited for."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


_NOW = _Now()


@implementer(IPushProducer)
class Outlet:
    """``blocked`` is since when the client does not read, in the reactor's seconds, or None.

    ``on_block`` is called when that begins.  In a ``with`` block what is written is kept until its end: one
    call of the system, one TLS record, and one block of COMPRESS, for all of it.
    """

    def __init__(self, clock: IReactorTime, on_block: Callable[[], None]) -> None:
        self.blocked: float | None = None
        self._clock = clock
        self._on_block = on_block
        self._transport: IConsumer | None = None
        self._drained: Deferred[None] | None = None
        self._lost = self._registered = False
        self._gathers = 0
        self._gathered: list[bytes] = []
        self._size = 0

    def attach(self, transport: IConsumer) -> None:
        """Write to this transport."""
        self._transport = transport
        self._registered = True
        transport.registerProducer(self, True)

    def divert(self, layer: IConsumer) -> None:
        """Write to a layer before the transport, which goes on saying when it is full."""
        self.send()
        self._transport = layer

    def detach(self) -> None:
        """A registered producer would keep a TLS connection open for ever.  Harmless the second time."""
        self.send()
        if self._transport is not None and self._registered:
            self._registered = False
            self._transport.unregisterProducer()

    def lost(self) -> None:
        """The connection is gone; who waits for it to drain hears of that."""
        self._lost = True
        self._gathered.clear()
        drained, self._drained = self._drained, None
        if drained is not None:
            drained.errback(Gone())

    def write(self, data: bytes) -> None:
        self._gathered.append(data)
        self._size += len(data)
        if not self._gathers or self._size > GATHERED:
            self.send()

    def __enter__(self) -> None:
        self._gathers += 1

    def __exit__(self, *failure: object) -> None:
        self._gathers -= 1
        if not self._gathers:
            self.send()

    def send(self) -> None:
        """Pass on what is gathered."""
        if self._gathered:
            data = b"".join(self._gathered)
            self._gathered.clear()
            self._size = 0
            if not self._lost and self._transport is not None:
                self._transport.write(data)

    def ready(self) -> Awaitable[None]:
        """Wait until the transport's buffer has room."""
        if self._lost:
            raise Gone()
        if self.blocked is None:
            return _NOW
        if self._drained is None:
            self._drained = Deferred()
        return self._drained

    # IPushProducer

    def pauseProducing(self) -> None:
        self.blocked = self._clock.seconds()
        self._on_block()

    def resumeProducing(self) -> None:
        self.blocked = None
        drained, self._drained = self._drained, None
        if drained is not None:
            drained.callback(None)

    def stopProducing(self) -> None:
        """The connection ends; connectionLost does the rest."""
