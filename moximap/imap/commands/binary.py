"""FETCH BINARY, BINARY.PEEK and BINARY.SIZE (RFC 9051 6.4.5, RFC 3516)."""

from __future__ import annotations

from typing import ClassVar

import attrs
from zope.interface import implementer

from moximap.imap import encoding
from moximap.imap.commands.body import Partial
from moximap.imap.commands.fetch import FetchRow
from moximap.imap.dialect import Capability, Extension
from moximap.imap.errors import No
from moximap.imap.fetching import PIECE, Context, Convert, IFetchItem, Streamed, Value
from moximap.imap.grammar import Cursor
from moximap.mail import parts
from moximap.mail.transfer import decode_transfer
from moximap.store.interfaces import Column, IContent


def _path(p: Cursor) -> tuple[int, ...]:
    """section-binary = "[" [section-part] "]"."""
    p.take(b"[")
    path: list[int] = []
    while not p.at(b"]"):
        if path:
            p.take(b".")
        path.append(p.nz_number())
    return tuple(path)


def decoded(path: tuple[int, ...], content: IContent, dumped: bytes) -> bytes | None:
    """A part with its transfer encoding undone; None where there is no such part.

    The whole message and multiparts have no encoding of their own.
    """
    if not path:
        return content.read(0, content.size)
    part = parts.find(parts.load(dumped), path)
    if part is None:
        return None
    raw = content.read(part.body, part.end)
    if part.children:
        return raw
    data = decode_transfer(part.encoding, raw)
    if data is None:
        raise _unknown()
    return data


def _unknown() -> No:
    return No("a part has a transfer encoding that is unknown here", b"UNKNOWN-CTE")


def insist_on_encoding(path: tuple[int, ...], dumped: bytes) -> None:
    """No, where a part is there and cannot be decoded."""
    part = parts.find(parts.load(dumped), path) if path else None
    if part is not None and not part.children and decode_transfer(part.encoding, b"") is None:
        raise _unknown()


@implementer(IContent)
@attrs.frozen
class Decoded:
    """A decoded part, in memory while it is sent."""

    halves: ClassVar[None] = None
    data: bytes = attrs.field(repr=False)
    header_size: int = 0

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, start: int, end: int) -> bytes:
        return self.data[start:end]


@attrs.frozen(cache_hash=True)
class Binary:
    path: tuple[int, ...]
    partial: Partial | None
    sets_seen: bool
    format: bytes = b"%b"
    enables: bytes = b""
    columns: tuple[Column, ...] = ("content", "parts")

    def converter(self, context: Context) -> Convert:
        return self._render

    def check(self, dumped: bytes) -> None:
        insist_on_encoding(self.path, dumped)

    def _render(self, content: IContent, dumped: bytes) -> Value:
        word = b"BINARY[%b]" % b".".join(b"%d" % n for n in self.path)
        if self.path:
            data = decoded(self.path, content, dumped)
            if data is None:
                return word + b" NIL"
            content = Decoded(data)
        start, end = 0, content.size
        if self.partial is not None:
            word += b"<%d>" % self.partial.start
            start, end = min(self.partial.start, end), min(self.partial.start + self.partial.count, end)
        if end - start > PIECE:
            return Streamed(b"%b ~{%d}\r\n" % (word, end - start), content, start, end)
        return b"%b %b" % (word, encoding.literal(content.read(start, end)))


@attrs.frozen(cache_hash=True)
class BinarySize:
    path: tuple[int, ...]
    format: bytes = b"%b"
    enables: bytes = b""
    columns: tuple[Column, ...] = ("content", "parts")
    sets_seen: bool = False

    def converter(self, context: Context) -> Convert:
        return self._render

    def check(self, dumped: bytes) -> None:
        insist_on_encoding(self.path, dumped)

    def _render(self, content: IContent, dumped: bytes) -> Value:
        data = decoded(self.path, content, dumped)
        return b"BINARY.SIZE[%b] %d" % (b".".join(b"%d" % n for n in self.path), len(data or b""))


def parse_binary(sets_seen: bool) -> FetchRow:
    return lambda p: Binary(_path(p), Partial.parse(p), sets_seen)


def parse_size(p: Cursor) -> IFetchItem:
    return BinarySize(_path(p))


EXTENSION = Extension(
    name="BINARY", rfcs=(3516, 9051),
    capabilities=(Capability(b"BINARY"),),
    fetch={b"BINARY": parse_binary(True), b"BINARY.PEEK": parse_binary(False), b"BINARY.SIZE": parse_size},
)
