"""How the service is kept known to a tor that is there, silent, gone, back: with a control port of our own."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.protocols.basic import LineOnlyReceiver
from twisted.trial.unittest import SynchronousTestCase, TestCase

from moximap.identity.brakes import networks
from moximap.imap.proving import secure
from moximap.net import onionclients, onionkeys, onionlaunch, onionpublisher, oniontor
from moximap.net.listeners import BadListen
from moximap.net.onionconnection import OnionAddress, OnionFactory, circuit
from moximap.net.onionlaunch import Launcher
from moximap.net.onionlisten import bind, onion_ports, parse_all
from moximap.net.onionplace import OnionSettings, Place
from moximap.net.onionpublisher import Publisher
from moximap.net.oniontor import Added

LINE = b"PROXY TCP6 fc00:dead:beef:4dad::0:29 ::1 41 993\r\n"


class Control(LineOnlyReceiver):
    """Tor's side of a control port, as far as we need it."""

    tor: FakeTor

    def connectionMade(self) -> None:
        self.tor.connections.append(self)

    def lineReceived(self, line: bytes) -> None:
        command = line.decode()
        self.tor.heard.append(command)
        word = " ".join(command.split(" ")[:2])
        for answer in self.tor.answers(word, command):
            self.sendLine(answer.encode())


class FakeTor:
    def __init__(self, path: Path, service: str) -> None:
        self.path, self.service = path, service
        self.connections: list[Control] = []
        self.heard: list[str] = []
        self.silent = self.refuses = False
        self._port: IListeningPort | None = None

    def start(self) -> None:
        from twisted.internet import reactor
        factory = Factory.forProtocol(type("C", (Control,), {"tor": self}))
        self._port = reactor.listenUNIX(str(self.path), factory)  # type: ignore[attr-defined]

    async def stop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            await port.stopListening()
        for connection in self.connections:
            connection.transport.abortConnection()  # type: ignore[union-attr]
        self.connections = []

    def said(self, word: str) -> list[str]:
        return [command for command in self.heard if command.startswith(word)]

    def answers(self, word: str, command: str) -> list[str]:
        if self.silent:
            return []
        if word == "ADD_ONION ED25519-V3:" + command.partition(":")[2].partition(" ")[0]:
            if self.refuses:
                return ["550 Onion address collision"]
            return [f"250-ServiceID={self.service}", "250 OK", f"650 HS_DESC UPLOADED {self.service} UNKNOWN $A~a b"]
        return {
            "PROTOCOLINFO 1": ["250-PROTOCOLINFO 1", "250-AUTH METHODS=NULL", '250-VERSION Tor="0.4.9.11"', "250 OK"],
            "GETINFO signal/names": ["250-signal/names=RELOAD", "250 OK"],
            "GETINFO version": ["250-version=0.4.9.11", "250 OK"],
            "GETINFO events/names": ["250-events/names=HS_DESC STATUS_CLIENT", "250 OK"],
            "GETINFO status/bootstrap-phase": ['250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=100 TAG=done '
                                               'SUMMARY="Done"', "250 OK"]}.get(word, ["250 OK"])


