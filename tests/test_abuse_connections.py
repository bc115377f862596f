"""Many connections, slow ones, ones that break off, and ones that speak something else."""

from __future__ import annotations

import contextlib
import random
import socket
import struct

from tests import beside
from tests.abusing import MB, PASSWORD, USER, AbuseCase, enough_descriptors
from tests.wire import Ended, Wire

CROWD = 1000
MESSAGE = b"Subject: x\r\n\r\n" + b"x" * 200_000

#: What clients have sent when they go away.
BROKEN_OFF = (
    b"", b"a", b"a LOG", b"a LOGIN {4}\r\n", b"a LOGIN {4}\r\nad", b"a AUTHENTICATE PLAIN\r\n",
    b"a AUTHENTICATE PLAIN\r\nAGFk", b"a STARTTLS\r\n", b"a STARTTLS\r\n\x16\x03\x01\x02\x00\x01")
#: The same, after they have logged in and selected a mailbox.
BROKEN_OFF_LATER = (
    b"a IDLE\r\n", b"a IDLE\r\nDON", b"a FETCH 1:* BODY[]\r\n", b"a FETCH 1:* (BODY.PEEK[] BODY[1])\r\n" * 9,
    b"a APPEND INBOX {200000+}\r\n" + MESSAGE[:150_000], b"a APPEND INBOX {%d+}\r\n%b" % (len(MESSAGE), MESSAGE),
    b"a APPEND INBOX {9+}\r\nSubj", b"a STORE 1:* +FLAGS (\\Deleted)\r\nb EXPUNGE\r\n", b"a SEARCH TEXT {3+}\r\nx",
    b"a UID COPY 1:* INBOX\r\n" * 3, b"a NOOP\r\n" * 500, b"a LOGOUT\r\n", b"a SELECT INBOX\r\n" * 50)


class CrowdTests(AbuseCase):
    """The server is started with few descriptors, as most systems do it."""

    limits = {"connections_per_account": CROWD + 10}
    shell = ("sh", "-c", 'ulimit -Sn 256 && exec "$@"', "sh")
    growth = 30 * MB

    def test_a_thousand_clients_with_a_mailbox_selected_cost_little_and_are_all_told(self) -> None:
        enough_descriptors(2 * CROWD)
        self.deliver(USER, *[MESSAGE[:1000]] * 10)
        crowd = [self.client() for _ in range(CROWD)]
        for wire in crowd:
            self.assertIn(b"* 10 EXISTS\r\n", wire.must(b"SELECT INBOX"))
        self.all_is_well()
        crowd[0].must(b"STORE 3 +FLAGS (\\Flagged)")
        for wire in crowd[1:]:
            self.assertEqual([b"* 3 FETCH (UID 3 FLAGS (\\Flagged))\r\n"], wire.must(b"NOOP"))
        self.all_is_well()


class SlowTests(AbuseCase):
    """Clients that dawdle."""

    kinds = ("imap", "imaps")
    limits = {"handshake_timeout": 0.3, "login_timeout": 1, "login_write_timeout": 0.3}
    growth = 20 * MB

    def test_a_client_that_sends_octet_by_octet_holds_up_nobody(self) -> None:
        slow = [self.client() for _ in range(20)]
        for octet in b"a FETCH 1 FLAGS\r\nb NOOP\r\n":
            for wire in slow:
                wire.send(bytes([octet]))
            self.all_is_well()
        for wire in slow:
            self.assertEqual(b"b OK NOOP completed\r\n", wire.answer(b"b")[1])

    def test_a_handshake_that_is_never_finished_is_cut_off(self) -> None:
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100)
        implicit, silent, upgraded = self.stranger("imaps"), self.stranger("imaps"), self.stranger()
        implicit.sendall(hello)
        upgraded.sendall(b"a STARTTLS\r\n")
        said = b""
        while b"\na OK" not in said:
            said += upgraded.recv(1000)
        upgraded.sendall(hello)
        for connection in (implicit, silent, upgraded):
            self.assertEqual(b"", _rest(connection))
        self.all_is_well()


