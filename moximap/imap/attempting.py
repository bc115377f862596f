"""The login attempts of one connection: each waits for ID, which tells the program, a second at most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import attrs
from twisted.internet.interfaces import IDelayedCall

from moximap.store.attempts import Attempt

if TYPE_CHECKING:
    from moximap.imap.session import Session

#: Seconds that an attempt waits for an ID command.
WAIT: Final = 1.0
#: Characters of what a client says of itself that are kept.
LONGEST: Final = 1000
LONGEST_LOGIN: Final = 320


def user_agent(client_id: Mapping[str, str | None]) -> str:
    """``key="value"`` pairs."""
    return " ".join(f'{key}="{value or ""}"' for key, value in client_id.items())[:LONGEST]


class Pending:
    """At most one attempt waits; a later one, ID, or the connection's end sends it on."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._attempt: Attempt | None = None
        self._timer: IDelayedCall | None = None

    def made(self, mechanism: str, login: str, account: str, result: str) -> None:
        """An attempt is over."""
        self.flush()
        session = self._session
        peer = session.out.peer
        self._attempt = Attempt(account, login[:LONGEST_LOGIN], peer.remote, peer.local, peer.tls(),
                                session.out.peer_key or "", "imap", "", mechanism, result)
        if session.client_id:
            self.flush()
        else:
            self._timer = session.site.reactor.callLater(WAIT, self.flush)

    def flush(self) -> None:
        """Wait no longer."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            if self._session.client_id:
                attempt = attrs.evolve(attempt, agent=user_agent(self._session.client_id))
            self._session.site.attempts.note(attempt)
