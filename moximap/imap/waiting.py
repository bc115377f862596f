"""Commands that wait long for the store: how far they are, and when the client is told that they live.

A command enters `Waiting` only between whole responses, so that one more may be written there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from twisted.internet.interfaces import IDelayedCall

if TYPE_CHECKING:
    from moximap.imap.session import Session

#: Seconds without a word after which the client is told.  Some clients give up after 15.
LONG: Final = 10.0


class Progress:
    """How far a command is: ``done`` of ``goal`` messages; a goal of 0: nobody knows.

    ``since``: when the client last had something to read, in the reactor's seconds; None: just now.
    """

    def __init__(self, goal: int = 0) -> None:
        self.goal = goal
        self.since: float | None = None
        self._done = 0

    @property
    def done(self) -> int:
        """It never falls, and is below the goal while the command runs."""
        return max(0, min(self._done, self.goal - 1))

    def reached(self, done: int) -> None:
        """In any thread."""
        self._done = max(self._done, done)

    def part(self, messages: int, uidnext: int) -> Callable[[int], None]:
        """To be called with the UIDs of a mailbox that is gone through, ascending, in any thread."""
        before = self._done
        return lambda uid: self.reached(before + messages * uid // max(uid, uidnext))


class Waiting:
    """A session's one timer, set anew only when it is due: who waits briefly pays for nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._progress: Progress | None = None
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def __call__(self, progress: Progress) -> _Wait:
        return _Wait(self, progress)

    def begin(self, progress: Progress) -> None:
        now = self._session.site.reactor.seconds()
        if progress.since is None:
            progress.since = now
        self._progress = progress
        self._set(progress.since + LONG - now)

    def end(self) -> None:
        self._progress = None

    def stop(self) -> None:
        """The session is over."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, seconds: float) -> None:
        if self._timer is None and not self._stopped:
            self._timer = self._session.site.reactor.callLater(max(0.0, seconds), self._due)

    def _due(self) -> None:
        self._timer = None
        progress = self._progress
        if progress is None or progress.since is None:
            return
        now = self._session.site.reactor.seconds()
        if now >= progress.since + LONG:
            progress.since = now
            for tell in self._session.dialect.long_waits:
                self._session.write(tell(self._session, progress))
        self._set(progress.since + LONG - now)


class _Wait:
    def __init__(self, waiting: Waiting, progress: Progress) -> None:
        self._waiting = waiting
        self._progress = progress

    def __enter__(self) -> None:
        self._waiting.begin(self._progress)

    def __exit__(self, *failure: object) -> None:
        self._waiting.end()
