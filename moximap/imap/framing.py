"""Lines and literals in, whole commands out (RFC 9051 4.3, RFC 7888).

Pure: it sees lines and literals that are already received, and says what it needs next.
"""

from __future__ import annotations

import re

import attrs

from moximap.store.interfaces import ISpool

#: Octets of an unusable non-synchronising literal that are read and thrown away; a longer one ends the
#: connection.
DISCARD = 1000000
_LITERAL = re.compile(rb"(~?)\{(\d+)(\+?)\}$")
#: Digits that are looked at; with more of them a literal is too large for anything all the same.
_DIGITS = 20


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
    """Collects the parts of one command: text, literal, text, ..., always ending in text.

    So far: ``literals`` is their number, ``octets`` those of the ones in memory, ``text`` the octets of text.
    """

    parts: list[Part] = attrs.field(factory=list)
    literals: int = 0
    octets: int = 0
    text: int = 0

    def line(self, line: bytes) -> Announced | None:
        """Take a line; the literal that it announces, or None: the command is whole."""
        # The last brace begins it, perhaps behind a tilde: a search from the start takes three times as long.
        match = _LITERAL.search(line, max(line.rfind(b"{") - 1, 0)) if line.endswith(b"}") else None
        text = line if match is None else line[:match.start()]
        self.parts.append(text)
        self.text += len(text)
        if match is None:
            return None
        size = int(match[2].lstrip(b"0")[:_DIGITS] or b"0")
        return Announced(size, not match[3], bool(match[1]))

    def literal(self, literal: Literal) -> None:
        """Take the literal that the last line announced."""
        self.parts.append(literal)
        self.literals += 1
        if isinstance(literal.content, bytes):
            self.octets += literal.size

    def take(self) -> list[Part]:
        """The parts of the whole command; the framer is ready for the next one."""
        parts, self.parts = self.parts, []
        self.literals = self.octets = self.text = 0
        return parts
