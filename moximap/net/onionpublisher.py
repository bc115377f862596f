"""Keeps the onion service known to the Tor network, whatever becomes of tor."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from time import time
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from moximap.net import onionkeys
from moximap.net.onionlisten import OnionListen, share
from moximap.net.onionplace import BadOnion, Place
from moximap.net.oniontor import Control, IPublication, NoTor, phase

_log = Logger()

#: Seconds between two looks at the clients, and at whether tor is still there.
POLL: Final = 1.0
#: Seconds until the next try where there is no tor: doubled each time, up to the second.
WAITS: Final = (1.0, 30.0)
#: Seconds after which it is told that nothing is published yet.
SLOW: Final = 120.0
#: Seconds that a stopping server waits for tor.
GOODBYE: Final = 5.0


class Publisher(Service):
    """``tor``: a control port.  ``patience``: seconds from the start in which having no tor is no news."""

    def __init__(self, reactor: Any, place: Place, ports: Sequence[OnionListen], tor: str,
                 publication: IPublication, patience: float = 0.0) -> None:
        self._reactor = reactor
        self._place = place
        self._ports = ports
        self._tor = tor
        self._publication = publication
        self._patience = patience
        self._control: Control | None = None
        self._running: Deferred[None] | None = None
        self._told = ""
        self._uploads = 0
        self._state: dict[str, object] = {}

    def startService(self) -> None:
        """Raises BadOnion, OSError."""
        super().startService()  # type: ignore[no-untyped-call]
        self._key = onionkeys.ensure(self._place)
        _log.info("onion service: {address}, ports {ports}, by tor at {tor}", address=self._key.address,
                  ports=", ".join(f"{port.port} ({port.kind})" for port in self._ports), tor=self._tor)
        self._started = self._reactor.seconds()
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._failed)

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):  # type: ignore[no-untyped-call]
            _log.failure("the onion service is lost", failure=failure)

    async def _stop(self) -> None:
        running, self._running = self._running, None
        control, self._control = self._control, None
        if running is not None:
            running.cancel()
        if control is not None:
            leaving = Deferred.fromCoroutine(self._publication.withdraw(control))
            with suppress(NoTor, TimeoutError):
                await leaving.addTimeout(GOODBYE, self._reactor)
            control.close()
        self._place.state.unlink(missing_ok=True)

    async def _run(self) -> None:
        wait = WAITS[0]
        while True:
            began = self._reactor.seconds()
            try:
                await self._while_there()
            except (NoTor, BadOnion, OSError) as error:
                self._tell(str(error))
            if self._reactor.seconds() - began > WAITS[1]:
                wait = WAITS[0]
            await deferLater(self._reactor, wait)
            wait = min(2 * wait, WAITS[1])

    def _tell(self, trouble: str) -> None:
        """Each trouble once, not with each try."""
        self._note("no tor", trouble)
        if trouble != self._told and self._reactor.seconds() - self._started >= self._patience:
            self._told = trouble
            _log.error("the onion service is not reachable ({tor}): {trouble}; it is tried again and again",
                       tor=self._tor, trouble=trouble)

    async def _while_there(self) -> None:
        """From connecting to tor until it is gone; NoTor, BadOnion, OSError."""
        control = self._control = await Control.connect(self._reactor, self._tor)
        try:
            await self._begin(control)
            await self._watch(control)
        finally:
            if self._control is control:
                self._control = None
                control.close()

    async def _begin(self, control: Control) -> None:
        self._uploads = 0
        self._note("starting", "", tor=control.version)
        await control.follow("HS_DESC", self._descriptor)
        await control.follow("STATUS_CLIENT", self._bootstrapped)
        self._bootstrapped(await control.ask("GETINFO status/bootstrap-phase"))
        if (problem := share(self._ports, self._tor)) is not None:
            _log.warn("tor cannot connect to the onion service's sockets: {problem}", problem=problem)
        self._clients = self._look()
        await self._publication.publish(control)
        self._told = ""

    async def _watch(self, control: Control) -> None:
        """Until tor is gone: renew the service when its clients change."""
        slow = self._reactor.seconds() + SLOW
        while not control.lost:
            await deferLater(self._reactor, POLL)
            clients = self._look()
            if clients != self._clients:
                self._clients = clients
                _log.info("onion service: it has other clients now")
                await self._publication.renew(control)
            if not self._uploads and self._reactor.seconds() > slow:
                slow = float("inf")
                _log.warn("onion service: tor has not made it known yet; its log says why")
        raise NoTor("tor has gone away")

    def _look(self) -> object:
        """What changes when a client comes or goes.  In the reactor thread: a few stats, from memory."""
        with suppress(FileNotFoundError):
            return sorted((entry.name, entry.stat().st_mtime_ns) for entry in os.scandir(self._place.clients))
        return []

    def _bootstrapped(self, text: str) -> None:
        if (found := phase(text)) is not None:
            percent, doing = found
            _log.info("onion service: tor is connected to {percent} %: {doing}", percent=percent, doing=doing)
            self._note(detail=f"tor is connected to {percent} %")

    def _descriptor(self, text: str) -> None:
        """An event HS_DESC: ACTION ADDRESS ..."""
        action, _, rest = text.partition(" ")
        if action != "UPLOADED" or rest.split(" ")[0] != self._key.service_id:
            return
        self._uploads += 1
        if self._uploads == 1:
            _log.info("onion service: {address} is published", address=self._key.address)
        self._note("published", f"descriptors at {self._uploads} directories of the network")

    def _note(self, state: str | None = None, detail: str = "", **more: object) -> None:
        """For `moximap onion status`, which may be asked in another process."""
        if state is not None and state != self._state.get("state"):
            self._state |= {"state": state, "since": int(time())}
        self._state |= {"pid": os.getpid(), "address": self._key.address, "detail": detail} | more
        with suppress(OSError):
            onionkeys.write(self._place.state, json.dumps(self._state).encode())


