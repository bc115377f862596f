"""The doorbell between processes, as a service: the store's bell, watched by the reactor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from moximap.store.bell import DIRECTORY, Bell
from moximap.store.registry import Nobody, OpenAccounts

#: Seconds for which the bell is not watched after it rang.
DEAF = 0.003


@implementer(IReadDescriptor)
class Doorbell(Service):
    """Hears of what other processes write, and tells them of what this one does."""

    def __init__(self, reactor: Any, path: Path) -> None:
        self._reactor = reactor
        self._path = path
        self._bell: Bell | None = None
        self._accounts: OpenAccounts | None = None
        self._directory_changed: Callable[[], None] = lambda: None
        self._deaf: IDelayedCall | None = None

    def connect(self, accounts: OpenAccounts, directory_changed: Callable[[], None] = lambda: None) -> None:
        """Start; OSError.  Commands then hear what was rung before they answer (``listen``)."""
        self._bell, self._accounts = Bell(self._path, picky=True), accounts
        self._directory_changed = directory_changed
        accounts.others = self._bell
        self._reactor.addReader(self)

    def stopService(self) -> None:
        super().stopService()  # type: ignore[no-untyped-call]
        bell, self._bell = self._bell, None
        if bell is not None and self._accounts is not None:
            self._reactor.removeReader(self)
            if self._deaf is not None:
                self._deaf.cancel()
                self._deaf = None
            self._accounts.others = Nobody()
            bell.close()

    def fileno(self) -> int:
        return self._bell.fileno() if self._bell is not None else -1

    def logPrefix(self) -> str:
        return "moximap.bell"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor lets go of the socket: nothing is to be done."""

    def doRead(self) -> None:
        """The bell rang.  Where it rings all the time it is heard a few hundred times a second, or when a
        command is about to be answered."""
        if self._take_in() and self._deaf is None:
            self._reactor.removeReader(self)
            self._deaf = self._reactor.callLater(DEAF, self._hear_again)

    def _hear_again(self) -> None:
        self._deaf = None
        self._reactor.addReader(self)

    def listen(self) -> bool:
        """Take in what was rung up to now; whether there was something."""
        return self._bell is not None and self._bell.rung and self._take_in()

    def _take_in(self) -> bool:
        if self._bell is None or self._accounts is None:
            return False
        rung = self._bell.drain()
        if rung is None:
            self._accounts.bell(None)
            self._directory_changed()
        for account, modseq in rung or ():
            if account == DIRECTORY:
                self._directory_changed()
            else:
                self._accounts.bell(account, modseq)
        return rung != []
