"""Header fields: split, select, unfold, decode (RFC 5322 2.2, RFC 9051 6.4.5.1).

A line without a colon that is no continuation is no field; it is passed over. A lone CR is an
octet like any other. The patterns use possessive repeats, so that they are linear and need no
memory on headers of any size.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import attrs

from moximap.mail.words import decode as decode
from moximap.mail.words import joined

__all__ = ["Field", "decode", "fields", "select", "split", "unfold", "value", "values"]

_FIELD = re.compile(rb"(?m:^)([^:\s]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)\n?+")
_RAW = re.compile(rb"(?m:^)(([^:\s]++)[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+\n?+)")
_NAME = re.compile(rb"[^:\s]++")

# Up to here findall is the quickest; beyond it, its list of all fields would cost too much memory.
SMALL = 1 << 16
# So many names, of so many octets together, are looked for by one pattern; patterns are kept.
MANY = 40
LONG = 2000
# What is kept of the content of one field, or of several joined, for parsing; BODY[HEADER] always
# gives all of it.
LONGEST = 1 << 20

ADDRESS_FIELDS = frozenset([b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"])
_MIME_FIELDS = [b"type", b"transfer-encoding", b"id", b"description", b"disposition"]
_MIME_FIELDS += [b"md5", b"language", b"location"]
PARSED_FIELDS = ADDRESS_FIELDS | {b"content-" + name for name in _MIME_FIELDS}
PARSED_FIELDS |= {b"date", b"subject", b"message-id", b"in-reply-to", b"references"}


@attrs.frozen
class Field:
    """One field: its name as written, all its octets, and where these begin in the header."""

    name: bytes
    raw: bytes
    start: int


def split(header: bytes) -> list[Field]:
    """All fields in order, each with its folding and line end."""
    return [Field(m[2], m[1], m.start()) for m in _RAW.finditer(header)]


def _raw_fields(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(header) <= SMALL:
        return iter(_RAW.findall(header))
    return ((m[1], m[2]) for m in _RAW.finditer(header))


def select(header: bytes, names: frozenset[bytes], exclude: bool = False) -> bytes:
    """What BODY[HEADER.FIELDS (names)], or .NOT, gives; names are in lower case.

    The blank line is there unless the header has none ("a message that has no body and no blank
    line", RFC 9051 6.4.5.1).
    """
    usual = len(names) <= MANY and sum(map(len, names)) <= LONG
    sought = _sought(names) if usual and not exclude and len(header) <= SMALL else None
    if sought is None:
        found = b"".join([raw for raw, name in _raw_fields(header) if (name.lower() in names) != exclude])
    else:
        whole = b"\n" + header
        fields = sought(whole)
        found = b"".join(fields)[1:]
        if fields and not whole.endswith(fields[-1]):
            found += b"\n"
    if header.endswith((b"\n\r\n", b"\n\n")) or header in (b"\r\n", b"\n"):
        return found + b"\r\n"
    return found


@lru_cache(maxsize=256)
def _sought(names: frozenset[bytes]) -> Callable[[bytes], list[bytes]] | None:
    """What finds fields of these names, with the line end before each, which is quick to search for.

    None where no field can have one of them.
    """
    possible = sorted(name for name in names if _NAME.fullmatch(name))
    if not possible:
        return None
    return re.compile(rb"\n%b[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+" % _any_of(possible)).findall


def _any_of(names: list[bytes]) -> bytes:
    """The pattern of one of these names; nearly all others are refused by their first letter."""
    firsts = b"".join(re.escape(name[:1]) + re.escape(name[:1].upper()) for name in names)
    return rb"(?=[%b])(?i:%b)" % (firsts, b"|".join(map(re.escape, names)))


def values(header: bytes, name: bytes) -> list[bytes]:
    """The unfolded contents of all fields of this name."""
    name = name.lower()
    if len(name) > LONG:
        return [unfold(m[2]) for m in _FIELD.finditer(header) if m[1].lower() == name]
    sought = _sought(frozenset([name]))
    found = sought(b"\n" + header) if sought is not None else []
    return [unfold(field.partition(b":")[2]) for field in found]


def value(header: bytes, name: bytes) -> bytes | None:
    """The unfolded content of the first field of this name."""
    name = name.lower()
    for m in _FIELD.finditer(header):
        if m[1].lower() == name:
            return unfold(m[2])
    return None


def unfold(content: bytes) -> bytes:
    """A field's content in one line, without white space around it.

    RFC 5322 2.2.3 removes the line break and keeps the white space after it; one space stands
    for that white space here, because a tab made by a folding mailer is not part of a subject.
    """
    if b"\n" in content:
        content = joined(content)
    return content.strip(b" \t\r")


_PARSED = re.compile(
    rb"\n(%b)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)" % _any_of(sorted(PARSED_FIELDS))
)


def fields(header: bytes) -> dict[bytes, bytes]:
    """The fields that a digest needs: lower-case names to contents that are still folded.

    Of several fields with one name the first counts, except that address lists are joined.
    """
    found: dict[bytes, bytes] = {}
    more: dict[bytes, list[bytes]] = {}
    header = b"\n" + header
    if len(header) <= SMALL:
        pairs: Iterator[tuple[bytes, bytes]] = iter(_PARSED.findall(header))
    else:
        pairs = ((m[1], m[2][:LONGEST]) for m in _PARSED.finditer(header))
    for name, content in pairs:
        name = name.lower()
        if name not in found:
            found[name] = content
        elif name in ADDRESS_FIELDS:
            more.setdefault(name, [found[name]]).append(content)
    for name, contents in more.items():
        found[name] = b",".join(contents)[:LONGEST]
    return found
