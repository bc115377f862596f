"""Which server a client takes for the right one, and how TLS says that it is not.

The names are compared here and not by Twisted's optionsForClientTLS: that takes a certificate without any
subjectAltName for everybody's (26.10, with service-identity 26.1).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import attrs
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (Certificate, CertificateOptions, PrivateCertificate, platformTrust,
                                  trustRootFromCertificates)
from twisted.python.failure import Failure
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
#: As it is, or all that `openssl x509 -fingerprint -sha256` prints.
_HEX: Final = re.compile(r"(?:sha256(?: Fingerprint=|:))?((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})", re.IGNORECASE)
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class NotTrusted(Exception):
    """The server has another certificate than it should; the text says in which way."""


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

    def options(self, host: str, key: bytes | None = None,
                protocol: bytes = b"imap") -> IOpenSSLClientConnectionCreator:
        """For one host; ``key``: PEM of our own, with its certificate; ``protocol``: for ALPN.  BadTrust."""
        own = _own(key) if key is not None else None
        try:
            return Judge(host, own, self, protocol)
        except UnicodeError as error:
            raise BadTrust(f"{host} is no name of a host") from error


@implementer(IPolicyForHTTPS)
@attrs.frozen
class WebTrust:
    """The same for servers of HTTPS, as twisted.web's Agent wants it."""

    trust: Trust

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        return self.trust.options(hostname.decode("ascii"), protocol=b"http/1.1")


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


def roots(pem: bytes) -> Any:
    """The certificates of a PEM as those to trust; BadTrust."""
    load: Any = Certificate.loadPEM
    try:
        found = [load(each) for each in _PEM.findall(pem)]
    except crypto.Error as error:
        raise BadTrust("one of the certificates to trust is broken") from error
    if not found:
        raise BadTrust("there is no certificate to trust in PEM")
    build: Any = trustRootFromCertificates
    return build(found)


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
class Judge:
    """Decides about one server's certificate; whatever goes wrong meanwhile, it is not taken."""

    def __init__(self, host: str, own: Any, trust: Trust, protocol: bytes) -> None:
        more = {"privateKey": own.privateKey.original, "certificate": own.original} if own else {}
        usual: Any = platformTrust
        trusted: Any = usual() if trust.roots is None else roots(trust.roots)
        options = CertificateOptions(acceptableProtocols=[protocol], trustRoot=trusted, **more)
        self._context = options.getContext()
        self._is_address = isIPAddress(host) or isIPv6Address(host)
        self._name = host if self._is_address else host.encode("idna").decode()
        self._wanted = None if trust.fingerprint is None else clean(trust.fingerprint)
        self._anything = trust.anything

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context)
        if not self._is_address:
            connection.set_tlsext_host_name(self._name.encode())

        def judge(_: SSL.Connection, certificate: crypto.X509, error: int, depth: int, right: int) -> bool:
            problem: Any
            try:
                return self._judge(certificate, depth, bool(right))
            except NotTrusted as told:
                problem = told
            except Exception as strange:
                problem = NotTrusted(f"the server's certificate cannot be read: {strange}")
            protocol.failVerification(Failure(problem))  # type: ignore[no-untyped-call]
            return False

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, judge)
        return connection

    def _judge(self, certificate: crypto.X509, depth: int, right: bool) -> bool:
        """``depth``: 0 is the server's own.  ``right``: it is, by the roots and the date; NotTrusted."""
        if self._anything:
            return True
        if self._wanted is not None:
            if depth or self._wanted in (found := fingerprints(certificate)):
                return True
            raise NotTrusted(f"the server's certificate has another fingerprint: {found[0]}")
        if right and not depth:
            identity = IPAddress_ID(self._name) if self._is_address else DNS_ID(self._name)
            try:
                verify_service_identity(extract_patterns(certificate), [identity], [])
            except VerificationError:
                raise NotTrusted("the server's certificate is for another name") from None
            except CertificateError:
                raise NotTrusted("the server's certificate has no name (subjectAltName)") from None
        return right


def tls_problem(error: BaseException | None) -> str:
    """Why TLS ended a connection, in words; empty where something else did."""
    if isinstance(error, NotTrusted):
        return str(error)
    if isinstance(error, SSL.Error):
        texts = [text for *_, text in error.args[0]] if error.args else []
        if "certificate verify failed" in texts:
            return "the server's certificate is by nobody who is trusted"
        return f"TLS failed: {', '.join(filter(None, texts)) or 'the connection ended'}"
    return ""
