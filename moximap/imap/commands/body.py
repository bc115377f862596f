"""FETCH BODY[section]<partial>, and RFC822, RFC822.HEADER, RFC822.TEXT (RFC 9051 6.4.5.1, RFC 3501 6.4.5)."""

from __future__ import annotations

import attrs

from moximap.imap import encoding
from moximap.imap.commands.fetch import BODY
from moximap.imap.dialect import Extension
from moximap.imap.fetching import Context, Convert, IFetchItem, Value, Whole, literal, without_nul
from moximap.imap.grammar import Cursor
from moximap.mail import headers, parts
from moximap.store.interfaces import Column, IContent

#: Octets of a section whose values are remembered.
REMEMBERED = 512

_TEXTS = (b"HEADER.FIELDS.NOT", b"HEADER.FIELDS", b"HEADER", b"TEXT", b"MIME")


@attrs.frozen(cache_hash=True)
class Section:
    """A section-spec: part numbers, then one of _TEXTS or nothing, then field names as sent."""

    path: tuple[int, ...] = ()
    text: bytes = b""
    fields: tuple[bytes, ...] = ()
    _names: frozenset[bytes] = attrs.field(init=False, eq=False)

    @_names.default
    def _folded(self) -> frozenset[bytes]:
        return frozenset(name.lower() for name in self.fields)

    @classmethod
    def parse(cls, p: Cursor) -> Section:
        """section = "[" [section-spec] "]"."""
        p.take(b"[")
        path: list[int] = []
        text = b""
        while not p.at(b"]"):
            if path:
                p.take(b".")
            if path or p.peek().isalpha():
                text = next((t for t in _TEXTS if p.at(t)), b"")
            if text:
                break
            path.append(p.nz_number())
        if text == b"MIME" and not path:
            raise p.bad("part number before MIME")
        fields = cls._fields(p) if text.startswith(b"HEADER.") else ()
        if text:
            p.take(b"]")
        return cls(tuple(path), text, fields)

    @staticmethod
    def _fields(p: Cursor) -> tuple[bytes, ...]:
        p.sp()
        return tuple(p.list_of(p.astring))

    def label(self) -> bytes:
        """As it is echoed in the response."""
        spec = b".".join([*(b"%d" % n for n in self.path), *([self.text] if self.text else [])])
        if self.fields:
            spec += b" (%b)" % b" ".join(encoding.astring(f) for f in self.fields)
        return b"[%b]" % spec

    def pick(self, header: bytes) -> bytes:
        """What is wanted of a header."""
        if not self.fields:
            return header
        return headers.select(header, self._names, exclude=self.text.endswith(b"NOT"))

    @property
    def of_root_header(self) -> bool:
        return not self.path and self.text.startswith(b"HEADER")


@attrs.frozen(cache_hash=True)
class Partial:
    """<start.count> of an item; the response tells the start only (client 1)."""

    start: int
    count: int

    @classmethod
    def parse(cls, p: Cursor) -> Partial | None:
        if not p.at(b"<"):
            return None
        start = p.number64()
        p.take(b".")
        count = p.number64()
        p.take(b">")
        if not count:
            raise p.bad("number of octets over 0")
        return cls(start, count)


@attrs.frozen(cache_hash=True)
class BodySection:
    """``word``: how the item is named in the response, with its section."""

    word: bytes
    section: Section
    partial: Partial | None = None
    sets_seen: bool = False
    format: bytes = b"%b"
    enables: bytes = b""
    _start: bytes = attrs.field(init=False, eq=False)

    @_start.default
    def _started(self) -> bytes:
        return self.word if self.partial is None else b"%b<%d>" % (self.word, self.partial.start)

    @property
    def columns(self) -> tuple[Column, ...]:
        if self.section.of_root_header:
            return (self,) if self._is_remembered else ("head",)
        return ("content", "parts") if self.section.path else ("content",)

    @property
    def _is_remembered(self) -> bool:
        """Fields of the header: they are often asked for, and take long to find."""
        return bool(self.section.fields) and len(self.word) <= REMEMBERED

    def converter(self, context: Context) -> Convert | None:
        if self.section.of_root_header:
            return None if self._is_remembered else self.of_head
        if self.section.path:
            return self._part
        return self._text if self.section.text or self.partial is not None else Whole(self.word)

    def of_head(self, head: bytes) -> bytes:
        return self.of_bytes(self.section.pick(head))

    def _text(self, content: IContent) -> Value:
        """BODY[TEXT], or some octets of BODY[]."""
        return self.octets(content, content.header_size if self.section.text else 0, content.size)

    def _part(self, content: IContent, dumped: bytes) -> Value:
        found = self.bounds(parts.load(dumped))
        if found is None:
            return self.word + b" NIL"
        start, end = found
        if self.section.fields:
            return self.of_bytes(self.section.pick(content.read(start, end)))
        return self.octets(content, start, end)

    def bounds(self, root: parts.Part) -> tuple[int, int] | None:
        """Where the section lies in the message; None where there is no such part."""
        part = parts.find(root, self.section.path)
        if part is None:
            return None
        text = self.section.text
        if text == b"MIME":
            return part.header, part.body
        if not text:
            return part.body, part.end
        if not part.is_message:
            return None
        inner = part.children[0]
        return (inner.body, inner.end) if text == b"TEXT" else (inner.header, inner.body)

    def octets(self, content: IContent, start: int, end: int) -> Value:
        """Octets of the message, cut by the partial; streamed where they are many."""
        if self.partial is not None:
            start = min(start + self.partial.start, end)
            end = min(end, start + self.partial.count)
        return literal(self._start, content, start, end)

    def of_bytes(self, data: bytes) -> bytes:
        if self.partial is not None:
            data = data[self.partial.start:self.partial.start + self.partial.count]
        return self._named(data)

    def _named(self, data: bytes) -> bytes:
        return b"%b {%d}\r\n%b" % (self._start, len(data), without_nul(data))


def parse_body(p: Cursor) -> IFetchItem:
    """BODY without a section is the structure without its extension data."""
    if p.peek() != b"[":
        return BODY
    return _section(p, sets_seen=True)


def parse_peek(p: Cursor) -> IFetchItem:
    return _section(p, sets_seen=False)


def _section(p: Cursor, sets_seen: bool) -> BodySection:
    section = Section.parse(p)
    return BodySection(b"BODY" + section.label(), section, Partial.parse(p), sets_seen)


def _rfc822(name: bytes, text: bytes, sets_seen: bool) -> BodySection:
    return BodySection(name, Section(text=text), sets_seen=sets_seen)


EXTENSION = Extension(
    name="FETCH BODY[]", rfcs=(9051, 3501),
    fetch={b"BODY": parse_body, b"BODY.PEEK": parse_peek,
           b"RFC822": lambda p: _rfc822(b"RFC822", b"", True),
           b"RFC822.HEADER": lambda p: _rfc822(b"RFC822.HEADER", b"HEADER", False),
           b"RFC822.TEXT": lambda p: _rfc822(b"RFC822.TEXT", b"TEXT", True)},
)
