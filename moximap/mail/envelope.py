"""ENVELOPE of a message as wire bytes (RFC 9051 7.5.2)."""

from collections.abc import Mapping

from moximap.mail import addresses
from moximap.mail.addresses import Address
from moximap.mail.headers import fields, unfold
from moximap.mail.wire import nstring


def envelope(header: bytes) -> bytes:
    """The envelope of a message with this header."""
    return of_fields(fields(header))[0]


def of_fields(found: Mapping[bytes, bytes]) -> tuple[bytes, dict[bytes, list[Address]]]:
    """The envelope, and the address lists that it was made from.

    Sender and Reply-To that are missing or empty are the same as From.
    """
    parsed = {name: addresses.parse(unfold(found[name])) for name in _LISTS if name in found}
    lists = {name: _addresses(parsed[name]) for name in parsed}
    origin = lists.get(b"from", b"NIL")
    wire = b"(%b %b %b %b %b %b %b %b %b %b)" % (
        _text(found, b"date"),
        _text(found, b"subject"),
        origin,
        _or(lists.get(b"sender"), origin),
        _or(lists.get(b"reply-to"), origin),
        lists.get(b"to", b"NIL"),
        lists.get(b"cc", b"NIL"),
        lists.get(b"bcc", b"NIL"),
        _text(found, b"in-reply-to"),
        _text(found, b"message-id"),
    )
    return wire, parsed


_LISTS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")


def _or(one: bytes | None, other: bytes) -> bytes:
    return other if one is None or one == b"NIL" else one


def _text(found: Mapping[bytes, bytes], name: bytes) -> bytes:
    content = found.get(name)
    return b"NIL" if content is None else nstring(unfold(content))


def _addresses(parsed: list[Address]) -> bytes:
    """NIL, or the addresses without spaces between them (RFC 9051 9, ``env-from``)."""
    if not parsed:
        return b"NIL"
    return b"(%b)" % b"".join(
        [
            b"(%b %b %b %b)" % (nstring(a.name), nstring(a.route), nstring(a.mailbox), nstring(a.host))
            for a in parsed
        ]
    )
