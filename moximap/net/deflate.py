"""Raw deflate in both directions, as a layer between a protocol and its transport (RFC 1951, RFC 4978).

Octets that come in are inflated as far as the peer has flushed them, in whatever way it did, but never
more than PIECE of them in one turn of the reactor: what a bomb hides is not made until it is wanted.
Meanwhile the transport is not read.  Octets that go out are flushed once in a turn, not once in a write.
"""

from __future__ import annotations

import zlib
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Octets that are inflated at once; what comes of them is all that an unread input adds to a buffer.
PIECE: Final = 65536
#: A window of 8 KiB is 96 KiB of memory for a connection; the largest would be 256, for lists of
#: messages that get 3 % smaller.
WINDOW: Final = 13
MEMORY: Final = 7
LEVEL: Final = 3


class IAbove(Protocol):
    """The protocol that speaks through the layer."""

    def take(self, data: bytes) -> None:
        """Octets as the peer meant them."""

    def dismiss(self, text: str) -> None:
        """End the connection: what the peer sends makes no sense."""


class Deflate:
    """Between ``above`` and a transport, of which it has the rest: what is not here is the transport's own.

    ``received`` takes what the transport delivers.
    """

    def __init__(self, transport: Any, above: IAbove, clock: IReactorTime) -> None:
        self._transport = transport
        self._above = above
        self._clock = clock
        self._deflater = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW, MEMORY)
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._waiting = b""                        # came in, and is not inflated yet
        self._more = False                         # there is something to inflate
        self._paused = False                       # from above
        self._reading = True
        self._closed = False                       # neither side of zlib is called again
        self._turn: IDelayedCall | None = None
        self._flush: IDelayedCall | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    # going out

    def write(self, data: bytes) -> None:
        """Compress; what that gives goes out, and the rest at the end of this turn."""
        if self._closed:
            return
        ready = self._deflater.compress(data)
        if ready:
            self._transport.write(ready)
        if self._flush is None:
            self._flush = self._clock.callLater(0, self._flush_now)

    def _flush_now(self) -> None:
        self._flush = None
        self._transport.write(self._deflater.flush(zlib.Z_SYNC_FLUSH))

    # coming in

    def received(self, data: bytes) -> None:
        """Inflate what can be; a stream that ended may be followed by nothing."""
        if self._closed or not data:
            return
        self._waiting += data
        self._more = True
        if self._turn is None and not self._paused:
            self._inflate()
        self._steer()

    def _inflate(self) -> None:
        self._turn = None
        try:
            plain = self._inflater.decompress(self._waiting, PIECE)
        except zlib.error:
            self._above.dismiss("what you send is not deflated")
            return
        self._waiting = self._inflater.unconsumed_tail
        self._more = bool(self._waiting) or len(plain) == PIECE
        if self._inflater.unused_data:
            self._above.dismiss("what you send goes on behind its end")
            return
        if plain:
            self._above.take(plain)

    def _inflate_on(self) -> None:
        self._inflate()
        self._steer()

    def _steer(self) -> None:
        """Go on inflating in the next turn, read, or wait."""
        if self._closed:
            return
        if self._more and not self._paused and self._turn is None:
            self._turn = self._clock.callLater(0, self._inflate_on)
        reading = not (self._more or self._paused)
        if reading != self._reading:
            self._reading = reading
            if reading:
                self._transport.resumeProducing()
            else:
                self._transport.pauseProducing()

    # the transport, as the protocol uses it

    def pauseProducing(self) -> None:
        self._paused = True
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._steer()

    def resumeProducing(self) -> None:
        self._paused = False
        self._steer()

    def loseConnection(self) -> None:
        """End the stream, then the connection."""
        if not self._closed:
            self._transport.write(self._deflater.flush(zlib.Z_FINISH))
        self.lost()
        self._transport.loseConnection()

    def abortConnection(self) -> None:
        self.lost()
        self._transport.abortConnection()

    def lost(self) -> None:
        """The connection is over: nothing is compressed any more."""
        self._closed = True
        for timer in (self._turn, self._flush):
            if timer is not None:
                timer.cancel()
        self._turn = self._flush = None
