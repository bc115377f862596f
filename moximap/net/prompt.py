"""Connections that send what is written at once, and end at once.

Twisted's own first ask the system to tell when there is room, which there nearly always is: two calls
of epoll_ctl and another turn of the reactor for each answer, and for each end.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IListeningPort
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from moximap.net.busypoll import BusyPoll


class PromptServer(tcp.Server):
    """For ``twisted.internet.tcp.Port.transport``, and protocols that write at once what belongs together.

    Nothing is new but the moment of sending, and how much is sent at a time.  What does not fit is Twisted's
    to send, and so is what its own TLS writes after STARTTLS: that asks by ``startWriting`` to be sent, and
    ``doWrite`` calls ``stopWriting`` when nothing is left.  What bounds the buffer is as it was.
    """

    #: Octets that are sent at a time: a whole piece of a FETCH, for half of which Twisted takes another turn.
    SEND_LIMIT = 1 << 19
    #: What comes in is being read; what is in the buffer meanwhile is sent at the end of that.
    _reading = False
    #: We shall do so.
    _due = False
    #: The reactor will call when there is room.
    _waits = False
    _left = False

    def __init__(self, poll: BusyPoll | None, *connection: Any) -> None:
        """``connection``: what ``tcp.Port`` gives a transport."""
        super().__init__(*connection)
        self._poll = poll
        self._served = 0.0

    def write(self, data: bytes) -> None:
        if self.connected and not (self._due or self._waits or self.TLS or self._aborting):
            sent = self.writeSomeData(data)
            if sent == len(data):
                return
            if isinstance(sent, int):              # otherwise it is an error, which is met again soon
                data = data[sent:]
        super().write(data)  # type: ignore[no-untyped-call]

    def startWriting(self) -> None:
        if self._reading:
            self._due = True
        elif not self._waits:
            self._wait()

    def stopWriting(self) -> None:
        self._left = False
        if self._waits:
            self._waits = False
            super().stopWriting()  # type: ignore[no-untyped-call]

    def doRead(self) -> Any:
        if self._poll is None:
            return self._read()
        try:
            return self._poll.during(self._read, self._served, self.fileno)
        finally:
            self._served = self._poll.latest

    def _read(self) -> Any:
        self._reading = True
        try:
            return super().doRead()
        finally:
            self._reading = False
            if self._due:
                self._send()

    def _send(self) -> None:
        """Send what fits, and end if it is to end; for the rest, and after an error, the reactor calls."""
        self._due = False
        if self.connected and not self._waits:
            self._left = True
            why = self.doWrite()  # type: ignore[no-untyped-call]
            if why is CONNECTION_DONE:
                self.connectionLost(connectionDone)
            elif why is not None or self._left:
                self._wait()

    def _wait(self) -> None:
        self._waits = True
        super().startWriting()  # type: ignore[no-untyped-call]


def send_promptly(port: IListeningPort, poll: BusyPoll | None = None) -> None:
    """Make this the transport of connections to come, where they are TCP's own.

    They are read through ``poll``.
    """
    if isinstance(port, tcp.Port) and port.transport is tcp.Server:
        prompt: Any = port
        prompt.transport = partial(PromptServer, poll)
        if poll is not None:
            prompt.doRead = partial(poll.during, port.doRead)


class PromptTLSFactory(TLSMemoryBIOFactory):
    """TLS around what another factory makes, for protocols that write what belongs together at once.

    What Twisted has gathers small writes, and sends them in the reactor's next turn.
    """

    protocol = TLSMemoryBIOProtocol
