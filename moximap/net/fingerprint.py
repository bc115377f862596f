"""What names a client: the fingerprint of its certificate's public key."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256


def fingerprint(certificate: bytes) -> str:
    """The fingerprint of the key in a certificate's DER."""
    return urlsafe_b64encode(sha256(public_key_info(certificate)).digest()).decode().rstrip("=")


def public_key_info(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate's DER, as it stands there (RFC 5280 4.1).

    Sliced, not parsed and written again: a key of a kind that no library knows, in a certificate
    that a strict reader refuses, has a fingerprint all the same.  OpenSSL has read it before us.
    """
    place = _element(certificate, 0)[0]                    # into Certificate
    place = _element(certificate, place)[0]                # into TBSCertificate
    for _ in range(5 + (certificate[place] == 0xA0)):      # [version,] serialNumber ... subject
        place = _element(certificate, place)[1]
    return certificate[place:_element(certificate, place)[1]]


def _element(der: bytes, place: int) -> tuple[int, int]:
    """Where the contents of the DER element at ``place`` start, and where it ends."""
    length, start = der[place + 1], place + 2
    if length & 0x80:
        octets = length & 0x7F
        length = int.from_bytes(der[start:start + octets], "big")
        start += octets
    return start, start + length
