"""CRAM-MD5: off by default, from stored contexts, with the RFC, imaplib and GNU SASL as witnesses."""

from __future__ import annotations

import base64
import hmac
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.identity.crammd5 import CramMD5
from moximap.identity.errors import AuthenticationFailed, LoginDisabled, ProtocolError
from moximap.identity.md5 import contexts, hmac_md5
from moximap.identity.passwords import cram_md5_verifier, make_verifiers
from moximap.identity.sasl import Challenge, Check, Done
from moximap.imap.site import Site
from moximap.store.interfaces import AccountRecord
from tests import beside
from tests.dialogue import DialogueCase
from tests.server import Server, ServerTestCase, listen, make_certificate, moximap_command, needs, ports_in, run, twistd
from tests.test_cli import CommandCase
from tests.test_scram import ScramCase


def digest_of(password: str, challenge: bytes) -> str:
    return hmac.digest(password.encode(), challenge, "md5").hex()


class Contexts(SynchronousTestCase):
    def test_the_example_of_rfc_2195(self) -> None:
        made = hmac_md5(*contexts(b"tanstaaftanstaaf"), b"<1896.697170952@postoffice.reston.mci.net>")
        self.assertEqual(made.hex(), "b913a602c7eda7a495b4e6e7334d3890")

    @given(st.binary(max_size=150), st.binary(max_size=300))
    def test_they_make_what_hashlib_makes(self, key: bytes, message: bytes) -> None:
        inner, outer = contexts(key)
        self.assertEqual((len(inner), len(outer)), (16, 16))
        self.assertEqual(hmac_md5(inner, outer, message), hmac.digest(key, message, "md5"))


class Exchange(ScramCase):
    def setUp(self) -> None:
        super().setUp()
        for name, disabled in (("ada", None), ("away", "Moved.")):
            self.accounts.records[name] = AccountRecord(name, 0.0, disabled, (cram_md5_verifier("sesame"),))
        self.accounts.put("scram only", "sesame")

    def login(self, login: str, password: str = "sesame", change: Any = None) -> Done:
        mechanism = CramMD5()
        challenge = mechanism.start(None)
        assert isinstance(challenge, Challenge)
        response = f"{login} {digest_of(password, challenge.data)}"
        check = mechanism.step((change(response) if change else response).encode())
        assert isinstance(check, Check) and check.login
        done = check.run(self.who)
        assert isinstance(done, Done)
        return done

    def test_who_knows_the_password_logs_in(self) -> None:
        self.assertEqual(self.login("ada").account.name, "ada")
        self.assertRaises(LoginDisabled, self.login, "away")

    def test_all_others_look_alike(self) -> None:
        for login, password in (("ada", "wrong"), ("nobody", "sesame"), ("scram only", "sesame"), ("away", "wrong")):
            error = self.assertRaises(AuthenticationFailed, self.login, login, password)
            self.assertEqual((error.told, error.code), ("wrong name or password", b"AUTHENTICATIONFAILED"))

    def test_no_challenge_comes_twice_so_nothing_can_be_replayed(self) -> None:
        heard: list[str] = []

        def keep(response: str) -> str:
            heard.append(response)
            return response

        self.login("ada", change=keep)
        self.assertRaises(AuthenticationFailed, self.login, "ada", "sesame", lambda response: heard[0])

    def test_broken_responses_are_the_clients_fault(self) -> None:
        for response in (b"", b"ada", b"ada ", b" " + b"0" * 32, b"ada " + b"0" * 31, b"ada " + b"0" * 33,
                         b"ada " + b"A" * 32, b"a\0b " + b"0" * 32, b"\xff " + b"0" * 32):
            self.assertRaises(ProtocolError, CramMD5().step, response)
        self.assertRaises(ProtocolError, CramMD5().start, b"")

    def test_a_password_is_not_checked_against_it(self) -> None:
        """What is strong decides, wherever it stands among what is kept."""
        strong = make_verifiers("sesame", 4096)
        self.accounts.records["ada"] = AccountRecord("ada", 0.0, None, (cram_md5_verifier("other"), *strong))
        self.assertEqual(self.who.password("ada", "sesame").name, "ada")
        self.accounts.records["ada"] = AccountRecord("ada", 0.0, None, (cram_md5_verifier("other"),))
        self.assertRaises(AuthenticationFailed, self.who.password, "ada", "other")


