"""What an administrator can ask a listener to be, and what happens when it cannot."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from moximap.net import listeners
from moximap.net.listeners import BadListen, CannotListen, Listen, Listeners, show_address

KINDS = ("imap", "imaps")
LOOPBACK = "tcp:0:interface=127.0.0.1"


class Words(SynchronousTestCase):
    def bad(self, text: str) -> str:
        return str(self.assertRaises(BadListen, Listen.parse, text, KINDS))

    def test_kind_and_endpoint_are_apart_at_the_first_equals_sign(self) -> None:
        self.assertEqual(Listen.parse("imaps=tcp:993:interface=::1", KINDS),
                         Listen("imaps", "tcp:993:interface=::1"))
        self.assertEqual(str(Listen("imap", "tcp:143")), "imap=tcp:143")

    def test_what_is_no_pair_is_named(self) -> None:
        for text in ("", "imap", "=tcp:143", "imap="):
            self.assertIn(repr(text), self.bad(text))

    def test_an_unknown_kind_is_told_with_the_known_ones(self) -> None:
        self.assertEqual(self.bad("pop3=tcp:110"),
                         "'pop3' is none of the kinds of listener: imap, imaps")

    def test_a_bad_endpoint_is_told_before_anything_listens(self) -> None:
        for endpoint in ("nonsense:1", "tcp:notaport", "tcp", "tcp:1:colour=red"):
            error = self.assertRaises(BadListen, Listen("imap", endpoint).on, MemoryReactorClock())
            self.assertIn(f"imap={endpoint}", str(error))

    def test_endpoints_of_plugins_work(self) -> None:
        Listen("imap", f"haproxy:{LOOPBACK}").on(MemoryReactorClock())

    def test_addresses_are_shown_as_people_write_them(self) -> None:
        self.assertEqual(show_address(IPv4Address("TCP", "127.0.0.1", 143)), "127.0.0.1:143")
        self.assertEqual(show_address(IPv6Address("TCP", "::1", 143)), "[::1]:143")
        self.assertEqual(show_address(UNIXAddress("/run/imap")), "/run/imap")


class Hello(Protocol):
    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


class Listening(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor
        self.reactor: Any = reactor
        self.ready: list[IAddress] = []

    def listeners(self, *listens: Listen) -> Listeners:
        service = Listeners(self.reactor, listens, dict.fromkeys(map(str, listens), Factory.forProtocol(Hello)),
                            self.heard)
        self.addCleanup(service.stopService)
        return service

    def heard(self, ports: Sequence[IListeningPort]) -> None:
        self.ready = [port.getHost() for port in ports]

    def read(self, address: Any) -> Deferred[bytes]:
        """All that a server at the address says."""
        done: Deferred[bytes] = Deferred()

        class Reader(Protocol):
            said = b""

            def dataReceived(self, data: bytes) -> None:
                self.said += data

            def connectionLost(self, reason: object = None) -> None:
                done.callback(self.said)

        endpoint = TCP4ClientEndpoint(self.reactor, address.host, address.port)
        return endpoint.connect(Factory.forProtocol(Reader)).addCallback(lambda _: done)

    async def test_all_listen_and_say_where(self) -> None:
        logged: list[Any] = []
        self.patch(listeners._log, "observer", logged.append)
        self.listeners(Listen("imap", LOOPBACK), Listen("imaps", LOOPBACK)).startService()
        self.assertEqual(len(self.ready), 2)
        for address in self.ready:
            self.assertEqual(await self.read(address), b"hello")
        self.assertEqual([(event["kind"], event["address"]) for event in logged],
                         list(zip(KINDS, map(show_address, self.ready), strict=True)))

    async def test_a_stopped_service_lets_go_and_can_start_again(self) -> None:
        service = self.listeners(Listen("imap", LOOPBACK))
        service.privilegedStartService()
        service.startService()
        address: Any = self.ready[0]
        await service.stopService()
        again = self.listeners(Listen("imap", f"tcp:{address.port}:interface=127.0.0.1"))
        again.startService()
        self.assertEqual(await self.read(address), b"hello")

    def test_a_port_that_is_taken_is_told_at_once_in_one_line(self) -> None:
        self.listeners(Listen("imap", LOOPBACK)).startService()
        address: Any = self.ready[0]
        taken = Listen("imaps", f"tcp:{address.port}:interface=127.0.0.1")
        error = self.assertRaises(CannotListen, self.listeners(taken).privilegedStartService)
        self.assertEqual(str(error), f"cannot listen on {taken}: Address already in use")

    def test_an_endpoint_that_fails_later_stops_the_program(self) -> None:
        late: Deferred[Any] = Deferred()

        class Slow:
            def listen(self, factory: object) -> Deferred[Any]:
                return late

        stopped: list[bool] = []
        self.reactor = MemoryReactorClock()
        self.patch(self.reactor, "stop", lambda: stopped.append(True))
        service = self.listeners(Listen("imap", LOOPBACK))
        service._todo = [(Listen("imap", "slow:"), Slow(), Factory())]  # type: ignore[list-item]
        service.startService()
        self.assertEqual(stopped, [])
        late.errback(OSError("no such name"))
        self.assertEqual(stopped, [True])
