"""COMPRESS=DEFLATE (RFC 4978), and the layer that does it."""

from __future__ import annotations

import zlib


from moximap.imap.intake import BACKLOG
from moximap.imap.site import Limits
from moximap.net.deflate import PIECE
from tests import test_commands_idle, test_commands_messages
from tests.deflated import FLUSHES, CompressCase


class NegotiationTests(CompressCase):
    late = True

    def test_compress_and_no_second_time(self) -> None:
        """The examples of RFC 4978 section 3; CONTRACT 68."""
        self.dialogue("""
            C: c compress deflate
            S: c OK DEFLATE active
        """)
        self.client().begin()
        self.dialogue("""
            C: d NOOP
            S: d OK NOOP completed
            C: e COMPRESS DEFLATE
            S: e NO [COMPRESSIONACTIVE] {*}
            C: f NOOP
            S: f OK NOOP completed
        """)

    def test_unknown_algorithms_and_none(self) -> None:
        """CONTRACT 68: what is refused changes nothing."""
        self.dialogue("""
            C: a COMPRESS LZ77
            S: a NO {*}
            C: b COMPRESS
            S: b BAD {*}
            C: c COMPRESS DEFLATE 9
            S: c BAD {*}
            C: d COMPRESS "DEFLATE"
            S: d BAD {*}
            C: e NOOP
            S: e OK NOOP completed
        """)

    def test_login_comes_first(self) -> None:
        self.dialogue("""
            S: * OK {*}
            C: a COMPRESS DEFLATE
            S: a BAD log in first
        """, login=None)

    def test_announced_after_login_and_until_it_is_active(self) -> None:
        """CONTRACT 35: announced, since a partial flush is read at once."""
        client = self.client("1", login=None)
        self.assertNotIn(b"COMPRESS", client.received())
        client.login("ada")
        client.send(b"a CAPABILITY\r\n")
        self.assertIn(b" COMPRESS=DEFLATE ", client.received())
        client.compress()
        client.send(b"b CAPABILITY\r\n")
        self.clock.advance(0)
        answer = client.received()
        self.assertIn(b"b OK", answer)
        self.assertNotIn(b"COMPRESS", answer)

    def test_commands_that_come_behind_it_are_compressed(self) -> None:
        client = self.client()
        deflater = zlib.compressobj(wbits=-15)
        behind = deflater.compress(b"a NOOP\r\nb NOOP\r\n") + deflater.flush(zlib.Z_SYNC_FLUSH)
        client.send(b"z COMPRESS DEFLATE\r\n" + behind)
        self.clock.advance(0)
        plain, _, rest = client.received().partition(b"\r\n")
        self.assertEqual(plain, b"z OK DEFLATE active")
        self.assertEqual(zlib.decompressobj(-15).decompress(rest),
                         b"a OK NOOP completed\r\nb OK NOOP completed\r\n")

    def test_much_may_come_behind_it_to_a_server_that_waits(self) -> None:
        """A client that does not read yet and sends on: the layer takes over what is waiting."""
        client = self.client()
        client.transport.producer.pauseProducing()
        client.send(b"z COMPRESS DEFLATE\r\n")
        client.begin()
        tags = [b"%032x" % (n * 0x9e3779b97f4a7c15f39cc0605cedc834 % 2 ** 128) for n in range(20_000)]
        data = client.raw(b"".join(tag + b" NOOP\r\n" for tag in tags))
        self.assertGreater(len(data), 3 * BACKLOG)
        for start in range(0, len(data), 30_000):
            client.protocol.dataReceived(data[start:start + 30_000])
        self.assertEqual(client.transport.producerState, "paused")
        plain = client.transport.value()
        client.transport.clear()
        self.assertEqual(plain, b"z OK DEFLATE active\r\n")
        client.transport.producer.resumeProducing()
        said = b""
        for _ in range(100):
            self.clock.advance(0.2)
            said += client.received()
        self.assertEqual(said, b"".join(tag + b" OK NOOP completed\r\n" for tag in tags))
        self.assertEqual(client.transport.producerState, "producing")

    def test_a_goodbye_behind_it_is_compressed(self) -> None:
        client = self.client()
        client.transport.producer.pauseProducing()
        client.send(b"z COMPRESS DEFLATE\r\n")
        self.site.say_goodbye()
        rest = client.transport.value().partition(b"\r\n")[2]
        self.assertTrue(zlib.decompress(rest, -15).startswith(b"* BYE "))

    def test_plain_commands_behind_it_make_no_sense(self) -> None:
        client = self.client()
        client.send(b"z COMPRESS DEFLATE\r\na NOOP\r\n")
        self.clock.advance(0)
        rest = client.received().partition(b"\r\n")[2]
        self.assertTrue(zlib.decompress(rest, -15).startswith(b"* BYE "))
        self.assertTrue(client.transport.disconnecting)


class NegotiationByteByByteTests(NegotiationTests):
    byte_by_byte = True


