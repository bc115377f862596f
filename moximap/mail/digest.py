"""Everything that FETCH, SORT, THREAD and SEARCH want of a message, found in one reading.

A digest is made once, at APPEND or delivery, and stored; VERSION grows when a stored one would differ.
"""

from moximap.mail import bodystructure, dates, envelope, messageids
from moximap.mail.addressfields import MISSING
from moximap.mail.buffers import Data
from moximap.mail.headers import decode
from moximap.mail.parts import dump_all
from moximap.mail.structure import parse_with_fields
from moximap.mail.subject import base_subject
from moximap.mail.text import preview
from moximap.values import frozen

VERSION = 3

# What is kept of a decoded subject; ENVELOPE has all of it.
LONGEST_SUBJECT = 10_000


@frozen
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
    parts, found = parse_with_fields(data)
    root = parts[0]
    wire, lists = envelope.of_fields(found)
    short, full = bodystructure.render(parts, data)
    sent = dates.parse(found[b"date"]) if b"date" in found else None
    subject = decode(found.get(b"subject", b"")[:LONGEST_SUBJECT]).strip()
    origin, to, cc = [lists.get(name, MISSING) for name in (b"from", b"to", b"cc")]
    return Digest(
        header_size=root.body,
        envelope=wire,
        body=short,
        bodystructure=full,
        parts=dump_all(parts),
        sent=sent.day.toordinal() if sent else None,
        sent_time=sent.moment if sent else None,
        subject=subject,
        base_subject=base_subject(subject),
        from_key=origin.key,
        to_key=to.key,
        cc_key=cc.key,
        from_display=origin.display,
        to_display=to.display,
        message_id=messageids.first(found.get(b"message-id")),
        references=messageids.references(found),
        preview=preview(root, data),
    )
