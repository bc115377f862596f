"""SCRAM against the RFCs' examples, and against scramp's client."""

from __future__ import annotations

import base64
from typing import Any

import scramp  # type: ignore[import-untyped]

from moximap.identity import scram
from moximap.identity.errors import AuthenticationFailed, LoginDisabled
from moximap.identity.passwords import _make
from moximap.identity.sasl import Challenge, Done
from moximap.store.interfaces import AccountRecord
from tests.test_scram import BINDING, NAMES, ScramCase


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
