"""What all connections of a process share: the directory, the pool, the limits, the dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import attrs
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorTime

import moximap
from moximap.identity.attempts import AttemptLog
from moximap.identity.authenticator import Authenticator
from moximap.identity.brakes import Brakes
from moximap.imap.complaints import Complaints
from moximap.imap.dialect import Dialect, standard
from moximap.imap.guarding import Guard
from moximap.store.interfaces import IDirectory
from moximap.store.indexing_soon import IIndexer
from moximap.store.registry import OpenAccounts
from moximap.store.threads import IPool

if TYPE_CHECKING:
    from moximap.identity.tokens import IInspector
    from twisted.internet.interfaces import IOpenSSLServerConnectionCreator

    from moximap.imap.session import Session


class IConnection(Protocol):
    """One connection of a client."""

    @property
    def session(self) -> Session: ...

    def dismiss(self, text: str, code: bytes | None = None) -> None:
        """End it, with one BYE."""


@attrs.frozen
class Limits:
    """Sizes in octets, times in seconds."""

    line: int = 65536                     # a command line between literals
    literal: int = 102400                 # one string literal
    literals: int = 1048576               # all string literals of a command
    literal_count: int = 1000
    append: int = 100 * 1024 * 1024       # one message
    memory: int = 131072                  # a message up to here is received in memory
    batch: int = 8388608                  # all messages of a command that are received in memory
    login_timeout: float = 30             # not authenticated: the client says nothing
    idle_timeout: float = 1800            # authenticated
    handshake_timeout: float = 60
    login_write_timeout: float = 30       # the client reads nothing
    write_timeout: float = 300
    connections: int = 10000              # in all
    early_connections: int = 30           # of one address, on which nobody has logged in yet
    new_connections: int = 300            # of one address, in a minute
    connections_per_account: int = 128
    failed_logins: int = 10               # on one connection, then BYE


@attrs.define
class Site:
    """``tls`` makes the server side of STARTTLS, None where there is no certificate; ``onion_tls`` does
    so for the onion service, where that has one of its own.

    ``listen_to_bells`` takes in what other processes wrote up to now.  ``peer_key`` gives the
    fingerprint of a TLS transport's client key, None where it has none.  ``indexer``: None, the threads of
    the pool.  ``traced``: accounts whose connections are written to the log.  ``searches``: how many that
    read messages run at once, fewer than the pool has threads if it has several.
    """

    directory: IDirectory
    authenticator: Authenticator
    pool: IPool
    reactor: IReactorTime
    limits: Limits = Limits()
    tls: IOpenSSLServerConnectionCreator | None = None
    onion_tls: IOpenSSLServerConnectionCreator | None = None
    plaintext_login: bool = False
    onion_plaintext_login: bool = False
    cram_md5: bool = False
    tokens: IInspector | None = None
    peer_key: Callable[[object], str | None] = lambda transport: None
    listen_to_bells: Callable[[], object] = lambda: None
    indexer: IIndexer | None = None
    traced: frozenset[str] = frozenset()
    trace_messages: bool = False
    searches: int = 6
    version: str = moximap.__version__
    dialect: Dialect = attrs.field(factory=standard)
    connections: set[IConnection] = attrs.field(factory=set, init=False)
    accounts: OpenAccounts = attrs.field()
    attempts: AttemptLog = attrs.field()
    guard: Guard = attrs.field()
    brakes: Brakes = attrs.field()
    complaints: Complaints = attrs.field()
    searching: DeferredSemaphore = attrs.field()
    _searching_of: dict[str, DeferredSemaphore] = attrs.field(factory=dict, init=False)

    @accounts.default
    def _accounts(self) -> OpenAccounts:
        return OpenAccounts(self.directory, self.pool, self.reactor, self.indexer)

    @attempts.default
    def _attempts(self) -> AttemptLog:
        return AttemptLog(self.directory, self.pool.call, self.reactor)

    @guard.default
    def _guard(self) -> Guard:
        return Guard(self)

    @brakes.default
    def _brakes(self) -> Brakes:
        return Brakes(self.reactor.seconds, self.limits.early_connections, self.limits.new_connections)

    @searching.default
    def _searching(self) -> DeferredSemaphore:
        return DeferredSemaphore(self.searches)

    def searching_of(self, account: str) -> DeferredSemaphore:
        """One account's searches: half of all that may be, so that others' wait for those of others only."""
        return self._searching_of.setdefault(account, DeferredSemaphore(max(1, self.searching.limit // 2)))

    @complaints.default
    def _complaints(self) -> Complaints:
        return Complaints(self.reactor.seconds)

    def say_goodbye(self) -> None:
        """The server stops: end all connections with a BYE."""
        for connection in list(self.connections):
            connection.dismiss("the server is stopping", b"UNAVAILABLE")
