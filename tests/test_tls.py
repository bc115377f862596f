"""TLS as clients meet it: real handshakes in memory, no sockets."""

import contextlib
import os
import ssl
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from moximap.net.certificates import ensure, self_signed
from moximap.net.fingerprint import fingerprint, public_key_info
from moximap.net.tls import BadCertificate, ServerTLS, peer_key

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def client_certificate(key: Any, expired: bool = False) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "phone")])
    start = LONG_AGO if expired else datetime.now(UTC)
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name)
            .public_key(key.public_key()).serial_number(7)
            .not_valid_before(start).not_valid_after(start + timedelta(days=1))
            .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()))


def expected(key: Any) -> str:
    """The fingerprint, by the library's own encoder as a witness."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return urlsafe_b64encode(sha256(der).digest()).decode().rstrip("=")


def client_context(key: Any = None, expired: bool = False) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    if key is not None:
        use(context, key, expired)
    return context


def use(context: SSL.Context, key: Any, expired: bool = False) -> None:
    context.use_certificate(crypto.X509.from_cryptography(client_certificate(key, expired)))
    context.use_privatekey(crypto.PKey.from_cryptography_key(key))


@implementer(IHandshakeListener)
class Greeter(Protocol):
    """Says who is there once TLS is up, as the IMAP greeting does."""

    key: str | None = "no handshake"

    def handshakeCompleted(self) -> None:
        self.key = peer_key(self.transport)
        assert self.transport is not None
        self.transport.write(b"hello")


class TLSCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.certificate, self.key = ensure(self.directory, ["localhost", "127.0.0.1"])
        self.clock = Clock()
        self.server = ServerTLS(self.certificate, self.key, self.clock.seconds)

    def serve(self) -> tuple[Any, Greeter, StringTransport, Clock]:
        """One connection of the server: its TLS, its protocol, what it sends, and its time."""
        greeter = Greeter()
        clock = Clock()
        factory = TLSMemoryBIOFactory(self.server, False, Factory.forProtocol(lambda: greeter), clock)
        protocol = factory.buildProtocol(None)
        wire = StringTransport()
        protocol.makeConnection(wire)
        return protocol, greeter, wire, clock

    def handshake(self, context: SSL.Context, alpn: list[bytes] | None = None
                  ) -> tuple[SSL.Connection, Greeter]:
        """A client with its handshake done, and the server's protocol; SSL.Error."""
        protocol, greeter, wire, clock = self.serve()
        client = SSL.Connection(context, None)
        if alpn:
            client.set_alpn_protos(alpn)
        client.set_connect_state()
        for _ in range(8):
            with contextlib.suppress(SSL.WantReadError):
                client.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                protocol.dataReceived(client.bio_read(65536))
            clock.advance(0)                     # Twisted gathers small writes until the next turn
            if wire.value():
                client.bio_write(wire.value())
                wire.clear()
        return client, greeter

    def served(self) -> bytes:
        """The certificate that a new client is shown."""
        client, _ = self.handshake(client_context())
        certificate = client.get_peer_certificate()
        assert certificate is not None
        return crypto.dump_certificate(crypto.FILETYPE_PEM, certificate)


