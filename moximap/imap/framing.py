"""Lines and literals in, whole commands out (RFC 9051 4.3, RFC 7888).

Pure: it sees lines and literals that are already received, and says what it needs next.
"""

from __future__ import annotations

import re

import attrs

from moximap.store.interfaces import ISpool

_LITERAL = re.compile(rb"(~?)\{(\d{1,20})(\+?)\}$")


@attrs.frozen
class Announced:
    """A literal that the client wants to send; ``sync``: it waits for our continuation."""

    size: int
    sync: bool
    binary: bool


@attrs.frozen
class Literal:
    """A literal that has come: in memory, or spooled."""

    content: bytes | ISpool
    size: int
    binary: bool = False


Part = bytes | Literal


@attrs.define
class Framer:
    """Collects the parts of one command: text, literal, text, ..., always ending in text."""

    parts: list[Part] = attrs.field(factory=list)

    def line(self, line: bytes) -> Announced | None:
        """Take a line; the literal that it announces, or None: the command is whole."""
        match = _LITERAL.search(line) if line.endswith(b"}") else None
        if match is None:
            self.parts.append(line)
            return None
        self.parts.append(line[:match.start()])
        return Announced(int(match[2]), not match[3], bool(match[1]))

    def literal(self, literal: Literal) -> None:
        """Take the literal that the last line announced."""
        self.parts.append(literal)

    def take(self) -> list[Part]:
        """The parts of the whole command; the framer is ready for the next one."""
        parts, self.parts = self.parts, []
        return parts

    def sizes(self) -> tuple[int, int, int]:
        """Number of literals, octets of those in memory, and octets of text, so far."""
        literals = [p for p in self.parts if isinstance(p, Literal)]
        return (len(literals), sum(p.size for p in literals if isinstance(p.content, bytes)),
                sum(len(p) for p in self.parts if isinstance(p, bytes)))