class Publishing(TestCase):
    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="mo-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.place = Place(self.directory)
        self.key = onionkeys.ensure(self.place)
        self.tor = FakeTor(self.directory / "control", self.key.service_id)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.tor.stop()))
        self.logged: list[Any] = []
        self.patch(onionpublisher._log, "observer", self.logged.append)
        self.patch(onionpublisher, "POLL", 0.02)
        self.patch(onionpublisher, "WAITS", (0.02, 0.05))

    def publisher(self) -> Publisher:
        from twisted.internet import reactor
        settings = OnionSettings(f"unix:{self.tor.path}")
        ports = onion_ports(parse_all(["imaps=onion:993"], {"imaps": None}, self.directory, settings))
        made = Publisher(reactor, self.place, ports, settings.tor, Added(self.place, ports, settings))
        self.addCleanup(lambda: made.stopService() if made.running else None)
        made.startService()
        return made

    async def until(self, done: Any) -> None:
        from twisted.internet import reactor
        for _ in range(500):
            if done():
                return
            await deferLater(reactor, 0.02)  # type: ignore[arg-type]
        raise AssertionError(f"{self.tor.heard} {self.lines()}")

    def lines(self, level: str = "") -> list[str]:
        return [event["log_format"].format(**event) for event in self.logged
                if level in ("", event["log_level"].name)]

    async def published(self, times: int = 1) -> None:
        await self.until(lambda: sum("is published" in line for line in self.lines()) >= times)

    async def test_a_stopped_service_is_taken_down(self) -> None:
        self.tor.start()
        publisher = self.publisher()
        self.assertIn(self.key.address, self.lines()[0])
        await self.published()
        self.assertEqual(json.loads(self.place.state.read_text())["state"], "published")
        await publisher.stopService()
        self.assertEqual(self.tor.said("DEL_ONION"), [f"DEL_ONION {self.key.service_id}"])
        self.assertFalse(self.place.state.exists())

    async def test_a_tor_that_comes_late_goes_and_comes_back_gets_the_service_each_time(self) -> None:
        self.publisher()
        await self.until(lambda: self.lines("error"))
        from twisted.internet import reactor
        await deferLater(reactor, 0.3)  # type: ignore[arg-type]
        self.assertEqual(len(self.lines("error")), 1)      # one line, not one for each try
        self.assertRegex(self.lines("error")[0], r"not reachable \(unix:.*\): no tor there")
        for times in (1, 2, 3):
            self.tor.start()
            await self.published(times)
            await self.tor.stop()
        await self.until(lambda: any("gone away" in line for line in self.lines("error")))

    async def test_a_silent_tor_is_given_up_and_asked_again(self) -> None:
        self.patch(oniontor, "DEADLINE", 0.1)
        self.tor.silent = True
        self.tor.start()
        self.publisher()
        await self.until(lambda: any("gave no answer" in line for line in self.lines("error")))
        self.tor.silent = False
        await self.published()

    async def test_a_tor_that_refuses_is_asked_again_and_quoted(self) -> None:
        self.tor.refuses = True
        self.tor.start()
        self.publisher()
        await self.until(lambda: any("tor says: Onion address collision" in line for line in self.lines("error")))
        self.tor.refuses = False
        await self.published()

    async def test_clients_that_come_and_go_make_the_service_anew(self) -> None:
        self.tor.start()
        self.publisher()
        await self.published()
        public = onionclients.new_pair()[1]
        onionclients.add(self.place, "phone", public)
        await self.published()
        await self.until(lambda: len(self.tor.said("ADD_ONION")) == 2)
        self.assertIn(f"ClientAuthV3={public}", self.tor.said("ADD_ONION")[1])
        self.assertEqual(len(self.tor.said("DEL_ONION")), 1)

    async def test_clients_that_cannot_be_read_keep_it_from_being_published(self) -> None:
        (self.place.clients / "phone.auth").write_text("")
        self.tor.start()
        self.publisher()
        await self.until(lambda: any("phone.auth" in line for line in self.lines("error")))
        self.assertEqual(self.tor.said("ADD_ONION"), [])

    async def test_the_key_is_never_in_the_log(self) -> None:
        self.tor.start()
        self.patch(self.tor, "answers", self._lose_when_added)
        self.publisher()
        await self.until(lambda: any("has ended the connection" in line for line in self.lines("error")))
        self.assertNotIn("ED25519", "".join(self.lines()))

    def _lose_when_added(self, word: str, command: str) -> list[str]:
        if word.startswith("ADD_ONION"):
            self.tor.connections[-1].transport.abortConnection()  # type: ignore[union-attr]
            return []
        return FakeTor.answers(self.tor, word, command)