class Clients(TLSCase):
    def test_without_a_certificate_there_is_no_key(self) -> None:
        client, greeter = self.handshake(client_context())
        self.assertIsNone(greeter.key)
        self.assertIsNone(peer_key(StringTransport()))
        self.assertEqual(client.get_protocol_version_name(), "TLSv1.3")

    def test_the_key_is_known_whatever_its_kind(self) -> None:
        for key in (ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate(),
                    rsa.generate_private_key(65537, 2048)):
            _, greeter = self.handshake(client_context(key))
            self.assertEqual(greeter.key, expected(key))

    def test_an_expired_certificate_serves_in_both_versions_of_tls(self) -> None:
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            key = ed25519.Ed25519PrivateKey.generate()
            context = client_context(key, expired=True)
            context.set_min_proto_version(version)
            context.set_max_proto_version(version)
            _, greeter = self.handshake(context)
            self.assertEqual(greeter.key, expected(key))

    def test_a_weak_key_is_no_reason_to_break_the_handshake(self) -> None:
        key = rsa.generate_private_key(65537, 1024)
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
        use(context, key)
        _, greeter = self.handshake(context)
        self.assertEqual(greeter.key, expected(key))

    def test_no_authorities_are_named(self) -> None:
        client, _ = self.handshake(client_context())
        self.assertEqual(client.get_client_ca_list(), [])

    def test_tls_1_1_is_refused(self) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
        context.set_min_proto_version(SSL.TLS1_1_VERSION)
        context.set_max_proto_version(SSL.TLS1_1_VERSION)
        self.assertRaises(SSL.Error, self.handshake, context)

    def test_imap_is_chosen_from_what_alpn_offers(self) -> None:
        client, _ = self.handshake(client_context(), [b"h2", b"imap"])
        self.assertEqual(client.get_alpn_proto_negotiated(), b"imap")

    def test_other_names_in_alpn_do_not_break_the_handshake(self) -> None:
        client, greeter = self.handshake(client_context(), [b"h2"])
        self.assertEqual(client.get_alpn_proto_negotiated(), b"")
        self.assertIsNone(greeter.key)

    def test_a_session_is_never_resumed(self) -> None:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.maximum_version = version
            client = self.converse(context, None)
            self.assertFalse(self.converse(context, client.session).session_reused)

    def converse(self, context: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLObject:
        """Python's own TLS, which tells what became of a session, up to the server's greeting."""
        protocol, _, wire, clock = self.serve()
        theirs, ours = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(theirs, ours, session=session)
        for act in (client.do_handshake, lambda: client.read(5)):
            for _ in range(8):
                with contextlib.suppress(ssl.SSLWantReadError):
                    act()
                if ours.pending:
                    protocol.dataReceived(ours.read())
                clock.advance(0)
                theirs.write(wire.value())
                wire.clear()
        return client


class Reloading(TLSCase):
    def replace(self, certificate: bytes, key: bytes) -> None:
        self.key.write_bytes(key)
        self.certificate.write_bytes(certificate)
        os.utime(self.certificate, ns=(1, 1))     # a write within one tick of the file system's clock

    def test_a_new_certificate_is_served_within_a_second(self) -> None:
        old, (new, key) = self.certificate.read_bytes(), self_signed(["mail.example.org"])
        self.replace(new, key)
        self.assertEqual(self.served(), old)
        self.clock.advance(1)
        self.assertEqual(self.served(), new)

    def test_unchanged_files_are_not_read_again(self) -> None:
        context = self.server._context
        self.clock.advance(5)
        self.served()
        self.assertIs(self.server._context, context)

    def test_a_broken_file_leaves_the_old_certificate_until_it_is_mended(self) -> None:
        old, (new, key) = self.certificate.read_bytes(), self_signed(["mail.example.org"])
        self.replace(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key)
        self.clock.advance(1)
        self.assertEqual(self.served(), old)
        self.replace(new, key)
        self.clock.advance(1)
        self.assertEqual(self.served(), new)

    def test_files_that_are_gone_leave_the_old_certificate(self) -> None:
        old = self.certificate.read_bytes()
        self.certificate.unlink()
        self.clock.advance(1)
        self.assertEqual(self.served(), old)


class Files(TLSCase):
    def bad(self, certificate: Path, key: Path) -> str:
        return str(self.assertRaises(BadCertificate, ServerTLS, certificate, key))

    def test_a_chain_is_sent_whole(self) -> None:
        other, _ = self_signed(["Intermediate"])
        self.certificate.write_bytes(self.certificate.read_bytes() + b"comment\n" + other)
        self.server = ServerTLS(self.certificate, self.key)
        client, _ = self.handshake(client_context())
        self.assertEqual(len(client.get_peer_cert_chain() or ()), 2)

    def test_certificate_and_key_may_be_one_file(self) -> None:
        both = self.directory / "both.pem"
        both.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        self.server = ServerTLS(both, both)
        self.assertEqual(self.served(), self.certificate.read_bytes())

    def test_what_is_wrong_with_a_file_is_said(self) -> None:
        _, other = self_signed(["other"])
        wrong = self.directory / "wrong.pem"
        wrong.write_bytes(other)
        self.assertIn("No such file", self.bad(self.directory / "no.pem", self.key))
        self.assertIn("no certificate", self.bad(self.key, self.key))
        self.assertIn("no private key", self.bad(self.certificate, self.certificate))
        self.assertIn("do not belong together", self.bad(self.certificate, wrong))

    def test_a_key_with_a_passphrase_is_refused_and_not_asked_for(self) -> None:
        locked = self.directory / "locked.pem"
        key = crypto.load_privatekey(crypto.FILETYPE_PEM, self.key.read_bytes())
        locked.write_bytes(crypto.dump_privatekey(crypto.FILETYPE_PEM, key, "aes256", b"secret"))
        self.assertIn("passphrase", self.bad(self.certificate, locked))

    def test_the_made_certificate_is_kept_and_its_key_is_private(self) -> None:
        first = self.certificate.read_bytes()
        self.assertEqual(ensure(self.directory, ["elsewhere"]), (self.certificate, self.key))
        self.assertEqual(self.certificate.read_bytes(), first)
        self.assertEqual(self.key.stat().st_mode & 0o777, 0o600)

    def test_the_made_certificate_names_hosts_and_addresses(self) -> None:
        made = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.DNSName), ["localhost"])
        self.assertEqual([str(a) for a in names.get_values_for_type(x509.IPAddress)], ["127.0.0.1"])


class Fingerprints(SynchronousTestCase):
    def test_the_key_info_is_cut_from_certificates_of_version_1_too(self) -> None:
        # A TBSCertificate without [0] version: serial, algorithm, issuer, validity, subject, key.
        fields = b"\x02\x01\x07" + 4 * b"\x30\x00" + b"\x30\x03\x01\x02\x03"
        tbs = bytes([0x30, len(fields)]) + fields
        certificate = bytes([0x30, 0x81, len(tbs)]) + tbs
        self.assertEqual(public_key_info(certificate), b"\x30\x03\x01\x02\x03")

    def test_a_fingerprint_is_43_characters_without_padding(self) -> None:
        certificate = client_certificate(ed25519.Ed25519PrivateKey.generate())
        self.assertRegex(fingerprint(certificate.public_bytes(Encoding.DER)), r"^[\w-]{43}$")
