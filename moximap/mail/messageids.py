"""Message ids in the form that threading compares (RFC 5256 3, RFC 5322 3.6.4)."""

import re
from collections.abc import Mapping

from moximap.mail.headers import unfold

MOST = 100

_ids = re.compile(rb'<([^<>"\\\s@]++@[^<>"\\\s@]++)>').findall
_odd_ids = re.compile(rb'<\s*+((?:"(?:[^"\\]|\\.)*+"|[^<>"@])++@[^<>@]++)>').findall
_escaped = re.compile(rb"\\(.)").sub


def parse(content: bytes) -> list[bytes]:
    """The valid ids of a field, without angle brackets, white space and quoting."""
    if b'"' not in content and b"\\" not in content:
        return _ids(content)  # none of which goes on after white space, so nothing need be unfolded
    return [_normal(found) for found in _odd_ids(unfold(content))]


def _normal(found: bytes) -> bytes:
    return _escaped(rb"\1", b"".join(found.split()).replace(b'"', b""))


def first(content: bytes | None) -> bytes | None:
    """The first valid id, or None."""
    found = parse(content) if content else None
    return found[0] if found else None


def references(found: Mapping[bytes, bytes]) -> tuple[bytes, ...]:
    """The ancestors, oldest first: of References, else the first id of In-Reply-To.

    Of too many, the oldest and the latest are kept: they tell the thread and the parent.
    """
    ids = parse(found[b"references"]) if b"references" in found else []
    if not ids:
        parent = first(found.get(b"in-reply-to"))
        return () if parent is None else (parent,)
    return tuple(ids) if len(ids) <= MOST else (ids[0], *ids[1 - MOST :])
