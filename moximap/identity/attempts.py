"""Login attempts on their way to the directory: gathered in memory, written in the background, then logged.

The law of this file: it is called in the reactor thread, never waits, and never fails its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import time
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from moximap.store.attempts import Attempt, Attempts
from moximap.store.interfaces import IDirectory

log = Logger("moximap.login")

#: Attempts unlike each other that wait for the writer; of more there is only the line in the log.
WAITING: Final = 1000
#: Seconds for which attempts are gathered: each write costs a trip through a thread.
GATHER: Final = 0.2
#: Seconds between two looks for attempts that are too old.
CLEAN: Final = 6 * 3600.0


@attrs.define
class _Noted:
    """How often an attempt was made, and when (Unix seconds)."""

    count: int
    first: float
    last: float


class AttemptLog:
    """``call`` runs a blocking function elsewhere.  ``now``: Unix seconds."""

    def __init__(self, directory: IDirectory, call: Callable[..., Deferred[Any]], reactor: IReactorTime,
                 now: Callable[[], float] = time) -> None:
        self._directory = directory
        self._call = call
        self._reactor = reactor
        self._now = now
        self._waiting: dict[Attempt, _Noted] = {}
        self._writing: Deferred[None] | None = None
        self._cleaned: float | None = None
        self._start: IDelayedCall | None = None

    def note(self, attempt: Attempt) -> None:
        """An attempt was made; what is noted soon after it, or while another batch is written, is a batch."""
        now = self._now()
        earlier = self._waiting.get(attempt)
        if earlier is not None:
            earlier.count += 1
            earlier.last = now
        elif len(self._waiting) < WAITING:
            self._waiting[attempt] = _Noted(1, now, now)
        else:
            tell(attempt, "?")
        if self._writing is None and self._start is None:
            self._start = self._reactor.callLater(GATHER, self._begin)

    def flush(self) -> Deferred[None]:
        """Write all that was noted; fires when it is written."""
        done: Deferred[None] = Deferred()
        if self._writing is None:
            self._begin()
        if self._writing is None:
            done.callback(None)
        else:
            self._writing.addCallback(lambda _: self.flush().chainDeferred(done))
        return done

    def _begin(self) -> None:
        start, self._start = self._start, None
        if start is not None and start.active():
            start.cancel()
        if not self._waiting:
            return
        batch = [Attempts(attempt, noted.count, noted.first, noted.last)
                 for attempt, noted in self._waiting.items()]
        self._waiting = {}
        self._writing = Deferred()
        self._call(self._write, batch).addCallbacks(
            self._written, self._failed, callbackArgs=(batch,), errbackArgs=(batch,))

    def _write(self, batch: list[Attempts]) -> list[int]:
        """In a thread."""
        counts: list[int] = self._directory.attempts.record(batch)
        now = self._now()
        if self._cleaned is None or now - self._cleaned > CLEAN:
            self._cleaned = now
            self._directory.attempts.clean(now)
        return counts

    def _written(self, counts: list[int], batch: list[Attempts]) -> None:
        for noted, count in zip(batch, counts, strict=True):
            tell(noted.attempt, range(count - noted.count + 1, count + 1))
        self._ended()

    def _failed(self, failure: Failure, batch: list[Attempts]) -> None:
        """The record is lost, the log has it."""
        for noted in batch:
            tell(noted.attempt, "?" * noted.count)
        log.error("login attempts cannot be written: {reason}", reason=failure.value)
        self._ended()

    def _ended(self) -> None:
        done, self._writing = self._writing, None
        if done is not None:
            done.callback(None)
        if self._waiting and self._writing is None and self._start is None:
            self._start = self._reactor.callLater(GATHER, self._begin)


def tell(attempt: Attempt, counts: Iterable[object]) -> None:
    """The lines for people and for fail2ban, one for each time: the address stands before all that a client
    can choose.  ``counts``: how many there were of the same by then, "?" where nobody knows."""
    fields = {"address": attempt.remote, "result": attempt.result, "mechanism": attempt.mechanism,
              "account": printable(attempt.account), "login": printable(attempt.login),
              "key": attempt.key or "-"}
    line = f"login {'ok' if attempt.result == 'ok' else 'failed'}: "
    line += " ".join([f"{name}={value}" for name, value in fields.items()])
    for count in counts:                           # one field to format is cheaper than seven
        log.info("{line}", line=f"{line} count={count}", count=count, **fields)


def printable(text: str) -> str:
    """A client's text in quotes, in ASCII without control characters, not too long."""
    return '"' + text[:200].encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'