class BrokenOffTests(AbuseCase):
    """Clients that go away."""

    def prepare(self) -> None:
        super().prepare()
        self.deliver(USER, *[MESSAGE] * 10)

    def test_clients_that_go_away_in_the_midst_of_anything_leave_nothing_behind(self) -> None:
        before = self.sockets()
        for rough in (False, True):
            for begun in BROKEN_OFF:
                self._break_off(self.client(login=False), begun, rough)
            for begun in BROKEN_OFF_LATER:
                wire = self.client()
                wire.must(b"SELECT INBOX")
                self._break_off(wire, begun, rough)
        self.all_is_well()
        self.wait_until(lambda: self.sockets() <= before, "connections stay open")
        received = self.data / "accounts" / USER / "tmp"
        self.wait_until(lambda: not list(received.iterdir()), "what was half received stays")

    def _break_off(self, wire: Wire, begun: bytes, rough: bool) -> None:
        """Close; roughly: with a reset, and what was sent may not even arrive."""
        with contextlib.suppress(Ended):
            wire.send(begun)
        if rough:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.close()


class GarbageTests(AbuseCase):
    """Clients that speak something else."""

    kinds = ("imap", "imaps")
    growth = 30 * MB
    words = (b"FETCH", b"UID", b"STORE", b"SEARCH", b"LIST", b"STATUS", b"APPEND", b"COPY", b"INBOX", b"1:*", b"*",
             b"(", b")", b"[", b"]", b"<", b">", b"\"", b"\\", b"\\Seen", b"+FLAGS", b"BODY", b"BODY[", b"1.2",
             b"<0.5>", b"NOT", b"OR", b"%", b"$", b"{3}", b"~{3+}", b"NIL", b"\xff", b"\x00", b"&-", b"=", b",", b":",
             b"99999999999", b"HEADER.FIELDS", b"BINARY", b"RETURN", b"CHARSET", b"DONE", b"")

    def test_random_octets_are_sent_away_or_answered(self) -> None:
        rand = random.Random(20260102)
        for _ in range(100):
            connection = self.stranger(rand.choice(self.kinds))
            with contextlib.suppress(ConnectionError):
                connection.sendall(rand.randbytes(rand.choice((1, 10, 100, 5000))) + b"\r\n" * rand.randrange(3))
            connection.close()
        self.all_is_well()

    def test_words_in_any_order_get_an_answer_each(self) -> None:
        rand = random.Random(20260103)
        self.deliver(USER, MESSAGE[:300])
        wire = self.client()
        wire.must(b"SELECT INBOX")
        for i in range(1000):
            line = b"t%d " % i + rand.choice((b" ", b"")).join(rand.choices(self.words, k=rand.randrange(1, 9)))
            # A literal at its end would take what comes next.
            wire.send(line.rstrip(b"}") + b"\r\nu%d NOOP\r\n" % i)
            self.assertIn(b"u%d" % i, wire.answer(b"u%d" % i)[1])
        self.all_is_well()

    def test_words_of_before_login_get_an_answer_each(self) -> None:
        rand = random.Random(20260104)
        words = (b"LOGIN", b"AUTHENTICATE", b"PLAIN", b"=", b"AAA=", b"STARTTL", b"ID", b"(", b")", b"\"", b"{1}", b"NIL")
        wire = self.client(login=False)
        for i in range(300):
            line = b"t%d " % i + b" ".join(rand.choices(words, k=rand.randrange(1, 6))).rstrip(b"}")
            wire.send(line + b"\r\n*\r\nu%d NOOP\r\n" % i)
            self.assertIn(b"u%d" % i, wire.answer(b"u%d" % i)[1])
        wire.login(USER, PASSWORD)
        self.all_is_well()


def _rest(connection: socket.socket) -> bytes:
    """What comes until the end."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            said += data
    return said


test_suite = beside.suite(__name__)
