"""IDLE (RFC 9051 6.3.13, RFC 2177): changes are told as they happen, until the client says DONE."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from moximap.imap.dialect import LOGGED_IN, Capability, Extension, Spec
from moximap.imap.dispatch import catch_up
from moximap.imap.errors import Bye
from moximap.imap.grammar import Cursor
from moximap.imap.session import Gone, Session

log = Logger()


class Watch:
    """What an idling session waits for: a line of the client, or a change.

    Changes that come in one turn of the reactor are one: its end wakes the session, once.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._room = session.room
        self._line: bytes | Failure | None = None
        self._rung = False
        self._timer: IDelayedCall | None = None
        self._waiting: Deferred[None] | None = None

    def start(self) -> None:
        view, everywhere = self._session.view, self._session.policy.everywhere
        if self._room is not None and (view is not None or everywhere):
            wanted = None if view is None or everywhere else view.mailbox.id
            self._room.listen(self._session, wanted, self._ring)
        self._read()

    def stop(self) -> None:
        if self._room is not None:
            self._room.unlisten(self._session)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def line(self) -> bytes | None:
        """Wait: a line, or None where something changed first; Gone."""
        if self._line is None and not self._rung:
            self._waiting = Deferred()
            await self._waiting
        if isinstance(self._line, Failure):
            self._line.raiseException()
        self._rung = False
        return self._line

    def _read(self) -> None:
        self._session.out.read_line().addCallbacks(self._heard, self._heard)

    def _heard(self, line: bytes | Failure) -> None:
        """An empty line is nothing, as between commands: iOS sends such."""
        if line == b"":
            self._read()
        else:
            self._line = line
            self._wake()

    def _ring(self, mailbox: int | None) -> None:
        if self._timer is None:
            self._timer = self._session.site.reactor.callLater(0, self._rang)

    def _rang(self) -> None:
        self._timer = None
        self._rung = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


@attrs.frozen
class Idle:
    async def run(self, session: Session) -> None:
        """What is pending is told before the continuation, as in the example of RFC 9051."""
        watch = Watch(session)
        try:
            await catch_up(session, True)
            session.write(b"+ idling\r\n")
            watch.start()
            while (line := await watch.line()) is None:
                await _tell(session)
        finally:
            watch.stop()
        if line.rstrip(b" ").upper() != b"DONE":
            raise Bye("DONE is all that may be said while idling")


async def _tell(session: Session) -> None:
    """Changes, once the client has read the last ones.

    A failure ends the connection: the client waits for changes that would never come, and its DONE
    would be taken for a command.
    """
    try:
        await session.out.ready()
        await catch_up(session, True)
    except Gone:
        raise
    except Exception:
        log.failure("changes could not be told to an idling client")
        raise Bye("the mailbox cannot be watched now", b"UNAVAILABLE") from None


def parse(p: Cursor) -> Idle:
    return Idle()


EXTENSION = Extension(
    name="IDLE", rfcs=(9051, 2177),
    capabilities=(Capability(b"IDLE"),),
    commands={b"IDLE": Spec(parse, LOGGED_IN, capability=b"IDLE")},
)
