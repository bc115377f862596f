"""What a store method can fail with; the protocol gives each its RFC 5530 code."""

from __future__ import annotations


class StoreError(Exception):
    """A failure that the caller can be told about, in the text that it carries."""


class NoSuchMailbox(StoreError):
    """There is no mailbox of that name or id."""


class MailboxRemoved(NoSuchMailbox):
    """The mailbox was there, and somebody still has it selected."""


class NoSuchMessage(StoreError):
    """The message is not there any more."""


class MailboxExists(StoreError):
    """A mailbox of that name exists already."""


class HasChildren(StoreError):
    """A mailbox with children is not removed."""


class Cannot(StoreError):
    """The operation can never succeed, such as deleting INBOX."""


class BadUse(StoreError):
    """A special use that no mailbox can be given (RFC 6154 USEATTR)."""


class OverQuota(StoreError):
    """A quota, or the limit on keywords or mailboxes, would be passed."""


class NoSpace(StoreError):
    """The disk is full; nothing was changed."""


class Unavailable(StoreError):
    """The account cannot be read or written now: locked for too long, or damaged."""


class Busy(StoreError):
    """Somebody else is writing, and the caller did not want to wait; nothing was done."""


class NoSuchAccount(StoreError):
    """There is no account of that name."""


class AccountExists(StoreError):
    """An account or address of that name exists already."""


def in_full(error: Exception) -> str:
    """A failure with what the system says of it: for the operator, not for clients."""
    cause = error.__cause__ if isinstance(error, (NoSpace, Unavailable)) else None
    return str(error) if cause is None else f"{error} ({cause})"
