"""How long a client may be silent, or not read, before its connection is closed."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from moximap.imap.dialect import NOT_AUTHENTICATED
from moximap.imap.outlet import Outlet
from moximap.imap.session import Session
from moximap.imap.site import Limits


class Patience:
    """One timer for a connection, set anew only when it is due: traffic costs a look at the clock.

    ``waits`` tells whether the client is waiting for us; then it may be silent.  ``silent`` is called
    when it was silent for too long, ``stuck`` when it does not read.
    """

    def __init__(self, clock: IReactorTime, limits: Limits, session: Session, outlet: Outlet,
                 waits: Callable[[], bool], silent: Callable[[], None], stuck: Callable[[], None]) -> None:
        self._clock = clock
        self._limits = limits
        self._session = session
        self._outlet = outlet
        self._waits = waits
        self._silent = silent
        self._stuck = stuck
        self._timer: IDelayedCall | None = None
        self._heard = clock.seconds()
        self.hurry = False                     # the next time that it is due, it is over

    def start(self, seconds: float) -> None:
        self.stop()
        self._timer = self._clock.callLater(seconds, self._check)

    def stop(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def heard(self) -> None:
        """The client sent something."""
        self._heard = self._clock.seconds()

    def blocked(self) -> None:
        """The client stopped reading: look when its time is over, not when it was last due."""
        if self._timer is not None and not self.hurry:
            self.start(self._seconds()[1])

    def _seconds(self) -> tuple[float, float]:
        limits = self._limits
        if self._session.state == NOT_AUTHENTICATED:
            return limits.login_timeout, limits.login_write_timeout
        return limits.idle_timeout, limits.write_timeout

    def _check(self) -> None:
        self._timer = None
        now, (quiet, stuck) = self._clock.seconds(), self._seconds()
        due, blocked = self._heard + quiet, self._outlet.blocked
        if self.hurry or blocked is not None and now >= blocked + stuck:
            self._stuck()
            return
        if blocked is not None:
            due = min(due, blocked + stuck)
        if now >= due and not self._waits():
            self._silent()
        else:
            self.start(max(due - now, 1.0))
