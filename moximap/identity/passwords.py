"""Passwords: prepared by PRECIS (RFC 8265), kept only as SCRAM verifiers (RFC 5802, RFC 7677)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import cache
from typing import Any, Final

from precis_i18n import get_profile

from moximap.identity.md5 import contexts
from moximap.store.interfaces import Verifier

HASHES: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}
CRAM_MD5: Final = "CRAM-MD5"
#: Octets of what is kept for each mechanism.
SIZES: Final = {name: hashlib.new(digest).digest_size for name, digest in HASHES.items()} | {CRAM_MD5: 16}

#: RFC 7677 asks for at least 4096.  20,000 take 4 ms here, outside of Python's lock, and only the
#: first login of a client in a process pays them (see the authenticator's cache); a phone that
#: speaks SCRAM needs them at every login, which is why it is not ten times as many.
ITERATIONS: Final = 20_000
SALT_SIZE: Final = 16


class PasswordRefused(ValueError):
    """This text cannot be a password; the text of the exception says why, without showing it."""


@cache
def _opaque_string() -> Any:
    return get_profile("OpaqueString")          # builds tables: once, not per password


def prepare(password: str) -> bytes:
    """The octets of a password, equal for all ways to type it (RFC 8265 4.2); PasswordRefused."""
    if not password:
        raise PasswordRefused("a password must not be empty")
    try:
        prepared: str = _opaque_string().enforce(password)
        return prepared.encode()
    except UnicodeError as error:
        # The message names the rule, such as "DISALLOWED/controls", and never the password.
        reason = getattr(error, "reason", "")
        raise PasswordRefused(f"a password must not have such a character ({reason})") from None


def _hmac(key: bytes, text: bytes, digest: str) -> bytes:
    return hmac.digest(key, text, digest)


def _make(mechanism: str, octets: bytes, salt: bytes, iterations: int) -> Verifier:
    digest = HASHES[mechanism]
    salted = hashlib.pbkdf2_hmac(digest, octets, salt, iterations)
    stored = hashlib.new(digest, _hmac(salted, b"Client Key", digest)).digest()
    return Verifier(mechanism, salt, iterations, stored, _hmac(salted, b"Server Key", digest))


def make_verifiers(password: str, iterations: int = ITERATIONS) -> tuple[Verifier, ...]:
    """What is kept of a new password, the strongest first; PasswordRefused."""
    octets = prepare(password)
    return tuple(_make(mechanism, octets, secrets.token_bytes(SALT_SIZE), iterations)
                 for mechanism in HASHES)


def cram_md5_verifier(password: str) -> Verifier:
    """What CRAM-MD5 needs of a password, the states of HMAC-MD5 under it; PasswordRefused.

    Whoever has it logs in by CRAM-MD5, and can try passwords fast: made for those only who ask for it.
    """
    return Verifier(CRAM_MD5, b"", 0, *contexts(prepare(password)))


def verify(password: str, verifier: Verifier) -> bool:
    """Whether it is that password.  Takes as long for a wrong one; blocks for some milliseconds."""
    try:
        octets = prepare(password)
    except PasswordRefused:
        return False
    made = _make(verifier.mechanism, octets, verifier.salt, verifier.iterations)
    return hmac.compare_digest(made.stored_key, verifier.stored_key)


def dummy_verifier() -> Verifier:
    """One that no password fits, and that costs what a real one costs."""
    token = secrets.token_bytes
    return Verifier("SCRAM-SHA-256", token(SALT_SIZE), ITERATIONS, token(32), token(32))
