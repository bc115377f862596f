"""OAUTHBEARER and XOAUTH2: the mechanisms, and what the protocol makes of good and bad tokens."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from moximap.identity.errors import NotNow, ProtocolError
from moximap.identity.sasl import Channel, Denied, Grant, Hints, Inspect, Refused
from moximap.identity.tokens import OAuthBearer, XOAuth2, parse_bearer, parse_xoauth2
from moximap.imap.site import Site
from tests.dialogue import DialogueCase
from tests.secure import SecureCase

GOOD, OTHER = "good.token_~+/-==", "bobs"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def bearer(token: str = GOOD, authzid: str = "") -> str:
    name = f"a={authzid}" if authzid else ""
    return encoded(f"n,{name},\1host=mail.example.org\1port=993\1auth=Bearer {token}\1\1")


def xoauth2(token: str = GOOD, user: str = "ada") -> str:
    return encoded(f"user={user}\1auth=Bearer {token}\1\1")


class Endpoint:
    """An inspector that knows its tokens by heart; what waits in ``held`` is not answered yet."""

    hints = Hints("imap", "https://example.org/.well-known/openid-configuration")

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {GOOD: Grant("ada"), OTHER: Grant("bob"), "gone": Grant("nobody"),
                                        "narrow": Denied("insufficient_scope", "the token lacks a scope")}
        self.held: Deferred[Any] | None = None

    def inspect(self, token: str) -> Deferred[Any]:
        if self.held is not None:
            return self.held
        return succeed(self.answers.get(token, Denied("invalid_token", "the token is not active")))


class Messages(SynchronousTestCase):
    def test_the_examples_of_rfc_7628(self) -> None:
        said = parse_bearer("n,a=user@example.com,\1host=server.example.com\1port=143\1"
                            "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1")
        self.assertEqual((said.authzid, said.token),
                         ("user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="))
        self.assertEqual(parse_bearer("n,a=user@example.com,\1host=h\1port=143\1auth=\1\1").token, "")

    def test_names_are_decoded_and_other_pairs_passed_over(self) -> None:
        said = parse_bearer("y,a=a=2Cb=3Dc,\1x=\1AUTH=bearer   abc\1\1")
        self.assertEqual((said.authzid, said.token), ("a,b=c", "abc"))
        self.assertEqual(parse_xoauth2("user=jos\u00e9\1auth=Bearer x\1\1").authzid, "jos\u00e9")

    def test_what_is_no_such_message(self) -> None:
        for parse, messages in (
                (parse_bearer, ("", "\1", "n,,", "n,,\1", "n,,\1\1", "p=tls-exporter,,\1auth=Bearer x\1\1",
                                "n,ada,\1auth=Bearer x\1\1", "n,a=,\1auth=Bearer x\1\1", "n,,\1auth=Bearer x\1",
                                "n,,\1auth=Bearer x\1\1\1", "n,,\1auth=Bearer x\1auth=Bearer y\1\1",
                                "n,,\1auth\1\1", "n,,\1host=x\1\1", "n,,\1auth=Bearer \u00e9\1\1",
                                f"n,,\1auth=Bearer {'x' * 20000}\1\1")),
                (parse_xoauth2, ("", "user=ada", "user=ada\1\1", "auth=Bearer x\1user=ada\1\1",
                                 "user=ada\1auth=Bearer x\1", "user=a\0b\1auth=Bearer x\1\1"))):
            for message in messages:
                self.assertRaises(ProtocolError, parse, message)

    @given(st.text(alphabet="nyp,a=\1uthserBearer x\0") | st.text())
    def test_any_message_is_a_step_or_a_protocol_error(self, message: str) -> None:
        for make in (OAuthBearer, XOAuth2):
            try:
                step = make(Channel()).step(message.encode("utf-8", "replace"))
            except ProtocolError:
                continue
            self.assertIsInstance(step, (Inspect, Refused))

    def test_no_token_is_shown_by_a_repr(self) -> None:
        mechanism = OAuthBearer(Channel())
        self.assertNotIn(GOOD, repr(mechanism.step(base64.b64decode(bearer()))) + repr(vars(mechanism)))


class Tokens(SecureCase):
    def make_site(self) -> Site:
        site = super().make_site()
        self.endpoint = Endpoint()
        site.tokens = self.endpoint
        return site

    def challenge(self, line: str) -> Any:
        """The facts in the challenge that a failing attempt gets."""
        client = self.clients[""]
        client.send(line.encode() + b"\r\n")
        said = client.received()
        self.assertEqual(said[:2], b"+ ")
        return json.loads(base64.b64decode(said[2:]))

    def results(self) -> list[tuple[str, str, str, str]]:
        self.clients[""].lose()
        self.site.attempts.flush()
        return sorted((r.attempt.mechanism, r.attempt.login, r.attempt.account, r.attempt.result)
                      for r in self.directory.attempts.of())

    def test_a_good_token_logs_in_with_and_without_its_owners_name(self) -> None:
        self.directory.addresses.add("ada", "ada@example.org")
        for number, line in enumerate((f"OAUTHBEARER {bearer()}", f"OAUTHBEARER {bearer(authzid='ada')}",
                                       f"OAUTHBEARER {bearer(authzid='ada@example.org')}", f"XOAUTH2 {xoauth2()}")):
            self.connect(str(number))
            self.dialogue(f"""
                S{number}: * OK [CAPABILITY {{*}} AUTH=OAUTHBEARER {{*}} AUTH=XOAUTH2 {{*}}
                C{number}: a AUTHENTICATE {line}
                S{number}: a OK [CAPABILITY {{*}}] welcome
            """)

    def test_without_an_initial_response_there_is_an_empty_challenge(self) -> None:
        self.connect()
        self.dialogue(f"""
            S: * OK {{*}}
            C: a AUTHENTICATE OAUTHBEARER
            S: +{{*}}
            C: {bearer()}
            S: a OK {{*}}
        """)

    def test_a_bad_token_is_told_by_a_challenge_and_then_no(self) -> None:
        self.connect()
        self.clients[""].received()
        for token, authzid, status in (("bad", "", "invalid_token"), ("narrow", "", "insufficient_scope"),
                                       ("gone", "", "invalid_token"), (OTHER, "ada", "invalid_token")):
            facts = self.challenge(f"a AUTHENTICATE OAUTHBEARER {bearer(token, authzid)}")
            self.assertEqual(facts, {"status": status, "scope": "imap",
                                     "openid-configuration": Endpoint.hints.discovery})
            self.clients[""].send(b"AQ==\r\n")
            self.assertTrue(self.clients[""].received().startswith(b"a NO [AUTHENTICATIONFAILED] "))
        self.assertEqual(self.results(), [
            ("oauthbearer", "", "-", "badcreds"), ("oauthbearer", "bob", "bob", "badcreds"),
            ("oauthbearer", "nobody", "-", "baduser")])

    def test_xoauth2_says_it_in_its_own_words(self) -> None:
        self.connect()
        self.clients[""].received()
        for token, status in (("bad", "401"), ("narrow", "403")):
            facts = self.challenge(f"a AUTHENTICATE XOAUTH2 {xoauth2(token)}")
            self.assertEqual(facts, {"status": status, "schemes": "Bearer", "scope": "imap"})
            self.clients[""].send(b"\r\n")
            self.assertEqual(self.clients[""].received()[:27], b"a NO [AUTHENTICATIONFAILED]")

    def test_aborting_after_the_challenge_or_going_away_is_a_failure_all_the_same(self) -> None:
        self.connect()
        self.clients[""].received()
        self.challenge(f"a AUTHENTICATE OAUTHBEARER {bearer('bad', 'ada')}")
        self.clients[""].send(b"*\r\n")
        self.assertEqual(self.clients[""].received(), b"a BAD authentication aborted\r\n")
        self.assertEqual(self.clients[""].protocol.session.failed_logins, 1)
        self.challenge(f"a AUTHENTICATE XOAUTH2 {xoauth2('bad', 'bob')}")
        self.assertEqual(self.results(), [("oauthbearer", "ada", "-", "badcreds"), ("xoauth2", "bob", "-", "badcreds")])
        self.assertEqual(self.clients[""].protocol.session.failed_logins, 2)

    def test_an_endpoint_that_is_not_there_is_no_failure_of_the_clients(self) -> None:
        self.connect()
        self.endpoint.held = Deferred()
        self.clients[""].received()
        self.clients[""].send(f"a AUTHENTICATE OAUTHBEARER {bearer(authzid='ada')}\r\n".encode())
        self.assertEqual(self.clients[""].received(), b"")
        self.endpoint.held.errback(NotNow("tokens cannot be checked right now"))
        self.assertEqual(self.clients[""].received(),
                         b"a NO [UNAVAILABLE] tokens cannot be checked right now\r\n")
        self.assertEqual(self.clients[""].protocol.session.failed_logins, 0)
        self.assertEqual(self.results(), [("oauthbearer", "ada", "-", "error")])

    def test_a_client_that_goes_away_while_its_token_is_inspected_leaves_nothing_behind(self) -> None:
        self.connect()
        held = self.endpoint.held = Deferred()
        self.clients[""].send(f"a AUTHENTICATE OAUTHBEARER {bearer()}\r\n".encode())
        self.clients[""].lose()
        held.callback(Grant("ada"))
        self.site.attempts.flush()
        self.assertEqual(self.site.connections, set())
        self.assertIsNone(self.clients[""].protocol.session.room)

    def test_disabled_accounts_and_other_accounts_keys(self) -> None:
        self.directory.set_disabled("bob", "Moved.")
        self.connect()
        self.dialogue(f"""
            S: * OK {{*}}
            C: a AUTHENTICATE OAUTHBEARER {bearer(OTHER)}
            S: a NO Moved.
        """)
        self.know(account="bob", no_preauth=True)
        self.connect("2", self.key)
        self.dialogue(f"""
            S2: * OK {{*}}
            C2: a AUTHENTICATE OAUTHBEARER {bearer()}
            S2: a NO [AUTHENTICATIONFAILED] the key of your certificate belongs to another account
        """)


class Without(DialogueCase):
    def test_without_an_endpoint_there_is_no_such_mechanism(self) -> None:
        self.dialogue("""
            S: * OK {*}
            C: a AUTHENTICATE OAUTHBEARER
            S: a NO [CANNOT] there is no such mechanism here
        """, login=None)
        self.client().send(b"b CAPABILITY\r\n")
        self.assertNotIn(b"OAUTH", self.client().received())

    def test_without_tls_no_token_is_taken(self) -> None:
        self.site.tokens, self.site.plaintext_login = Endpoint(), False
        self.dialogue(f"""
            S: * OK {{*}}
            C: a AUTHENTICATE OAUTHBEARER {bearer()}
            S: a NO [PRIVACYREQUIRED] {{*}}
        """, login=None)
        self.client().send(b"b CAPABILITY\r\n")
        self.assertNotIn(b"OAUTH", self.client().received())
