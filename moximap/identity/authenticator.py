"""Who is there: judges a login against the directory.  Every method blocks."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from time import time
from typing import Final
from unicodedata import normalize

import attrs

from moximap.identity.errors import AuthenticationFailed, LoginDisabled
from moximap.identity.passwords import CRAM_MD5, ITERATIONS, SALT_SIZE, SIZES, dummy_verifier, verify
from moximap.store.errors import NoSuchAccount
from moximap.store.interfaces import AccountRecord, IDirectory, Moment, Verifier
from moximap.store.keys import KeyRecord, NoSuchKey

#: Logins that are remembered; each takes about 1 KB.
CACHE_SIZE: Final = 4096
#: A name that no account can have.
NOBODY: Final = "//"


#: A login name as it was given, and an HMAC of the password that came with it.
_Credentials = tuple[str, bytes]


@attrs.define
class _Verified:
    """Logins that were right, each with the account as it was at a moment of the directory's.

    Keeps no password and nothing that stays valid: an HMAC under a key that this process forgets.
    An entry counts only while the account has the very same verifiers, so that a changed password
    ends it, whichever process changed it.
    """

    size: int
    _key: bytes = attrs.field(factory=lambda: secrets.token_bytes(32), repr=False)
    _entries: OrderedDict[_Credentials, tuple[AccountRecord, Moment]] = attrs.field(
        factory=OrderedDict, repr=False)
    _lock: Lock = attrs.field(factory=Lock, repr=False)

    def credentials(self, login: str, password: str) -> _Credentials:
        octets = password.encode("utf-8", "surrogatepass")
        return login, hmac.digest(self._key, octets, "sha256")

    def get(self, credentials: _Credentials) -> tuple[AccountRecord, Moment] | None:
        with self._lock:
            known = self._entries.get(credentials)
            if known is not None:
                self._entries.move_to_end(credentials)
            return known

    def renew(self, credentials: _Credentials, record: AccountRecord | None, moment: Moment) -> bool:
        """Whether they are still right for an account that was read again; if not they are forgotten."""
        with self._lock:
            known = self._entries.pop(credentials, None)
            if known is None or record is None or known[0].verifiers != record.verifiers:
                return False
            self._entries[credentials] = record, moment
            return True

    def add(self, credentials: _Credentials, record: AccountRecord, moment: Moment) -> None:
        with self._lock:
            self._entries[credentials] = record, moment
            self._entries.move_to_end(credentials)
            while len(self._entries) > self.size:
                self._entries.popitem(last=False)


#: An account's name, and the fingerprint of the key that it was entered by, if it was one.
Entry = tuple[str, "str | None"]


class Authenticator:
    """Judges logins.  Used by many threads at once.  ``clock``: Unix seconds, for keys that end."""

    def __init__(self, directory: IDirectory, cache_size: int = CACHE_SIZE,
                 clock: Callable[[], float] = time) -> None:
        self.directory = directory
        self.clock = clock
        self._verified = _Verified(cache_size)
        self._dummy = dummy_verifier()
        self._secret: bytes | None = None
        self._known = NOBODY

    # passwords

    def remembered(self, login: str, password: str) -> AccountRecord | None:
        """The same, without a hash, where this very password was right before; None: ask `password`.

        LoginDisabled.  The account is read again only where the directory has changed since; who can see
        by the time whether it was, knows the password.
        """
        credentials = self._verified.credentials(login, password)
        known = self._verified.get(credentials)
        if known is None:
            return None
        record: AccountRecord | None = known[0]
        moment = self.directory.moment()
        if moment != known[1]:
            record = self._lookup(login)
            if not self._verified.renew(credentials, record, moment):
                return None
        return None if record is None else enabled(record)

    def password(self, login: str, password: str) -> AccountRecord:
        """The account of that login name; AuthenticationFailed, LoginDisabled.

        An unknown name costs what a wrong password costs.  That logins are disabled is told only to
        those who know the password.
        """
        moment = self.directory.moment()
        record = self._evenly(login)
        credentials = self._verified.credentials(login, password)
        remembered = self._verified.renew(credentials, record, moment)
        if record is None or not remembered:
            if not verify(password, _strongest(record.verifiers if record else ()) or self._dummy):
                raise failure(record)
            assert record is not None            # no password fits the dummy
            self._verified.add(credentials, record, moment)
        return enabled(record)

    def verifier(self, login: str, mechanism: str) -> tuple[AccountRecord | None, Verifier]:
        """What SCRAM, or CRAM-MD5, checks a login against.

        Who is unknown, or has no password, looks like anybody.
        """
        record = self._evenly(login)
        fake = self._fake(login, mechanism)
        for verifier in record.verifiers if record else ():
            if verifier.mechanism == mechanism:
                return record, verifier
        return record, fake

    def _fake(self, login: str, mechanism: str) -> Verifier:
        """One that nobody can satisfy, and that is the same whenever and wherever it is asked for."""
        if self._secret is None:
            self._secret = self.directory.secret("fake salts")
        name = normalize("NFC", login).casefold().encode("utf-8", "surrogatepass")
        name = b"%b %b" % (mechanism.encode(), name)
        salt, stored, server = (hmac.digest(self._secret, use + name, "sha256")
                                for use in (b"salt ", b"stored ", b"server "))
        size = SIZES[mechanism]
        return Verifier(mechanism, salt[:SALT_SIZE], ITERATIONS, stored[:size], server[:size])

    # tokens

    def granted(self, login: str) -> AccountRecord:
        """The account that a token stands for, as somebody else has judged it."""
        record = self._lookup(login)
        if record is None:
            raise AuthenticationFailed("no such account", "baduser", told="this token is not good here")
        return enabled(record)

    # keys

    def external(self, fingerprint: str, authzid: str) -> tuple[AccountRecord, KeyRecord]:
        """The account of a key, which ``authzid`` may name; AuthenticationFailed, LoginDisabled."""
        found = self._key(fingerprint)
        if found is None:
            raise AuthenticationFailed("the key is nobody's", told="this certificate's key is not known here")
        key, record = found
        if key.expired(self.clock()):
            raise AuthenticationFailed("the key's end date has passed", account=record.name,
                                       told="the end date of this key has passed", code=b"EXPIRED")
        self.same_account(record, authzid)
        return enabled(record), key

    def greeted(self, fingerprint: str) -> tuple[AccountRecord, KeyRecord] | None:
        """Whom to greet with PREAUTH; None: the client may say who it is, and hears what is wrong."""
        found = self._key(fingerprint)
        if found is None or found[0].no_preauth or found[0].expired(self.clock()) \
                or found[1].disabled is not None:
            return None
        return found[1], found[0]

    def key_agrees(self, fingerprint: str, record: AccountRecord) -> None:
        """That a key which came with another mechanism is not another account's; AuthenticationFailed."""
        found = self._key(fingerprint)
        if found is not None and found[1].name != record.name:
            raise AuthenticationFailed("the client's key belongs to another account", account=record.name,
                                       told="the key of your certificate belongs to another account")

    def ended(self, entries: Iterable[Entry]) -> dict[Entry, str]:
        """Who of those who are logged in may not be any more, and why."""
        reasons = {entry: self._ended(*entry) for entry in entries}
        return {entry: reason for entry, reason in reasons.items() if reason is not None}

    def _ended(self, account: str, fingerprint: str | None) -> str | None:
        record = self._lookup(account)
        if record is None:
            return "the account was removed"
        if record.disabled is not None or fingerprint is None:
            return record.disabled
        found = self._key(fingerprint)
        if found is None or found[1].name != record.name:
            return "this key was revoked"
        return "the end date of this key has passed" if found[0].expired(self.clock()) else None

    def _key(self, fingerprint: str) -> tuple[KeyRecord, AccountRecord] | None:
        try:
            key = self.directory.keys.find(fingerprint)
            return key, self.directory.account(key.account)
        except (NoSuchKey, NoSuchAccount):
            return None

    # names

    def same_account(self, record: AccountRecord, authzid: str) -> None:
        """That ``authzid`` is empty or names this account, by any address; AuthenticationFailed."""
        if not authzid:
            return
        other = self._lookup(authzid)
        if other is None or other.name != record.name:
            raise AuthenticationFailed("the authorization identity is another account", account=record.name)

    def _evenly(self, login: str) -> AccountRecord | None:
        """The account of a name, if there is one.

        One look-up finds somebody and one does not, whoever is asked for: what a store needs for a name
        that it knows, and for one that it does not, can be told apart from outside in some hundred tries.
        """
        record = self._lookup(login)
        if record is None:
            self._lookup(self._known)
            return None
        self._known = record.name
        self._lookup(NOBODY)
        return record

    def _lookup(self, login: str) -> AccountRecord | None:
        try:
            return self.directory.account(normalize("NFC", login))
        except NoSuchAccount:
            return None


def failure(record: AccountRecord | None) -> AuthenticationFailed:
    """A wrong password, or no such account: for logs two things, for the client one."""
    if record is None:
        return AuthenticationFailed("no such account", "baduser")
    return AuthenticationFailed("wrong password", "badpassword", record.name)


def _strongest(verifiers: Sequence[Verifier]) -> Verifier | None:
    """SHA-1's is there for clients that speak nothing else; to check a password it is not needed."""
    by_name = {verifier.mechanism: verifier for verifier in verifiers if verifier.mechanism != CRAM_MD5}
    return by_name.get("SCRAM-SHA-256") or next(iter(by_name.values()), None)


def enabled(record: AccountRecord) -> AccountRecord:
    """The same account, if it may log in; LoginDisabled."""
    if record.disabled is not None:
        raise LoginDisabled(record.disabled, record.name)
    return record


__all__ = ["AuthenticationFailed", "Authenticator", "Entry", "LoginDisabled"]
