"""Strings and lists as ENVELOPE and BODYSTRUCTURE carry them (RFC 9051 4.3, 9)."""

import re
from collections.abc import Iterable

# Anything that a quoted string cannot hold as it is: octets to escape, octets that need a literal.
_special = re.compile(rb'[\x00\r\n"\\\x80-\xff]').search
_needs_literal = re.compile(rb"[\x00\r\n\x80-\xff]").search

#: Octets that are quoted: parsers made of regular expressions give up at some tens of thousands.
_LONGEST = 1024


def string(value: bytes) -> bytes:
    """A quoted string, or a literal if the value is long or not 7-bit text in one line."""
    if len(value) > _LONGEST:
        return _literal(value)
    if not _special(value):
        return b'"%b"' % value
    if not _needs_literal(value):
        return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    value = _without_nul(value)
    return _literal(value) if _needs_literal(value) else string(value)


def _literal(value: bytes) -> bytes:
    value = _without_nul(value)
    return b"{%d}\r\n%b" % (len(value), value)


def _without_nul(value: bytes) -> bytes:
    """CHAR8 excludes NUL (RFC 9051 9), and nothing else can carry it here."""
    return value.replace(b"\0", b"")


def nstring(value: bytes | None) -> bytes:
    """A string, or NIL for None."""
    return b"NIL" if value is None else string(value)


def params(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """``body-fld-param``: NIL or names and values, none of which is ever NIL."""
    inside = b" ".join([b"%b %b" % (string(name), string(value)) for name, value in pairs])
    return b"(%b)" % inside if inside else b"NIL"
