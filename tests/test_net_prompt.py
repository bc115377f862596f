"""When what was written is sent, and the connection closed: with no turn of the reactor between."""

import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from moximap.imap import fetching, intake
from moximap.imap.commands import fetch
from moximap.net.prompt import PromptServer, send_promptly
from tests.dialogue import DialogueCase, FakeTransport

BIG = bytes(range(256)) * 65536


class Server(Protocol):
    """Answers `small`, `big` and `bye`, and `later` from another thread."""

    def connectionMade(self) -> None:
        self.gone: Deferred[None] = Deferred()
        self.paused = 0
        self.transport.registerProducer(self, True)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        if data == b"small":
            transport.write(b"one ")
            transport.write(b"two")
        elif data == b"later":
            deferToThread(lambda: b"late").addCallback(transport.write)
        elif data == b"big":
            transport.write(BIG)
        elif data.endswith(b"bye"):
            if data.startswith(b"big"):
                transport.write(BIG)
            transport.write(b"good bye")
            transport.unregisterProducer()
            transport.loseConnection()
        else:
            transport.write(b"lost")
            transport.abortConnection()

    def connectionLost(self, reason: object = None) -> None:
        self.gone.callback(None)

    def pauseProducing(self) -> None:
        self.paused += 1

    def resumeProducing(self) -> None:
        self.paused -= 1

    def stopProducing(self) -> None: ...


class PromptTests(TestCase):
    async def connect(self) -> tuple[Server, socket.socket]:
        """A server's end, and a client's that blocks."""
        from twisted.internet import reactor
        self.reactor: Any = reactor
        made: Deferred[Server] = Deferred()

        class Made(Server):
            def connectionMade(self) -> None:
                super().connectionMade()
                made.callback(self)

        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(Made))
        self.addCleanup(port.stopListening)
        send_promptly(port)
        client = socket.create_connection(("127.0.0.1", port.getHost().port))
        self.addCleanup(client.close)
        client.settimeout(20)
        server = await made
        self.asked: list[object] = []
        add = self.reactor.addWriter
        self.patch(self.reactor, "addWriter", lambda writer: [self.asked.append(writer), add(writer)])
        return server, client

    async def ask(self, client: socket.socket, question: bytes, length: int) -> bytes:
        def talk() -> bytes:
            client.sendall(question)
            got = b""
            while len(got) < length and (more := client.recv(1 << 20)):
                got += more
            return got
        return await deferToThread(talk)

    async def test_an_answer_waits_for_no_turn_of_the_reactor(self) -> None:
        server, client = await self.connect()
        self.assertEqual(await self.ask(client, b"small", 7), b"one two")
        self.assertEqual(await self.ask(client, b"later", 4), b"late")
        self.assertNotIn(server.transport, self.asked)

    async def test_what_does_not_fit_is_sent_when_there_is_room_and_holds_up_who_writes(self) -> None:
        server, client = await self.connect()
        self.assertEqual(await self.ask(client, b"big", len(BIG)), BIG)
        self.assertIn(server.transport, self.asked)
        self.assertEqual(await self.ask(client, b"small", 7), b"one two")
        self.assertEqual(server.paused, 0)

    def test_a_piece_of_a_fetch_is_sent_at_once(self) -> None:
        self.assertGreaterEqual(PromptServer.SEND_LIMIT, 2 * fetching.PIECE)

    async def test_the_end_comes_after_the_last_words(self) -> None:
        server, client = await self.connect()
        self.assertEqual(await self.ask(client, b"bye", 100), b"good bye")
        await server.gone
        self.assertNotIn(server.transport, self.asked)

    async def test_the_end_waits_for_what_did_not_fit(self) -> None:
        server, client = await self.connect()
        self.assertEqual(await self.ask(client, b"big and bye", len(BIG) + 100), BIG + b"good bye")
        await server.gone
        self.assertIn(server.transport, self.asked)

    async def test_an_end_at_once_sends_nothing_more(self) -> None:
        server, client = await self.connect()
        client.sendall(b"now")
        await server.gone
        self.assertNotIn(server.transport, self.reactor.getWriters())

    async def test_behind_an_end_at_once_nothing_is_sent_that_would_skip_what_was_left(self) -> None:
        server, client = await self.connect()
        transport: Any = server.transport
        sent: list[bytes] = []
        transport.writeSomeData = lambda data: [sent.append(bytes(data)), 1][1]
        transport.write(b"first")
        transport.abortConnection()
        transport.write(b"second")
        await server.gone
        self.assertEqual(sent, [b"first"])

    async def test_a_client_that_went_away_is_noticed(self) -> None:
        server, client = await self.connect()
        await self.ask(client, b"big", 1)
        client.close()
        await server.gone
        self.assertNotIn(server.transport, self.reactor.getWriters())

    async def test_other_transports_are_left_as_they_are(self) -> None:
        class Other(tcp.Server):
            pass

        port: Any = tcp.Port(0, Factory.forProtocol(Server))
        port.transport = Other
        send_promptly(port)
        self.assertIs(port.transport, Other)


