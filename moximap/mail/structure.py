"""The MIME structure of a message, with byte offsets (RFC 2045, RFC 2046, RFC 9051 6.4.5.1).

One pass over the message: in headers every line is looked at, in bodies only lines that begin
with what all open boundaries have in common. What goes deeper than MAX_DEPTH is one opaque part,
``application/octet-stream``; the part number MAX_PARTS reaches to the end of the message, or the
next one if that is empty. A multipart or message always has a part: one without any gets an empty
``text/plain``, because some clients fail on an empty list, and a message must be told with its
envelope and body (RFC 9051 9, ``media-basic``).
"""

import bisect
import os.path
import re

import attrs

from moximap.mail import headers, media, mime
from moximap.mail.buffers import Data, count_newlines, finder, plain
from moximap.mail.media import Media
from moximap.mail.parts import Part, dump, find, load, walk

__all__ = ["MAX_DEPTH", "MAX_PARTS", "Part", "dump", "find", "load", "parse", "parse_with_fields", "walk"]

MAX_DEPTH = 100
MAX_PARTS = 10_000

# RFC 2046 5.1.1 allows 70 octets; of a longer one this much is compared.
LONGEST_BOUNDARY = 200

_header_event = re.compile(rb"\n(?:(\r?\n)|--)").search
_blank_first = re.compile(rb"\r?\n").match


def parse(data: Data) -> Part:
    """The root part of a whole message."""
    return parse_with_fields(data)[0][0]


def parse_with_fields(data: Data) -> tuple[list[Part], dict[bytes, bytes]]:
    """All parts as ``walk`` gives them, and the root header's fields as ``headers.fields`` does."""
    parser = _Parser(plain(data))
    parser.run()
    return parser.parts, parser.root_fields


@attrs.define
class _Open:
    """A part that holds others and is not yet complete, and the boundary that is looked for in it."""

    part: Part
    boundary: bytes = b""
    default: Media = media.TEXT
    children: list[Part] = attrs.Factory(list)


@attrs.define
class _Hit:
    """A boundary line: where the part before it ends, where the next begins."""

    end: int
    after: int
    level: int
    closing: bool


