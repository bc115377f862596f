"""Who may find the onion service: client authorization of v3 services (Tor's rend-spec-v3, section G).

A file for each client, as tor has them.  A file that cannot be read keeps the service from being
published: without any it would be open to everybody.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from pathlib import Path
from typing import Final

import attrs
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from moximap.net.onionkeys import write
from moximap.net.onionplace import BadOnion, Place

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SUFFIX: Final = ".auth"


@attrs.frozen
class OnionClient:
    """``public``: base32 without padding, as tor writes it."""

    name: str
    public: str


def _base32(octets: bytes) -> str:
    return b32encode(octets).decode().rstrip("=")


def checked(public: str) -> str:
    """A public key as it is kept; also with `descriptor:x25519:` before it, as tor prints it.  BadOnion."""
    text = public.strip().removeprefix("descriptor:x25519:").upper().rstrip("=")
    try:
        if len(b32decode(text + "=" * (-len(text) % 8))) == 32:
            return text
    except ValueError:
        pass
    raise BadOnion("not an x25519 public key in base32")


def new_pair() -> tuple[str, str]:
    """A private key and its public one, in base32."""
    key = X25519PrivateKey.generate()
    private = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return _base32(private), _base32(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def _path(place: Place, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise BadOnion(f"{name!r} is no name for a client: letters, digits, - and _, 64 at most")
    return place.clients / (name + _SUFFIX)


def add(place: Place, name: str, public: str) -> None:
    """Let a client find the service; BadOnion, OSError."""
    path = _path(place, name)
    if path.exists():
        raise BadOnion(f"there is a client {name} already")
    for known in clients(place):
        if known.public == public:
            raise BadOnion(f"this is the key of {known.name}")
    write(path, f"descriptor:x25519:{public}\n".encode())


def remove(place: Place, name: str, to_everybody: bool = False) -> None:
    """Take a client away; BadOnion, also for the last one unless the service may be everybody's."""
    path = _path(place, name)
    if not path.exists():
        raise BadOnion(f"there is no client {name}")
    if len(clients(place)) == 1 and not to_everybody:
        raise BadOnion(f"{name} is the last client: without one, everybody who has the address may connect")
    path.unlink()


def clients(place: Place) -> tuple[OnionClient, ...]:
    """All clients by name, none where the service is everybody's; BadOnion, OSError."""
    if not place.clients.is_dir():
        return ()
    return tuple(_read(path) for path in sorted(place.clients.iterdir()) if path.suffix == _SUFFIX)


def _read(path: Path) -> OnionClient:
    try:
        return OnionClient(path.stem, checked(path.read_text("ascii")))
    except (BadOnion, UnicodeDecodeError):
        raise BadOnion(f"{path}: not a line descriptor:x25519:KEY") from None


def private_line(service_id: str, private: str) -> str:
    """The file NAME.auth_private in the directory that a client's torrc names by ClientOnionAuthDir."""
    return f"{service_id}:descriptor:x25519:{private}"
