"""SCRAM: channel bindings, unknown users, and all that can be wrong with a message."""

from __future__ import annotations

import base64
from time import perf_counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.identity import scram
from moximap.identity.authenticator import Authenticator
from moximap.identity.errors import AuthenticationFailed, ProtocolError
from moximap.identity.passwords import make_verifiers
from moximap.identity.sasl import Challenge, Channel, Check, Done, Step
from moximap.store.interfaces import AccountRecord
from tests.test_identity import Accounts

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

    @given(st.binary())
    def test_any_last_message_is_an_error_of_the_clients(self, message: bytes) -> None:
        mechanism = self.make()
        self.ask(mechanism, "n,,n=ada,r=abc")
        self.assertRaises((ProtocolError, AuthenticationFailed), self.say, mechanism,  # type: ignore[arg-type]
                          b"c=biws,r=abc" + message)


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