class _Parser:
    def __init__(self, data: Data) -> None:
        self.data = data
        self.size = len(data)
        self.find = finder(data)
        self.open: list[_Open] = []
        self.parts: list[Part] = []
        self.count = 0
        self.messages: list[Part] = []
        self.root_fields: dict[bytes, bytes] = {}
        self.levels: dict[bytes, int] = {}
        self.sorted: list[bytes] = []
        self.shortest: list[bytes] = []
        self.needle = b""

    def run(self) -> None:
        hit = self.begin(0)
        while hit is not None:
            self.close(hit.level + 1, hit.end)
            if hit.closing:
                self.open[-1].boundary = b""
                self.set_boundaries()
                hit = self.next_boundary(hit.after)
            else:
                hit = self.begin(hit.after)
        self.close(0, self.size)
        if self.messages:
            _count_lines(self.data, self.messages)

    def begin(self, start: int) -> _Hit | None:
        """Read the part at an offset and what it begins with; the boundary line that follows."""
        while True:
            self.count += 1
            body, hit = self.header_end(start)
            told = self.read_header(start, body)
            part = Part(start, body, body, told)
            self.parts.append(part)
            if self.open:
                self.open[-1].children.append(part)
            if told.type == "multipart":
                self.open.append(_Open(part))
                if hit is not None:
                    return hit
                self.expect_parts(told)
                return self.next_boundary(body)
            if told.type != "message" or told.subtype not in ("rfc822", "global"):
                return self.leaf(part, hit)
            self.open.append(_Open(part))
            if hit is not None:
                return hit
            start = body

    def leaf(self, part: Part, hit: _Hit | None) -> _Hit | None:
        """Find the end of a part that holds no others: the boundary line that follows."""
        if self.count >= MAX_PARTS:
            hit = None
        elif hit is None:
            hit = self.next_boundary(part.body)
        _end(part, self.size if hit is None else hit.end)
        if part.media.type in ("text", "message"):
            part.lines = count_newlines(self.data, part.body, part.end)
        return hit

    def header_end(self, start: int) -> tuple[int, _Hit | None]:
        """Where the body begins; and the boundary line that cut the header off, if one did."""
        if start == 0:
            match = _blank_first(self.data)
            if match:
                return match.end(), None
        at = max(start - 1, 0)  # the line break before the header counts as the one of its first line
        while match := _header_event(self.data, at):
            if match[1]:
                return match.end(), None
            hit = self.boundary_at(match.start())
            if hit is not None:
                return max(hit.end, start), hit
            at = match.end() - 1
        return self.size, None

    def next_boundary(self, start: int) -> _Hit | None:
        if not self.levels:
            return None
        needle, at = self.needle, max(start - 1, 0)
        while (at := self.find(needle, at)) >= 0:
            hit = self.boundary_at(at)
            if hit is not None:
                return hit
            at += 1
        return None

    def boundary_at(self, at: int) -> _Hit | None:
        """The boundary in the line after the LF at an offset, the longest that fits.

        The beginning of the line decides (RFC 2046 5.1.1: "An exact match of the entire candidate
        line is not required").
        """
        if not self.levels:
            return None
        line = bytes(self.data[at + 3 : at + 5 + LONGEST_BOUNDARY])
        boundary = self.matching(line)
        if boundary is None:
            return None
        end = at - 1 if self.data[at - 1 : at] == b"\r" else at
        after = self.find(b"\n", at + 3) + 1 or self.size
        return _Hit(end, after, self.levels[boundary], line.startswith(b"--", len(boundary)))

    def matching(self, line: bytes) -> bytes | None:
        """The longest boundary with which a line begins.

        All that are prefixes of the line are prefixes of its predecessor in their order, too. So
        most lines are refused by one comparison, however many boundaries are open.
        """
        n = bisect.bisect_right(self.sorted, line) - 1
        if n < 0 or not line.startswith(self.shortest[n]):
            return None
        while not line.startswith(self.sorted[n]):
            n -= 1
        return self.sorted[n]

    def set_boundaries(self) -> None:
        """Gather the boundaries of the open multiparts; of equal ones the innermost counts."""
        self.levels = {top.boundary: n for n, top in enumerate(self.open) if top.boundary}
        if len(self.levels) <= 1:
            self.sorted = self.shortest = list(self.levels)
            self.needle = b"\n--" + b"".join(self.levels)
            return
        self.sorted = sorted(self.levels)
        self.shortest = []
        for boundary in self.sorted:
            before = self.shortest[-1] if self.shortest else boundary
            self.shortest.append(before if boundary.startswith(before) else boundary)
        self.needle = b"\n--" + (os.path.commonprefix(self.sorted) or b"")

    def close(self, level: int, end: int) -> None:
        """End the open parts from a level on."""
        had_boundary = False
        while len(self.open) > level:
            top = self.open.pop()
            _end(top.part, end)
            if top.part.media.type == "message":
                self.messages.append(top.part)
            if not top.children:
                top.children.append(Part(end, end, end))
                self.parts += top.children
                self.count += 1
            top.part.children = tuple(top.children)
            had_boundary = had_boundary or bool(top.boundary)
        if had_boundary:
            self.set_boundaries()

    def read_header(self, start: int, body: int) -> Media:
        """What the header of the part that is about to be opened says."""
        header = bytes(self.data[start:body])
        if self.open:
            told = media.of_header(header, self.open[-1].default)
        else:
            self.root_fields = headers.fields(header)
            told = media.of_fields(self.root_fields, media.TEXT)
        if told.type in ("multipart", "message") and (len(self.open) >= MAX_DEPTH or self.count >= MAX_PARTS):
            return attrs.evolve(told, type="application", subtype="octet-stream")
        return told

    def expect_parts(self, told: Media) -> None:
        """The part just opened is a multipart."""
        top = self.open[-1]
        if told.subtype == "digest":
            top.default = media.MESSAGE
        top.boundary = (mime.get(told.params, b"boundary") or b"").rstrip()[:LONGEST_BOUNDARY]
        if top.boundary:
            self.set_boundaries()


def _end(part: Part, end: int) -> None:
    """The line break before a boundary is the boundary's, even if it is the blank line of the part or
    ends the boundary line before."""
    part.end = end
    if part.body > end:
        part.header = min(part.header, end)
        part.body = end


def _count_lines(data: Data, messages: list[Part]) -> None:
    """Count LFs once however deep messages are nested: between each two offsets that matter."""
    marks = sorted([(p.body, 1) for p in messages] + [(p.end, -1) for p in messages])
    before: dict[int, int] = {}
    total = depth = last = 0
    for at, step in marks:
        if depth and at > last:
            total += count_newlines(data, last, at)
        before[at] = total
        depth += step
        last = at
    for part in messages:
        part.lines = before[part.end] - before[part.body]
