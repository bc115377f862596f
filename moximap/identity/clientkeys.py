"""Clients' keys: what a certificate that somebody brings holds, and new keys with all that clients want."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Union

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey, generate_private_key)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption, Encoding, KeySerializationEncryption, NoEncryption, PrivateFormat, pkcs12)
from cryptography.x509.oid import NameOID

from moximap.net.fingerprint import fingerprint
from moximap.store.keys import KeyRecord

#: Nobody looks at the dates of a client's certificate here; elsewhere they should not be in the way.
LIFETIME: Final = timedelta(days=36500)
LEAST_RSA: Final = 2048
MAX_NAME: Final = 200

_CERTIFICATE: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_CURVES: Final = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384", "secp521r1": "ecdsa-p521"}

PrivateKey = Union[EllipticCurvePrivateKey, Ed25519PrivateKey]

#: The kinds of key that are made here.
KINDS: Final[dict[str, Callable[[], PrivateKey]]] = {
    "ecdsa-p256": lambda: generate_private_key(SECP256R1()), "ed25519": Ed25519PrivateKey.generate}


class BadKey(ValueError):
    """What was given is no certificate, or its key is none that can be used here; one line."""


def load(data: bytes) -> x509.Certificate:
    """The first certificate of a PEM file, whatever else is in it, or one in DER; BadKey."""
    found = _CERTIFICATE.search(data)
    try:
        if found is not None:
            return x509.load_pem_x509_certificate(found[0])
        if data[:1] == b"\x30":
            return x509.load_der_x509_certificate(data)
    except ValueError:
        raise BadKey("the certificate is broken") from None
    raise BadKey("there is no certificate (-----BEGIN CERTIFICATE-----)")


def kind(certificate: x509.Certificate) -> str:
    """The type of a certificate's key, such as "rsa-2048"; BadKey where it can't be used, or is weak."""
    try:
        key = certificate.public_key()
    except Exception as error:                   # several kinds, by the kind of key
        raise BadKey("the certificate's key is of a kind that is not known here") from error
    if isinstance(key, RSAPublicKey):
        if key.key_size < LEAST_RSA:
            raise BadKey(f"an RSA key of {key.key_size} bits is too weak: {LEAST_RSA} at least, or use ECDSA")
        return f"rsa-{key.key_size}"
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, Ed25519PublicKey):
        return "ed25519"
    if isinstance(key, Ed448PublicKey):
        return "ed448"
    raise BadKey("the certificate's key is of a kind that TLS clients do not log in with")


def clean_name(name: str) -> str:
    """The name of a key; BadKey."""
    name = name.strip()
    if not name or not name.isprintable() or len(name) > MAX_NAME:
        raise BadKey(f"the name of a key is 1 to {MAX_NAME} printable characters")
    return name


def default_name(certificate: x509.Certificate) -> str:
    """The common name, else the serial number."""
    try:
        name = str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        return clean_name(name)
    except (IndexError, ValueError):
        return f"serial {certificate.serial_number:x}"


def record(certificate: x509.Certificate, account: str, name: str | None, created: float, *,
           no_preauth: bool = False, read_only: bool = False, until: float | None = None) -> KeyRecord:
    """A certificate as the directory keeps it; BadKey.  Only its public key means anything."""
    der = certificate.public_bytes(Encoding.DER)
    return KeyRecord(fingerprint(der), account, clean_name(name) if name else default_name(certificate),
                     kind(certificate), der, created, no_preauth, read_only, until)


def new_certificate(key: PrivateKey, name: str) -> x509.Certificate:
    """A minimal certificate: TLS clients cannot show a key without one."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    start = datetime.now(UTC) - timedelta(days=1)       # for clients whose clock is slow
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(start).not_valid_after(start + LIFETIME))
    return builder.sign(key, None if isinstance(key, Ed25519PrivateKey) else SHA256())


@attrs.frozen
class Bundle:
    """A new key in all the forms that clients want; ``passphrase``: of the PKCS#12 forms."""

    certificate: x509.Certificate
    passphrase: str = attrs.field(repr=False)
    key_pem: bytes = attrs.field(repr=False)
    p12: bytes = attrs.field(repr=False)
    p12_legacy: bytes = attrs.field(repr=False)

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def make(type: str, name: str, passphrase: str | None = None) -> Bundle:
    """A new key of one of KINDS, called ``name``."""
    key = KINDS[type]()
    certificate = new_certificate(key, clean_name(name))
    passphrase = passphrase or "-".join(secrets.token_hex(2) for _ in range(4))
    return Bundle(certificate, passphrase,
                  key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
                  _p12(key, certificate, name, BestAvailableEncryption(passphrase.encode())),
                  _p12(key, certificate, name, _legacy(passphrase)))


def _p12(key: PrivateKey, certificate: x509.Certificate, name: str,
         encryption: KeySerializationEncryption) -> bytes:
    return pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, None, encryption)


def _legacy(passphrase: str) -> KeySerializationEncryption:
    """3DES and SHA-1: the only form that iOS up to 17, macOS's keychain and older Android take."""
    return (PrivateFormat.PKCS12.encryption_builder().kdf_rounds(50000)
            .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
            .hmac_hash(SHA1()).build(passphrase.encode()))
