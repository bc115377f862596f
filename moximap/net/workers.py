"""Worker processes that share the listening sockets of one: `twistd moximap --workers N`.

The supervisor takes the ports and never accepts; each worker is a process of its own that inherits
the sockets, opens the databases, and hears by the doorbell what the others write.  A worker that dies
is replaced; workers end when their standard input does, that is with the supervisor.
"""

from __future__ import annotations

import base64
import pickle
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IDelayedCall, IStreamServerEndpoint
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.protocols.haproxy import proxyEndpoint
from twisted.python.failure import Failure

from moximap.net.listeners import Listen
from moximap.net.onionlisten import OnionListen

_log = Logger()

#: A worker that lived for fewer seconds than this is replaced only after a while.
QUICK: Final = 2.0
#: Seconds before that, at most; it doubles with each quick death.
LONGEST_WAIT: Final = 30.0
#: Seconds that workers have to end by themselves.
GRACE: Final = 10.0


@attrs.frozen
class Adopted:
    """A listening socket of the supervisor, as a worker gets it.

    ``setting``: what it was made for.  ``family``: a number of the module socket.  ``proxied``:
    connections begin with a PROXY line.  ``onion``: it is a port of the onion service.
    """

    kind: str
    setting: str
    descriptor: int
    family: int
    proxied: bool
    onion: OnionListen | None = None

    def __str__(self) -> str:
        return f"{self.kind}=fd:{self.descriptor}"

    def on(self, reactor: Any) -> IStreamServerEndpoint:
        if self.onion is not None:
            return self.onion.on(reactor, self.descriptor)
        endpoint: IStreamServerEndpoint = AdoptedStreamServerEndpoint(  # type: ignore[no-untyped-call]
            reactor, self.descriptor, socket.AddressFamily(self.family))
        return proxyEndpoint(endpoint) if self.proxied else endpoint


def adopt(listen: Listen | OnionListen, port: Any) -> Adopted:
    """The socket of a port that is listened on by nobody from now on."""
    port.stopReading()
    onion = listen if isinstance(listen, OnionListen) else None
    proxied = listen.endpoint.startswith("haproxy:")
    return Adopted(listen.kind, listen.setting, port.fileno(), int(port.socket.family), proxied, onion)


def pack(settings: object, sockets: Sequence[Adopted]) -> bytes:
    """Settings and sockets as one line, for `unpack` in a worker of the same installation."""
    return base64.b64encode(pickle.dumps((settings, tuple(sockets))))


def unpack(line: bytes) -> tuple[Any, tuple[Adopted, ...]]:
    """What `pack` made; the line comes from our own supervisor, over a pipe that nobody else has."""
    settings, sockets = pickle.loads(base64.b64decode(line))
    return settings, sockets


class _Worker(ProcessProtocol):
    """One worker, from the supervisor's side: its log lines go into ours."""

    def __init__(self, number: int, ended: Callable[[_Worker, Failure], None]) -> None:
        self.number = number
        self.gone: Deferred[None] = Deferred()
        self._ended = ended
        self._rest = b""

    def errReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            _log.info("worker {number}: {line}", number=self.number, line=line.decode(errors="replace"))

    outReceived = errReceived

    def processEnded(self, reason: Failure) -> None:
        self._ended(self, reason)
        self.gone.callback(None)


class Workers(Service):
    """Keeps ``count`` workers running.

    ``command``: of a worker, without the Python.
    """

    def __init__(self, reactor: Any, count: int, command: Sequence[str]) -> None:
        self._reactor = reactor
        self._count = count
        self._command = list(command)
        self._settings = b""
        self._descriptors: Sequence[int] = ()
        self._running: dict[_Worker, tuple[Any, float]] = {}
        self._waiting: dict[int, IDelayedCall] = {}
        self._waits = 0.0
        self._stopping = False

    def begin(self, settings: bytes, descriptors: Sequence[int]) -> None:
        """Start the workers, with the sockets that they inherit."""
        self._settings, self._descriptors = settings, descriptors
        for number in range(1, self._count + 1):
            self._start(number)

    def pids(self) -> list[int]:
        return [process.pid for process, _ in self._running.values()]

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        self._stopping = True
        for timer in self._waiting.values():
            timer.cancel()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        running = dict(self._running)
        for process, _ in running.values():
            process.closeStdin()
        timer = self._reactor.callLater(GRACE, self._kill, running)
        for worker in running:
            await worker.gone
        if timer.active():
            timer.cancel()

    def _kill(self, running: Mapping[_Worker, tuple[Any, float]]) -> None:
        for worker, (process, _) in running.items():
            if worker in self._running:
                process.signalProcess("KILL")

    def _start(self, number: int) -> None:
        self._waiting.pop(number, None)
        worker = _Worker(number, self._ended)
        inherited = {fd: fd for fd in self._descriptors}
        process = self._reactor.spawnProcess(
            worker, sys.executable, [sys.executable, *self._command], env=None,
            childFDs={0: "w", 1: "r", 2: "r", **inherited})
        self._running[worker] = (process, self._reactor.seconds())
        process.write(self._settings + b"\n")
        _log.info("worker {number} is process {pid}", number=number, pid=process.pid)

    def _ended(self, worker: _Worker, reason: Failure) -> None:
        _, began = self._running.pop(worker)
        if self._stopping:
            return
        if not reason.check(ProcessDone):  # type: ignore[no-untyped-call]
            _log.error("worker {number} ended: {reason}", number=worker.number, reason=reason.value)
        quick = self._reactor.seconds() - began < QUICK
        self._waits = min(LONGEST_WAIT, max(0.5, self._waits * 2)) if quick else 0.0
        self._waiting[worker.number] = self._reactor.callLater(self._waits, self._start, worker.number)


