"""Login by key: PREAUTH and EXTERNAL (docs/contract.md 1 to 16, clients 30, 40 to 45)."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

from moximap.store.errors import Unavailable
from tests.secure import VERSIONS, SecureCase
from tests.test_tls import LONG_AGO, client_certificate

PREAUTH = b"* PREAUTH [CAPABILITY IMAP4rev1 "
OK = b"* OK [CAPABILITY IMAP4rev1 "


def ca_signed(key: Any, cn: str = "somebody.else.example") -> x509.Certificate:
    """A certificate by an authority, expired, of another name, not for clients."""
    authority = ec.generate_private_key(ec.SECP256R1())

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    return (x509.CertificateBuilder().subject_name(name(cn)).issuer_name(name("an authority"))
            .public_key(key.public_key()).serial_number(7).not_valid_before(LONG_AGO)
            .not_valid_after(LONG_AGO + timedelta(days=1))
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=True)
            .sign(authority, SHA256()))


class Greeting(SecureCase):
    def test_rule_4_a_known_key_is_greeted_with_preauth(self) -> None:
        self.know()
        self.fill()
        self.connect(key=self.key)
        self.dialogue("""
            S: * PREAUTH [CAPABILITY IMAP4rev1 {*}] moximap ready
            C: a STATUS INBOX (MESSAGES)
            S: * STATUS INBOX (MESSAGES 1)
            S: a OK STATUS completed
            C: b LOGIN ada secret
            S: b NO already authenticated
            C: c AUTHENTICATE EXTERNAL =
            S: c NO already authenticated
            C: d STARTTLS
            S: d NO already authenticated
        """)

    def test_rule_2_only_the_key_matters_whatever_its_kind_or_certificate(self) -> None:
        for key in (ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate(),
                    rsa.generate_private_key(65537, 2048)):
            self.know(key)
            for version in VERSIONS:
                for certificate in (None, client_certificate(key, expired=True), ca_signed(key)):
                    greeting = self.greeting(key=key, version=version, certificate=certificate)
                    self.assertEqual(greeting[:len(PREAUTH)], PREAUTH)

    def test_rule_7_external_is_announced_to_those_who_sent_a_certificate(self) -> None:
        self.assertNotIn(b"AUTH=EXTERNAL", self.greeting())
        self.assertIn(b"AUTH=EXTERNAL", self.greeting(key=self.key))
        self.know()
        self.assertNotIn(b"AUTH=", self.greeting(key=self.key))

    def test_client_42_an_unknown_key_is_no_identity_and_no_broken_handshake(self) -> None:
        for version in VERSIONS:
            self.assertEqual(self.greeting(key=self.key, version=version)[:len(OK)], OK)
        self.connect(key=self.key)
        self.dialogue("""
            S: * OK {*}
            C: a AUTHENTICATE EXTERNAL =
            S: a NO [AUTHENTICATIONFAILED] this certificate's key is not known here
            C: b LOGIN ada secret
            S: b OK [CAPABILITY {*}] welcome
        """)

    def test_a_copied_certificate_without_its_key_gets_nowhere(self) -> None:
        self.know()
        thief = ec.generate_private_key(ec.SECP256R1())
        for version in VERSIONS:
            context = SSL.Context(SSL.TLS_METHOD)
            context.use_certificate(crypto.X509.from_cryptography(client_certificate(self.key)))
            context.use_privatekey(pretending(thief, self.key))
            with contextlib.suppress(SSL.Error):
                client = self.connect(context=context, version=version)
                self.assertNotIn(b"PREAUTH", client.received())
            self.assertEqual([connection for connection in self.site.connections
                              if connection.session.record is not None], [])

    def test_what_is_sent_before_the_greeting_is_answered_after_it(self) -> None:
        self.know()
        client = self.connect(key=self.key)
        client.send(b"a NOOP\r\nb NOOP\r\n")
        lines = client.received().splitlines()
        self.assertEqual([line.split()[0] for line in lines], [b"*", b"a", b"b"])

    def test_a_directory_that_cannot_be_read_leaves_the_other_ways_in(self) -> None:
        def fail(fingerprint: str) -> None:
            raise Unavailable("locked")

        self.patch(self.directory.keys, "find", fail)
        self.assertEqual(self.greeting(key=self.key)[:len(OK)], OK)

    def test_too_many_connections_of_an_account_are_told_with_bye(self) -> None:
        """Client 25."""
        self.know()
        self.site.limits = type(self.limits)(connections_per_account=1)
        self.connect(key=self.key)
        self.assertEqual(self.greeting(key=self.key), b"* BYE [LIMIT] too many connections of this account\r\n")
        self.clock.advance(2)
        self.site.attempts.flush()
        self.assertEqual({each.attempt.result for each in self.directory.attempts.of("ada")}, {"ok", "error"})


class External(SecureCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory.addresses.add("ada", "ada@example.org")

    def external(self, *lines: str, key: Any = None) -> bytes:
        """The answer to AUTHENTICATE EXTERNAL and lines behind it."""
        client = self.connect("8", key=key or self.key)
        client.received()
        for line in lines:
            client.send(line.encode() + b"\r\n")
        return client.received()

    def test_client_40_all_ways_to_say_external(self) -> None:
        """Rule 5: an empty authzid, or one that names the account, with and without initial response."""
        self.know(no_preauth=True)
        for lines in (("a AUTHENTICATE EXTERNAL =",), ("a authenticate external", ""),
                      ("a AUTHENTICATE EXTERNAL", "="), ("a AUTHENTICATE EXTERNAL YWRh",),
                      ("a AUTHENTICATE EXTERNAL", "YWRhQGV4YW1wbGUub3Jn")):
            answer = self.external(*lines).removeprefix(b"+ \r\n")
            self.assertEqual(answer[:18], b"a OK [CAPABILITY I", lines)

    def test_rule_5_a_key_without_preauth_is_greeted_with_ok(self) -> None:
        self.know(no_preauth=True)
        self.assertEqual(self.greeting(key=self.key)[:len(OK)], OK)

    def test_client_43_a_name_is_compared_and_never_looked_for(self) -> None:
        self.know(no_preauth=True)
        for authzid in ("Ym9i", "bm9ib2R5"):                          # bob, nobody
            self.assertEqual(self.external(f"a AUTHENTICATE EXTERNAL {authzid}"),
                             b"a NO [AUTHENTICATIONFAILED] wrong name or password\r\n")
        stranger = ec.generate_private_key(ec.SECP256R1())
        self.assertIn(b"a NO [AUTHENTICATIONFAILED]", self.external("a AUTHENTICATE EXTERNAL YWRh", key=stranger))

    def test_rule_15_names_are_compared_in_normal_form_c(self) -> None:
        self.directory.addresses.add("ada", "ren\u00e9@example.org")
        self.know(no_preauth=True)
        answer = self.external("a AUTHENTICATE EXTERNAL cmVuZcyBQGV4YW1wbGUub3Jn")      # rene + U+0301
        self.assertEqual(answer[:4], b"a OK")

    def test_rule_8_without_a_certificate_it_fails_with_a_plain_reason(self) -> None:
        self.connect()
        self.dialogue("""
            S: * OK {*}
            C: a AUTHENTICATE EXTERNAL =
            S: a NO [AUTHENTICATIONFAILED] no client certificate came with this connection
            C: b AUTHENTICATE EXTERNAL
            S: b NO [AUTHENTICATIONFAILED] no client certificate came with this connection
        """)

    def test_rule_8_nor_without_tls(self) -> None:
        self.dialogue("""
            S: * OK {*}
            C: a AUTHENTICATE EXTERNAL =
            S: a NO [AUTHENTICATIONFAILED] no client certificate came with this connection
        """, login=None)

    def test_rule_16_what_a_client_does_wrong_is_bad_and_no_more(self) -> None:
        self.know(no_preauth=True)
        for wrong, text in (("!", b"invalid base64"), ("*", b"authentication aborted"), ("YQBi", b"no NUL"),
                            ("/w==", b"not UTF-8"), ("YQ", b"invalid base64")):
            answer = self.external("a AUTHENTICATE EXTERNAL", wrong)
            self.assertTrue(answer.startswith(b"+ \r\na BAD ") and text in answer, answer)

    def test_rule_6_another_mechanism_must_be_of_the_same_account(self) -> None:
        self.know(no_preauth=True)
        self.connect(key=self.key)
        self.dialogue("""
            S: * OK {*}
            C: a LOGIN bob secret
            S: a NO [AUTHENTICATIONFAILED] the key of your certificate belongs to another account
            C: b AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=
            S: b NO [AUTHENTICATIONFAILED] the key of your certificate belongs to another account
            C: c LOGIN ada@example.org secret
            S: c OK [CAPABILITY {*}] welcome
        """)

    def test_rule_6_an_unknown_key_stands_in_nobodys_way(self) -> None:
        self.assertEqual(self.external("a LOGIN bob secret")[:4], b"a OK")

    def test_rule_13_a_disabled_account_hears_why_and_gets_no_code(self) -> None:
        """Rule 27."""
        self.know()
        self.directory.set_disabled("ada", "Moved to mail.example.com.")
        self.assertEqual(self.greeting(key=self.key)[:len(OK)], OK)
        self.assertEqual(self.external("a AUTHENTICATE EXTERNAL ="), b"a NO Moved to mail.example.com.\r\n")

    def test_a_key_whose_time_is_over_hears_that(self) -> None:
        self.know(until=self.now + 60)
        self.now += 60
        self.assertEqual(self.greeting(key=self.key)[:len(OK)], OK)
        self.assertEqual(self.external("a AUTHENTICATE EXTERNAL ="),
                         b"a NO [EXPIRED] the end date of this key has passed\r\n")


def pretending(thief: Any, owner: Any) -> crypto.PKey:
    """A private key that says it belongs to the owner's public key, and does not: OpenSSL believes it."""
    def public(key: Any) -> bytes:
        point: bytes = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return point

    der = thief.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    forged = der.replace(public(thief), public(owner))
    assert forged != der
    return crypto.load_privatekey(crypto.FILETYPE_ASN1, forged)
