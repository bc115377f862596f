"""Search indexes are made in a process of their own, which has what time the processors have left.

To take messages apart is work for the interpreter, which a server's threads share: there, each batch holds up
the mail.  The process is started when there is something to do, and ended when there was nothing for a while.
What it does is a batch of one account at a time (moximap.store.indexing_process).
"""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from moximap.store.errors import NoSpace, StoreError, Unavailable
from moximap.store.indexing_soon import ELSEWHERE, HERE, Step
from moximap.store.interfaces import IAccount

_log = Logger()

#: Seconds after which a process that has nothing to do is ended, and that one has to end by itself.
LINGER: Final = 60.0
GRACE: Final = 10.0

#: From so many messages on that wait nobody is spared: who searches would have to wait longer.
MANY: Final = 3000

_COMMAND: Final = ("-m", "moximap.store.indexing_process")


def _failure(words: str) -> StoreError:
    """What the process could not do; that a disk is full it says first, as nobody need look into that."""
    return (NoSpace if words.startswith(NoSpace.__name__) else Unavailable)(words)


class _Process(ProcessProtocol):
    """One process, from our side.  ``gone`` fires when it has ended."""

    def __init__(self) -> None:
        self.gone: Deferred[None] = Deferred()
        self.asked: deque[Deferred[int | None]] = deque()
        self._rest = b""

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                answer, asked = json.loads(line), self.asked.popleft()
            except (ValueError, IndexError):
                self._end()
                return
            if isinstance(answer, str):
                asked.errback(_failure(answer))
            else:
                asked.callback(answer)

    def _end(self) -> None:
        """It says what is no answer, so nobody knows which answer is whose: all that was asked fails."""
        _log.error("the process that indexes says what it was not asked for, and is ended")
        assert self.transport is not None
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def errReceived(self, data: bytes) -> None:
        for line in data.splitlines():
            _log.warn("indexing: {line}", line=line.decode(errors="replace"))

    def processEnded(self, reason: Failure) -> None:
        self.gone.callback(None)
        for asked in self.asked:
            asked.errback(Unavailable(f"the process that indexes ended: {reason.value}"))


class IndexElsewhere:
    """The process, if there is one; ``call`` runs in a thread what finds out whether there need be.

    ``command``: of the process, without the Python.
    """

    pace = ELSEWHERE

    def __init__(self, reactor: Any, call: Callable[..., Deferred[Any]], command: tuple[str, ...] = _COMMAND
                 ) -> None:
        self._reactor = reactor
        self._call = call
        self._command = command
        self._process: _Process | None = None
        self._transport: Any = None
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def step(self, account: IAccount, limit: int, spare: bool = False) -> Deferred[Step]:
        return Deferred.fromCoroutine(self._step(account, limit, spare))

    async def _step(self, account: IAccount, limit: int, spare: bool) -> Step:
        waiting = await self._call(account.backlog, MANY)
        if not waiting:
            return Step(0)
        if spare and waiting < MANY:
            return Step(None)
        # What writes to the mail is done here: the process may have to stand still with a lock in its hand.
        if redigested := await self._call(account.redigest, HERE.batch):
            return Step(redigested)
        if self._stopped:
            raise Unavailable("the server was stopped meanwhile")
        return Step(await self._ask(account, limit), many=waiting == MANY)

    def stop(self) -> Deferred[None]:
        """End the process, when it has done what it is at, and begin no other."""
        self._stopped = True
        return self._end()

    def _end(self) -> Deferred[None]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        process, transport = self._process, self._transport
        self._process = self._transport = None
        if process is None:
            return succeed(None)
        transport.closeStdin()
        timer = self._reactor.callLater(GRACE, transport.signalProcess, "KILL")
        return process.gone.addCallback(lambda _: timer.cancel() if timer.active() else None)

    def _ask(self, account: IAccount, limit: int) -> Deferred[int | None]:
        if self._process is None or self._process.gone.called:
            process = _Process()
            self._transport = self._reactor.spawnProcess(
                process, sys.executable, [sys.executable, *self._command], env=None)
            self._process = process          # not before: the system may have no room for it
        answer: Deferred[int | None] = Deferred()
        self._process.asked.append(answer)
        self._transport.write(json.dumps([str(account.home), account.name, limit]).encode() + b"\n")
        self._stay()
        return answer

    def _stay(self) -> None:
        if self._timer is None:
            self._timer = self._reactor.callLater(LINGER, self._idle)
        else:
            self._timer.reset(LINGER)

    def _idle(self) -> None:
        self._timer = None
        if self._process is not None and self._process.asked:
            self._stay()
        else:
            self._end()
