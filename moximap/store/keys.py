"""What the directory keeps of clients' public keys: a record each, and the interface to them."""

from __future__ import annotations

import attrs
from zope.interface import Interface

from moximap.store.errors import StoreError


class NoSuchKey(StoreError):
    """There is no key of that fingerprint."""


class KeyExists(StoreError):
    """The key is somebody's already: a key belongs to one account."""


@attrs.frozen
class KeyRecord:
    """A public key that logs in to an account.

    ``fingerprint``: raw-url-base64 of SHA-256 over the SubjectPublicKeyInfo, 43 characters.
    ``certificate``: DER.  ``type``: such as "ecdsa-p256".  Times in Unix seconds; from ``until`` on the
    key is refused; ``used``: last login.
    """

    fingerprint: str
    account: str
    name: str
    type: str
    certificate: bytes = attrs.field(repr=False)
    created: float = 0.0
    no_preauth: bool = False
    read_only: bool = False
    until: float | None = None
    used: float | None = None

    def expired(self, now: float) -> bool:
        return self.until is not None and now >= self.until


class IKeys(Interface):
    """The keys of all accounts."""

    def add(key: KeyRecord) -> KeyRecord:
        """Add a key to ``key.account`` (a name or an address); KeyExists, NoSuchAccount."""

    def of(account: str | None = None) -> tuple[KeyRecord, ...]:
        """Keys of an account by name, or of all accounts; NoSuchAccount."""

    def find(fingerprint: str) -> KeyRecord:
        """One key; NoSuchKey."""

    def remove(fingerprint: str) -> KeyRecord:
        """Remove a key, and give what it was; NoSuchKey."""


__all__ = ["IKeys", "KeyExists", "KeyRecord", "NoSuchKey"]