class StreamTests(CompressCase):
    """What comes in, however it was flushed and cut."""

    def test_each_command_is_read_at_once(self) -> None:
        """CONTRACT 69: a partial flush, without a block's end that zlib would have to wait for."""
        for name, self.flush in FLUSHES.items():
            self.dialogue(f"""
                C{len(self.clients)}: a1 NOOP
                S{len(self.clients)}: a1 OK NOOP completed
            """)
            number = str(len(self.clients) - 1)
            for _ in range(3):
                self.dialogue(f"""
                    C{number}: {name} LIST "" INBOX
                    S{number}: * LIST (\\HasNoChildren) "/" INBOX
                    S{number}: {name} OK LIST completed
                """)

    def test_commands_in_one_piece(self) -> None:
        self.client().send(b"a NOOP\r\nb NOOP\r\nc NOOP\r\n")
        self.dialogue("S: a OK NOOP completed\nS: b OK NOOP completed\nS: c OK NOOP completed")

    def test_literals(self) -> None:
        self.dialogue("""
            C: a CREATE {5}
            S: + go ahead
            C: box/a
            S: a OK [MAILBOXID {*}
            C: b STATUS {5+}
            C: box/a (MESSAGES)
            S: * STATUS box/a (MESSAGES 0)
            S: b OK STATUS completed
        """)

    def test_the_client_ends_its_stream(self) -> None:
        """Client 12: no surprise where a stream ends, nor where it does not."""
        client = self.client()
        client.transport.clear()
        end = client.deflater.compress(b"a NOOP\r\n") + client.deflater.flush(zlib.Z_FINISH)
        client.protocol.dataReceived(end)
        self.dialogue("S: a OK NOOP completed")
        self.assertFalse(client.transport.disconnecting)
        client.protocol.dataReceived(b"more")
        self.assertTrue(client.transport.disconnecting)
        self.assertTrue(client.received().startswith(b"* BYE "))

    def test_what_is_not_deflated_ends_the_connection(self) -> None:
        client = self.client()
        client.protocol.dataReceived(b"a NOOP\r\n")
        self.assertTrue(client.received().startswith(b"* BYE "))
        self.assertTrue(client.transport.disconnecting)
        client.protocol.dataReceived(b"b NOOP\r\n")
        self.assertEqual(client.received(), b"")

    def test_a_connection_that_is_cut_anywhere_inside_a_block(self) -> None:
        """Client 12: what was read whole is done, the rest is forgotten, and nobody else hears of it."""
        say = b"a APPEND INBOX {200+}\r\n" + b"0123456789" * 20 + b"\r\nb NOOP\r\n"
        size = len(zlib.compress(say, wbits=-15))
        done = []
        for cut in range(1, size, 7 if self.byte_by_byte else 3):
            client = self.client(str(cut))
            client.protocol.dataReceived(client.raw(say)[:cut])
            done.append(b"a OK" in client.received())
            client.lose()
            self.clock.advance(1)
            self.assertIsNone(client.protocol.session.room)
        self.assertEqual(done, sorted(done))
        self.assertEqual(self.account().mailbox("INBOX").messages, sum(done))
        self.assertEqual([path for path in self.data.rglob("*") if "spool" in path.name and path.is_file()], [])

    def test_what_was_not_flushed_waits_until_it_is(self) -> None:
        """Z_NO_FLUSH: zlib keeps a command to itself until it is asked."""
        client = self.client()
        client.protocol.dataReceived(client.deflater.compress(b"a NOOP\r\n"))
        self.assertEqual(client.received(), b"")
        client.protocol.dataReceived(client.deflater.flush(zlib.Z_PARTIAL_FLUSH))
        self.dialogue("S: a OK NOOP completed")

    def test_the_server_ends_its_stream(self) -> None:
        """CONTRACT 72."""
        client = self.client()
        self.dialogue("""
            C: a LOGOUT
            S: * BYE {*}
            S: a OK see you
        """)
        self.assertTrue(client.inflater.eof)
        self.assertTrue(client.transport.disconnecting)

    def test_a_server_that_stops_says_goodbye_in_it(self) -> None:
        client = self.client()
        self.site.say_goodbye()
        self.assertTrue(client.received().startswith(b"* BYE [UNAVAILABLE] "))
        self.assertTrue(client.inflater.eof)


class StreamByteByByteTests(StreamTests):
    byte_by_byte = True


class BombTests(CompressCase):
    """CONTRACT 71: a thousand octets for one, but only as they are wanted."""

    limits = Limits(append=200_000_000)

    def test_a_line_without_an_end(self) -> None:
        client = self.client()
        bomb = client.raw(b"a NOOP " + b"x" * 50_000_000)
        client.protocol.dataReceived(bomb)
        for _ in range(4):
            self.assertLess(len(client.protocol._buffer), BACKLOG + 2 * PIECE)
            self.clock.advance(0)
        self.assertTrue(client.received().startswith(b"* BYE [TOOBIG] "))
        self.assertTrue(client.transport.disconnecting)
        self.assertEqual(self.clock.getDelayedCalls(), [
            call for call in self.clock.getDelayedCalls() if call.getTime() > self.clock.seconds()])

    def test_many_commands_while_one_runs(self) -> None:
        """What the parser does not take is not made: input is paused, not heaped up."""
        client = self.client()
        client.send(b"a IDLE\r\n")
        client.protocol.paused = True
        client.protocol.dataReceived(client.raw(b"b NOOP\r\n" * 2_000_000))
        for _ in range(10):
            self.clock.advance(0)
        self.assertEqual(client.transport.producerState, "paused")
        self.assertLessEqual(len(client.protocol._buffer), BACKLOG + PIECE)

    def test_what_was_paused_goes_on(self) -> None:
        client = self.client()
        client.protocol.paused = True
        count = 3 * PIECE // 8
        client.protocol.dataReceived(client.raw(b"b NOOP\r\n" * count))
        self.clock.advance(0)
        self.assertEqual(client.transport.producerState, "paused")
        client.protocol._resume()
        for _ in range(10):
            self.clock.advance(0)
        self.assertEqual(client.received(), b"b OK NOOP completed\r\n" * count)
        self.assertEqual(client.transport.producerState, "producing")


class CompressedMessagesTests(CompressCase, test_commands_messages.MessageTests):
    """APPEND, FETCH and all that, through it."""


class CompressedIdleTests(CompressCase, test_commands_idle.IdleTests):
    """IDLE through it: what changes is flushed."""
