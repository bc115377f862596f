"""SCRAM: the RFCs' examples, independent clients, channel bindings, and all that can be wrong with a message."""

from __future__ import annotations

import base64
from time import perf_counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from moximap.identity import scram
from moximap.identity.authenticator import Authenticator
from moximap.identity.errors import AuthenticationFailed, LoginDisabled, ProtocolError
from moximap.identity.passwords import _make, make_verifiers
from moximap.identity.sasl import Challenge, Channel, Check, Done, Step
from moximap.store.interfaces import AccountRecord
from tests.secure import SecureCase
from tests.server import ServerTestCase, needs, run
from tests.test_identity import Accounts

try:
    import scramp
except ImportError:                                   # a witness, not a dependency
    scramp = None  # type: ignore[assignment]

NAMES = ("SCRAM-SHA-256", "SCRAM-SHA-1")
BINDING = ("tls-server-end-point", b"\x01\x02\x03")


def bound(name: str) -> bytes | None:
    return BINDING[1] if name == BINDING[0] else None


class Kept(Accounts):
    """A directory with a secret."""

    def secret(self, name: str) -> bytes:
        return b"installation".ljust(32)


class ScramCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.accounts = Kept()
        self.accounts.put("ada", "sesame", "ada@example.org")
        self.accounts.put("a,b=c", "sesame")
        self.accounts.put("away", "sesame", disabled="Moved.")
        self.who = Authenticator(self.accounts)  # type: ignore[arg-type]

    def make(self, name: str = "SCRAM-SHA-256", channel: Channel | None = None) -> scram.Scram:
        channel = channel or Channel(binds=name.endswith("-PLUS"), binding=bound)
        return scram.Scram(name.encode(), channel)

    def run_step(self, step: Step) -> Challenge | Done:
        return step.run(self.who) if isinstance(step, Check) else step

    def say(self, mechanism: scram.Scram, message: str | bytes) -> Challenge | Done:
        data = message.encode() if isinstance(message, str) else message
        return self.run_step(mechanism.step(data))

    def ask(self, mechanism: scram.Scram, message: str) -> str:
        challenge = self.say(mechanism, message)
        assert isinstance(challenge, Challenge)
        return challenge.data.decode()


