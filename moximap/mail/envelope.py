"""ENVELOPE of a message as wire bytes (RFC 9051 7.5.2)."""

from collections.abc import Mapping

from moximap.mail.addressfields import MISSING, AddressField, read
from moximap.mail.headers import ADDRESS_FIELDS, fields, unfold
from moximap.mail.wire import string


def envelope(header: bytes) -> bytes:
    """The envelope of a message with this header."""
    return of_fields(fields(header))[0]


def of_fields(found: Mapping[bytes, bytes]) -> tuple[bytes, dict[bytes, AddressField]]:
    """The envelope, and the address fields that are in it.

    Sender and Reply-To that are missing or empty are the same as From.
    """
    lists = {name: read(found[name]) for name in found if name in ADDRESS_FIELDS}
    origin, sender, reply_to, to, cc, bcc = [lists.get(name, MISSING).envelope for name in _LISTS]
    date, subject, in_reply_to, message_id = [
        string(unfold(found[name])) if name in found else b"NIL" for name in _TEXTS
    ]
    wire = b"(%b %b %b %b %b %b %b %b %b %b)" % (
        date,
        subject,
        origin,
        origin if sender == b"NIL" else sender,
        origin if reply_to == b"NIL" else reply_to,
        to,
        cc,
        bcc,
        in_reply_to,
        message_id,
    )
    return wire, lists


_LISTS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")
_TEXTS = (b"date", b"subject", b"in-reply-to", b"message-id")
