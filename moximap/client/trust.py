"""Which server a client takes for the right one, and how TLS says that it is not."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import attrs
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL, crypto
from service_identity import VerificationError
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (Certificate, CertificateOptions, PrivateCertificate, optionsForClientTLS,
                                  trustRootFromCertificates)
from twisted.python.failure import Failure
from zope.interface import implementer

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
#: As it is, or all that `openssl x509 -fingerprint -sha256` prints.
_HEX: Final = re.compile(r"(?:sha256(?: Fingerprint=|:))?((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})", re.IGNORECASE)
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class NotTrusted(Exception):
    """The server has another certificate than it should; the text has its fingerprint."""


class BadTrust(ValueError):
    """What a certificate should be compared with is none; the text says why."""


@attrs.frozen
class Trust:
    """What a server's certificate must be: by default, one for its name by whom the system trusts.

    ``roots``: PEM certificates that are trusted in place of the system's; the name counts.
    ``fingerprint``: in hex SHA-256 of the certificate, as openssl prints it, or the 43 characters for
    the key in it, as `moximap key` prints them; neither name nor issuer count.  ``anything``: whatever
    it is, also that of somebody on the way.
    """

    roots: bytes | None = None
    fingerprint: str | None = None
    anything: bool = False

    def options(self, host: str, key: bytes | None = None) -> IOpenSSLClientConnectionCreator:
        """For one host; ``key``: PEM of our own key and its certificate.  BadTrust."""
        own = _own(key) if key is not None else None
        if self.anything or self.fingerprint is not None:
            return Pinned(host, own, None if self.fingerprint is None else clean(self.fingerprint))
        return optionsForClientTLS(host, trustRoot=None if self.roots is None else _roots(self.roots),
                                   clientCertificate=own, acceptableProtocols=[b"imap"])


def read(path: Path) -> bytes:
    """A file of PEM; BadTrust."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadTrust(f"{path}: {error.strerror}") from error


def _own(pem: bytes) -> Any:
    load: Any = PrivateCertificate.loadPEM
    try:
        return load(pem)
    except (crypto.Error, ValueError, IndexError) as error:
        raise BadTrust("a client key is a PEM file with a private key and its certificate") from error


def _roots(pem: bytes) -> Any:
    load: Any = Certificate.loadPEM
    try:
        found = [load(each) for each in _PEM.findall(pem)]
    except crypto.Error as error:
        raise BadTrust("one of the certificates to trust is broken") from error
    if not found:
        raise BadTrust("there is no certificate to trust in PEM")
    roots: Any = trustRootFromCertificates
    return roots(found)


def clean(fingerprint: str) -> str:
    """A fingerprint in its one form; BadTrust."""
    found = _HEX.fullmatch(fingerprint.strip())
    if found is not None:
        return found[1].replace(":", "").lower()
    if _KEY.fullmatch(fingerprint):
        return fingerprint
    raise BadTrust("a fingerprint is SHA-256 in 64 hex digits, or the 43 characters of a key")


def fingerprints(certificate: crypto.X509) -> tuple[str, str]:
    """Those by which a certificate can be named: of itself, and of the key in it."""
    own = sha256(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)).hexdigest()
    key = certificate.to_cryptography().public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return own, urlsafe_b64encode(sha256(key).digest()).decode().rstrip("=")


@implementer(IOpenSSLClientConnectionCreator)
class Pinned:
    """Takes the certificate that has a fingerprint, or any; what it says counts for nothing."""

    def __init__(self, host: str, own: Any, wanted: str | None) -> None:
        more = {"privateKey": own.privateKey.original, "certificate": own.original} if own else {}
        self._context = CertificateOptions(acceptableProtocols=[b"imap"], **more).getContext()
        self._name = None if isIPAddress(host) or isIPv6Address(host) else host.encode("idna")
        self._wanted = wanted

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context)
        if self._name is not None:
            connection.set_tlsext_host_name(self._name)
        connection.set_verify(SSL.VERIFY_PEER, self._judge(protocol))
        return connection

    def _judge(self, protocol: Any) -> Callable[..., bool]:
        def judge(_: SSL.Connection, certificate: crypto.X509, error: int, depth: int, right: int) -> bool:
            if depth or self._wanted is None or self._wanted in (found := fingerprints(certificate)):
                return True
            problem: Any = NotTrusted(f"the server's certificate has another fingerprint: {found[0]}")
            protocol.failVerification(Failure(problem))  # type: ignore[no-untyped-call]
            return False

        return judge


def tls_problem(error: BaseException | None) -> str:
    """Why TLS ended a connection, in words; empty where something else did."""
    if isinstance(error, NotTrusted):
        return str(error)
    if isinstance(error, VerificationError):
        return "the server's certificate is for another name"
    if isinstance(error, SSL.Error):
        texts = [text for *_, text in error.args[0]] if error.args else []
        if "certificate verify failed" in texts:
            return "the server's certificate is by nobody who is trusted"
        return f"TLS failed: {', '.join(filter(None, texts)) or 'the connection ended'}"
    return ""
