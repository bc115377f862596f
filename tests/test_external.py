"""Login by key: PREAUTH, EXTERNAL, and how sessions end with their key (docs/contract.md 1 to 16, clients 30, 40 to 45)."""

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
from tests.dialogue import HELLO
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


class ReadOnly(SecureCase):
    def setUp(self) -> None:
        super().setUp()
        self.know(read_only=True)
        self.fill(2)
        self.connect(key=self.key).received()

    def test_a_read_only_key_examines(self) -> None:
        self.dialogue("""
            C: a SELECT INBOX
            S: * FLAGS {*}
            S: * OK [PERMANENTFLAGS ()] flags that are kept
            S: * 2 EXISTS
            S: * 0 RECENT
            S: * OK [UNSEEN 1] {*}
            S: * OK [UIDVALIDITY {v}] {*}
            S: * OK [UIDNEXT 3] {*}
            S: * OK [HIGHESTMODSEQ {m}] {*}
            S: a OK [READ-ONLY] SELECT completed
            C: b FETCH 1 BODY[]<0.1>
            S: * 1 FETCH (UID 1 BODY[]<0> {1}
            S: F)
            S: b OK FETCH completed
            C: c FETCH 1 FLAGS
            S: * 1 FETCH (UID 1 FLAGS ())
            S: c OK FETCH completed
        """)

    def test_a_read_only_key_writes_nothing(self) -> None:
        self.clients[""].send(b"x SELECT INBOX\r\n")
        self.clients[""].received()
        for command in ("STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "COPY 1 Trash", "MOVE 1 Trash", "UID EXPUNGE 1",
                        "CREATE x", "DELETE Trash", "RENAME Trash x", "SUBSCRIBE x", "UNSUBSCRIBE x"):
            self.clients[""].send(f"a {command}\r\n".encode())
            self.assertEqual(self.clients[""].received(), b"a NO [NOPERM] this key may only read\r\n", command)

    def test_a_message_is_refused_before_it_is_sent(self) -> None:
        self.dialogue(f"""
            C: a APPEND INBOX {{{len(HELLO)}}}
            S: a NO [NOPERM] this key may only read
        """)

    def test_a_password_of_the_same_account_still_writes(self) -> None:
        self.directory.keys.remove(self.directory.keys.of("ada")[0].fingerprint)
        self.know(read_only=True, no_preauth=True)
        self.connect("2", key=self.key).received()
        self.dialogue("""
            C2: a LOGIN ada secret
            S2: a OK {*}
            C2: b SUBSCRIBE x
            S2: b OK {*}
        """)


class Ending(SecureCase):
    def setUp(self) -> None:
        super().setUp()
        self.fingerprint = self.know().fingerprint
        self.connect(key=self.key).received()

    def ring(self) -> None:
        """What the doorbell does."""
        self.site.guard.directory_changed()

    def test_a_revoked_key_ends_its_sessions_even_in_idle(self) -> None:
        self.dialogue("""
            C: a IDLE
            S: + {*}
        """)
        self.directory.keys.remove(self.fingerprint)
        self.ring()
        self.dialogue("S: * BYE this key was revoked")
        self.assertIsNone(self.clients[""].protocol.session.room)

    def test_other_sessions_of_the_account_go_on(self) -> None:
        other = ed25519.Ed25519PrivateKey.generate()
        self.know(other)
        self.connect("2", key=other).received()
        self.connect("3").received()
        self.dialogue("""
            C3: a LOGIN ada secret
            S3: a OK {*}
        """)
        self.directory.keys.remove(self.fingerprint)
        self.ring()
        self.dialogue("""
            S: * BYE this key was revoked
            C2: a NOOP
            S2: a OK NOOP completed
            C3: b NOOP
            S3: b OK NOOP completed
        """)

    def test_disabling_and_removing_an_account_ends_all_its_sessions(self) -> None:
        self.connect("2").received()
        self.dialogue("""
            C2: a LOGIN ada secret
            S2: a OK {*}
        """)
        self.directory.set_disabled("ada", "away")
        self.ring()
        self.dialogue("""
            S: * BYE away
            S2: * BYE away
        """)

    def test_a_removed_account(self) -> None:
        self.directory.remove("ada")
        self.ring()
        self.dialogue("S: * BYE the account was removed")

    def test_imapserve_of_a_disabled_account_may_be_left_alone(self) -> None:
        self.clients[""].protocol.session.guarded = False
        self.directory.set_disabled("ada", "away")
        self.ring()
        self.dialogue("""
            C: a NOOP
            S: a OK NOOP completed
        """)

    def test_the_end_date_ends_a_session_by_itself(self) -> None:
        key = ed25519.Ed25519PrivateKey.generate()
        self.know(key, until=self.now + 3 * 86400)
        self.connect("2", key=key).received()
        for _ in range(3):
            self.clients["2"].send(b"a NOOP\r\n")
            self.assertEqual(self.clients["2"].received(), b"a OK NOOP completed\r\n")
            for _ in range(86400 // 1200):
                self.clock.advance(1200)
                self.clients["2"].protocol._patience.heard()          # as if it had said something
        self.assertEqual(self.clients["2"].received(), b"* BYE the end date of this key has passed\r\n")

    def test_a_session_that_is_over_leaves_no_timer(self) -> None:
        key = ed25519.Ed25519PrivateKey.generate()
        self.know(key, until=self.now + 60)
        client = self.connect("2", key=key)
        (timer,) = [call for call in self.clock.getDelayedCalls() if call.getTime() == self.clock.seconds() + 60
                    and call.func.__qualname__ == "Expiry._look"]
        client.lose()
        self.assertFalse(timer.active())

    def test_a_directory_that_is_locked_is_asked_again(self) -> None:
        self.directory.keys.remove(self.fingerprint)
        whole, ended = self.site.authenticator.ended, []

        def fail_once(entries: Any) -> Any:
            ended.append(entries)
            if len(ended) == 1:
                raise Unavailable("locked")
            return whole(entries)

        self.patch(self.site.authenticator, "ended", fail_once)
        self.ring()
        self.clock.advance(1)
        self.dialogue("S: * BYE this key was revoked")
        self.assertEqual(len(self.flushLoggedErrors(Unavailable)), 1)


def pretending(thief: Any, owner: Any) -> crypto.PKey:
    """A private key that says it belongs to the owner's public key, and does not: OpenSSL believes it."""
    def public(key: Any) -> bytes:
        point: bytes = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return point

    der = thief.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    forged = der.replace(public(thief), public(owner))
    assert forged != der
    return crypto.load_privatekey(crypto.FILETYPE_ASN1, forged)
