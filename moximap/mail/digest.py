"""Everything that FETCH, SORT, THREAD and SEARCH want of a message, found in one reading.

A digest is made once, at APPEND or delivery, and stored; VERSION grows when a stored one would differ.
"""

import attrs

from moximap.mail import addresses, bodystructure, dates, envelope, messageids
from moximap.mail.buffers import Data
from moximap.mail.headers import decode
from moximap.mail.structure import dump, parse_with_fields
from moximap.mail.subject import base_subject
from moximap.mail.text import preview

VERSION = 2

# What is kept of a decoded subject; ENVELOPE has all of it.
LONGEST_SUBJECT = 10_000


@attrs.frozen
class Digest:
    """The answers, ready made; offsets and sizes in octets.

    Sort keys are decoded, and empty if there is nothing to sort by: ``*_key`` is the mailbox of
    the first address (RFC 5256), ``*_display`` its name, else mailbox@host (RFC 5957).
    """

    header_size: int
    envelope: bytes
    body: bytes
    bodystructure: bytes
    parts: bytes
    sent: int | None  # date.toordinal() of the Date field, as written
    sent_time: int | None  # the moment it means, in seconds since 1970
    subject: str
    base_subject: str
    from_key: str
    to_key: str
    cc_key: str
    from_display: str
    to_display: str
    message_id: bytes | None
    references: tuple[bytes, ...]
    preview: str
    version: int = VERSION


def digest(data: Data) -> Digest:
    """The digest of any octets at all."""
    root, found = parse_with_fields(data)
    wire, lists = envelope.of_fields(found)
    short, full = bodystructure.render(root, data)
    sent = dates.parse(found[b"date"]) if b"date" in found else None
    subject = decode(found.get(b"subject", b"")[:LONGEST_SUBJECT]).strip()
    origin, to, cc = (_first(lists.get(name)) for name in (b"from", b"to", b"cc"))
    return Digest(
        header_size=root.body,
        envelope=wire,
        body=short,
        bodystructure=full,
        parts=dump(root),
        sent=sent.day.toordinal() if sent else None,
        sent_time=sent.moment if sent else None,
        subject=subject,
        base_subject=base_subject(subject),
        from_key=_key(origin),
        to_key=_key(to),
        cc_key=_key(cc),
        from_display=_display(origin),
        to_display=_display(to),
        message_id=messageids.first(found.get(b"message-id")),
        references=messageids.references(found),
        preview=preview(root, data),
    )


def _first(found: list[addresses.Address] | None) -> addresses.Address | None:
    return found[0] if found else None


def _key(address: addresses.Address | None) -> str:
    return decode(address.mailbox or b"")[:LONGEST_SUBJECT] if address else ""


def _display(address: addresses.Address | None) -> str:
    if address is None:
        return ""
    mailbox = address.mailbox or b""
    text = address.name or (b"%b@%b" % (mailbox, address.host) if address.host else mailbox)
    return decode(text[:LONGEST_SUBJECT])