class Examples(ScramCase):
    """The exchanges that stand in the RFCs."""

    def play(self, name: str, server: str, salt: str, script: list[str]) -> None:
        verifier = _make(name, b"pencil", base64.b64decode(salt), 4096)
        self.accounts.records["user"] = AccountRecord("user", 0.0, None, (verifier,))
        self.patch(scram.secrets, "token_urlsafe", lambda size: server)
        mechanism = self.make(name)
        first, challenge, last, signature = script
        self.assertEqual(self.ask(mechanism, first), challenge)
        self.assertEqual(self.ask(mechanism, last), signature)
        self.assertIsInstance(self.say(mechanism, ""), Done)

    def test_rfc_5802_section_5(self) -> None:
        self.play("SCRAM-SHA-1", "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92", [
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="])

    def test_rfc_7677_section_3(self) -> None:
        self.play("SCRAM-SHA-256", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "W22ZaJ0SNY7soEsUEjb6gQ==", [
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="])


class Witness(ScramCase):
    """scramp's client, which does not know our server."""

    def client(self, name: str, login: str = "ada", password: str = "sesame") -> Any:
        if scramp is None:
            self.skipTest("scramp is not installed")  # type: ignore[no-untyped-call]
        binding = BINDING if name.endswith("-PLUS") else None
        return scramp.ScramClient([name], login, password, channel_binding=binding)

    def login(self, name: str, login: str = "ada", password: str = "sesame", initial: bool = True) -> Done:
        client, mechanism = self.client(name, login, password), self.make(name)
        if initial:
            first = self.run_step(mechanism.start(client.get_client_first().encode()))
        else:
            self.assertEqual(mechanism.start(None), Challenge(b""))
            first = self.say(mechanism, client.get_client_first())
        assert isinstance(first, Challenge)
        client.set_server_first(first.data.decode())
        client.set_server_final(self.ask(mechanism, client.get_client_final()))
        done = self.say(mechanism, "")
        assert isinstance(done, Done)
        return done

    def test_all_four_mechanisms_with_and_without_initial_response(self) -> None:
        for name in NAMES:
            for suffix in ("", "-PLUS"):
                for initial in (True, False):
                    done = self.login(name + suffix, initial=initial)
                    self.assertEqual((done.login, done.account.name, done.key), ("ada", "ada", None))

    def test_names_with_commas_equal_signs_and_addresses(self) -> None:
        self.assertEqual(self.login("SCRAM-SHA-256", "a,b=c").account.name, "a,b=c")
        self.assertEqual(self.login("SCRAM-SHA-256", "ada@example.org").login, "ada@example.org")

    def test_a_wrong_password_and_an_unknown_name_differ_in_the_log_only(self) -> None:
        wrong = self.assertRaises(AuthenticationFailed, self.login, "SCRAM-SHA-256", "ada", "wrong")
        nobody = self.assertRaises(AuthenticationFailed, self.login, "SCRAM-SHA-256", "nobody", "wrong")
        self.assertEqual((wrong.told, wrong.code), (nobody.told, nobody.code))
        self.assertEqual((wrong.result, wrong.account, nobody.result), ("badpassword", "ada", "baduser"))

    def test_a_disabled_login_is_told_to_who_knows_the_password(self) -> None:
        """CONTRACT 27."""
        self.assertRaises(AuthenticationFailed, self.login, "SCRAM-SHA-256", "away", "wrong")
        self.assertRaises(LoginDisabled, self.login, "SCRAM-SHA-256", "away")


def proof_of(mechanism: str, password: str, first_bare: str, challenge: str, without_proof: str) -> str:
    """The last message of a client that knows the password, by RFC 5802 section 3."""
    import hashlib
    import hmac
    digest = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}[mechanism]
    fields = dict(field.split("=", 1) for field in challenge.split(","))
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    key = hmac.digest(salted, b"Client Key", digest)
    text = f"{first_bare},{challenge},{without_proof}".encode()
    signature = hmac.digest(hashlib.new(digest, key).digest(), text, digest)
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
    return f"{without_proof},p={proof}"


class Wrong(ScramCase):
    """A table of answers: AuthenticationFailed is NO, ProtocolError is BAD."""

    def test_first_messages_that_are_no_such_thing(self) -> None:
        for message in ("", "n", "n,", "n,,", "n,,n=ada", "n,,r=x,n=ada", "n,,n=,r=x", "n,,n=ada,r=", "n,,n=a=b,r=x",
                        "n,,n=a=2c,r=x", "n,,n=ada,r=a b", "n,,n=ada,r=x,", "n,,n=ada,r=x,y", "n,,m=1,n=ada,r=x",
                        "n,ada,n=ada,r=x", "n,a=,n=ada,r=x", "x,,n=ada,r=x", "p=,,n=ada,r=x", "p=a_b,,n=ada,r=x",
                        "N,,n=ada,r=x", " n,,n=ada,r=x", "n,,n=a\0b,r=x", b"n,,n=\xff,r=x"):
            self.assertRaises(ProtocolError, self.say, self.make(), message)

    def test_extensions_that_are_not_mandatory_are_passed_over(self) -> None:
        self.assertIn("r=xy", self.ask(self.make(), "n,,n=ada,r=xy,z=what"))

    def last(self, change: Any = None, first: str = "n,,n=ada,r=abc", name: str = "SCRAM-SHA-256",
             binding: bytes = b"") -> Challenge | Done:
        """An exchange whose last message was changed before, or after, its proof was made."""
        mechanism = self.make(name)
        challenge = self.ask(mechanism, first)
        flag, authzid, bare = first.split(",", 2)
        header = base64.b64encode(f"{flag},{authzid},".encode() + binding).decode()
        nonce = challenge.split(",")[0]
        message = proof_of(name.removesuffix("-PLUS"), "sesame", bare, challenge, f"c={header},{nonce}")
        return self.say(mechanism, change(message) if change else message)

    def test_the_exchange_itself_is_right(self) -> None:
        self.assertIsInstance(self.last(), Challenge)
        self.assertIsInstance(self.last(first="p=tls-server-end-point,,n=ada,r=x", name="SCRAM-SHA-1-PLUS",
                                        binding=BINDING[1]), Challenge)

    def test_every_truncation_of_the_last_message_fails(self) -> None:
        mechanism = self.make()
        whole = self.ask(mechanism, "n,,n=ada,r=abc")
        length = len(proof_of("SCRAM-SHA-256", "sesame", "n=ada,r=abc", whole, f"c=biws,{whole.split(',')[0]}"))
        for size in range(length):
            self.assertRaises((AuthenticationFailed, ProtocolError), self.last,  # type: ignore[arg-type]
                              lambda message, size=size: message[:size])

    def test_last_messages_that_are_no_such_thing(self) -> None:
        for change in (lambda m: m + ",", lambda m: m + "=", lambda m: m.replace("c=", "d="), lambda m: m[2:],
                       lambda m: m.replace(",r=", ",x="), lambda m: m.replace(",p=", ",q="),
                       lambda m: m.replace("biws", "bi!s"), lambda m: ",".join(m.split(",")[::-1]),
                       lambda m: m.replace(",p=", ",zz,p="), lambda m: m.encode() + b"\xff"):
            self.assertRaises(ProtocolError, self.last, change)

    def test_last_messages_of_who_does_not_know(self) -> None:
        def proof(octets: bytes) -> Any:
            return lambda m: m.rpartition(",p=")[0] + ",p=" + base64.b64encode(octets).decode()

        for change, result in ((proof(bytes(32)), "badpassword"), (proof(b""), "badpassword"),
                               (proof(bytes(20)), "badpassword"), (proof(bytes(64)), "badpassword"),
                               (lambda m: m.replace(",r=", ",r=x"), "badcreds"),
                               (lambda m: m.replace("r=abc", "r=abd"), "badcreds"),
                               (lambda m: m.replace(",p=", ",z=1,p="), "badpassword"),
                               (lambda m: m.replace("biws", "eSws"), "badchanbind")):
            error = self.assertRaises(AuthenticationFailed, self.last, change)
            self.assertEqual((error.result, error.told), (result, "wrong name or password"))

    def test_a_replayed_exchange_meets_another_nonce(self) -> None:
        heard: list[str] = []

        def keep(message: str) -> str:
            heard.append(message)
            return message

        self.last(keep)
        self.assertRaises(AuthenticationFailed, self.last, lambda message: heard[0])

    def test_messages_out_of_order(self) -> None:
        self.assertRaises(ProtocolError, self.say, self.make(), "c=biws,r=abc,p=AAAA")
        mechanism = self.make()
        self.ask(mechanism, "n,,n=ada,r=abc")
        self.assertRaises(ProtocolError, self.say, mechanism, "n,,n=ada,r=abc")
        mechanism = self.make()
        self.ask(mechanism, "n,,n=ada,r=abc")
        self.assertRaises(ProtocolError, self.say, mechanism, "")

    def test_after_the_signature_nothing_is_said(self) -> None:
        mechanism = self.make()
        challenge = self.ask(mechanism, "n,,n=ada,r=abc")
        self.ask(mechanism, proof_of("SCRAM-SHA-256", "sesame", "n=ada,r=abc", challenge,
                                     f"c=biws,{challenge.split(',')[0]}"))
        self.assertRaises(ProtocolError, self.say, mechanism, "more")

    def test_an_authorization_identity_names_the_same_account(self) -> None:
        self.assertIsInstance(self.last(first="n,a=ada@example.org,n=ada,r=x"), Challenge)
        for other in ("a=2Cb=3Dc", "nobody"):
            self.assertRaises(AuthenticationFailed, self.last, None, f"n,a={other},n=ada,r=x")

    @given(st.text())
    def test_any_first_message_is_a_check_or_an_error(self, message: str) -> None:
        try:
            step = scram.Scram(b"SCRAM-SHA-256", Channel()).step(message.encode("utf-8", "replace"))
        except (ProtocolError, AuthenticationFailed):
            return
        self.assertIsInstance(step, Check)


class Bindings(ScramCase):
    """RFC 5802 section 6."""

    def refused(self, name: str, first: str, channel: Channel) -> AuthenticationFailed:
        return self.assertRaises(AuthenticationFailed, self.say, self.make(name, channel), first)

    def test_a_client_that_was_not_told_of_plus_is_told_of_the_downgrade(self) -> None:
        error = self.refused("SCRAM-SHA-256", "y,,n=ada,r=x", Channel(binds=True, binding=bound))
        self.assertEqual(error.result, "badchanbind")
        self.assertIn("r=x", self.ask(self.make(channel=Channel()), "y,,n=ada,r=x"))

    def test_a_client_that_does_not_bind_may_log_in_all_the_same(self) -> None:
        self.assertIn("r=x", self.ask(self.make(channel=Channel(binds=True)), "n,,n=ada,r=x"))

    def test_plus_binds_and_others_do_not(self) -> None:
        for name, first in (("SCRAM-SHA-256", "p=tls-server-end-point,,n=ada,r=x"),
                            ("SCRAM-SHA-256-PLUS", "n,,n=ada,r=x"), ("SCRAM-SHA-256-PLUS", "y,,n=ada,r=x")):
            self.assertRaises(ProtocolError, self.say, self.make(name), first)

    def test_a_type_that_this_channel_has_not(self) -> None:
        error = self.refused("SCRAM-SHA-256-PLUS", "p=tls-unique,,n=ada,r=x", Channel(binds=True, binding=bound))
        self.assertEqual(error.result, "badchanbind")

    def test_who_sits_between_binds_to_another_channel(self) -> None:
        mechanism = self.make("SCRAM-SHA-256-PLUS")
        first = "p=tls-server-end-point,,n=ada,r=x"
        challenge = self.ask(mechanism, first)
        header = base64.b64encode(b"p=tls-server-end-point,,other").decode()
        message = proof_of("SCRAM-SHA-256", "sesame", "n=ada,r=x", challenge, f"c={header},{challenge.split(',')[0]}")
        error = self.assertRaises(AuthenticationFailed, self.say, mechanism, message)
        self.assertEqual((error.result, error.told), ("badchanbind", "wrong name or password"))


class Unknown(ScramCase):
    def challenge(self, login: str, name: str = "SCRAM-SHA-256") -> list[str]:
        return self.ask(self.make(name), f"n,,n={login},r=x").split(",")[1:]

    def test_unknown_names_have_a_salt_that_stays(self) -> None:
        self.assertEqual(self.challenge("nobody"), self.challenge("nobody"))
        self.assertEqual(self.challenge("nobody"), self.challenge("NOBODY"))
        self.assertEqual(self.challenge("nobody"), Unknown.challenge(self, "nobody"))
        self.assertNotEqual(self.challenge("nobody"), self.challenge("somebody"))
        self.assertNotEqual(self.challenge("nobody"), self.challenge("nobody", "SCRAM-SHA-1"))

    def test_they_look_like_those_who_are_known(self) -> None:
        self.accounts.records["known"] = AccountRecord("known", 0.0, None, make_verifiers("x"))
        for name in NAMES:
            known, unknown = self.challenge("known", name), self.challenge("unknown", name)
            self.assertEqual([len(field) for field in known], [len(field) for field in unknown])
            self.assertEqual(known[1], unknown[1])

    def test_an_account_without_a_password_looks_the_same_and_is_not_entered(self) -> None:
        self.accounts.records["keyed"] = AccountRecord("keyed", 0.0)
        challenge = self.ask(self.make(), "n,,n=keyed,r=x")
        self.assertEqual(challenge.split(",")[1:], self.challenge("KEYED"))

    def test_no_verifier_is_shown_by_a_repr(self) -> None:
        mechanism = self.make()
        step = mechanism.step(b"n,,n=ada,r=x")
        self.assertNotIn("stored", repr(step) + repr(mechanism))

    def test_unknown_names_and_wrong_proofs_take_the_same_time(self) -> None:
        """No hash is made for either: what is left is the directory's, and microseconds."""
        spent = {"ada": 0.0, "nobody": 0.0}
        for _ in range(200):
            for login in spent:
                start = perf_counter()
                mechanism = self.make()
                nonce = self.ask(mechanism, f"n,,n={login},r=x").split(",")[0]
                self.assertRaises(AuthenticationFailed, self.say, mechanism, f"c=biws,{nonce},p={'A' * 43}=")
                spent[login] += perf_counter() - start
        self.assertLess(abs(spent["ada"] - spent["nobody"]) / 200, 0.002)


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
        from tests.dialogue import Client
        self.clients["2"] = Client(self.factory)
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "LOGIN", "PLAIN"):
            self.clients["2"].received()
            self.dialogue(f"""
                C2: a AUTHENTICATE {mechanism}
                S2: a NO [PRIVACYREQUIRED] {{*}}
            """)


class Gsasl(ServerTestCase):
    """GNU SASL, a second witness, over STARTTLS: tls-exporter where TLS is 1.3, tls-unique where it is 1.2."""

    def gsasl(self, mechanism: str, *options: str) -> bytes:
        needs("gsasl")
        return run("gsasl", "--client", "--imap", "--mechanism", mechanism, "--authentication-id", self.user,
                   "--password", self.password, "--x509-ca-file", self.server.certificate, *options,
                   "--connect", f"localhost:{self.server.ports['imap']}")

    def test_gsasl_binds_to_both_versions_of_tls(self) -> None:
        for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"):
            for priority in ("NORMAL", "NORMAL:-VERS-TLS1.3"):
                self.assertIn(b"OK [CAPABILITY", self.gsasl(mechanism, "--priority", priority))

    def test_gsasl_without_binding(self) -> None:
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1", "LOGIN", "PLAIN"):
            self.assertIn(b"OK [CAPABILITY", self.gsasl(mechanism, "--no-cb"))
