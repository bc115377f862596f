"""Connections that send what was written in the same turn of the reactor.

Twisted's own first ask the system to tell when there is room, which there nearly always is: two calls
of epoll_ctl and another turn of the reactor for each answer.  These try at once, when whoever reads
has written all that it wants to.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IListeningPort
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol


class PromptServer(tcp.Server):
    """For ``twisted.internet.tcp.Port.transport``.

    Nothing is new but the moment of sending, and how much is sent at a time: every write asks by
    ``startWriting`` to be sent, and ``doWrite`` calls ``stopWriting`` when nothing is left.  What bounds
    the buffer, and what closes the connection, are as they were.
    """

    #: Octets that are sent at a time: a whole piece of a FETCH, for half of which Twisted takes another turn.
    SEND_LIMIT = 1 << 19
    #: What comes in is being read; what was written meanwhile is sent at the end of that.
    _reading = False
    #: We shall send, at the end of reading or of the reactor's turn.
    _due = False
    #: The reactor will call when there is room.
    _waits = False
    _left = False

    def startWriting(self) -> None:
        if self.disconnecting:
            self._wait()
        elif not (self._due or self._waits):
            self._due = True
            if not self._reading:
                # The turn in which another thread's result came has not ended when this is called.
                self.reactor.callLater(0, self._send)  # type: ignore[attr-defined]

    def stopWriting(self) -> None:
        self._left = False
        if self._waits:
            self._waits = False
            super().stopWriting()  # type: ignore[no-untyped-call]

    def doRead(self) -> Any:
        self._reading = True
        try:
            return super().doRead()
        finally:
            self._reading = False
            if self._due:
                self._send()

    def _send(self) -> None:
        """Send what fits; for the rest, for the end and after an error the reactor calls again."""
        self._due = False
        if self.connected and not self._waits:
            self._left = True
            if self.disconnecting or self.doWrite() is not None or self._left:  # type: ignore[no-untyped-call]
                self._wait()

    def _wait(self) -> None:
        self._waits = True
        super().startWriting()  # type: ignore[no-untyped-call]


def send_promptly(port: IListeningPort) -> None:
    """Make this the transport of connections to come, where they are TCP's own."""
    if isinstance(port, tcp.Port) and port.transport is tcp.Server:
        port.transport = PromptServer


class PromptTLSFactory(TLSMemoryBIOFactory):
    """TLS around what another factory makes, for protocols that write what belongs together at once.

    What Twisted has gathers small writes, and sends them in the reactor's next turn.
    """

    protocol = TLSMemoryBIOProtocol
