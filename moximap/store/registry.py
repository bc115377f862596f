"""The accounts that this process has open, by name: opened with the first user, closed after the last."""

from __future__ import annotations

from math import inf
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from moximap.store.housework import Turn
from moximap.store.indexing_soon import IIndexer, IndexHere
from moximap.store.interfaces import IAccount, IDirectory
from moximap.store.memory import give_back
from moximap.store.opened import OpenAccount
from moximap.store.threads import IPool

log = Logger()

#: Seconds after which an account that nobody uses keeps no pages in memory, and after which it is closed.
REST = 2.0
LINGER = 60.0


class IOthers(Protocol):
    """Other processes that have accounts open: the doorbell."""

    def ring(self, account: str, modseq: int, again: bool) -> None:
        """Tell them of a write here; as `OnWrite`."""

    def want(self, account: str) -> None:
        """Let them tell us of an account's writes; said before anything of it is read."""

    def unwant(self, account: str) -> None: ...

    def doze(self, account: str) -> None:
        """Nobody here uses it: only what matters to others is of interest, until `wake`."""

    def wake(self, account: str) -> None:
        """As `want`; what was read before may be stale."""

    def silent(self) -> float:
        """Seconds since one of them wrote to any account."""


class Nobody:
    """There are no others."""

    def ring(self, account: str, modseq: int, again: bool) -> None: ...

    def want(self, account: str) -> None: ...

    def unwant(self, account: str) -> None: ...

    def doze(self, account: str) -> None: ...

    def wake(self, account: str) -> None: ...

    def silent(self) -> float:
        return inf


class OpenAccounts:
    """The accounts that this process has open, by name."""

    def __init__(self, directory: IDirectory, pool: IPool, reactor: IReactorTime,
                 indexer: IIndexer | None = None) -> None:
        self._directory = directory
        self._pool = pool
        self._reactor = reactor
        self._turn = Turn(reactor, lambda: self.others.silent())
        self._indexer = indexer or IndexHere(pool.call)
        self._index_turn = self._turn
        if indexer is not None:
            self._index_turn = Turn(reactor, self._turn.silent, indexer.pace.pause)
        self._open: dict[str, OpenAccount] = {}
        self._opening: dict[str, list[Deferred[OpenAccount]]] = {}
        self._closing: dict[str, IDelayedCall] = {}
        self._tired: set[str] = set()
        self._resting: IDelayedCall | None = None
        self._gone: set[OpenAccount] = set()
        self.others: IOthers = Nobody()

    async def get(self, name: str) -> OpenAccount:
        """An open account, with one user more; `release` it."""
        account = self._open.get(name)
        if account is not None and account.store.removed:
            self._set_aside(account)
            account = None
        account = account or await self._first(name)
        account.users += 1
        timer = self._closing.pop(name, None)
        if timer is not None:
            timer.cancel()
            self.others.wake(name)
            account.overslept()
        return account

    async def _first(self, name: str) -> OpenAccount:
        waiting = self._opening.get(name)
        if waiting is not None:
            ours: Deferred[OpenAccount] = Deferred()
            waiting.append(ours)
            return await ours
        waiting = self._opening[name] = []
        self.others.want(name)
        try:
            store: IAccount = await self._pool.call(self._directory.open, name)
        except Exception as error:
            self.others.unwant(name)
            for other in self._opening.pop(name):
                other.errback(error)
            raise
        account = self._open[name] = OpenAccount(store, self._pool, self._reactor, self._turn,
                                                 self._indexer, self._index_turn)
        account.keep_house()
        account.on_write = lambda name, modseq, again: self.others.ring(name, modseq, again)
        for other in self._opening.pop(name):
            other.callback(account)
        return account

    def _set_aside(self, account: OpenAccount) -> None:
        """It was removed, and another may have its name; who uses it still is about to be sent away."""
        name = account.store.name
        if name in self._closing:
            self._closing[name].cancel()
            self._close(name)
        else:
            self._gone.add(self._open.pop(name))

    def release(self, account: OpenAccount) -> None:
        """One user fewer; an account that nobody used for a while is closed."""
        account.users -= 1
        name = account.store.name
        if account.users:
            return
        if self._open.get(name) is account:
            self._closing[name] = self._reactor.callLater(LINGER, self._close, name)
            self.others.doze(name)
            self._tired.add(name)
            if self._resting is None:
                self._resting = self._reactor.callLater(REST, self._rest)
        elif account in self._gone:
            self._gone.remove(account)
            self._shut(account)

    def _rest(self) -> None:
        """Those whose users have gone since the last time: what is kept for each of them adds up."""
        self._resting = None
        stores = [self._open[name].store for name in self._tired & self._closing.keys()]
        self._tired.clear()
        self._pool.call(_rest, stores, not self._turn.busy).addErrback(
            lambda failure: log.failure("accounts that nobody uses do not rest", failure=failure))

    def bell(self, name: str | None, modseq: int = 0) -> None:
        """Another process wrote to an account; None: to any."""
        for key in [name] if name is not None else list(self._open):
            if key in self._open:
                self._open[key].bell(modseq)

    def close_all(self) -> list[IAccount]:
        """Forget all accounts, and give their stores to be closed."""
        for timer in self._closing.values():
            timer.cancel()
        if self._resting is not None:
            self._resting.cancel()
        self._closing, self._resting = {}, None
        accounts, self._open, self._gone = [*self._open.values(), *self._gone], {}, set()
        for account in accounts:
            account.closing()
        return [account.store for account in accounts]

    def _close(self, name: str) -> None:
        del self._closing[name]
        self.others.wake(name)
        self._shut(self._open.pop(name))

    def _shut(self, account: OpenAccount) -> None:
        self.others.unwant(account.store.name)
        account.closing()
        self._pool.call(account.store.close).addErrback(lambda failure: None)


def _rest(stores: list[IAccount], quiet: bool) -> None:
    """In a store thread; where it is quiet the system is given what is free now."""
    for store in stores:
        store.rest()
    if quiet:
        give_back()
