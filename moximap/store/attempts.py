"""Login attempts: a record, and the interface to those of the last 30 days."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import attrs
from zope.interface import Interface

#: Seconds for which attempts are kept after their last repetition.
KEPT: Final = 30 * 86400.0
#: Failed ones of an account, or of nobody's, that are kept at most.
MOST_FAILED: Final = 10_000


@attrs.frozen
class Attempt:
    """One login attempt: who, from where, how, and what became of it.

    ``account``: its name, "-" where nobody knows.  ``login``: the name that the client gave.  ``tls``: its
    version, cipher and so on, empty without.  ``key``: fingerprint of the client's key.  ``result``: ok,
    baduser, badpassword, badcreds, badchanbind, badprotocol, logindisabled, error or aborted.
    """

    account: str
    login: str
    remote: str
    local: str
    tls: str
    key: str
    protocol: str
    agent: str
    mechanism: str
    result: str

    def id(self) -> bytes:
        """The same for attempts that are alike, also after a field was added that is empty in both."""
        fields = [f"{name}={value!r}" for name, value in attrs.asdict(self).items() if value]
        return sha256("\0".join(fields).encode("utf-8", "backslashreplace")).digest()


@attrs.frozen
class Attempts:
    """Attempts that are alike: how many, and when (Unix seconds)."""

    attempt: Attempt
    count: int
    first: float
    last: float


class IAttempts(Interface):
    """What was tried in the last 30 days, kept apart from everything that must be durable."""

    def record(batch: Sequence[Attempts]) -> list[int]:
        """Add attempts to those that are alike; gives how many there are now of each.

        A key whose login was ok is marked as used.  What is too old, or too much, goes.
        """

    def of(account: str | None = None, most: int | None = None) -> tuple[Attempts, ...]:
        """Attempts of an account by its name, or of everybody, the latest first."""

    def clean(now: float) -> int:
        """Forget what is too old; how many records went."""


__all__ = ["KEPT", "MOST_FAILED", "Attempt", "Attempts", "IAttempts"]
