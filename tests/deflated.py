"""A client of COMPRESS=DEFLATE (RFC 4978) for dialogues, by Python's zlib."""

from __future__ import annotations

import zlib

from twisted.internet.task import Clock

from tests.dialogue import Client, DialogueCase

FLUSHES = {"partial": zlib.Z_PARTIAL_FLUSH, "sync": zlib.Z_SYNC_FLUSH, "full": zlib.Z_FULL_FLUSH,
           "block": zlib.Z_BLOCK}


class DeflatedClient(Client):
    """A client that deflates all that it says once it has begun to, flushed in one of zlib's ways."""

    flush = zlib.Z_SYNC_FLUSH
    begun = False
    clock: Clock

    def begin(self) -> None:
        self.deflater = zlib.compressobj(wbits=-15)
        self.inflater = zlib.decompressobj(-15)
        self.begun = True

    def raw(self, data: bytes) -> bytes:
        return self.deflater.compress(data) + self.deflater.flush(self.flush)

    def send(self, data: bytes) -> None:
        super().send(self.raw(data) if self.begun else data)

    def received(self) -> bytes:
        if self.begun and self.protocol.transport._flush is not None:
            self.turn()
        got = super().received()
        return self.inflater.decompress(got) if self.begun else got

    def turn(self) -> None:
        """The reactor's turn ends, and what was written in it is flushed."""
        self.clock.advance(0)

    def compress(self) -> None:
        self.send(b"z COMPRESS DEFLATE\r\n")
        assert self.received() == b"z OK DEFLATE active\r\n"
        self.begin()


class CompressCase(DialogueCase):
    """``client`` is one that compresses from its first command on, unless ``late``."""

    late = False
    flush = zlib.Z_SYNC_FLUSH

    def client(self, number: str = "", login: str | None = "ada") -> DeflatedClient:
        if number not in self.clients:
            client = DeflatedClient(self.factory, self.byte_by_byte)
            client.flush, client.clock = self.flush, self.clock
            self.clients[number] = client
            self.addCleanup(client.lose)
            if login is not None:
                client.login(login)
                if not self.late:
                    client.compress()
        found = self.clients[number]
        assert isinstance(found, DeflatedClient)
        return found
