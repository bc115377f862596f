"""How a command fails, with the response codes of RFC 5530 and RFC 9051 7.1.

The law of this file: an exception's class says whether the answer is NO, BAD or BYE, and store
failures are given their codes here and nowhere else.
"""

from __future__ import annotations

from moximap.store import errors as store


class Refusal(Exception):
    """A command's answer that is not OK: a status, a response code or None, and a text."""

    status = b"NO"

    def __init__(self, text: str, code: bytes | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class No(Refusal):
    """The command was understood and cannot be done."""


class Bad(Refusal):
    """The command is wrong."""

    status = b"BAD"


class TooBig(Bad):
    """A literal that no limit allows; the connection ends where its bytes may be on the way."""

    def __init__(self, text: str) -> None:
        super().__init__(text, b"TOOBIG")


class Bye(Exception):
    """The connection ends, with one untagged BYE."""

    def __init__(self, text: str, code: bytes | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


#: Response codes of store failures.  The first class that matches counts.
_CODES: tuple[tuple[type[store.StoreError], bytes | None], ...] = (
    (store.NoSuchMailbox, b"NONEXISTENT"),
    (store.NoSuchMessage, b"EXPUNGEISSUED"),
    (store.MailboxExists, b"ALREADYEXISTS"),
    (store.HasChildren, b"HASCHILDREN"),
    (store.Cannot, b"CANNOT"),
    (store.BadUse, b"USEATTR"),
    (store.OverQuota, b"OVERQUOTA"),
    (store.NoSpace, b"UNAVAILABLE"),
    (store.Unavailable, b"UNAVAILABLE"),
    (store.NoSuchAccount, b"UNAVAILABLE"),
)


def refusal(error: store.StoreError, codes: dict[type[store.StoreError], bytes] | None = None) -> No:
    """The NO for a store failure; ``codes`` has what a command answers otherwise, such as TRYCREATE."""
    for kind, code in ((store.MailboxRemoved, b"NONEXISTENT"), *(codes or {}).items(), *_CODES):
        if isinstance(error, kind):
            return No(str(error), code)
    return No(str(error), b"UNAVAILABLE")
