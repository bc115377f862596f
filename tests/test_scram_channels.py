"""SCRAM over real TLS: the channel bindings of both versions, the protocol's answers, and GNU SASL."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from OpenSSL import SSL

from tests import beside
from tests.dialogue import Client
from tests.secure import SecureCase
from tests.server import SharedServerTestCase, needs, run
from tests.test_scram import proof_of


class Channels(SecureCase):
    """The bindings of real TLS, as both ends see them."""

    def test_each_version_of_tls_has_its_bindings(self) -> None:
        """RFC 5929, RFC 9266."""
        for version, has in (("1.3", {"tls-exporter", "tls-server-end-point"}),
                             ("1.2", {"tls-unique", "tls-server-end-point"})):
            client = self.connect(version=version)
            peer = client.protocol.peer
            self.assertTrue(peer.binds())
            for name in ("tls-exporter", "tls-unique", "tls-server-end-point", "tls-nonsense"):
                self.assertEqual(peer.binding(name), self.seen(client.connection, name) if name in has else None)

    def seen(self, connection: SSL.Connection, name: str) -> bytes | None:
        """What the client has for it."""
        if name == "tls-exporter":
            return connection.export_keying_material(b"EXPORTER-Channel-Binding", 32)
        if name == "tls-unique":
            return connection.get_finished()
        from cryptography.hazmat.primitives.hashes import SHA256
        certificate = connection.get_peer_certificate()
        assert certificate is not None
        return certificate.to_cryptography().fingerprint(SHA256())

    def test_all_bindings_log_in(self) -> None:
        for version, names in (("1.3", ("tls-exporter", "tls-server-end-point")),
                               ("1.2", ("tls-unique", "tls-server-end-point"))):
            for name in names:
                for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"):
                    self.login(version, name, mechanism)

    def login(self, version: str, name: str, mechanism: str) -> None:
        client = self.connect(version=version)
        self.assertIn(f" AUTH={mechanism} ".encode(), client.received())
        first = f"p={name},,n=ada,r=abc"
        client.send(f"a AUTHENTICATE {mechanism} {base64.b64encode(first.encode()).decode()}\r\n".encode())
        challenge = base64.b64decode(client.received()[2:]).decode()
        seen = self.seen(client.connection, name)
        assert seen is not None
        header = base64.b64encode(f"p={name},,".encode() + seen).decode()
        last = proof_of(mechanism.removesuffix("-PLUS"), "secret", "n=ada,r=abc", challenge,
                        f"c={header},{challenge.split(',')[0]}")
        client.send(base64.b64encode(last.encode()) + b"\r\n")
        self.assertTrue(base64.b64decode(client.received()[2:]).startswith(b"v="))
        client.send(b"\r\n")
        self.assertEqual(client.received()[:4], b"a OK")

    def test_answers_of_the_protocol(self) -> None:
        self.connect()
        self.dialogue("""
            S: * OK {*} AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS {*}
            C: a AUTHENTICATE SCRAM-SHA-256
            S: +{*}
            C: *
            S: a BAD authentication aborted
            C: b AUTHENTICATE SCRAM-SHA-256 eCx5
            S: b BAD the first message of SCRAM has no gs2-header
            C: c AUTHENTICATE SCRAM-SHA-256 eSwsbj1hZGEscj14
            S: c NO [AUTHENTICATIONFAILED] channel binding is supported here: {*}
            C: d AUTHENTICATE SCRAM-SHA-256 biwsbj1hZGEscj14
            S: + {*}
            C: Yz1iaXdzLHI9eCxwPUFBQUE=
            S: d NO [AUTHENTICATIONFAILED] wrong name or password
            C: e AUTHENTICATE SCRAM-SHA-256-PLUS cD10bHMtdW5pcXVlLCxuPWFkYSxyPXg=
            S: e NO [AUTHENTICATIONFAILED] this type of channel binding is not supported here
            C: f AUTHENTICATE LOGIN
            S: + VXNlciBOYW1lAA==
            C: YWRh
            S: + UGFzc3dvcmQA
            C: c2VjcmV0
            S: f OK [CAPABILITY {*}] welcome
        """)

    def test_without_tls_there_is_neither_password_nor_plus(self) -> None:
        self.clients["2"] = Client(self.factory)
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "LOGIN", "PLAIN"):
            self.clients["2"].received()
            self.dialogue(f"""
                C2: a AUTHENTICATE {mechanism}
                S2: a NO [PRIVACYREQUIRED] {{*}}
            """)


class Gsasl(SharedServerTestCase):
    """GNU SASL, a second witness, over STARTTLS: tls-exporter where TLS is 1.3, tls-unique where it is 1.2."""

    def gsasl(self, mechanism: str, *options: str) -> bytes:
        needs("gsasl")
        return run("gsasl", "--client", "--imap", "--mechanism", mechanism, "--authentication-id", self.user,
                   "--password", self.password, "--x509-ca-file", self.server.certificate, *options,
                   "--connect", f"localhost:{self.server.ports['imap']}")

    def each_logs_in(self, words: Iterable[tuple[str, ...]]) -> None:
        """Side by side."""
        with ThreadPoolExecutor() as pool:
            for said in pool.map(lambda each: self.gsasl(*each), words):
                self.assertIn(b"OK [CAPABILITY", said)

    def test_gsasl_binds_to_both_versions_of_tls(self) -> None:
        self.each_logs_in((mechanism, "--priority", priority)
                          for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS")
                          for priority in ("NORMAL", "NORMAL:-VERS-TLS1.3"))

    def test_gsasl_without_binding(self) -> None:
        self.each_logs_in((mechanism, "--no-cb") for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1", "LOGIN", "PLAIN"))


test_suite = beside.suite(__name__)