class Switch(DialogueCase):
    def make_site(self) -> Site:
        site = super().make_site()
        site.cram_md5 = True
        return site

    def test_it_is_announced_where_it_is_switched_on_and_passwords_may_be_sent(self) -> None:
        self.directory.set_verifiers("ada", (*make_verifiers("secret", 4096), cram_md5_verifier("secret")))
        self.dialogue("""
            S: * OK {*}
            C: a CAPABILITY
            S: * CAPABILITY {*} AUTH=CRAM-MD5 {*}
            S: a OK {*}
            C: b AUTHENTICATE CRAM-MD5 YWRh
            S: b BAD CRAM-MD5 begins with the server's challenge
            C: c AUTHENTICATE CRAM-MD5
            S: + {challenge}
        """, login=None)
        digest = digest_of("secret", base64.b64decode(self.bound["challenge"]))
        response = base64.b64encode(f"ada {digest}".encode()).decode()
        self.dialogue(f"""
            C: {response}
            S: c OK [CAPABILITY {{*}}] welcome
        """)

    def test_it_is_neither_announced_nor_taken_where_it_is_off(self) -> None:
        self.site.cram_md5 = False
        self.dialogue("""
            S: * OK {*}
            C: a AUTHENTICATE CRAM-MD5
            S: a NO [CANNOT] there is no such mechanism here
        """, login=None)
        self.client().send(b"b CAPABILITY\r\n")
        self.assertNotIn(b"CRAM-MD5", self.client().received())
        self.site.cram_md5, self.site.plaintext_login = True, False
        self.dialogue("""
            C: c AUTHENTICATE CRAM-MD5
            S: c NO [PRIVACYREQUIRED] {*}
        """)


class Command(CommandCase):
    def test_its_form_is_kept_for_those_who_ask_for_it_until_the_next_password(self) -> None:
        def kept() -> set[str]:
            from moximap.store.directory import Directory
            directory = Directory(self.data)
            self.addCleanup(directory.close)
            return {verifier.mechanism for verifier in directory.account("ada").verifiers}

        self.run_command("account", "add", "ada", "--password-stdin", given="sesame\n")
        self.assertNotIn("CRAM-MD5", kept())
        self.run_command("account", "passwd", "ada", "--password-stdin", "--cram-md5", given="sesame\n")
        self.assertEqual(kept(), {"CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"})
        self.run_command("account", "passwd", "ada", "--password-stdin", given="sesame\n")
        self.assertNotIn("CRAM-MD5", kept())


class Programs(ServerTestCase):
    """Clients that have it from elsewhere, and a server that has its switch from a file."""

    def start_server(self) -> Server:
        data = self.directory / "data"
        certificate, key = make_certificate(self.directory)
        moximap_command(data, "account", "add", self.user, "--password-stdin", "--cram-md5",
                        given=self.password.encode() + b"\n")
        settings = self.directory / "moximap.toml"
        settings.write_text("cram_md5 = true\nplaintext_login = true\n")
        child = twistd("--data", data, "--config", settings, "--tls-cert", certificate, "--tls-key", key,
                       *listen("imap"), directory=self.directory)
        self.look_after(child)
        child.wait_until(lambda lines: bool(ports_in(lines)))
        return Server(data, child, certificate, ports_in(child.lines))

    def test_imaplib_curl_and_gsasl(self) -> None:
        import imaplib
        needs("curl", "gsasl")
        port = self.server.ports["imap"]
        client = imaplib.IMAP4("localhost", port, timeout=30)
        self.addCleanup(client.shutdown)
        self.assertEqual(client.login_cram_md5(self.user, self.password)[0], "OK")
        self.assertIn(b"INBOX", run("curl", "--silent", "--show-error", "--noproxy", "*", "--login-options",
                                    "AUTH=CRAM-MD5", "--user", f"{self.user}:{self.password}",
                                    f"imap://localhost:{port}/"))
        self.assertIn(b"OK [CAPABILITY", run(
            "gsasl", "--client", "--imap", "--mechanism", "CRAM-MD5", "--authentication-id", self.user, "--password",
            self.password, "--no-starttls", "--connect", f"localhost:{port}"))


test_suite = beside.suite(__name__)
