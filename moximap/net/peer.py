"""Who is at the other end of a connection, and by which channel: addresses, TLS, channel bindings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import SSL
from twisted.internet.address import UNIXAddress

from moximap.net.listeners import show_address
from moximap.net.onionconnection import OnionAddress


def _host(address: object) -> str:
    """The IP address alone; of others, such as sockets in the file system, what there is."""
    host = getattr(address, "host", None)
    if isinstance(address, UNIXAddress) and not address.name:
        return "-"
    return host if isinstance(host, str) else show_address(address) or "-"  # type: ignore[arg-type]


class Peer:
    """``remote`` and ``local``: IP addresses, or for an onion service its name and `onion`, with a circuit.

    What TLS says is to be asked once its handshake is done.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        peer = transport.getPeer()
        self.remote = _host(peer)
        self.local = _host(transport.getHost())
        self.onion = isinstance(peer, OnionAddress)

    def _connection(self) -> SSL.Connection | None:
        handle: Callable[[], object] | None = getattr(self._transport, "getHandle", None)
        try:
            found = handle() if handle is not None else None
        except AttributeError:                     # a TCP connection that is lost has no socket any more
            return None
        return found if isinstance(found, SSL.Connection) else None

    def tls(self) -> str:
        """Version, cipher, and what the client asked for: "TLSv1.3 TLS_AES_128_GCM_SHA256 sni=a.org"."""
        connection = self._connection()
        if connection is None:
            return ""
        words = [connection.get_protocol_version_name(), connection.get_cipher_name() or ""]
        for name, octets in (("sni", connection.get_servername()),
                             ("alpn", connection.get_alpn_proto_negotiated())):
            if octets:
                words.append(f"{name}={octets.decode('ascii', 'backslashreplace')[:255]}")
        return " ".join(words)

    def binds(self) -> bool:
        """Whether this channel can be bound to."""
        return self._connection() is not None

    def binding(self, name: str) -> bytes | None:
        """Channel binding data (RFC 5929, RFC 9266); None for a type that this channel has not."""
        connection, make = self._connection(), _BINDINGS.get(name)
        return make(connection) if connection is not None and make is not None else None


def _is_13(connection: SSL.Connection) -> bool:
    return connection.get_protocol_version_name() == "TLSv1.3"


def _exporter(connection: SSL.Connection) -> bytes | None:
    """RFC 9266.  In TLS 1.2 it is safe only with an extension of which nobody tells us."""
    if not _is_13(connection):
        return None
    return connection.export_keying_material(b"EXPORTER-Channel-Binding", 32)


def _unique(connection: SSL.Connection) -> bytes | None:
    """RFC 5929 section 3: the first Finished, which is the client's, since nothing is ever resumed here.

    TLS 1.3 has no such thing.
    """
    return None if _is_13(connection) else connection.get_peer_finished()


def _server_end_point(connection: SSL.Connection) -> bytes | None:
    """RFC 5929 section 4: the hash of our certificate, by the hash of its signature, SHA-256 at least."""
    own = connection.get_certificate()
    if own is None:
        return None
    certificate = own.to_cryptography()
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None:                          # Ed25519: the RFC leaves it open
        return None
    strong = SHA256() if algorithm.name in ("md5", "sha1") else algorithm
    return certificate.fingerprint(strong)


_BINDINGS: dict[str, Callable[[SSL.Connection], bytes | None]] = {
    "tls-exporter": _exporter, "tls-unique": _unique, "tls-server-end-point": _server_end_point}
