"""`twistd moximap`: its options, and the tree of services that they make."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from socket import gethostname
from typing import Any, NoReturn

import attrs
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python import usage

from moximap import config
from moximap.config import BadConfig, Config
from moximap.demo import Demo
from moximap.identity.authenticator import Authenticator
from moximap.identity.oauth import introspector
from moximap.imap.site import Site
from moximap.kinds import KINDS
from moximap.net.certificates import ensure
from moximap.net.doorbell import Doorbell
from moximap.net.listeners import (BadListen, CannotListen, IListen, Late, Listeners,
                                   allow_descriptors)
from moximap.net.onionlisten import onion_ports, parse_all
from moximap.net.onionplace import BadOnion
from moximap.net.onionservice import certificate as onion_certificate, services as onion_services
from moximap.net.workers import Adopted, Workers, adopt, pack
from moximap.net.tls import BadCertificate, ServerTLS, peer_key
from moximap.store.directory import Directory
from moximap.store.errors import StoreError, in_full
from moximap.store.indexing_elsewhere import IndexElsewhere
from moximap.store.memory import share_heap
from moximap.store.threads import Pool

_log = Logger()


def _refuse(error: object) -> NoReturn:
    """End with one line and exit code 2.  twistd itself would print all of its help and exit with 1."""
    sys.stderr.write(f"twistd moximap: {error}\n")
    raise SystemExit(2)


class Options(usage.Options):
    """The command line.  What it gives goes before what the configuration file gives."""

    synopsis = "[--demo | --data DIR] [options]"
    longdesc = ("An IMAP server.  Accounts are made with the `moximap` command; "
                "docs/configuration.md has the configuration file.")
    optFlags = [
        ["demo", None, "A server on this machine only, with an account and mail; needs no other option."],
        ["onion", None, "An onion service of Tor too, with the ports 993 and 143 (docs/onion.md)."],
        ["plaintext-login", None, "Allow passwords without TLS: for tests, and for proxies on this host."]]
    optParameters = [
        ["data", None, None, "Directory of all accounts and their mail."],
        ["config", None, None, "Configuration file (TOML)."],
        ["tls-cert", None, None, "Certificate chain (PEM), the server's own first."],
        ["tls-key", None, None, "Its private key (PEM)."],
        ["append-limit", None, None, "Largest message that clients may add, in bytes."],
        ["tor", None, None, "Control port of the tor for the onion service: unix:PATH (default: "
         "/run/tor/control) or tcp:HOST:PORT; or launch, for a tor of our own; or torrc."],
        ["threads", None, None, "Threads for the databases."],
        ["workers", None, None, "Processes that serve, for machines with several cores."]]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.listens: list[str] = []
        self.config = Config()

    def opt_listen(self, text: str) -> None:
        """KIND=ENDPOINT, where KIND is imap (with STARTTLS), imaps, or https (IMAP for those who ask for
        it by ALPN, else a page), and ENDPOINT any server endpoint of Twisted, such as tcp:993 or
        systemd:domain=INET:index=0, or onion:PORT.  May be given several times."""
        self.listens.append(text)

    def opt_version(self) -> NoReturn:
        """Show moximap's version."""
        from moximap import __version__
        sys.stdout.write(f"moximap {__version__}\n")
        raise SystemExit(0)

    def parseArgs(self, *extra: str) -> None:
        if extra:
            raise usage.UsageError(f"what is {extra[0]!r}? there are only options")

    def postOptions(self) -> None:
        try:
            self.config = config.validate(self._config())
        except BadConfig as error:
            raise usage.UsageError(str(error)) from error

    def parseOptions(self, options: list[str] | None = None) -> None:
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as error:
            _refuse(error)

    def _config(self) -> Config:
        base = Demo.config() if self["demo"] else Config()
        if self["config"]:
            base = config.read(Path(self["config"]), base)
        given: dict[str, Any] = {
            "data": _absolute(self["data"]), "tls_certificate": _absolute(self["tls-cert"]),
            "tls_key": _absolute(self["tls-key"]), "threads": self._number("threads"),
            "workers": self._number("workers"),
            "listen": tuple(self.listens), "plaintext_login": bool(self["plaintext-login"])}
        merged = attrs.evolve(base, **{key: value for key, value in given.items() if value})
        if append := self._number("append-limit"):
            merged = attrs.evolve(merged, limits=attrs.evolve(merged.limits, append=append))
        merged = config.with_onion(merged, bool(self["onion"]), self["tor"])
        if merged.data is None:
            raise BadConfig("say with --data DIR where the mail is, or try --demo")
        return merged

    def _number(self, name: str) -> int | None:
        text: str | None = self[name]
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and int(text)):
            raise BadConfig(f"--{name} must be a whole number above 0")
        return int(text)


