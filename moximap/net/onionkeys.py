"""The key of a v3 onion service, and the address that follows from it (Tor's rend-spec-v3, section 6).

Kept in tor's own form, so that an address may be brought from another program, or taken there.
"""

from __future__ import annotations

import fcntl
import os
from base64 import b32decode, b32encode, b64encode
from hashlib import sha3_256, sha512
from pathlib import Path
from typing import Final

import attrs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from moximap.net.onionplace import BadOnion, Place

SECRET: Final = "hs_ed25519_secret_key"
PUBLIC: Final = "hs_ed25519_public_key"
_SECRET_HEAD: Final = b"== ed25519v1-secret: type0 ==\0\0\0"
_PUBLIC_HEAD: Final = b"== ed25519v1-public: type0 ==\0\0\0"
_VERSION: Final = b"\x03"


@attrs.frozen
class OnionKey:
    """``secret``: 64 octets, the key as it is used, not the seed that it was made from."""

    secret: bytes = attrs.field(repr=False)
    public: bytes

    @property
    def service_id(self) -> str:
        """The address without `.onion`: 56 characters."""
        return service_id(self.public)

    @property
    def address(self) -> str:
        return f"{self.service_id}.onion"

    @property
    def blob(self) -> str:
        """For ADD_ONION."""
        return "ED25519-V3:" + b64encode(self.secret).decode()


def _checksum(public: bytes) -> bytes:
    return sha3_256(b".onion checksum" + public + _VERSION).digest()[:2]


def service_id(public: bytes) -> str:
    return b32encode(public + _checksum(public) + _VERSION).decode().lower()


def is_address(text: str) -> bool:
    """Whether that is a v3 address, with a right checksum."""
    name = text.lower().removesuffix(".onion")
    try:
        octets = b32decode(name.upper())
    except ValueError:
        return False
    return len(octets) == 35 and octets[34:] == _VERSION and octets[32:34] == _checksum(octets[:32])


def new_key() -> OnionKey:
    key = Ed25519PrivateKey.generate()
    seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    expanded = bytearray(sha512(seed).digest())         # RFC 8032 5.1.5
    expanded[0] &= 248
    expanded[31] = expanded[31] & 63 | 64
    return OnionKey(bytes(expanded), key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def _read(path: Path, head: bytes, size: int) -> bytes:
    octets = path.read_bytes()
    if not octets.startswith(head) or len(octets) != len(head) + size:
        raise BadOnion(f"{path}: not a key of a v3 onion service")
    return octets[len(head):]


def write(path: Path, octets: bytes) -> None:
    """Whole or not at all, readable by us only, and on the disk; OSError."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)


def load(place: Place) -> OnionKey | None:
    """The key that is there; BadOnion, OSError."""
    try:
        secret = _read(place.service / SECRET, _SECRET_HEAD, 64)
    except FileNotFoundError:
        return None
    try:
        return OnionKey(secret, _read(place.service / PUBLIC, _PUBLIC_HEAD, 32))
    except FileNotFoundError:
        raise BadOnion(f"{place.service / PUBLIC} is missing beside {SECRET}") from None


def ensure(place: Place) -> OnionKey:
    """The key, made where there is none; BadOnion, OSError."""
    place.make()
    with (place.root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)                 # several processes may start together
        return load(place) or _make(place)


def _make(place: Place) -> OnionKey:
    key = new_key()
    # The public half first: the secret one is what says that there is a key.
    write(place.service / PUBLIC, _PUBLIC_HEAD + key.public)
    write(place.service / "hostname", key.address.encode() + b"\n")
    write(place.service / SECRET, _SECRET_HEAD + key.secret)
    return key