class Hearing(Protocol):
    """What stands behind a socket: tells what it hears of."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(repr(self.transport.getPeer().host).encode())

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class Wire(StringTransport):
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class ProxyLines(SynchronousTestCase):
    def connect(self, proxied: bool = True) -> tuple[Any, Wire]:
        self.clock = MemoryReactorClock()
        factory = OnionFactory(Factory.forProtocol(Hearing), OnionAddress("x.onion", 993), proxied, self.clock)
        connection, wire = factory.buildProtocol(None), Wire()
        assert connection is not None
        connection.makeConnection(wire)
        return connection, wire

    def test_nothing_is_said_before_the_line(self) -> None:
        connection, wire = self.connect()
        for octet in LINE[:-1]:
            connection.dataReceived(bytes([octet]))
        self.assertEqual(wire.value(), b"")
        connection.dataReceived(b"\nhello")
        self.assertEqual(wire.value(), b"'onion/41'hello")
        self.assertEqual(connection.getHost().host, "x.onion")
        self.clock.advance(60)
        self.assertFalse(wire.aborted)

    def test_without_circuits_it_is_there_at_once(self) -> None:
        connection, wire = self.connect(proxied=False)
        connection.dataReceived(LINE)
        self.assertEqual(wire.value(), b"'onion'" + LINE)

    def test_anything_else_is_cut_off(self) -> None:
        for said in (b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n", b"PROXY TCP6 ::1 ::1 1 2\r\n", b"a NOOP\r\n",
                     b"\xff\r\n", b"x" * 108, b"PROXY TCP6\r\n"):
            connection, wire = self.connect()
            connection.dataReceived(said)
            self.assertEqual((wire.aborted, wire.value()), (True, b""), said)

    def test_who_says_nothing_is_cut_off(self) -> None:
        connection, wire = self.connect()
        self.clock.advance(11)
        self.assertTrue(wire.aborted)
        connection.connectionLost(None)

    def test_the_last_32_bits_are_the_circuit(self) -> None:
        self.assertEqual(circuit(b"PROXY TCP6 fc00:dead:beef:4dad::ffff:ffff ::1 1 2"), 0xFFFFFFFF)


class Limits(SynchronousTestCase):
    def test_circuits_are_networks_of_their_own_and_onion_alone_is_none(self) -> None:
        self.assertEqual(networks("onion/41"), (("onion/41", 1),))
        self.assertEqual(networks("onion"), ())


    def test_passwords_without_tls_only_where_the_operator_says_so_for_onions_or_for_others(self) -> None:
        for onion, site, allowed in ((True, (False, False), False), (True, (True, False), False),
                                     (True, (False, True), True), (False, (False, True), False),
                                     (False, (True, False), True)):
            for tls in (False, True):
                session: Any = SimpleNamespace(
                    out=SimpleNamespace(tls=tls, peer=SimpleNamespace(onion=onion)),
                    site=SimpleNamespace(plaintext_login=site[0], onion_plaintext_login=site[1]))
                self.assertEqual(secure(session), tls or allowed, (onion, site, tls))


class Sockets(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="mo-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "sockets" / "a"

    def test_what_a_killed_server_left_is_replaced_and_what_is_alive_is_not(self) -> None:
        bind(self.path).close()
        alive = bind(self.path)
        self.addCleanup(alive.close)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o660)
        self.assertEqual(self.path.parent.stat().st_mode & 0o777, 0o710)
        self.assertIn("another server", str(self.assertRaises(BadListen, bind, self.path)))

    def test_without_the_program_there_is_one_line(self) -> None:
        logged: list[Any] = []
        self.patch(onionlaunch._log, "observer", logged.append)
        place = Place(self.directory)
        launcher = Launcher(MemoryReactorClock(), place, (), OnionSettings("launch"), str(place.data / "tor"))
        launcher.startService()
        self.assertEqual(len(logged), 1)
        self.assertIn("not installed", logged[0]["log_format"])
        self.successResultOf(launcher.stopService())
