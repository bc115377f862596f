"""Sessions end when their reason does: a key revoked or over, an account disabled or gone.

The directory's doorbell says that something changed, in whichever process; one call to the pool then
judges all who are logged in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from moximap.identity.authenticator import Entry

if TYPE_CHECKING:
    from moximap.imap.session import Session
    from moximap.imap.site import Site

log = Logger()

#: Seconds after which a timer for the end of a key looks at the calendar again, at most.
LONGEST: Final = 86400.0
#: Seconds until the directory is asked again where it could not be read.
AGAIN: Final = 1.0


class Guard:
    """Ends the sessions of a site that may not go on.  ``heard``: how often the directory has changed."""

    def __init__(self, site: Site) -> None:
        self.heard = 0
        self._site = site
        self._looking = False
        self._again = False

    def directory_changed(self) -> None:
        """Look at all sessions; what changes meanwhile makes us look once more."""
        self.heard += 1
        self._look_soon()

    def logged_in(self, heard: int) -> None:
        """Somebody logged in who was judged when ``heard`` was that: was it still true in the end?"""
        if heard != self.heard:
            self._look_soon()

    def _look_soon(self) -> None:
        self._again = True
        if not self._looking:
            self._looking = True
            Deferred.fromCoroutine(self._look()).addErrback(
                lambda failure: log.failure("looking after sessions failed", failure=failure))

    async def _look(self) -> None:
        try:
            while self._again:
                self._again = False
                entries = {entry(session) for session in self._sessions()}
                reasons = await self._site.pool.call(self._site.authenticator.ended, entries)
                for session in self._sessions():
                    if (reason := reasons.get(entry(session))) is not None:
                        session.out.dismiss(reason)
        except Exception:
            self._site.reactor.callLater(AGAIN, self._look_soon)
            raise
        finally:
            self._looking = False

    def _sessions(self) -> Iterable[Session]:
        return [connection.session for connection in list(self._site.connections)
                if connection.session.record is not None and connection.session.guarded]


def entry(session: Session) -> Entry:
    """By what a session is there."""
    assert session.record is not None
    return session.record.name, session.key.fingerprint if session.key is not None else None


class Expiry:
    """Ends one session when its key's time is over."""

    def __init__(self, session: Session, until: float) -> None:
        self._session = session
        self._until = until
        self._timer: IDelayedCall | None = None
        self._look()

    def cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _look(self) -> None:
        left = self._until - self._session.site.authenticator.clock()
        if left <= 0:
            self._session.out.dismiss("the end date of this key has passed")
        else:
            self._timer = self._session.site.reactor.callLater(min(left, LONGEST), self._look)
