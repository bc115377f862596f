"""Who is there: judges a login against the directory.  Every method blocks."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Final
from unicodedata import normalize

import attrs

from moximap.identity.errors import AuthenticationFailed, LoginDisabled
from moximap.identity.passwords import dummy_verifier, verify
from moximap.store.errors import NoSuchAccount
from moximap.store.interfaces import AccountRecord, IDirectory, Verifier

#: Logins that are remembered; each takes about 300 octets.
CACHE_SIZE: Final = 4096


@attrs.define
class _Verified:
    """Logins that were right, each with the verifiers that it was checked against.

    Keeps no password and nothing that stays valid: an HMAC under a key that this process forgets.
    An entry counts only while the account has the very same verifiers, so that a changed password
    ends it, whichever process changed it.
    """

    size: int
    _key: bytes = attrs.field(factory=lambda: secrets.token_bytes(32), repr=False)
    _entries: OrderedDict[tuple[str, bytes], tuple[Verifier, ...]] = attrs.field(
        factory=OrderedDict, repr=False)
    _lock: Lock = attrs.field(factory=Lock, repr=False)

    def _name(self, account: str, password: str) -> tuple[str, bytes]:
        octets = password.encode("utf-8", "surrogatepass")
        return account, hmac.digest(self._key, octets, "sha256")

    def has(self, record: AccountRecord, password: str) -> bool:
        name = self._name(record.name, password)
        with self._lock:
            known = self._entries.get(name)
            if known is None:
                return False
            if known != record.verifiers:
                del self._entries[name]
                return False
            self._entries.move_to_end(name)
            return True

    def add(self, record: AccountRecord, password: str) -> None:
        name = self._name(record.name, password)
        with self._lock:
            self._entries[name] = record.verifiers
            self._entries.move_to_end(name)
            while len(self._entries) > self.size:
                self._entries.popitem(last=False)


class Authenticator:
    """Judges logins.  Used by many threads at once."""

    def __init__(self, directory: IDirectory, cache_size: int = CACHE_SIZE) -> None:
        self.directory = directory
        self._verified = _Verified(cache_size)
        self._dummy = dummy_verifier()

    def password(self, login: str, password: str) -> AccountRecord:
        """The account of that login name; AuthenticationFailed, LoginDisabled.

        An unknown name costs what a wrong password costs.  That logins are disabled is told only to
        those who know the password.
        """
        record = self._lookup(login)
        if record is None or not self._verified.has(record, password):
            if not verify(password, _strongest(record.verifiers if record else ()) or self._dummy):
                raise AuthenticationFailed("wrong password" if record else "no such account")
            assert record is not None            # no password fits the dummy
            self._verified.add(record, password)
        return _enabled(record)

    def same_account(self, record: AccountRecord, authzid: str) -> None:
        """That ``authzid`` is empty or names this account, by any address; AuthenticationFailed."""
        if not authzid:
            return
        other = self._lookup(authzid)
        if other is None or other.name != record.name:
            raise AuthenticationFailed("the authorization identity is another account")

    def _lookup(self, login: str) -> AccountRecord | None:
        try:
            return self.directory.account(normalize("NFC", login))
        except NoSuchAccount:
            return None


def _strongest(verifiers: Sequence[Verifier]) -> Verifier | None:
    """SHA-1's is there for clients that speak nothing else; to check a password it is not needed."""
    for verifier in verifiers:
        if verifier.mechanism == "SCRAM-SHA-256":
            return verifier
    return verifiers[0] if verifiers else None


def _enabled(record: AccountRecord) -> AccountRecord:
    if record.disabled is not None:
        raise LoginDisabled(record.disabled)
    return record


__all__ = ["AuthenticationFailed", "Authenticator", "LoginDisabled"]
