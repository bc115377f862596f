"""`moximap imapserve`: an IMAP session on standard input and output, for tunnels and ssh.

Whoever may read the data directory is the owner of what is in it: the session begins with PREAUTH
(RFC 9051 7.1.4), also for accounts whose login is disabled.  A server that runs on the same data is
told of changes, and tells of its own, by the doorbell.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import (FileLogObserver, FilteringLogObserver, LogEvent, LogLevel,
                            LogLevelFilterPredicate, eventAsText, globalLogBeginner)
from twisted.python.failure import Failure
from zope.interface import implementer

from moximap import config
from moximap.cli.context import Data, pass_data
from moximap.config import BadConfig, Config
from moximap.identity.authenticator import Authenticator
from moximap.imap import proving
from moximap.imap.errors import Bye, No
from moximap.imap.protocol import IMAPProtocol
from moximap.imap.site import Site
from moximap.net.doorbell import Doorbell
from moximap.store.directory import Directory
from moximap.store.interfaces import AccountRecord
from moximap.store.threads import Pool

THREADS: Final = 2


@implementer(IHalfCloseableProtocol)
class Tunnel(IMAPProtocol):
    """A connection whose client is an account's owner from the start.  ``ended`` is called at its end.

    Input that ends does not cut off the answers to what was asked before.  ``login``: the name that was
    asked for.  ``welcome``: there was a greeting, and not a BYE.
    """

    def __init__(self, site: Site, record: AccountRecord, login: str, hidden: frozenset[bytes],
                 ended: Callable[[], None]) -> None:
        super().__init__(site, implicit_tls=False, hidden=hidden)
        self.session.guarded = False
        self.welcome = False
        self._record = record
        self._login = login
        self._ended = ended
        self._input_ended = False

    def _greet(self) -> None:
        self._greeted = True
        self._patience.start(self.site.limits.login_timeout)
        self._hold()
        self._spawn(self._aside(self._enter()))

    async def _enter(self) -> None:
        try:
            await self.session.login(self._record)
        except No as error:
            raise Bye(error.text, error.code) from None
        self.session.attempts.made("imapserve", self._login, self._record.name, "ok")
        proving.say_hello(self.session)
        self.welcome = True

    def readConnectionLost(self) -> None:
        self._input_ended = True
        if self._line is not None or not self._running:
            self._abort_softly()

    def writeConnectionLost(self) -> None:
        self._abort()

    def read_line(self) -> Deferred[bytes]:
        line = super().read_line()
        if self._input_ended and not line.called:
            self._abort_softly()
        return line

    def take(self, data: bytes) -> None:
        """The outermost call sees the end: inside it a command that took no time has others behind it."""
        super().take(data)
        if self._input_ended and self._line is None \
                and not (self._running or self.paused or self._busyReceiving):
            self._abort_softly()

    def _abort_softly(self) -> None:
        """Nothing more comes: end, once what was written is sent."""
        if not self._closing:
            self._finish()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._ended()


class Pipes(StandardIO):
    """Two descriptors as a transport that can be cut off, and has no address."""

    def getPeer(self) -> UNIXAddress:
        return UNIXAddress(None)

    def getHost(self) -> UNIXAddress:
        return UNIXAddress(None)

    def abortConnection(self) -> None:
        if not self.disconnected:
            self.connectionLost(Failure(ConnectionAborted()))  # type: ignore[no-untyped-call,attr-defined]


class _Only(Factory):
    """Gives the one protocol that there is."""

    noisy = False

    def __init__(self, protocol: Tunnel) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: IAddress | None) -> Tunnel:
        return self._protocol


def _is_socket(*descriptors: int) -> bool:
    """Whether the descriptors are all one and the same socket."""
    found = [os.fstat(descriptor) for descriptor in descriptors]
    return stat.S_ISSOCK(found[0].st_mode) and len({(one.st_dev, one.st_ino) for one in found}) == 1


def attach(reactor: Any, tunnel: Tunnel, output: int) -> None:
    """Connect to descriptor 0 for input and to ``output``, which may be 0 too."""
    if _is_socket(0, output):
        with socket.socket(fileno=os.dup(0)) as connected:
            family = connected.family
        os.set_blocking(0, False)
        reactor.adoptStreamConnection(0, family, _Only(tunnel))
    else:
        Pipes(tunnel, 0, output, reactor)  # type: ignore[no-untyped-call,call-arg]


@contextmanager
def _blocking_again(*descriptors: int) -> Iterator[None]:
    """The terminal or pipe may be the caller's too: leave it as it was."""
    before = [(descriptor, os.get_blocking(descriptor)) for descriptor in descriptors]
    try:
        yield
    finally:
        for descriptor, blocking in before:
            try:
                os.set_blocking(descriptor, blocking)
            except OSError:                        # closed meanwhile
                continue


