"""moximap.client: STARTTLS, which certificates it takes, and how it logs in."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import crypto
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import PrivateCertificate
from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import TestCase

from moximap import client
from moximap.client import listing
from moximap.net import trust
from moximap.net.trust import Trust
from moximap.store.directory import Directory
from moximap.values import NumSet
from tests.test_client import ClientCase
from tests.test_tls import client_certificate


class Tls(ClientCase):
    def pem(self) -> bytes:
        return self.certificate.read_bytes()

    def fingerprints(self) -> tuple[str, str]:
        return trust.fingerprints(crypto.load_certificate(crypto.FILETYPE_PEM, self.pem()))

    async def secured(self, wanted: Trust, name: str = "localhost") -> client.Client:
        found = await self.plain()
        await client.start_tls(found, wanted.options(name))
        return found

    async def refused(self, wanted: Trust, says: str, name: str = "localhost") -> None:
        with self.assertRaisesRegex(client.ConnectionEnded, says):
            await self.secured(wanted, name)
        endpoint = client.wrapped(wanted.options(name), TCP4ClientEndpoint(reactor, "127.0.0.1", self.ports[1]))
        with self.assertRaisesRegex(client.ConnectionEnded, says):
            await client.connect(reactor, endpoint)

    async def test_starttls_and_a_login_under_it(self) -> None:
        found = await self.secured(Trust(roots=self.pem()))
        self.assertNotIn(b"STARTTLS", await found.capability())
        self.assertEqual(await client.log_in(found, "ada", lambda: "secret"), "SCRAM-SHA-256")
        self.assertEqual((await found.select("INBOX")).exists, 0)

    async def test_a_fingerprint_is_enough_whatever_the_name(self) -> None:
        own, key = self.fingerprints()
        written = ":".join(own[place:place + 2] for place in range(0, 64, 2)).upper()
        for text in (own, f"sha256 Fingerprint={written}", f"SHA256:{own}", key):
            found = await self.secured(Trust(fingerprint=text), "other.example")
            self.assertTrue(await found.capability())

    async def test_anything_is_taken_where_that_is_said(self) -> None:
        self.assertTrue(await (await self.secured(Trust(anything=True))).capability())

    async def test_who_is_not_trusted_is_refused(self) -> None:
        await self.refused(Trust(), "nobody who is trusted")
        await self.refused(Trust(roots=self.pem()), "another name", "other.example")
        await self.refused(Trust(fingerprint="0" * 64), self.fingerprints()[0])

    async def test_a_certificate_without_a_name_is_nobodys(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = client_certificate(key).public_bytes(Encoding.PEM)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        load: Any = PrivateCertificate.loadPEM
        factory = Factory.forProtocol(type("_", (Scripted,), {"script": (b"* OK hi\r\n",)}))
        listening: Any = reactor.listenSSL(  # type: ignore[attr-defined]
            0, factory, load(secret + pem).options(), interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        plain = TCP4ClientEndpoint(reactor, "127.0.0.1", listening.getHost().port)
        for name in ("localhost", "127.0.0.1", "phone"):
            with self.assertRaisesRegex(client.ConnectionEnded, "no name"):
                await client.connect(reactor, client.wrapped(Trust(roots=pem).options(name), plain))

    def test_what_cannot_be_compared_with_is_told(self) -> None:
        broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        for wanted in (Trust(fingerprint="abc"), Trust(roots=b""), Trust(roots=broken)):
            self.assertRaises(client.BadTrust, wanted.options, "localhost")
        self.assertRaises(client.BadTrust, Trust().options, "localhost", b"no key")
        self.assertRaises(client.BadTrust, trust.read, Path(self.mktemp()))

    async def test_a_key_logs_in_after_starttls(self) -> None:
        found = await self.plain()
        key = self.key(no_preauth=True).read_bytes()
        await client.start_tls(found, Trust(roots=self.pem()).options("localhost", key))
        self.assertEqual(await client.log_in(found, "ada", None), "EXTERNAL")

    async def test_a_key_that_nobody_knows_is_told(self) -> None:
        key = self.key().read_bytes()
        directory = Directory(self.data)
        directory.keys.remove(directory.keys.of("ada")[0].fingerprint)
        directory.close()
        found = await self.plain()
        await client.start_tls(found, Trust(roots=self.pem()).options("localhost", key))
        with self.assertRaises((client.LoginImpossible, client.CommandFailed)):
            await client.log_in(found, "ada", None)


class LoggingIn(ClientCase):
    async def test_each_way_logs_in_and_a_wrong_password_does_not(self) -> None:
        for without, name in ((set(), "SCRAM-SHA-256"), ({b"AUTH=SCRAM-SHA-256"}, "SCRAM-SHA-1"),
                              ({b"SASL-IR", b"IMAP4REV2"}, "SCRAM-SHA-256")):
            for password in ("secret", "wrong"):
                found = await self.plain()
                found.connection.capabilities = await found.capability() - without
                if password == "secret":
                    self.assertEqual(await client.log_in(found, "ada", lambda: "secret"), name)
                else:
                    with self.assertRaises(client.CommandFailed):
                        await client.log_in(found, "ada", lambda: "wrong")

    async def test_plain_and_login_where_there_is_no_better(self) -> None:
        for capabilities, name in ((b"AUTH=PLAIN SASL-IR", "PLAIN"), (b"AUTH=PLAIN", "PLAIN"), (b"IMAP4REV1", "LOGIN")):
            found = await self.plain()
            found.connection.capabilities = frozenset(capabilities.split())
            self.assertEqual(await client.log_in(found, "ada", lambda: "secret"), name)
            self.assertIn(b"QRESYNC", await found.capability())

    async def test_where_no_password_is_taken_none_is_asked_for(self) -> None:
        found = await self.plain()
        found.connection.capabilities = frozenset([b"LOGINDISABLED"])
        with self.assertRaises(client.LoginImpossible):
            await client.log_in(found, "ada", lambda: self.fail("asked"))


class Scripted(LineReceiver):
    """A server that has an answer for each command, of which {tag} is the tag."""

    script: tuple[bytes, ...] = ()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.left = list(self.script)
        self.transport.write(self.left.pop(0))

    def lineReceived(self, line: bytes) -> None:
        assert self.transport is not None
        self.transport.write(self.left.pop(0).replace(b"{tag}", line.split(b" ")[0]))


class StrangeServers(TestCase):
    async def meet(self, *script: bytes) -> client.Client:
        factory = Factory.forProtocol(type("_", (Scripted,), {"script": script}))
        listening: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(listening.stopListening)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", listening.getHost().port)
        found = await client.connect(reactor, endpoint)
        self.addCleanup(found.close)
        return found

    async def test_what_is_said_between_starttls_and_tls_does_not_count(self) -> None:
        for more in (b"* CAPABILITY IMAP4rev1\r\n", b"* half a line"):
            found = await self.meet(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n", b"{tag} OK now\r\n" + more)
            with self.assertRaises(client.BadResponse):
                await client.start_tls(found, Trust(anything=True).options("localhost"))

    async def test_without_tls_there_is_no_going_on(self) -> None:
        for greeting in (b"* OK [CAPABILITY IMAP4rev1] hi\r\n", b"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"):
            with self.assertRaises(client.TlsMissing):
                await client.start_tls(await self.meet(greeting), Trust().options("localhost"))

    async def test_a_server_that_does_not_know_the_password_is_found_out(self) -> None:
        greeting = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256] hi\r\n"
        nonsense = base64.b64encode(b"r=another,s=QUFBQQ==,i=4096")
        for says in (b"{tag} OK welcome\r\n", b"+ " + nonsense + b"\r\n", b"+ %%%\r\n"):
            found = await self.meet(greeting, says)
            with self.assertRaises(client.LoginImpossible):
                await client.log_in(found, "ada", lambda: "secret")

    async def test_who_is_not_known_to_scram_may_be_to_plain(self) -> None:
        found = await self.meet(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256 AUTH=PLAIN] hi\r\n",
                                b"{tag} NO [AUTHENTICATIONFAILED] no\r\n", b"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
        self.assertEqual(await client.log_in(found, "ada", lambda: "secret"), "PLAIN")

    async def test_a_password_that_scram_cannot_have_is_told(self) -> None:
        found = await self.meet(b"* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256] hi\r\n")
        with self.assertRaises(client.LoginImpossible):
            await client.log_in(found, "ada", lambda: "a\u0007b")

    async def test_lists_of_all_kinds(self) -> None:
        found = await self.meet(
            b"* OK [CAPABILITY IMAP4rev1 NAMESPACE] hi\r\n",
            b'* LIST (\\HasNoChildren) "." INBOX\r\n* LIST (\\Noselect) NIL {4}\r\nR&-D\r\n{tag} OK\r\n',
            b'* LSUB () "." "INBOX.Entw&APw-rfe"\r\n* LSUB (\\Noselect) "." x\r\n{tag} OK\r\n',
            b'* NAMESPACE (("INBOX." ".")) NIL (("shared." ".") ("" "."))\r\n{tag} OK\r\n',
            b"* SEARCH 3 1 2\r\n* SEARCH\r\n* SEARCH 9\r\n{tag} OK\r\n")
        boxes = await listing.mailboxes(found)
        self.assertEqual([(each.name, each.separator, each.selectable) for each in boxes],
                         [("INBOX", ".", True), ("R&D", None, False)])
        self.assertEqual([each.name for each in await listing.subscribed(found)], ["INBOX.Entwürfe"])
        self.assertEqual(await listing.namespaces(found), listing.Namespaces("INBOX.", ("shared.",)))
        self.assertEqual(await listing.uids(found), NumSet(((1, 3), (9, 9))))


class Listing(ClientCase):
    async def test_mailboxes_subscriptions_uses_and_annotations(self) -> None:
        found = await self.ada()
        for line in (b'SUBSCRIBE "not there"', b'SETMETADATA INBOX (/private/comment "hi there")',
                     b'SETMETADATA "" (/private/vendor/x/y {3+}\r\na\r\n)'):
            await found.command(line)
        boxes = {each.name: each for each in await listing.mailboxes(found)}
        self.assertIn("\\sent", boxes["Sent"].attributes)
        subscribed = {each.name: each.selectable for each in await listing.subscribed(found)}
        self.assertEqual((subscribed["INBOX"], subscribed["not there"]), (True, False))
        self.assertEqual(await listing.namespaces(found), listing.Namespaces())
        self.assertEqual(await listing.metadata(found, "INBOX"), {"/private/comment": b"hi there"})
        self.assertEqual(await listing.metadata(found, ""), {"/private/vendor/x/y": b"a\r\n"})
        await found.append("INBOX", b"a: b\r\n\r\n")
        await found.select(b"INBOX", read_only=True)
        self.assertEqual(await listing.uids(found), NumSet(((1, 1),)))
