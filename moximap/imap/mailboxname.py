"""Mailbox names on the wire: modified UTF-7 (RFC 3501 5.1.3) and LIST patterns (RFC 9051 6.3.9)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

SEPARATOR = "/"

_PLAIN = re.compile(r"[\x20-\x25\x27-\x7e]+")
_ENCODED = re.compile(rb"&([A-Za-z0-9+,]*)-")


def encode(name: str) -> bytes:
    """A name in modified UTF-7."""
    out = []
    place = 0
    while place < len(name):
        match = _PLAIN.match(name, place)
        if match:
            out.append(match[0].encode())
        elif name[place] == "&":
            out.append(b"&-")
            place += 1
            continue
        else:
            match = _SPECIAL.match(name, place)
            assert match is not None          # every character is plain, "&" or special
            base64 = binascii.b2a_base64(match[0].encode("utf-16-be", "surrogatepass"), newline=False)
            out.append(b"&%b-" % base64.rstrip(b"=").replace(b"/", b","))
        place = match.end()
    return b"".join(out)


_SPECIAL = re.compile(r"[^\x20-\x7e]+")


def decode(raw: bytes) -> str:
    """A name from modified UTF-7; ValueError where it is not that."""
    out = []
    place = 0
    while place < len(raw):
        if raw[place] == 0x26:
            match = _ENCODED.match(raw, place)
            if match is None:
                raise ValueError("an & that starts no modified UTF-7")
            out.append(_shifted(match[1]) if match[1] else "&")
            place = match.end()
        else:
            end = raw.find(b"&", place)
            end = len(raw) if end < 0 else end
            out.append(raw[place:end].decode("ascii"))
            place = end
    return "".join(out)


def _shifted(base64: bytes) -> str:
    raw = binascii.a2b_base64(base64.replace(b",", b"/") + b"=" * (-len(base64) % 4))
    text = raw.decode("utf-16-be")
    if not raw or _PLAIN.search(text):
        raise ValueError("modified UTF-7 of what needs none")
    return text


def from_wire(raw: bytes, utf8: bool) -> str:
    """A name that a client sent; ValueError where it can't be one.

    8-bit names are UTF-8, whether the client enabled that or not.  Before UTF-8 is enabled a name
    that is not modified UTF-7, such as ``R&D``, is taken as it is: clients do send it.
    """
    if utf8 or not raw.isascii():
        return raw.decode()
    try:
        return decode(raw)
    except ValueError:
        return raw.decode()


def canonical(name: str) -> str:
    """INBOX in any case, also as the first level, is INBOX."""
    head, slash, rest = name.partition(SEPARATOR)
    return "INBOX" + slash + rest if head.upper() == "INBOX" else name


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a name matches a LIST pattern; ``%`` stops at a separator, ``*`` does not."""
    parts = re.split(r"([*%]+)", pattern)
    if parts[0].upper() == "INBOX" or parts[0].upper().startswith("INBOX" + SEPARATOR):
        parts[0] = "INBOX" + parts[0][5:]
    tokens = [("*" if "*" in p else "%") if i % 2 else p for i, p in enumerate(parts)]
    return lambda name: _matches(tokens, name)


def _matches(tokens: list[str], name: str) -> bool:
    """Match by the set of places that are reachable: no pattern is exponential."""
    places = {0}
    for i, token in enumerate(tokens):
        if i % 2 == 0:
            places = {p + len(token) for p in places if name.startswith(token, p)}
        elif token == "*":
            places = set(range(min(places), len(name) + 1))
        else:
            places = {q for p in places for q in range(p, _level_end(name, p) + 1)}
        if not places:
            return False
    return len(name) in places


def _level_end(name: str, place: int) -> int:
    end = name.find(SEPARATOR, place)
    return len(name) if end < 0 else end


def parents(name: str) -> list[str]:
    """Names of the levels above, outermost first."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:i]) for i in range(1, len(levels))]
