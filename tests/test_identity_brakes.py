"""Slowing those who try passwords, and nobody else (docs/contract.md 1.12, client 25)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from moximap.identity import brakes as module
from moximap.identity.brakes import Brakes, Visit, networks
from moximap.net.onionconnection import OnionAddress
from tests import beside
from tests.dialogue import Client, DialogueCase, FakeTransport
from tests.secure import SecureCase

HERE = "192.0.2.1"
NEIGHBOUR = "192.0.2.2"
ELSEWHERE = "198.51.100.1"


class Networks(SynchronousTestCase):
    def test_an_address_is_taken_in_three_widths(self) -> None:
        self.assertEqual(networks(HERE), (("192.0.2.1/32", 1), ("192.0.2.0/26", 3), ("192.0.0.0/21", 9)))
        self.assertEqual(networks("2001:db8:1:2:3::4"),
                         (("2001:db8:1:2::/64", 1), ("2001:db8:1::/48", 3), ("2001:db8::/32", 9)))
        self.assertEqual(networks("::ffff:192.0.2.1"), networks(HERE))
        self.assertEqual(networks("fe80::1%eth0")[0], ("fe80::/64", 1))

    def test_this_host_and_what_is_no_address_are_left_alone(self) -> None:
        for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "-", "/run/imap.sock", ""):
            self.assertEqual(networks(address), (), address)
        self.assertEqual(networks("127.0.0.1", loopback=True)[0], ("127.0.0.1/32", 1))

    @given(st.text())
    def test_any_text_is_an_address_or_none(self, text: str) -> None:
        networks(text)


class Counting(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.brakes = Brakes(self.clock.seconds, early=3, rate=60)

    def delays(self, count: int, address: str = HERE) -> list[float]:
        return [self.brakes.failed(address) for _ in range(count)]

    def test_three_failures_cost_nothing_and_each_further_one_a_second_more(self) -> None:
        self.assertEqual(self.delays(6), [0, 0, 0, 1, 2, 3])
        self.assertEqual(self.delays(100)[-1], module.MOST_DELAY)
        self.assertEqual(self.delays(3, ELSEWHERE), [0, 0, 0])

    def test_failures_are_forgotten_with_time(self) -> None:
        self.delays(6)
        self.clock.advance(6 * module.FORGET)
        self.assertEqual(self.delays(4), [0, 0, 0, 1])

    def test_a_network_waits_for_what_its_addresses_do_together(self) -> None:
        addresses = [f"192.0.2.{last}" for last in range(1, 60)]
        self.assertEqual([self.brakes.failed(address) for address in addresses[:9]], [0.0] * 9)
        self.assertGreater(self.delays(1, addresses[10])[0], 0)

    def test_connections_without_an_owner_are_counted_at_once(self) -> None:
        visits = [self.brakes.enter(HERE) for _ in range(4)]
        self.assertEqual([visit.refused for visit in visits], [False, False, False, True])
        self.assertFalse(self.brakes.enter(NEIGHBOUR).refused)
        for visit in visits * 2:                       # leaving twice counts once
            visit.leave()
        self.assertFalse(self.brakes.enter(HERE).refused)

    def test_new_connections_are_counted_by_the_minute(self) -> None:
        def come() -> Visit:
            visit = self.brakes.enter(HERE)
            visit.leave()
            return visit

        self.assertEqual([come().refused for _ in range(62)], [False] * 60 + [True] * 2)
        self.clock.advance(1)
        self.assertEqual([come().refused for _ in range(2)], [False, True])

    def test_who_fails_without_end_is_turned_away_for_a_while(self) -> None:
        self.delays(1000)
        self.assertTrue(self.brakes.enter(HERE).refused)
        self.clock.advance(module.MOST_FAILURES * module.FORGET + 1)
        self.assertFalse(self.brakes.enter(HERE).refused)

    def test_what_is_remembered_is_bounded_and_who_is_here_is_not_forgotten(self) -> None:
        self.patch(module, "MOST_NETWORKS", 100)
        here = [self.brakes.enter(HERE) for _ in range(3)]
        for number in range(1000):
            self.brakes.failed(f"10.{number % 250}.{number // 250}.1")
        self.assertLessEqual(len(self.brakes._networks), 101)
        self.assertTrue(self.brakes.enter(HERE).refused)
        self.assertEqual(len(here), 3)


class Held(DialogueCase):
    """Answers of the protocol."""

    def connect(self, number: str, address: str | OnionAddress = HERE) -> Client:
        client = Client.__new__(Client)
        client.protocol = self.factory.buildProtocol(None)
        client.transport = FakeTransport(str(address))
        if isinstance(address, OnionAddress):
            client.transport.peerAddr = address
        client.byte_by_byte = False
        client.protocol.makeConnection(client.transport)
        self.addCleanup(client.lose)
        self.clients[number] = client
        return client

    def test_a_fourth_failure_is_answered_later_and_success_at_once(self) -> None:
        self.connect("1")
        self.dialogue("""
            S1: * OK {*}
            C1: a LOGIN ada wrong
            S1: a NO [AUTHENTICATIONFAILED] {*}
            C1: b LOGIN ada wrong
            S1: b NO [AUTHENTICATIONFAILED] {*}
            C1: c AUTHENTICATE PLAIN AG5vYm9keQB4
            S1: c NO [AUTHENTICATIONFAILED] {*}
            C1: d LOGIN ada wrong
        """)
        self.connect("2")
        self.dialogue("""
            S2: * OK {*}
            C2: a LOGIN ada secret
            S2: a OK {*}
        """)
        self.clock.advance(1)
        self.dialogue("""
            S1: d NO [AUTHENTICATIONFAILED] {*}
            C1: e LOGIN ada secret
            S1: e OK {*}
        """)

    def test_onion_connections_are_counted_by_circuit_or_else_each_by_itself(self) -> None:
        self.site.onion_plaintext_login = True
        guesses = b"a LOGIN ada wrong\r\n" * 4
        for address, at_once in (("onion", 3), ("onion", 3), ("onion/41", 3), ("onion/41", 0), ("onion/42", 3)):
            client = self.connect("1", OnionAddress(address))
            client.received()
            client.send(guesses)
            self.assertEqual(client.received().count(b"a NO"), at_once, address)
            self.clock.advance(0.9)
            self.assertEqual(client.received(), b"", address)
            self.clock.advance(0.1)
            self.assertEqual(client.received().count(b"a NO"), 1 if at_once else 0, address)

    def test_who_goes_away_while_held_leaves_nothing_behind(self) -> None:
        self.connect("1").send(b"a LOGIN ada wrong\r\nb LOGIN ada wrong\r\nc LOGIN ada wrong\r\nd LOGIN ada wrong\r\n")
        self.clients["1"].lose()
        self.clock.advance(60)
        self.site.attempts.flush()
        self.assertEqual(len(self.directory.attempts.of()), 1)
        self.assertEqual(self.directory.attempts.of()[0].count, 4)

    def test_too_many_connections_of_strangers_and_none_of_those_who_logged_in(self) -> None:
        for number in range(30):
            self.connect(str(number + 1)).send(b"a LOGIN ada secret\r\n")
        for number in range(31):
            greeting = self.connect("x").received()
            self.assertEqual(greeting[:4], b"* OK" if number < 30 else b"* BY", number)
        self.assertEqual(greeting, b"* BYE [UNAVAILABLE] too many connections from your network, try again later\r\n")
        self.assertTrue(self.clients["x"].transport.disconnecting)


class Keyed(SecureCase):
    def test_a_known_key_comes_in_whatever_its_neighbours_do(self) -> None:
        self.know()
        self.connect()
        self.patch(self.site.brakes, "enter", lambda address: Visit(True, []))
        self.assertIn(b"* BYE [UNAVAILABLE]", self.greeting())
        self.assertIn(b"* PREAUTH", self.greeting(key=self.key))
        from cryptography.hazmat.primitives.asymmetric import ed25519
        self.assertIn(b"* BYE [UNAVAILABLE]", self.greeting(key=ed25519.Ed25519PrivateKey.generate()))


test_suite = beside.suite(__name__)