class Noting(FakeTransport):
    """Notes what came in one write each."""

    def write(self, data: bytes) -> None:
        self.writes = [*getattr(self, "writes", []), data]
        super().write(data)


class GatheringTests(DialogueCase):
    def writes(self, data: bytes) -> list[bytes]:
        """What the server writes for one segment."""
        client = self.client()
        transport = Noting()
        client.protocol._outlet._transport = transport
        client.send(data)
        return transport.writes

    def test_what_answers_one_segment_is_one_write(self) -> None:
        answer, = self.writes(b"a SELECT INBOX\r\nb STATUS INBOX (MESSAGES)\r\nc NOOP\r\n")
        self.assertEqual([line[:4] for line in answer.split(b"\r\n") if line[:1] != b"*"],
                         [b"a OK", b"b OK", b"c OK", b""])

    def test_an_answer_goes_out_before_what_is_done_behind_it(self) -> None:
        client = self.client()
        client.received()
        self.patch(client.protocol.session.policy, "rest", lambda: sent.append(client.received()))
        for commands in ([b"a NOOP"], [b"b NOOP", b"c NOOP"]):
            sent: list[bytes] = []
            client.send(b"\r\n".join([*commands, b""]))
            self.assertEqual(sent, [b""] * (len(commands) - 1)
                             + [b"".join(command[:2] + b"OK NOOP completed\r\n" for command in commands)])

    def test_what_an_idling_client_is_told_is_one_write(self) -> None:
        self.fill(1)
        self.client("2").send(b"a SELECT INBOX\r\n")
        self.writes(b"a SELECT INBOX\r\nb IDLE\r\n")
        noting = self.client().protocol._outlet._transport
        self.client("2").send(b"b STORE 1 +FLAGS ($new)\r\n")
        self.clock.advance(0)
        self.assertEqual(noting.writes[1:], [
            b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $new)\r\n"
            b"* 1 FETCH (UID 1 FLAGS ($new))\r\n"])

    def test_one_that_takes_long_lets_others_in_after_each_piece(self) -> None:
        self.fill(3)
        for client in ("", "2"):
            self.client(client).send(b"a SELECT INBOX\r\n")
            self.client(client).received()
        self.patch(fetch, "BATCH", 1)
        self.patch(intake, "TURN", -1)
        self.client().send(b"b FETCH 1:3 FLAGS\r\nc NOOP\r\n")
        self.client("2").send(b"b NOOP\r\n")
        self.assertEqual(self.client().received(), b"* 1 FETCH (UID 1 FLAGS ())\r\n")
        self.assertEqual(self.client("2").received(), b"b OK NOOP completed\r\n")
        self.clock.advance(0)                      # it takes up all turns that come
        self.assertEqual(self.client().received(), b"* 2 FETCH (UID 2 FLAGS ())\r\n* 3 FETCH (UID 3 FLAGS ())\r\n"
                         b"b OK FETCH completed\r\nc OK NOOP completed\r\n")

    def test_one_that_goes_away_while_others_are_let_in_is_over(self) -> None:
        self.fill(3)
        self.client().send(b"a SELECT INBOX\r\n")
        self.patch(fetch, "BATCH", 1)
        self.patch(intake, "TURN", -1)
        self.clock.advance(0)
        client = self.client()
        client.send(b"b FETCH 1:3 FLAGS\r\n")
        client.received()
        client.lose()
        self.assertIsNotNone(client.protocol.session.room)
        self.clock.advance(0)
        self.assertIsNone(client.protocol.session.room)
        self.assertEqual(client.received(), b"")

    def test_much_is_not_gathered(self) -> None:
        sizes = [len(data) for data in self.writes(b"a NOOP\r\n" * 5000)]
        self.assertEqual(sum(sizes), 5000 * len(b"a OK NOOP completed\r\n"))
        self.assertLess(max(sizes), 17000)
