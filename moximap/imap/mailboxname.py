"""Mailbox names on the wire: modified UTF-7 (RFC 3501 5.1.3) and LIST patterns (RFC 9051 6.3.9)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

SEPARATOR = "/"
INBOX = "INBOX"

_PLAIN = re.compile(r"[\x20-\x25\x27-\x7e]+")
_SPECIAL = re.compile(r"[^\x20-\x7e]+")
_ENCODED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_WILDCARDS = re.compile(r"[*%]+")


def encode(name: str) -> bytes:
    """A name in modified UTF-7."""
    if _PLAIN.fullmatch(name):
        return name.encode()
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
    if not raw or not _SPECIAL.fullmatch(text):
        raise ValueError("modified UTF-7 of what needs none")
    return text


def from_wire(raw: bytes, utf8: bool) -> str:
    """A name that a client sent; ValueError where it can't be one.

    8-bit names are UTF-8, whether the client enabled that or not.  Before UTF-8 is enabled a name
    that is not modified UTF-7, such as ``R&D``, is taken as it is: clients do send it.
    """
    if utf8 or b"&" not in raw or not raw.isascii():
        return raw.decode()
    try:
        return decode(raw)
    except ValueError:
        return raw.decode()


def canonical(name: str) -> str:
    """INBOX in any case, also as the first level, is INBOX.

    One separator at the end does not count: Thunderbird sends it with names that have children.
    """
    if name.endswith(SEPARATOR) and not name.endswith(SEPARATOR * 2):
        name = name[:-1]
    head, slash, rest = name.partition(SEPARATOR)
    return INBOX + slash + rest if head.upper() == INBOX else name


def parents(name: str) -> list[str]:
    """Names of the levels above, outermost first."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:i]) for i in range(1, len(levels))]


# patterns

def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a name matches a LIST pattern; ``%`` stops at a separator, ``*`` does not.

    INBOX, alone or as the first level, matches in any case.
    """
    pattern = _WILDCARDS.sub(lambda run: "*" if "*" in run[0] else "%", pattern)
    simple = _simple(pattern)

    def matches(name: str) -> bool:
        if simple is None or name.startswith(INBOX):
            return _matches(pattern, name)
        return simple(name)
    return matches


def _simple(pattern: str) -> Callable[[str], bool] | None:
    """A quick test for a pattern of at most one wildcard, or None."""
    wildcards = _WILDCARDS.findall(pattern)
    if not wildcards:
        return pattern.__eq__
    if len(wildcards) > 1:
        return None
    if pattern == "*":
        return lambda name: True
    head, tail = _WILDCARDS.split(pattern)
    least = len(head) + len(tail)

    def matches(name: str) -> bool:
        return (len(name) >= least and name.startswith(head) and name.endswith(tail)
                and (wildcards[0] == "*" or SEPARATOR not in name[len(head):len(name) - len(tail)]))
    return matches


def _matches(pattern: str, name: str) -> bool:
    """Follow all places of the name that are reachable, as bits of one number: never exponential.

    ``%`` spreads each place up to the next separator: that is what the carries of the sum do.
    """
    masks = _masks(name)
    everywhere = (2 << len(name)) - 1
    within = (everywhere >> 1) & ~masks.get(SEPARATOR, 0)
    places = 1
    for char in pattern:
        if char == "*":
            places = everywhere & -(places & -places)
        elif char == "%":
            places |= ((places & within) + within) ^ within
        else:
            places = (places & masks.get(char, 0)) << 1
        if not places:
            return False
    return bool(places >> len(name))


def _masks(name: str) -> dict[str, int]:
    """For each character the places where it stands; those of INBOX stand in both cases."""
    masks: dict[str, int] = {}
    inbox = len(INBOX) if name.partition(SEPARATOR)[0] == INBOX else 0
    for place, char in enumerate(name):
        masks[char] = masks.get(char, 0) | 1 << place
        if place < inbox:
            lower = char.lower()
            masks[lower] = masks.get(lower, 0) | 1 << place
    return masks