class Serving:
    """All that one session needs, in a process with a reactor.  ``address``: of its account."""

    def __init__(self, reactor: Any, path: Path, directory: Directory, address: str,
                 settings: Config) -> None:
        self._reactor = reactor
        self._stopping = False
        self._pool = Pool(reactor, THREADS)
        self._doorbell = Doorbell(reactor, path / "bell")
        self.site = Site(directory=directory, authenticator=Authenticator(directory), pool=self._pool,
                         reactor=reactor, listen_to_bells=self._doorbell.listen, **config.of_site(settings))
        self.tunnel = Tunnel(self.site, directory.account(address), address, settings.hidden("imapserve"),
                             self._ended)

    def run(self, output: int) -> None:
        """Until the session is over; OSError."""
        self._doorbell.connect(self.site.accounts, self.site.guard.directory_changed)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._stop)
        self._reactor.callWhenRunning(attach, self._reactor, self.tunnel, output)
        self._reactor.run()

    def _ended(self) -> None:
        """Not before the reactor's next turn: the session may be over before the reactor has begun."""
        self._reactor.callLater(0, self._end)

    def _end(self) -> None:
        if not self._stopping:
            self._reactor.stop()

    def _stop(self) -> Deferred[None]:
        self._stopping = True
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        self.site.say_goodbye()
        await self.site.attempts.flush()
        for account in self.site.accounts.close_all():
            await self._pool.call(account.close)
        self._pool.stopService()
        self._doorbell.stopService()


def _line(event: LogEvent) -> str:
    return f"moximap: {eventAsText(event, includeTimestamp=False, includeSystem=False)}\n"


def _log_to_standard_error() -> None:
    """Warnings and worse, and traces where there are any; standard output is the client's."""
    worse = LogLevelFilterPredicate(LogLevel.warn)
    worse.setLogLevelForNamespace("moximap.trace", LogLevel.debug)
    observer = FilteringLogObserver(FileLogObserver(sys.stderr, _line), [worse])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)


def _settings(file: Path | None) -> Config:
    try:
        return Config() if file is None else config.read(file)
    except BadConfig as error:
        raise click.UsageError(str(error)) from None


@click.command()
@click.argument("address")
@click.option("--fd0", is_flag=True, help="Both directions on descriptor 0, such as a socket.")
@click.option("--config", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The server's configuration file: its limits and traces, and where the mail is.")
@pass_data
def imapserve(data: Data, address: str, fd0: bool, file: Path | None) -> None:
    """Speak IMAP on standard input and output, logged in to the account of ADDRESS.

    For the tunnel of mail programs, and ssh.  It ends when the input does, with 0; with 1 where the
    account takes no more connections, with 2 where there is no such account.
    """
    _log_to_standard_error()
    output, settings = 0 if fd0 else 1, _settings(file)
    data = Data(data.path or settings.data)
    with data.directory() as directory:
        assert data.path is not None
        directory.account(address)
        from twisted.internet import reactor
        serving = Serving(reactor, data.path, directory, address, settings)
        with _blocking_again(0, output):
            serving.run(output)
    if not serving.tunnel.welcome:
        raise click.exceptions.Exit(1)
