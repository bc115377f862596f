"""The doorbell as a service: bells of other processes wake this one's sessions, and ours theirs."""

from __future__ import annotations

from pathlib import Path

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from moximap.store.bell import Bell
from moximap.store.opened import OpenAccounts


@implementer(IReadDescriptor)
class Doorbell(Service):
    """``directory``: where all processes of a data directory have their sockets."""

    def __init__(self, reactor: IReactorFDSet, directory: Path, accounts: OpenAccounts) -> None:
        self._reactor = reactor
        self._directory = directory
        self._accounts = accounts
        self._bell: Bell | None = None

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._bell = Bell(self._directory)
        self._accounts.on_write = self._bell.ring
        self._reactor.addReader(self)

    def stopService(self) -> None:
        super().stopService()  # type: ignore[no-untyped-call]
        if self._bell is not None:
            self._accounts.on_write = lambda account, modseq: None
            self._reactor.removeReader(self)
            self._bell.close()
            self._bell = None

    def listen(self) -> None:
        """Take in what was rung up to now: what another client was answered, the next one here sees."""
        if self._bell is None:
            return
        rung = self._bell.drain()
        if rung is None:
            self._accounts.bell(None)
        else:
            for account, modseq in rung:
                self._accounts.bell(account, modseq)

    # IReadDescriptor

    def doRead(self) -> None:
        self.listen()

    def fileno(self) -> int:
        return -1 if self._bell is None else self._bell.fileno()

    def logPrefix(self) -> str:
        return "moximap.store.doorbell"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor dropped the socket; nothing is to be done."""