def _absolute(path: str | None) -> Path | None:
    """twistd changes its directory before the services start."""
    return Path(path).expanduser().absolute() if path else None


class Server(MultiService):
    """The whole server in one process.  ``site`` is there while it runs.

    ``sockets``: of a supervisor, to listen on in place of what the settings name.
    """

    def __init__(self, settings: Config, reactor: Any, tls: ServerTLS | None = None,
                 demo: Demo | None = None, sockets: Sequence[Adopted] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.config = settings
        self.site: Site | None = None
        self._demo = demo
        self._made_by = os.getpid()                  # another one later: twistd has become a daemon
        self._reactor = reactor
        self._tls = tls
        self._pool = Pool(reactor, settings.threads)
        self._indexer = IndexElsewhere(reactor, self._pool.call)
        own = [] if sockets else parse_all(settings.listen, KINDS, settings.data or Path(), settings.onion)
        listens: Sequence[IListen] = sockets or own
        self._late = {listen.setting: (listen.kind, Late()) for listen in listens}
        self._doorbell = Doorbell(reactor, (settings.data or Path()) / "bell")
        self._doorbell.setServiceParent(self)  # type: ignore[no-untyped-call]
        late = {setting: late for setting, (_, late) in self._late.items()}
        self.listeners = Listeners(reactor, listens, late, self._ready)
        self.listeners.setServiceParent(self)  # type: ignore[no-untyped-call]
        for service in onion_services(reactor, onion_ports(own), settings.onion):
            service.setServiceParent(self)  # type: ignore[no-untyped-call]

    def _ready(self, ports: Sequence[IListeningPort]) -> None:
        if self._demo is not None:
            self._reactor.callWhenRunning(self._demo.announce, [port.getHost() for port in ports])

    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()  # type: ignore[no-untyped-call]
        except CannotListen as error:
            self._give_up(error)

    def startService(self) -> None:
        allow_descriptors()
        try:
            self.site = self._open()
            super().startService()  # type: ignore[no-untyped-call]
        except StoreError as error:
            self._give_up(f"{self.config.data}: {in_full(error)}")
        except (BadCertificate, CannotListen, BadOnion) as error:
            self._give_up(error)
        except OSError as error:
            self._give_up(f"{error.filename}: {error.strerror}" if error.filename else error)

    def _give_up(self, error: object) -> NoReturn:
        """End with one line in the log and on standard error, and exit code 1."""
        _log.critical("{error}", error=error)
        if os.getpid() != self._made_by:
            # The parent waits for word from us; twistd sends it this exception's text.
            raise CannotStart(error)
        if sys.__stderr__ is not None:               # sys.stderr is a part of the log by now
            sys.__stderr__.write(f"twistd moximap: {error}\n")
        raise SystemExit(1)

    def _open(self) -> Site:
        data = self.config.data
        assert data is not None
        if self.config.plaintext_login:
            _log.warn("passwords are accepted without TLS: anybody on the way can read them")
        directory = Directory(data)
        if self._demo is not None:
            self._demo.fill(directory)
        tls = self._tls or ServerTLS(*self._certificate(data))
        onion_tls = onion_certificate(self.config.listen, data, self.config.onion)
        site = Site(directory=directory, authenticator=Authenticator(directory), pool=self._pool,
                    reactor=self._reactor, tls=tls,
                    onion_tls=onion_tls if self.config.tls_certificate is None else None,
                    tokens=introspector(self._reactor, self.config.oauth), peer_key=peer_key,
                    listen_to_bells=self._doorbell.listen, indexer=self._indexer,
                    **config.of_site(self.config))
        self._doorbell.connect(site.accounts, site.guard.directory_changed)
        for setting, (kind, late) in self._late.items():
            late.behind = KINDS[kind](site, self.config.hidden(setting))
        return site

    def _certificate(self, data: Path) -> tuple[Path, Path]:
        """The files of our certificate and its key; a worker process gets here with those of the settings."""
        if self.config.tls_certificate is not None and self.config.tls_key is not None:
            return self.config.tls_certificate, self.config.tls_key
        return ensure(data / "tls", _own_names())

    def stopService(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await maybeDeferred(super().stopService)
        site, self.site = self.site, None
        if site is not None:
            site.say_goodbye()
            await site.attempts.flush()
            for account in site.accounts.close_all():
                await self._pool.call(account.close)
            await self._indexer.stop()
            self._pool.stopService()
            site.directory.close()


class Supervisor(MultiService):
    """A server of several processes: this one has the ports, its workers serve.  ``workers`` are they."""

    def __init__(self, settings: Config, reactor: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._settings = settings
        self._reactor = reactor
        self._listens = parse_all(settings.listen, KINDS, settings.data or Path(), settings.onion)
        self._listeners = Listeners(reactor, self._listens, {one.setting: Late() for one in self._listens},
                                    self._ready)
        self._listeners.setServiceParent(self)  # type: ignore[no-untyped-call]
        self.workers = Workers(reactor, settings.workers, ["-m", "moximap.worker"])
        self.workers.setServiceParent(self)  # type: ignore[no-untyped-call]
        for service in onion_services(reactor, onion_ports(self._listens), settings.onion):
            service.setServiceParent(self)  # type: ignore[no-untyped-call]

    def _ready(self, ports: Sequence[IListeningPort]) -> None:
        """Not before the reactor runs: twistd may still fork and change its user."""
        self._reactor.callWhenRunning(self._hand_over, ports)

    def _hand_over(self, ports: Sequence[IListeningPort]) -> None:
        sockets = [adopt(listen, port)
                   for listen, port in zip(self._listens, ports, strict=True)]
        self.workers.begin(pack(self._settings, sockets), [one.descriptor for one in sockets])


def _own_names() -> tuple[str, ...]:
    return gethostname(), "localhost", "127.0.0.1", "::1"


#: Seconds after which a thread that computes lets another one go on.  The reactor gives up its turn at each
#: statement of a command; Python's own 5 ms, several times over, are felt.
SWITCH = 0.0005


class CannotStart(Exception):
    """Why the server does not start, for twistd's parent process."""


def tune_python(reactor: Any) -> None:
    """What is there when the reactor starts, mostly code, is not searched for garbage any more: it would be
    again and again, while rows are read; the whole of a large mailbox took twice the time.

    And threads that compute let the reactor have its turn soon, and share their memory.
    """
    sys.setswitchinterval(SWITCH)
    share_heap()
    reactor.addSystemEventTrigger("after", "startup", gc.collect)
    reactor.addSystemEventTrigger("after", "startup", gc.freeze)


def makeService(options: Options, reactor: Any = None) -> Server | Supervisor:
    """The server that the options ask for; what cannot be is said in one line, with exit code 2."""
    if reactor is None:
        from twisted.internet import reactor
    tune_python(reactor)
    settings = options.config
    try:
        tls = None
        if settings.tls_certificate is not None and settings.tls_key is not None:
            # Now, while twistd is still root: keys are often readable by root only.
            tls = ServerTLS(settings.tls_certificate, settings.tls_key)
        if settings.workers > 1 and not options["demo"]:
            return Supervisor(settings, reactor)
        return Server(settings, reactor, tls, Demo(settings) if options["demo"] else None)
    except (BadListen, BadCertificate) as error:
        _refuse(error)
