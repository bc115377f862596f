"""moximap.client against the real server, in this process, over sockets."""

from __future__ import annotations

import shutil
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import SynchronousTestCase, TestCase

from moximap import client
from moximap.client.reading import Reader, announced, numbers, status, untagged
from moximap.config import Config
from moximap.identity import clientkeys
from moximap.net.certificates import ensure
from moximap.store.directory import Directory
from moximap.tap import Server
from moximap.values import InternalDate, NumSet
from tests.dialogue import HELLO, template
from tests.memory import InMemory
from tests.test_tls import client_certificate


class ClientCase(InMemory, TestCase):
    """A server with the account "ada", password "secret"."""

    def setUp(self) -> None:
        self.data = Path(self.mktemp())
        shutil.copytree(template(), self.data)
        self.certificate, key = ensure(self.data / "tls", ["localhost", "127.0.0.1"])
        listens = tuple(f"{kind}=tcp:0:interface=127.0.0.1" for kind in ("imap", "imaps"))
        self.ports: list[int] = []
        self.server = Server(Config(data=self.data, listen=listens, plaintext_login=True), reactor)
        self.server.listeners._ready = lambda ports: self.ports.extend(port.getHost().port for port in ports)
        self.server.startService()
        self.addCleanup(self.server.stopService)

    async def plain(self) -> client.Client:
        """A client that is not logged in."""
        found = await client.connect(reactor, TCP4ClientEndpoint(reactor, "127.0.0.1", self.ports[0]))
        self.addCleanup(found.close)
        return found

    async def ada(self) -> client.Client:
        found = await self.plain()
        await found.login("ada", "secret")
        return found

    async def tls(self, key: Path | None = None) -> client.Client:
        endpoint = client.tls_endpoint(reactor, "localhost", self.ports[1], key=key, trust=self.certificate,
                                       lookup="127.0.0.1")
        found = await client.connect(reactor, endpoint)
        self.addCleanup(found.close)
        return found

    def key(self, **more: Any) -> Path:
        """A file with a key that logs in to ada, and its certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = client_certificate(key)
        directory = Directory(self.data)
        directory.keys.add(clientkeys.record(certificate, "ada", None, 1.0, **more))
        directory.close()
        path = Path(self.mktemp())
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                         + certificate.public_bytes(Encoding.PEM))
        return path

    async def fails(self, work: Coroutine[Any, Any, Any]) -> client.Answer:
        try:
            await work
        except client.CommandFailed as error:
            return error.answer
        raise AssertionError("no failure")


class Connecting(ClientCase):
    async def test_a_password_logs_in(self) -> None:
        found = await self.plain()
        self.assertFalse(found.preauth)
        self.assertEqual((await self.fails(found.login("ada", 'wr"ong'))).code_name, b"AUTHENTICATIONFAILED")
        await found.login("ada", "secret")
        self.assertIn(b"QRESYNC", await found.capability())
        await found.logout()
        self.assertTrue(found.connection.lost)

    async def test_a_key_is_preauthenticated(self) -> None:
        found = await self.tls(self.key())
        self.assertTrue(found.preauth)
        self.assertEqual((await found.select("INBOX")).exists, 0)

    async def test_a_key_without_preauth_says_external(self) -> None:
        found = await self.tls(self.key(no_preauth=True))
        self.assertFalse(found.preauth)
        self.assertIn(b"AUTH=EXTERNAL", await found.capability())
        await found.authenticate_external()
        await found.select("INBOX")

    async def test_tls_without_a_key_greets(self) -> None:
        self.assertFalse((await self.tls()).preauth)

    async def test_a_command_after_the_end_is_told(self) -> None:
        found = await self.ada()
        await found.close()
        with self.assertRaises(client.ConnectionEnded):
            await found.command(b"NOOP")


class Mail(ClientCase):
    async def test_a_message_goes_in_and_comes_out(self) -> None:
        found = await self.ada()
        large = HELLO + b"x" * 100_000 + b"\r\n"
        for content in (HELLO, large):
            added = await found.append("INBOX", content, ["\\Seen", "$Note"], InternalDate(760686745, -480))
            assert added is not None
        selected = await found.select("INBOX", read_only=True)
        self.assertEqual((selected.exists, selected.uidnext, selected.read_only), (2, 3, True))
        self.assertEqual(selected.uidvalidity, added.uidvalidity)
        names = [b"FLAGS", b"MODSEQ", b"INTERNALDATE", b"BODY.PEEK[]", b"BODY.PEEK[HEADER.FIELDS (To From)]<0.9>"]
        messages, _ = await found.fetch(NumSet.of([1, 2]), names)
        self.assertEqual([each.octets(b"BODY[]") for each in messages], [HELLO, large])
        self.assertEqual(messages[0].flags, {"\\Seen", "$Note"})
        self.assertEqual(messages[0].octets(b"INTERNALDATE"), b" 7-Feb-1994 21:52:25 -0800")
        self.assertEqual(messages[0].octets(b"BODY[HEADER.FIELDS (To From)]<0>"), b"From: Ada")
        self.assertGreater(messages[1].modseq, 0)

    async def test_structures_are_nested(self) -> None:
        found = await self.ada()
        await found.append("INBOX", HELLO)
        await found.select("INBOX")
        (message,), _ = await found.fetch(NumSet.of([1]), [b"ENVELOPE", b"BODYSTRUCTURE"])
        envelope: Any = message.items[b"ENVELOPE"]
        self.assertEqual(envelope[1], b"hello")
        self.assertEqual(envelope[2], ((b"Ada", None, b"ada", b"example.org"),))
        self.assertEqual(message.items[b"BODYSTRUCTURE"][0], b"text")  # type: ignore[index]

    async def test_what_changed_since_is_told_at_select(self) -> None:
        found, other = await self.ada(), await self.ada()
        for _ in range(3):
            await other.append("INBOX", HELLO)
        before = await found.select("INBOX")
        await found.command(b"UNSELECT")
        await other.select("INBOX")
        await other.command(b"STORE 1 +FLAGS.SILENT (\\Flagged)")
        await other.command(b"STORE 2 +FLAGS.SILENT (\\Deleted)")
        await other.command(b"EXPUNGE")
        self.assertEqual(await found.enable(b"QRESYNC"), {b"QRESYNC"})
        resync = client.Resync(before.uidvalidity, before.highestmodseq, NumSet(((1, 3),)))
        after = await found.select("INBOX", resync=resync)
        self.assertEqual(after.vanished, NumSet.of([2]))
        self.assertEqual([(each.uid, each.flags) for each in after.changed], [(1, {"\\Flagged"})])
        changed, gone = await found.fetch(NumSet(((1, 3),)), [b"FLAGS"], changed_since=before.highestmodseq,
                                          with_vanished=True)
        self.assertEqual(([each.uid for each in changed], gone), ([1], NumSet.of([2])))

    async def test_idle_hears_of_new_mail_and_ends(self) -> None:
        found, other = await self.ada(), await self.ada()
        await found.select("INBOX")
        async with found.idle() as idle:
            await other.append("INBOX", HELLO)
            told = await idle.next()
            self.assertEqual((told.name, told.number), (b"EXISTS", 1))
        await found.command(b"NOOP")

    async def test_idle_hears_of_the_end(self) -> None:
        found = await self.ada()
        async with found.idle() as idle:
            assert self.server.site is not None
            self.server.site.say_goodbye()
            self.assertEqual((await idle.next()).name, b"BYE")
            with self.assertRaises(client.ConnectionEnded):
                await idle.next()

    async def test_names_are_encoded_and_literals_go_anywhere(self) -> None:
        found = await self.ada()
        await found.command(b"CREATE " + found.mailbox("Entwürfe & mehr"))
        await found.command(b"SUBSCRIBE ", client.Literal(b"Entw&APw-rfe &- mehr"))
        listed = (await found.command(b'LIST "" "Entw*"')).named(b"LIST")
        self.assertEqual(listed[0].values[-1], b"Entw&APw-rfe &- mehr")
        await found.enable(b"IMAP4rev2")
        self.assertEqual((await found.select("Entwürfe & mehr")).exists, 0)

    async def test_a_literal_that_is_refused_is_not_sent(self) -> None:
        found = await self.ada()
        found.connection.capabilities = frozenset()          # so that it waits for the continuation
        self.assertEqual((await self.fails(found.append("Nowhere", HELLO))).code_name, b"TRYCREATE")
        self.assertIsNotNone(await found.append("INBOX", HELLO))

    async def test_commands_at_once_take_turns(self) -> None:
        found = await self.ada()
        first = Deferred.fromCoroutine(found.append("INBOX", HELLO * 100))
        second = Deferred.fromCoroutine(found.select("INBOX"))
        await first
        self.assertEqual((await second).exists, 1)


class Strange(LineReceiver):
    """A server that says one thing."""

    says = b""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self.says)


class StrangeServers(TestCase):
    async def meet(self, says: bytes) -> client.Client:
        strange = type("_", (Strange,), {"says": says})
        listening: Any = reactor.listenTCP(0, Factory.forProtocol(strange),  # type: ignore[attr-defined]
                                           interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", listening.getHost().port)
        return await client.connect(reactor, endpoint, 0.2)

    async def test_a_bye_is_told_with_its_words(self) -> None:
        with self.assertRaisesRegex(client.ConnectionEnded, "come back later"):
            await self.meet(b"* BYE come back later\r\n")

    async def test_what_is_not_imap_is_told(self) -> None:
        for says in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 smtp\r\n", b"\r\n", b"* (\r\n", b"+ \r\n"):
            with self.assertRaises(client.BadResponse):
                await self.meet(says)

    async def test_silence_ends(self) -> None:
        with self.assertRaises(client.ConnectionEnded):
            await self.meet(b"")


class Reading(SynchronousTestCase):
    def test_strings_atoms_nil_and_lists(self) -> None:
        response = untagged(Reader([b'3 FETCH (A "b\\"\\\\" NIL () (1 {2}', b" C) BODY[] ~{0}", b")"],
                                   [b"x\n", b""]))
        self.assertEqual((response.name, response.number), (b"FETCH", 3))
        self.assertEqual(response.values, ((b"A", b'b"\\', None, (), (b"1", b"x\n", b"C"), b"BODY[]", b""),))
        self.assertIsInstance(response.values[0][0], client.Atom)  # type: ignore[index]

    def test_codes(self) -> None:
        answer = status(Reader([b"OK [PERMANENTFLAGS (\\Seen \\*)] fine [really]"]))
        self.assertEqual(answer.code, (b"PERMANENTFLAGS", (b"\\Seen", b"\\*")))
        self.assertEqual(answer.text, "fine [really]")
        self.assertEqual(status(Reader([b"NO"])).text, "")

    def test_what_is_broken_is_told(self) -> None:
        for line in (b"LIST (", b'LIST "', b"LIST {3}", b"LIST )", b"LIST " + b"(" * 300):
            with self.assertRaises(client.BadResponse):
                untagged(Reader([line]))

    def test_literals_and_sets(self) -> None:
        self.assertEqual([announced(line) for line in (b"x {12}", b"{0}", b"~{3}", b"{x}", b"{1} ")],
                         [12, 0, 3, None, None])
        self.assertEqual(numbers(b"3:1,7"), NumSet(((1, 3), (7, 7))))
