"""The doorbell between processes, as a service: the store's bell, watched by the reactor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from moximap.store.bell import DIRECTORY, Bell
from moximap.store.registry import OpenAccounts


@implementer(IReadDescriptor)
class Doorbell(Service):
    """Hears of what other processes write, and tells them of what this one does."""

    def __init__(self, reactor: Any, path: Path) -> None:
        self._reactor = reactor
        self._path = path
        self._bell: Bell | None = None
        self._accounts: OpenAccounts | None = None
        self._directory_changed: Callable[[], None] = lambda: None

    def connect(self, accounts: OpenAccounts, directory_changed: Callable[[], None] = lambda: None) -> None:
        """Start; OSError.  Commands then hear what was rung before they answer (``doRead``)."""
        self._bell, self._accounts = Bell(self._path), accounts
        self._directory_changed = directory_changed
        accounts.on_write = self._bell.ring
        self._reactor.addReader(self)

    def stopService(self) -> None:
        super().stopService()  # type: ignore[no-untyped-call]
        bell, self._bell = self._bell, None
        if bell is not None and self._accounts is not None:
            self._reactor.removeReader(self)
            self._accounts.on_write = lambda account, modseq: None
            bell.close()

    def fileno(self) -> int:
        return self._bell.fileno() if self._bell is not None else -1

    def logPrefix(self) -> str:
        return "moximap.bell"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor lets go of the socket: nothing is to be done."""

    def doRead(self) -> None:
        if self._bell is None or self._accounts is None:
            return
        rung = self._bell.drain()
        if rung is None:
            self._accounts.bell(None)
            self._directory_changed()
        for account, modseq in rung or ():
            if account == DIRECTORY:
                self._directory_changed()
            else:
                self._accounts.bell(account, modseq)
