"""Delivery of one message from a stream, as a mail transfer agent hands it over."""

from __future__ import annotations

from typing import BinaryIO, Final

from moximap.delivery.incoming import Incoming
from moximap.store.interfaces import IAccount, NewMessage
from moximap.values import Appended

CHUNK: Final = 1 << 16


def deliver(account: IAccount, stream: BinaryIO, mailbox: str = "INBOX") -> Appended:
    """Add the message in ``stream`` to a mailbox; durable on return.  NoSuchMailbox, OverQuota, NoSpace.

    An mbox "From " line before the header, which some agents write, is dropped.
    """
    incoming = Incoming.into(account)
    try:
        first = stream.readline(CHUNK)
        if first.startswith(b"From "):
            while first and not first.endswith(b"\n"):
                first = stream.readline(CHUNK)
        else:
            incoming.write(first)
        while chunk := stream.read(CHUNK):
            incoming.write(chunk)
        return account.append(mailbox, [NewMessage(incoming.content())])
    finally:
        incoming.discard()
