"""The layer that deflates (RFC 1951, RFC 4978), by itself, and what goes out through it: docs/contract.md rules 69 to 72."""

from __future__ import annotations

import random
import zlib

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from moximap.net.deflate import PIECE, Deflate
from tests.deflated import FLUSHES, CompressCase


class OutputTests(CompressCase):
    def test_one_flush_for_all_writes_of_a_turn(self) -> None:
        client = self.client()
        self.clock.advance(0)
        client.received()
        client.send(b"a NOOP\r\n" * 50)
        self.assertEqual(client.transport.value(), b"")
        self.clock.advance(0)
        self.assertEqual(client.transport.value().count(b"\0\0\xff\xff"), 1)
        self.assertEqual(client.received(), b"a OK NOOP completed\r\n" * 50)

    def test_a_client_that_does_not_read_is_waited_for(self) -> None:
        """Back-pressure is the transport's, behind the layer."""
        self.fill(3)
        client = self.client()
        client.send(b"s SELECT INBOX\r\n")
        self.clock.advance(0)
        client.received()
        client.transport.producer.pauseProducing()
        client.send(b"a FETCH 1:3 BODY.PEEK[]\r\nb NOOP\r\n")
        self.clock.advance(0)
        self.assertNotIn(b"b OK", client.received())
        client.transport.producer.resumeProducing()
        self.clock.advance(0)
        self.assertIn(b"b OK", client.received())

    def test_a_client_that_never_reads_is_given_up(self) -> None:
        client = self.client()
        client.transport.producer.pauseProducing()
        client.send(b"a NOOP\r\n")
        self.clock.advance(self.limits.write_timeout + 1)
        self.assertTrue(client.transport.aborted)

    def test_it_is_small(self) -> None:
        self.fill(500)
        client = self.client()
        client.send(b"s SELECT INBOX\r\na FETCH 1:* ALL\r\n")
        self.clock.advance(0)
        octets = len(client.transport.value())
        self.assertLess(octets, len(client.received()) / 10)


class Above:
    """Collects what a layer gives."""

    def __init__(self) -> None:
        self.taken = b""
        self.dismissed = 0
        self.largest = 0

    def take(self, data: bytes) -> None:
        self.taken += data
        self.largest = max(self.largest, len(data))

    def dismiss(self, text: str) -> None:
        self.dismissed += 1


class LayerTests(SynchronousTestCase):
    """moximap.net.deflate by itself."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = StringTransport()
        self.above = Above()
        self.layer = Deflate(self.transport, self.above, self.clock)

    def test_every_cut_of_a_stream(self) -> None:
        deflater = zlib.compressobj(wbits=-15)
        data = b"".join(deflater.compress(b"%d NOOP\r\n" % n) + deflater.flush(flush)
                        for n in range(20) for flush in FLUSHES.values())
        plain = zlib.decompressobj(-15).decompress(data)
        for cut in range(len(data)):
            self.setUp()
            self.layer.received(data[:cut])
            self.layer.received(data[cut:])
            self.assertEqual(self.above.taken, plain)

    def test_pieces_of_bounded_size_one_in_a_turn(self) -> None:
        for size in (PIECE - 1, PIECE, PIECE + 1, 3 * PIECE):
            self.setUp()
            self.layer.received(zlib.compress(b"x" * size, wbits=-15))
            self.assertLessEqual(len(self.above.taken), PIECE)
            self.assertEqual(self.transport.producerState, "producing" if size < PIECE else "paused")
            for _ in range(4):
                self.clock.advance(0)
            self.assertEqual(self.above.taken, b"x" * size)
            self.assertEqual(self.above.largest, min(size, PIECE))
            self.assertEqual(self.transport.producerState, "producing")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_piece_is_not_made_while_paused(self) -> None:
        self.layer.pauseProducing()
        self.layer.received(zlib.compress(b"x" * 10, wbits=-15))
        self.clock.advance(1)
        self.assertEqual(self.above.taken, b"")
        self.layer.resumeProducing()
        self.clock.advance(0)
        self.assertEqual(self.above.taken, b"x" * 10)

    def test_nothing_is_compressed_after_the_end(self) -> None:
        """CONTRACT 70: the compressor is never called again, whatever comes."""
        for end in (self.layer.lost, self.layer.loseConnection, self.layer.abortConnection):
            self.setUp()
            end = getattr(self.layer, end.__name__)
            self.transport.abortConnection = lambda: None
            self.layer.write(b"before")
            end()
            said = self.transport.value()
            self.layer._deflater = self.layer._inflater = None
            self.layer.write(b"after")
            self.layer.received(b"after")
            self.layer.pauseProducing()
            self.layer.resumeProducing()
            self.layer.loseConnection()
            self.clock.advance(1)
            self.assertEqual(self.transport.value(), said)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_incompressible_data_goes_through(self) -> None:
        data = random.Random(1).randbytes(300_000)
        self.layer.write(data)
        self.clock.advance(0)
        self.assertEqual(zlib.decompressobj(-15).decompress(self.transport.value()), data)
        self.layer.received(zlib.compress(data, wbits=-15))
        for _ in range(9):
            self.clock.advance(0)
        self.assertEqual(self.above.taken, data)

    def test_the_rest_is_the_transports(self) -> None:
        self.assertEqual(self.layer.getPeer(), self.transport.getPeer())
