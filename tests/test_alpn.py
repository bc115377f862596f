"""`--listen https=...`: IMAP for who asks for it by ALPN, a page for all others."""

from __future__ import annotations

import json
from typing import Any

from OpenSSL import SSL

from moximap import tap
from moximap.imap.site import Limits
from tests import beside
from tests.dialogue import FakeTransport
from tests.secure import SecureCase
from tests.server import ServerTestCase, needs, run
from tests.test_tls import client_context


class Wire(FakeTransport):
    """What Twisted's HTTP wants of a transport too."""

    def setTcpNoDelay(self, enabled: bool) -> None: ...


class Visitor:
    """One TLS connection to the https port, in memory."""

    def __init__(self, case: AlpnTests, key: Any = None, wanted: tuple[bytes, ...] = ()) -> None:
        self._clock = case.clock
        self._outer = case.https.buildProtocol(None)
        self.transport = Wire()
        self._outer.makeConnection(self.transport)
        context = client_context(key)
        if wanted:
            context.set_alpn_protos(wanted)
        self.connection = SSL.Connection(context, None)
        self.connection.set_connect_state()

    def shake(self) -> Visitor:
        for _ in range(6):
            try:
                self.connection.do_handshake()
            except SSL.WantReadError:
                pass
            self._pump()
        return self

    def _pump(self) -> None:
        try:
            self._outer.dataReceived(self.connection.bio_read(1 << 20))
        except SSL.WantReadError:
            pass
        self._clock.advance(0)
        if self.transport.value():
            self.connection.bio_write(self.transport.value())
            self.transport.clear()

    def ask(self, data: bytes) -> bytes:
        """What comes after sending something."""
        if data:
            self.connection.send(data)
        self._pump()
        said = b""
        try:
            while True:
                said += self.connection.recv(1 << 16)
        except (SSL.WantReadError, SSL.ZeroReturnError):
            return said

    def lose(self) -> None:
        from twisted.internet.protocol import connectionDone
        self._outer.connectionLost(connectionDone)


class AlpnTests(SecureCase):
    limits = Limits(handshake_timeout=7)

    def setUp(self) -> None:
        super().setUp()
        self.https: Any = tap.KINDS["https"](self.site, frozenset())

    def visit(self, key: Any = None, *wanted: bytes) -> Visitor:
        visitor = Visitor(self, key, wanted)
        self.addCleanup(visitor.lose)
        return visitor

    def test_imap_greets_after_the_handshake(self) -> None:
        visitor = self.visit(None, b"h2", b"imap").shake()
        self.assertEqual(visitor.connection.get_alpn_proto_negotiated(), b"imap")
        self.assertRegex(visitor.ask(b""), rb"^\* OK \[CAPABILITY IMAP4rev1")
        self.assertIn(b"a OK", visitor.ask(b"a NOOP\r\n"))

    def test_a_key_logs_in(self) -> None:
        self.know()
        visitor = self.visit(self.key, b"imap").shake()
        self.assertRegex(visitor.ask(b""), rb"^\* PREAUTH ")

    def test_all_others_get_a_page(self) -> None:
        for wanted in ((), (b"h2", b"http/1.1"), (b"nonsense",)):
            visitor = self.visit(None, *wanted).shake()
            self.assertEqual(visitor.ask(b""), b"")
            said = visitor.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(said.startswith(b"HTTP/1.1 200 OK\r\n"), said)
            self.assertIn(b"mail server", said)
            self.assertTrue(visitor.ask(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 404 "))

    def test_a_body_is_thrown_away(self) -> None:
        visitor = self.visit().shake()
        said = visitor.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        self.assertTrue(said.startswith(b"HTTP/1.1 405 "), said)
        self.assertTrue(visitor.ask(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 200 "))

    def test_a_handshake_that_does_not_come_ends_the_connection(self) -> None:
        visitor = self.visit()
        self.clock.advance(6)
        self.assertFalse(visitor.transport.disconnecting)
        self.clock.advance(2)
        self.assertTrue(visitor.transport.disconnecting or visitor.transport.disconnected)

    def test_a_connection_lost_in_the_handshake_leaves_nothing(self) -> None:
        Visitor(self).lose()
        Visitor(self, None, (b"imap",)).shake().lose()
        self.assertEqual(self.site.connections, set())
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])


class ProgramTests(ServerTestCase):
    """The port of a real server, as programs meet it."""

    kinds = ("imap", "https")

    def test_curl_sees_the_page(self) -> None:
        needs("curl")
        url = f"https://localhost:{self.server.ports['https']}/"
        said = run("curl", "--silent", "--show-error", "--cacert", self.server.certificate, url,
                   "--write-out", "%{json}")
        page, _, facts = said.partition(b"</html>\n")
        self.assertIn(b"This is a mail server", page)
        self.assertEqual(json.loads(facts)["http_code"], 200)

    def test_openssl_reads_mail(self) -> None:
        said = run("openssl", "s_client", "-quiet", "-verify_quiet", "-CAfile", self.server.certificate,
                   "-alpn", "imap", "-connect", f"localhost:{self.server.ports['https']}",
                   given=b"a CAPABILITY\r\nb LOGOUT\r\n")
        self.assertTrue(said.startswith(b"* OK [CAPABILITY "), said)
        self.assertIn(b"\r\nb OK ", said)


test_suite = beside.suite(__name__)
