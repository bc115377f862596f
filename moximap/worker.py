"""One worker process of `twistd moximap --workers N`: started by moximap.net.workers, and by nobody else.

The first line of standard input has the settings and the inherited sockets.  When standard input
ends, so does the worker.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from signal import SIGINT, SIG_IGN, signal
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import FileLogObserver, LogEvent, eventAsText, globalLogBeginner
from twisted.python.failure import Failure

from moximap.net.workers import unpack
from moximap.tap import Server, tune_python


class _Lifeline(Protocol):
    """Standard input: the supervisor holds its other end."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        with suppress(ReactorNotRunning):          # systemd ends all processes of a service at once
            self._reactor.stop()


def _read_line() -> bytes:
    """Unbuffered: what comes after the line is for the reactor."""
    line = b""
    while not line.endswith(b"\n"):
        octet = os.read(0, 1)
        if not octet:
            raise SystemExit("the settings are missing: this is started by twistd moximap --workers")
        line += octet
    return line


def _line(event: LogEvent) -> str:
    """A log line without its time, which the supervisor gives it."""
    return eventAsText(event, includeTimestamp=False) + "\n"


def main() -> None:
    signal(SIGINT, SIG_IGN)                    # Ctrl-C is for the supervisor, which ends us in order
    settings, sockets = unpack(_read_line())
    globalLogBeginner.beginLoggingTo([FileLogObserver(sys.stderr, _line)])
    from twisted.internet import reactor as installed

    reactor: Any = installed
    server = Server(settings, reactor, sockets=sockets)
    server.privilegedStartService()
    server.startService()
    StandardIO(_Lifeline(reactor))  # type: ignore[no-untyped-call]
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    tune_python(reactor)
    reactor.run()


if __name__ == "__main__":
    main()
