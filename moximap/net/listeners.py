"""Listeners: `KIND=ENDPOINT` as the administrator writes it, and the service that listens."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, Union

import attrs
from twisted.application.service import Service
from twisted.internet.defer import (CancelledError, Deferred, FirstError, gatherResults,
                                    maybeDeferred)
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (IAddress, IListeningPort, ILoggingContext, IProtocol,
                                         IProtocolFactory, IStreamServerEndpoint)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from moximap.net.busypoll import BusyPoll, can_poll
from moximap.net.prompt import send_promptly

_log = Logger()
#: None where it failed, and was told.
_Port = Union[IListeningPort, None]


class BadListen(ValueError):
    """A `KIND=ENDPOINT` that cannot be; the text says why."""


class IListen(Protocol):
    """What to listen for, and where."""

    @property
    def kind(self) -> str: ...

    @property
    def setting(self) -> str:
        """`KIND=ENDPOINT` as the settings have it."""

    def on(self, reactor: Any) -> IStreamServerEndpoint:
        """The endpoint; BadListen.  Nothing listens yet."""


@attrs.frozen
class Listen:
    """What to listen for, and where: ``endpoint`` is any Twisted server endpoint string."""

    kind: str
    endpoint: str

    @classmethod
    def parse(cls, text: str, kinds: Iterable[str]) -> Listen:
        """From `KIND=ENDPOINT`; BadListen."""
        kind, equals, endpoint = text.partition("=")
        if not (equals and kind and endpoint):
            raise BadListen(f"{text!r} is not KIND=ENDPOINT, such as imaps=tcp:993")
        if kind not in kinds:
            raise BadListen(f"{kind!r} is none of the kinds of listener: {', '.join(sorted(kinds))}")
        return cls(kind, endpoint)

    def __str__(self) -> str:
        return f"{self.kind}={self.endpoint}"

    @property
    def setting(self) -> str:
        return str(self)

    def on(self, reactor: Any) -> IStreamServerEndpoint:
        """The endpoint; BadListen.  Nothing listens yet."""
        if "onion:" in self.endpoint:   # txtorcon's endpoint of that name would start a tor of its own
            raise BadListen(f"{self}: an onion service is onion:PORT and nothing around it")
        try:
            endpoint: IStreamServerEndpoint = serverFromString(  # type: ignore[no-untyped-call]
                reactor, self.endpoint)
        except Exception as error:      # each kind of endpoint fails in its own way: plugins too
            raise BadListen(f"{self}: not an endpoint of Twisted ({_reason(error)})") from error
        return endpoint


def _reason(error: BaseException) -> str:
    if isinstance(error, CannotListenError) and isinstance(error.socketError, OSError):
        return error.socketError.strerror or str(error.socketError)
    return str(error) or type(error).__name__


def show_address(address: IAddress) -> str:
    """An address for people: `127.0.0.1:143`, `[::1]:143`, a path."""
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is None or port is None:
        name = getattr(address, "name", None)
        return name.decode(errors="replace") if isinstance(name, bytes) else str(address)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class CannotListen(Exception):
    """An address that could not be had; one line."""


class Listeners(Service):
    """Listens on all endpoints; what cannot be had stops the program and not only one listener.

    Ports are taken in ``privilegedStartService``, that is while `twistd --uid` is still root.
    ``ready`` is called once, when all of them are there, with the ports in order.
    """

    def __init__(self, reactor: Any, listens: Sequence[IListen],
                 factories: Mapping[str, IProtocolFactory],
                 ready: Callable[[Sequence[IListeningPort]], object] = lambda ports: None) -> None:
        """``factories``: what speaks on a connection of each listener, by its setting.  Raises BadListen."""
        self._reactor = reactor
        self._todo = [(listen, listen.on(reactor), factories[listen.setting]) for listen in listens]
        self._ready = ready
        self._poll = BusyPoll(reactor) if can_poll(reactor) else None
        self._listening: list[Deferred[_Port]] = []

    def privilegedStartService(self) -> None:
        """Listen.  Raises CannotListen for what fails at once, as nearly everything does."""
        if self._poll is not None:
            self._poll.start()
        for listen, endpoint, factory in self._todo:
            deferred = Deferred.fromCoroutine(_listen(listen, endpoint, factory, self._poll))
            self._listening.append(deferred)
            failed: list[Failure] = []
            if deferred.called:
                deferred.addErrback(failed.append)
            for failure in failed:
                failure.raiseException()
        Deferred.fromCoroutine(self._all_ready(self._listening)).addErrback(self._too_late)

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        if not self._listening:
            self.privilegedStartService()

    async def _all_ready(self, listening: Sequence[Deferred[_Port]]) -> None:
        ports = await gatherResults(listening, consumeErrors=True)
        self._ready([port for port in ports if port])

    def _too_late(self, failure: Failure) -> None:
        """An endpoint that took its time has failed, or the service was stopped meanwhile."""
        error = failure.value.subFailure.value if isinstance(failure.value, FirstError) else failure.value
        if not isinstance(error, CancelledError):
            _log.critical("stopping: {error}", error=error)
            self._reactor.stop()

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        if self._poll is not None:
            self._poll.stop()
        listening, self._listening = self._listening, []
        return Deferred.fromCoroutine(_stop(listening))


async def _listen(listen: IListen, endpoint: IStreamServerEndpoint,
                  factory: IProtocolFactory, poll: BusyPoll | None) -> _Port:
    try:
        port = await endpoint.listen(factory)
    except CancelledError:
        raise
    except Exception as error:
        raise CannotListen(f"cannot listen on {listen}: {_reason(error)}") from error
    send_promptly(port, poll)
    _log.info("listening: {kind} on {address}", kind=listen.kind,
              address=show_address(port.getHost()))
    return port


async def _stop(listening: Sequence[Deferred[_Port]]) -> None:
    for deferred in listening:
        deferred.cancel()
        with suppress(CancelledError, CannotListen):
            if port := await deferred:
                await maybeDeferred(port.stopListening)


@implementer(IProtocolFactory, ILoggingContext)
class Late:
    """Holds a port until the server behind it is there.

    A privileged port is taken before `twistd` forks and becomes another user; databases are opened
    after that, since they do not survive a fork.
    """

    behind: IProtocolFactory | None = None

    def logPrefix(self) -> str:
        return "moximap"

    def doStart(self) -> None: ...

    def doStop(self) -> None: ...

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        return self.behind.buildProtocol(addr) if self.behind is not None else None


def allow_descriptors() -> None:
    """Open as many connections and databases as the administrator lets us: the usual 1024 are few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):          # macOS: above what the kernel allows
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
