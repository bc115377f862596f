"""What an address field is told and sorted by (RFC 9051 7.5.2, RFC 5256, RFC 5957).

Mail has mostly the same few senders and recipients: what short fields say is remembered.
"""

from functools import lru_cache

import attrs

from moximap.mail import addresses
from moximap.mail.addresses import Address
from moximap.mail.headers import decode, unfold
from moximap.mail.wire import nstring

# Fields of so many octets are remembered, so many of them: 8 MB at most, whatever they say.
_SHORT = 200
_MANY = 2048

# What is kept of a sort key.
LONGEST = 10_000


@attrs.define
class AddressField:
    """Sort keys are decoded, and empty if there is nothing to sort by: ``key`` is the mailbox of the first
    address, ``display`` its name, else mailbox@host."""

    envelope: bytes
    key: str
    display: str


def read(content: bytes) -> AddressField:
    """What the content of a field says, which may still be folded."""
    return _remembered(content) if len(content) <= _SHORT else _read(content)


def _read(content: bytes) -> AddressField:
    found = addresses.parse(unfold(content))
    if not found:
        return MISSING
    wire = b"".join([
        b"(%b %b %b %b)" % (nstring(a.name), nstring(a.route), nstring(a.mailbox), nstring(a.host))
        for a in found
    ])  # without spaces between them: RFC 9051 9, ``env-from``
    return AddressField(b"(%b)" % wire, _key(found[0]), _display(found[0]))


_remembered = lru_cache(maxsize=_MANY)(_read)

MISSING = AddressField(b"NIL", "", "")


def _key(address: Address) -> str:
    return decode(address.mailbox or b"")[:LONGEST]


def _display(address: Address) -> str:
    mailbox = address.mailbox or b""
    text = address.name or (b"%b@%b" % (mailbox, address.host) if address.host else mailbox)
    return decode(text[:LONGEST])
