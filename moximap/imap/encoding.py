"""Values to wire bytes: strings, literals, flags, numbers, dates (RFC 9051 section 9)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from functools import lru_cache

from moximap.imap import mailboxname
from moximap.values import NumSet

_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_QUOTABLE = re.compile(rb"[^\x00\r\n\x80-\xff]{0,1024}")
_QUOTABLE_UTF8 = re.compile(rb"[^\x00\r\n]{0,1024}")
_TWO = [b"%02d" % number for number in range(60)]
_CLOCK = [b"%02d:%02d" % divmod(minute, 60) for minute in range(1440)]
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def quoted(value: bytes) -> bytes:
    """A quoted string; the caller knows that the value has no CR, LF or NUL."""
    return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def literal(value: bytes) -> bytes:
    """A literal; as literal8 (RFC 3516) where it has a NUL, which no plain literal may hold."""
    return b"%b{%d}\r\n%b" % (b"~" if b"\0" in value else b"", len(value), value)


def string(value: bytes, utf8: bool = False) -> bytes:
    """A quoted string where it can be one, else a literal; 8-bit text is quoted only as valid UTF-8."""
    if _QUOTABLE.fullmatch(value):
        return quoted(value)
    if utf8 and _QUOTABLE_UTF8.fullmatch(value) and is_utf8(value):
        return quoted(value)
    return literal(value)


def is_utf8(value: bytes) -> bool:
    """Whether the value is valid UTF-8."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def nstring(value: bytes | None, utf8: bool = False) -> bytes:
    """A string, or NIL."""
    return b"NIL" if value is None else string(value, utf8)


def astring(value: bytes, utf8: bool = False) -> bytes:
    """An atom where it can be one, else a string."""
    return value if _ATOM.fullmatch(value) and value.upper() != b"NIL" else string(value, utf8)


def mailbox(name: str, utf8: bool) -> bytes:
    """A mailbox name: modified UTF-7, or quoted UTF-8 once that is enabled (never a literal there)."""
    if utf8:
        raw = name.encode()
        return raw if _ATOM.fullmatch(raw) and raw.upper() != b"NIL" else quoted(raw)
    return astring(mailboxname.encode(name))


def numset(numbers: NumSet) -> bytes:
    """A sequence-set; the caller knows that it is not empty."""
    return b",".join(b"%d" % low if low == high else b"%d:%d" % (low, high)
                     for low, high in numbers.ranges)


def flags(names: Iterable[str]) -> bytes:
    """Flags without their parentheses."""
    return " ".join(names).encode()


def internaldate(seconds: int, zone: int) -> bytes:
    """A date-time with quotes; ``zone`` in minutes east of UTC."""
    at = seconds + zone * 60
    return b'"%b %b:%b %b"' % (_day(at // 86400), _CLOCK[at // 60 % 1440], _TWO[at % 60], _zone(zone))


@lru_cache(maxsize=1024)
def _day(days: int) -> bytes:
    t = time.gmtime(days * 86400)
    return b"%2d-%b-%04d" % (t.tm_mday, _MONTHS[t.tm_mon - 1].encode(), t.tm_year)


@lru_cache(maxsize=64)
def _zone(zone: int) -> bytes:
    return b"%b%02d%02d" % (b"-" if zone < 0 else b"+", abs(zone) // 60, abs(zone) % 60)


def text(value: str) -> bytes:
    """Human-readable text of a response: one line, never empty."""
    line = (value if value.isprintable() else "".join(c if c.isprintable() else " " for c in value)).strip()
    return line.encode("ascii", "replace")[:1000] or b"done"
