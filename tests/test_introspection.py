"""Token introspection (RFC 7662) against an HTTP endpoint on this host, good and bad."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any

import attrs
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.server import Site as HTTPSite

from moximap.identity.errors import NotNow
from moximap.identity.introspection import Introspector
from moximap.identity.oauth import OAuthSettings
from moximap.identity.sasl import Denied, Grant
from moximap.net.certificates import ensure, self_signed
from tests.test_tls import client_certificate

reactor: Any = installed
ADA = {"active": True, "username": "ada@example.org", "scope": "openid imap", "aud": ["mail", "web"]}


class Endpoint(Resource):
    """Says of each token what ``tokens`` has, as JSON or as it is; of others that they are not active."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.tokens: dict[str, Any] = {"ada": ADA}
        self.asked: list[tuple[str, str | None]] = []
        self.code = 200

    def render_POST(self, request: Any) -> Any:
        token = request.args[b"token"][0].decode()
        self.asked.append((token, request.getHeader("authorization")))
        request.setResponseCode(self.code)
        answer = self.tokens.get(token, {"active": False})
        if answer is None or answer == "half":
            if answer:
                request.write(b'{"active": true, ')
            return NOT_DONE_YET
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


class EndpointCase(TestCase):
    """``settings``: what the introspector is told beside the endpoint's place."""

    def setUp(self) -> None:
        self.endpoint = Endpoint()
        self.now = time()
        self.url = self.listen(lambda site: reactor.listenTCP(0, site, interface="127.0.0.1"), "http://127.0.0.1")

    def listen(self, listen: Callable[[HTTPSite], Any], where: str) -> str:
        port = listen(HTTPSite(self.endpoint))  # type: ignore[no-untyped-call]
        self.addCleanup(port.stopListening)
        return f"{where}:{port.getHost().port}/introspect"

    def make(self, **settings: Any) -> Introspector:
        settings = {"introspection": self.url} | settings
        return Introspector(reactor, OAuthSettings(**settings), now=lambda: self.now)

    def ask(self, introspector: Introspector, token: str) -> Deferred[Any]:
        return Deferred.fromCoroutine(introspector.inspect(token))

    async def fails(self, introspector: Introspector, token: str, wanted: str) -> None:
        from twisted.logger import globalLogPublisher
        said: list[str] = []

        def observe(event: Any) -> None:
            if event["log_namespace"] == "moximap.identity.introspection":
                said.append(event["log_format"].format(**event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        await self.assertFailure(self.ask(introspector, token), NotNow)
        self.assertIn(wanted, said[-1])
        self.assertNotIn(token, said[-1])


class Answers(EndpointCase):
    async def test_an_active_token_stands_for_whom_its_claim_names(self) -> None:
        self.endpoint.tokens["mail"] = ADA | {"email": "a@example.org"}
        self.endpoint.tokens["unproved"] = ADA | {"email": "a@example.org", "email_verified": False}
        self.assertEqual(await self.ask(self.make(), "ada"), Grant("ada@example.org"))
        by_mail = self.make(claim="email")
        self.assertEqual(await self.ask(by_mail, "mail"), Grant("a@example.org"))
        for token in ("ada", "unproved"):
            self.assertIsInstance(await self.ask(by_mail, token), Denied)

    async def test_we_prove_to_the_endpoint_who_we_are(self) -> None:
        await self.ask(self.make(), "ada")
        await self.ask(self.make(client_id="imap:1", client_secret="s p\u00e4"), "a+b&c")
        self.assertEqual(self.endpoint.asked, [
            ("ada", None), ("a+b&c", "Basic " + b64encode(b"imap%3A1:s+p%C3%A4").decode())])

    async def test_what_is_no_good(self) -> None:
        wanting = self.make(scope=("imap",), audience="mail")
        self.assertEqual(await self.ask(wanting, "ada"), Grant("ada@example.org"))
        for change, status in (({"active": False}, "invalid_token"), ({"active": "true"}, "invalid_token"),
                               ({"active": 1}, "invalid_token"), ({"exp": self.now - 1}, "invalid_token"),
                               ({"exp": "never"}, "invalid_token"), ({"exp": True}, "invalid_token"),
                               ({"exp": float("nan")}, "invalid_token"), ({"exp": 10 ** 400}, "invalid_token"),
                               ({"username": "\ud800"}, "invalid_token"), ({"username": "a\0b"}, "invalid_token"),
                               ({"username": ""}, "invalid_token"), ({"username": None}, "invalid_token"),
                               ({"username": ["ada"]}, "invalid_token"), ({"aud": "web"}, "invalid_token"),
                               ({"aud": None}, "invalid_token"), ({"cnf": {"jkt": "x"}}, "invalid_token"),
                               ({"scope": "openid"}, "insufficient_scope"), ({"scope": None}, "insufficient_scope"),
                               ({"scope": "imapx"}, "insufficient_scope")):
            self.endpoint.tokens["changed"] = ADA | change
            answer = await self.ask(wanting, "changed")
            self.assertIsInstance(answer, Denied, change)
            self.assertEqual(answer.status, status, change)

    async def test_good_tokens_are_remembered_for_a_while_and_not_longer_than_they_live(self) -> None:
        introspector = self.make(cache=60.0)
        self.endpoint.tokens["short"] = ADA | {"exp": self.now + 10}
        for token in ("ada", "ada", "short", "short", "bad", "bad"):
            await self.ask(introspector, token)
        self.assertEqual([token for token, _ in self.endpoint.asked], ["ada", "short", "bad", "bad"])
        self.now += 10
        self.assertIsInstance(await self.ask(introspector, "short"), Denied)
        self.now += 50
        self.endpoint.tokens["ada"] = {"active": False}
        self.assertIsInstance(await self.ask(introspector, "ada"), Denied)
        never = self.make(cache=0.0)
        self.endpoint.tokens["ada"] = ADA
        del self.endpoint.asked[:]
        await self.ask(never, "ada")
        await self.ask(never, "ada")
        self.assertEqual(len(self.endpoint.asked), 2)

    async def test_what_is_remembered_is_bounded_and_no_token_is_in_it(self) -> None:
        self.patch(__import__("moximap.identity.introspection", fromlist=["x"]), "CACHE_SIZE", 2)
        introspector = self.make()
        for number in range(5):
            self.endpoint.tokens[f"token-{number}"] = ADA
            await self.ask(introspector, f"token-{number}")
        self.assertEqual(len(introspector._good), 2)
        self.assertNotIn("token", repr(vars(introspector)))


class Failures(EndpointCase):
    async def test_answers_that_are_none(self) -> None:
        for answer, wanted in ((b"", "JSONDecodeError"), (b"<html>", "JSONDecodeError"), (b"[]", "not a JSON object"),
                               (b"[" * 60000, "nested too deep"), (b" " * 70000, "over 65536 octets"),
                               (b"\xff", "UnicodeDecodeError")):
            self.endpoint.tokens["secret-token"] = answer
            await self.fails(self.make(), "secret-token", wanted)
        for code in (401, 302, 500):
            self.endpoint.code = code
            await self.fails(self.make(), "ada-token", f"HTTP status {code}")

    async def test_one_that_does_not_answer_in_time(self) -> None:
        for answer in (None, "half"):
            self.endpoint.tokens["ada-token"] = answer
            await self.fails(self.make(timeout=0.05), "ada-token", "TimeoutError")

    async def test_one_that_is_not_there(self) -> None:
        port = reactor.listenTCP(0, HTTPSite(self.endpoint), interface="127.0.0.1")  # type: ignore[no-untyped-call]
        number = port.getHost().port
        await port.stopListening()
        await self.fails(self.make(introspection=f"http://127.0.0.1:{number}/"), "ada-token", "ConnectionRefusedError")

    async def test_questions_that_are_open_are_bounded(self) -> None:
        self.patch(__import__("moximap.identity.introspection", fromlist=["x"]), "MOST_OPEN", 1)
        introspector = self.make(timeout=30.0)
        self.endpoint.tokens["slow"] = None
        slow = self.ask(introspector, "slow")
        await self.fails(introspector, "ada-token", "too many")
        slow.cancel()
        await self.assertFailure(slow, NotNow)
        self.assertEqual(await self.ask(introspector, "ada"), Grant("ada@example.org"))


class Secure(EndpointCase):
    def setUp(self) -> None:
        super().setUp()
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()

    def serve(self, pem: bytes, host: str) -> str:
        """HTTPS with a certificate and its key; where."""
        pair = PrivateCertificate.loadPEM(pem)
        options: CertificateOptions = pair.options()  # type: ignore[no-untyped-call]
        return self.listen(lambda site: reactor.listenSSL(0, site, options, interface="127.0.0.1"), f"https://{host}")

    async def test_https_with_an_authority_of_ones_own_and_with_none_that_knows_it(self) -> None:
        certificate, key = ensure(self.home, ["localhost"])
        url = self.serve(certificate.read_bytes() + key.read_bytes(), "localhost")
        trusting = self.make(introspection=url, ca=certificate)
        self.assertEqual(await self.ask(trusting, "ada"), Grant("ada@example.org"))
        await self.fails(self.make(introspection=url), "ada-token", "certificate verify failed")
        self.assertEqual(attrs.evolve(OAuthSettings(), client_secret="x").__repr__().count("x"), 0)

    async def test_a_certificate_for_another_name_or_for_none_is_not_the_endpoints(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        nobodys = client_certificate(key).public_bytes(Encoding.PEM), secret
        for place, (says, (certificate, secret)) in enumerate((
                ("has no name", nobodys), ("is for another name", self_signed(["other.example"])))):
            ca = self.home / f"{place}.pem"
            ca.write_bytes(certificate)
            for host in ("localhost", "127.0.0.1"):
                url = self.serve(certificate + secret, host)
                await self.fails(self.make(introspection=url, ca=ca), "ada-token", f"certificate {says}")
        self.assertEqual(self.endpoint.asked, [])
