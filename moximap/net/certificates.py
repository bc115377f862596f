"""Self-signed certificates: for the demo, and for a server that was given none."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1, EllipticCurvePrivateKey, generate_private_key)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.logger import Logger

#: Nobody renews it, and a client that trusts it trusts this one certificate, not its dates.
LIFETIME = timedelta(days=3650)

_log = Logger()


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _build(key: EllipticCurvePrivateKey, names: Sequence[str]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    start = datetime.now(UTC) - timedelta(days=1)       # for clients whose clock is slow
    builder = (x509.CertificateBuilder()
               .subject_name(subject).issuer_name(subject).public_key(key.public_key())
               .serial_number(x509.random_serial_number())
               .not_valid_before(start).not_valid_after(start + LIFETIME))
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)]
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, SHA256())


def self_signed(names: Sequence[str]) -> tuple[bytes, bytes]:
    """A new certificate for host names and addresses, and its key (ECDSA P-256), as PEM."""
    key = generate_private_key(SECP256R1())
    return (_build(key, names).public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, readable by its owner only."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        os.fsync(file.fileno())
    new.replace(path)


def ensure(directory: Path, names: Sequence[str]) -> tuple[Path, Path]:
    """The paths of a certificate and its key in ``directory``, made if they are not there; OSError.

    Several processes may ask at once: one of them makes them.
    """
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    if not certificate.exists():                        # it is written last
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not certificate.exists():
                _make(certificate, key, names)
    return certificate, key


def _make(certificate: Path, key: Path, names: Sequence[str]) -> None:
    certificate_pem, key_pem = self_signed(names)
    _write(key, key_pem)
    _write(certificate, certificate_pem)
    _log.info("made a self-signed certificate for {names}: {path}",
              names=", ".join(names), path=str(certificate))
