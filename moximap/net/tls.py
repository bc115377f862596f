"""TLS of the listeners: our certificate from PEM files, and the key of whoever connects.

Every client is asked for a certificate, none has to have one, and nothing about it is judged but
that the client holds its key, which the handshake proves: expiry, names, issuer and signature mean
nothing here.  Sessions are never resumed, since a resumed one does not show its certificate again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final

import attrs
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions
from twisted.logger import Logger
from zope.interface import implementer

from moximap.net.fingerprint import fingerprint

#: Seconds for which files that were looked at are taken to be as they were.
RECHECK: Final = 1.0

_CERTIFICATE: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_log = Logger()


class BadCertificate(Exception):
    """The certificate or key files cannot be used; the text says which and why."""


def _accept_any(*_: object) -> bool:
    return True


def _select_alpn(offered: Sequence[bytes]) -> Callable[[Any, Sequence[bytes]], Any]:
    def select(_: SSL.Connection, wanted: Sequence[bytes]) -> Any:
        # A client that names only others still speaks IMAP on this port: no reason to send it away.
        return next((name for name in offered if name in wanted), SSL.NO_OVERLAPPING_PROTOCOLS)

    return select


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadCertificate(f"{path}: {error.strerror}") from error


def _load_key(path: Path) -> crypto.PKey:
    try:
        # An empty passphrase: OpenSSL would ask for one on the terminal.
        return crypto.load_privatekey(crypto.FILETYPE_PEM, _read(path), b"")
    except crypto.Error as error:
        raise BadCertificate(f"{path}: no private key in PEM without a passphrase") from error


def _load_chain(path: Path) -> list[crypto.X509]:
    try:
        chain = [crypto.load_certificate(crypto.FILETYPE_PEM, pem)
                 for pem in _CERTIFICATE.findall(_read(path))]
    except crypto.Error as error:
        raise BadCertificate(f"{path}: a certificate in it is broken") from error
    if not chain:
        raise BadCertificate(f"{path}: no certificate in PEM")
    return chain


def make_context(certificate: Path, key: Path, alpn: Sequence[bytes] = (b"imap",)) -> SSL.Context:
    """A context from a chain, our certificate first, and its key; BadCertificate.

    Twisted's options bring TLS 1.2 and up, its choice of ciphers, and neither tickets nor sessions.
    """
    chain = _load_chain(certificate)
    options = CertificateOptions(privateKey=_load_key(key), certificate=chain[0],
                                 extraCertChain=chain[1:])
    try:
        context = options.getContext()
    except SSL.Error as error:
        raise BadCertificate(f"{certificate} and {key} do not belong together") from error
    # A client could change its certificate by renegotiating, after it was looked at.
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    context.set_verify(SSL.VERIFY_PEER, _accept_any)
    context.set_alpn_select_callback(_select_alpn(alpn))
    return context


def _mark(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is written or replaced; None while it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


@implementer(IOpenSSLServerConnectionCreator)
@attrs.define(eq=False)
class ServerTLS:
    """The server's end of TLS, for TLSMemoryBIOFactory and startTLS.  Raises BadCertificate when made.

    A new connection looks, at most once a second, whether the files have changed.  That, and reading
    them when they have, happens in the reactor thread: two stats that the kernel answers from
    memory, and twice a year a few kilobytes.  Files that cannot be used leave the old ones in force.
    """

    certificate: Path
    key: Path
    clock: Callable[[], float] = monotonic
    _context: SSL.Context = attrs.field(init=False)
    _marks: object = attrs.field(init=False)
    _checked: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # The marks first: what is written while we read is then seen as a change.
        self._marks = self._look()
        self._context = make_context(self.certificate, self.key)

    def _look(self) -> object:
        self._checked = self.clock()
        return _mark(self.certificate), _mark(self.key)

    def _refresh(self) -> None:
        if self.clock() - self._checked < RECHECK:
            return
        marks = self._look()
        if marks == self._marks:
            return
        self._marks = marks
        try:
            self._context = make_context(self.certificate, self.key)
        except BadCertificate as error:
            _log.error("the new certificate is not used, the old one still is: {error}", error=error)
        else:
            _log.info("using the new certificate in {path}", path=str(self.certificate))

    def serverConnectionForTLS(self, protocol: object) -> SSL.Connection:
        """Called by Twisted for each connection that starts TLS."""
        self._refresh()
        return SSL.Connection(self._context)


@implementer(IOpenSSLServerConnectionCreator)
@attrs.frozen(eq=False)
class Keyless:
    """The same TLS, in which no client is asked for a certificate."""

    usual: IOpenSSLServerConnectionCreator

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        connection = self.usual.serverConnectionForTLS(protocol)
        connection.set_verify(SSL.VERIFY_NONE)
        return connection


def peer_key(transport: object) -> str | None:
    """The fingerprint of the client's key, None without TLS or without a certificate.

    Raw-url-base64 without padding of SHA-256 over the SubjectPublicKeyInfo's DER.  To be believed
    from ``handshakeCompleted`` on: only then has the client proved that the key is its own.
    """
    get: Callable[[], crypto.X509 | None] | None = getattr(transport, "getPeerCertificate", None)
    certificate = get() if get is not None else None
    if certificate is None:
        return None
    return fingerprint(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))
