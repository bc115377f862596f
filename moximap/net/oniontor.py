"""A tor's control port: one connection to it, and what is said there.  txtorcon speaks the protocol.

The law of this file: what goes out over the control port has the service's key in it, and errors of
txtorcon repeat what went out, so no such error goes further than this file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import attrs
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IStreamClientEndpoint

from moximap.net import onionclients, onionkeys
from moximap.net.onionlisten import OnionListen
from moximap.net.onionplace import OnionSettings, Place, control_address

#: Seconds that tor has for an answer.
DEADLINE: Final = 20.0
_PHASE: Final = re.compile(r'PROGRESS=(\d+)(?:.*?SUMMARY="([^"]*)")?')


class NoTor(Exception):
    """Why there is no service now; one line, without any secret."""


def _no_tor(error: BaseException) -> NoTor:
    from txtorcon import TorProtocolError  # type: ignore[import-untyped]
    from txtorcon.torcontrolprotocol import TorDisconnectError  # type: ignore[import-untyped]
    if isinstance(error, TorDisconnectError):       # its text has the whole command in it
        return NoTor("tor has ended the connection")
    if isinstance(error, TorProtocolError):
        return NoTor(f"tor says: {error.text}")
    if isinstance(error, TimeoutError):
        return NoTor(f"tor gave no answer in {DEADLINE:g} seconds")
    if isinstance(error, ConnectError):
        return NoTor(f"no tor there: {str(error).rstrip('.')}")
    return NoTor(str(error).strip() or type(error).__name__)


#: What becomes of an error; CancelledError is none of them.
_EXPECTED: Final = (RuntimeError, OSError, ConnectError, TimeoutError, ValueError)


@attrs.define(eq=False)
class Control:
    """A connection to a tor that has let us in."""

    _protocol: Any
    _reactor: Any
    lost: bool = False

    @classmethod
    async def connect(cls, reactor: Any, tor: str) -> Control:
        """NoTor."""
        try:
            return await Deferred.fromCoroutine(cls._connect(reactor, tor)).addTimeout(DEADLINE, reactor)
        except _EXPECTED as error:
            raise _no_tor(error) from None

    @classmethod
    async def _connect(cls, reactor: Any, tor: str) -> Control:
        from txtorcon import TorProtocolFactory  # its import takes a while, and few have an onion service
        protocol: Any = await _endpoint(reactor, tor).connect(TorProtocolFactory())
        control = cls(protocol, reactor)
        protocol.when_disconnected().addBoth(control._ended)
        try:
            await protocol.post_bootstrap
        except BaseException:
            control.close()
            raise
        return control

    def _ended(self, _: object) -> None:
        self.lost = True

    @property
    def version(self) -> str:
        return str(self._protocol.version).split()[0]

    def close(self) -> None:
        if not self.lost:
            self._protocol.transport.abortConnection()

    async def ask(self, command: str) -> str:
        """The answer to a command; NoTor."""
        try:
            answer: str = await self._protocol.queue_command(command).addTimeout(DEADLINE, self._reactor)
        except _EXPECTED as error:
            raise _no_tor(error) from None
        return answer

    async def follow(self, event: str, heard: Callable[[str], None]) -> None:
        """Have each event of a kind told; NoTor."""
        try:
            await self._protocol.add_event_listener(event, heard)
        except _EXPECTED as error:
            raise _no_tor(error) from None


def _endpoint(reactor: Any, tor: str) -> IStreamClientEndpoint:
    where = control_address(tor)
    if isinstance(where, Path):
        endpoint: IStreamClientEndpoint = UNIXClientEndpoint(  # type: ignore[no-untyped-call]
            reactor, str(where))
        return endpoint
    return HostnameEndpoint(reactor, *where)


def phase(text: str) -> tuple[int, str] | None:
    """How far a tor is with connecting to its network: percent, and what it is doing."""
    found = _PHASE.search(text)
    return (int(found[1]), found[2] or "") if found is not None else None


class IPublication(Protocol):
    """How the service is made known."""

    async def publish(self, control: Control) -> None:
        """Make it known, for the clients that there are now; NoTor, BadOnion, OSError."""

    async def renew(self, control: Control) -> None:
        """The clients have changed."""

    async def withdraw(self, control: Control) -> None: ...


@attrs.define
class Added:
    """A service by ADD_ONION: of this control connection, and gone with it."""

    place: Place
    ports: Sequence[OnionListen]
    settings: OnionSettings

    async def publish(self, control: Control) -> None:
        key = onionkeys.ensure(self.place)
        clients = onionclients.clients(self.place)
        answer = await control.ask(add_onion(key, self.ports, clients, self.settings))
        if f"ServiceID={key.service_id}" not in answer:
            await self.withdraw(control)
            raise NoTor(f"the two halves of the key in {self.place.service} do not belong together")

    async def renew(self, control: Control) -> None:
        """With new introduction points, so that a descriptor that a former client still has is of no use."""
        await self.withdraw(control)
        await self.publish(control)

    async def withdraw(self, control: Control) -> None:
        await control.ask(f"DEL_ONION {onionkeys.ensure(self.place).service_id}")


class Configured:
    """A service in the torrc of a tor of our own."""

    async def publish(self, control: Control) -> None: ...

    async def renew(self, control: Control) -> None:
        await control.ask("SIGNAL RELOAD")

    async def withdraw(self, control: Control) -> None: ...


def add_onion(key: onionkeys.OnionKey, ports: Sequence[OnionListen],
              clients: Sequence[onionclients.OnionClient], settings: OnionSettings) -> str:
    """The command that makes the service known."""
    flags = ["DiscardPK"] + ["V3Auth"] * bool(clients)
    words = ["ADD_ONION", key.blob, f"Flags={','.join(flags)}", f"MaxStreams={settings.streams}"]
    if settings.proof_of_work:
        words.append("PoWDefensesEnabled=1")
    words += [f"Port={port.port},unix:{port.path}" for port in ports]
    words += [f"ClientAuthV3={client.public}" for client in clients]
    return " ".join(words)
