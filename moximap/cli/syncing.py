"""`moximap sync` at work: the connection, the reactor, the bar."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

import attrs
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.task import react
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure as Failed

from moximap import client
from moximap.cli.context import Data, Failure
from moximap.cli.sync import Origin, Proof
from moximap.net.trust import read
from moximap.delivery.syncing import Sync
from moximap.delivery.syncing_fetching import Summary
from moximap.store.account import Account
from moximap.store.bell import Bell

T = TypeVar("T")


def bring(data: Data, address: str, origin: Origin, proof: Proof, wanted: Callable[[str], bool],
          quiet: bool) -> Summary:
    """All of it; Failure with one line where it cannot be, or was cut off."""
    proof.check(origin)
    try:
        trust = client.Trust(None if proof.ca is None else read(proof.ca), proof.fingerprint, proof.anybody)
        key = None if proof.key is None else read(proof.key)
        trust.options(origin.host, key)      # what is wrong with it is told before anything is asked
        with data.account(address) as account:
            way = Way(origin, trust, proof.plain, key, proof.password())
            return _bring(data, account, way, wanted, quiet)
    except (client.BadTrust, client.TlsMissing, client.LoginImpossible) as error:
        raise Failure(str(error), 2) from error
    except client.BadResponse as error:
        raise Failure(f"{origin.host} says what is not IMAP: wanted was {error}", 1) from error
    except client.ConnectionEnded as error:
        raise Failure(f"{origin.host}: {error}", 1) from error
    except client.CommandFailed as error:
        raise Failure(f"{origin.host} refuses: {error}", 1) from error


@attrs.frozen
class Way:
    """How the other server is reached, and who we say we are."""

    origin: Origin
    trust: client.Trust
    plain: bool
    key: bytes | None = attrs.field(repr=False)
    password: str | None = attrs.field(repr=False)

    async def client(self, reactor: Any) -> client.Client:
        """Logged in; ConnectionEnded, LoginImpossible, TlsMissing, Failure."""
        origin = self.origin
        endpoint: Any = HostnameEndpoint(reactor, origin.host, origin.port)
        if origin.tls:
            endpoint = client.wrapped(self.trust.options(origin.host, self.key), endpoint)
        found = await client.connect(reactor, endpoint)
        found.connection.transport.setTcpKeepAlive(True)
        if not (origin.tls or self.plain):
            await client.start_tls(found, self.trust.options(origin.host, self.key))
        password = self.password
        try:
            await client.log_in(found, origin.user, None if password is None else lambda: password)
        except client.CommandFailed as error:
            raise Failure(f"{origin.host} refuses the login of {origin.user}: {error}", 2) from error
        return found


def run_reactor(work: Callable[[Any], Awaitable[T]]) -> T:
    """Run the reactor until the work is done; what it raises is raised.  Once in a process."""
    outcome: list[T | Failed] = []

    async def main(reactor: Any) -> None:
        try:
            outcome.append(await work(reactor))
        except Exception:
            outcome.append(Failed())  # type: ignore[no-untyped-call]

    try:
        react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
    except SystemExit:
        pass                                 # it always ends so; what matters is the outcome
    if not outcome:
        raise click.Abort
    if isinstance(outcome[0], Failed):
        outcome[0].raiseException()
    return outcome[0]


@attrs.define
class Meter:
    """Messages on a bar."""

    bar: Progress
    total: int = 0

    def expect(self, messages: int) -> None:
        self.total += messages
        self.bar.update(self.bar.task_ids[0], total=self.total)

    def advance(self, messages: int) -> None:
        self.bar.advance(self.bar.task_ids[0], messages)


@contextmanager
def _meter(quiet: bool) -> Iterator[Meter]:
    """On standard error, if that is a terminal."""
    console = Console(stderr=True)
    with Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console,
                  disable=quiet or not console.is_terminal, transient=True) as bar:
        bar.add_task("", total=None)
        yield Meter(bar)


def _bring(data: Data, account: Account, way: Way, wanted: Callable[[str], bool], quiet: bool) -> Summary:
    assert data.path is not None
    with closing(Bell(data.path / "bell")) as bell, _meter(quiet) as meter:
        async def work(reactor: Any) -> Summary:
            def call(function: Callable[..., Any], *arguments: Any) -> Any:
                return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

            found = await way.client(reactor)
            try:
                return await Sync(found, account, str(way.origin), call, meter,
                                  lambda modseq: bell.ring(account.name, modseq), wanted).run()
            finally:
                await found.close()

        return run_reactor(work)
