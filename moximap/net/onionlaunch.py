"""The lines of a torrc for the onion service, and `--tor launch`: a tor that is the server's child."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from moximap.net.onionkeys import write
from moximap.net.onionlisten import OnionListen
from moximap.net.onionplace import OnionSettings, Place

_log = Logger()

#: Seconds until a tor that has ended is started again: doubled each time, up to the second.
WAITS: Final = (1.0, 60.0)
#: Seconds that tor has to end by itself.
GRACE: Final = 10.0


def service_lines(directory: object, ports: Sequence[OnionListen], settings: OnionSettings) -> list[str]:
    """The service in a torrc.  ``directory``: its HiddenServiceDir."""
    lines = [f"HiddenServiceDir {directory}", "HiddenServiceVersion 3",
             "HiddenServiceExportCircuitID haproxy",
             f"HiddenServiceMaxStreams {settings.streams}"]
    lines += [f"HiddenServicePort {port.port} unix:{port.path}" for port in ports]
    if settings.proof_of_work:
        lines.append("HiddenServicePoWDefensesEnabled 1")
    if settings.limit_introductions:
        lines.append("HiddenServiceEnableIntroDoSDefense 1")
    return lines


def torrc(place: Place, ports: Sequence[OnionListen], settings: OnionSettings) -> str:
    """All of the torrc of a tor of our own, that ends when this process does."""
    lines = [f"DataDirectory {place.tor}", f"ControlSocket {control_socket(place)}",
             "CookieAuthentication 1", "SocksPort 0", "RunAsDaemon 0", "Log notice stdout",
             "ShutdownWaitLength 0", f"__OwningControllerProcess {os.getpid()}",
             *service_lines(place.service, ports, settings), *settings.torrc]
    return "".join(f"{line}\n" for line in lines)


def control_socket(place: Place) -> str:
    return str(place.tor / "control")


class _Tor(ProcessProtocol):
    """The child: what it says goes into our log."""

    def __init__(self, ended: Callable[[Failure], None]) -> None:
        self.gone: Deferred[None] = Deferred()
        self._ended = ended
        self._rest = b""

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            _log.info("tor: {line}", line=line.decode(errors="replace"))

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        self._ended(reason)
        self.gone.callback(None)


class Launcher(Service):
    """A tor of our own, started again when it ends."""

    def __init__(self, reactor: Any, place: Place, ports: Sequence[OnionListen], settings: OnionSettings,
                 program: str = "tor") -> None:
        self._reactor = reactor
        self._place = place
        self._ports = ports
        self._settings = settings
        self._program = program
        self._child: tuple[_Tor, Any] | None = None
        self._again: IDelayedCall | None = None
        self._wait = WAITS[0]

    @property
    def pid(self) -> int | None:
        return self._child[1].pid if self._child is not None else None

    def startService(self) -> None:
        """Raises OSError."""
        super().startService()  # type: ignore[no-untyped-call]
        self._start()

    def _start(self) -> None:
        self._again = None
        program = shutil.which(self._program)
        if program is None:
            _log.error("the onion service is not reachable: the program tor is not installed")
            return
        self._place.tor.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._place.tor / "torrc"
        write(path, torrc(self._place, self._ports, self._settings).encode())
        child = _Tor(self._ended)
        command = [program, "--defaults-torrc", os.devnull, "-f", str(path)]
        process = self._reactor.spawnProcess(child, program, command, env=os.environ)
        self._began = self._reactor.seconds()
        self._child = child, process
        _log.info("tor is process {pid}", pid=process.pid)

    def _ended(self, reason: Failure) -> None:
        self._child = None
        if not self.running:
            return
        if self._reactor.seconds() - self._began > WAITS[1]:
            self._wait = WAITS[0]
        _log.error("tor has ended: {reason}; it is started again in {wait} seconds", reason=reason.value,
                   wait=self._wait)
        self._again = self._reactor.callLater(self._wait, self._start)
        self._wait = min(2 * self._wait, WAITS[1])

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        again, self._again = self._again, None
        if again is not None:
            again.cancel()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._child is None:
            return
        child, process = self._child
        process.signalProcess("TERM")
        timer = self._reactor.callLater(GRACE, process.signalProcess, "KILL")
        await child.gone
        if timer.active():
            timer.cancel()
