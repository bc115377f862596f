"""From an endpoint to a client that the server has greeted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from moximap.client.client import Client
from moximap.client.protocol import Connection, ConnectionEnded
from moximap.net.trust import Trust, read

#: Seconds for the connection and its greeting.
PATIENCE = 60.0


class TlsMissing(Exception):
    """The server does not offer STARTTLS, or has let us in before it."""


class Unreachable(ConnectionEnded):
    """There never was a connection."""


def tls_endpoint(reactor: Any, host: str, port: int = 993, *, key: Path | None = None,
                 trust: Path | None = None, lookup: str | None = None) -> IStreamClientEndpoint:
    """TLS to a host whose certificate must be for its name; BadTrust.

    ``key``: a PEM file with our own key and its certificate, if we have one.  ``trust``: a PEM file with
    the server's certificate or its issuer's, in place of those that the system trusts.  ``lookup``: where
    to connect, if that is not the name in the certificate.
    """
    options = Trust(None if trust is None else read(trust)).options(host, None if key is None else read(key))
    return wrapped(options, HostnameEndpoint(reactor, lookup or host, port))


def wrapped(options: IOpenSSLClientConnectionCreator, plain: IStreamClientEndpoint) -> IStreamClientEndpoint:
    """TLS over another endpoint."""
    endpoint: IStreamClientEndpoint = wrapClientTLS(options, plain)
    return endpoint


async def connect(reactor: Any, endpoint: IStreamClientEndpoint, patience: float = PATIENCE) -> Client:
    """A client that was greeted; ConnectionEnded with the server's words where it said BYE, or nothing."""
    factory: Any = Factory.forProtocol(Connection)
    factory.noisy = False
    try:
        connection = await endpoint.connect(factory)
    except (ConnectError, DNSLookupError) as error:
        raise Unreachable(str(error).rstrip(".")) from error
    assert isinstance(connection, Connection)
    timer = reactor.callLater(patience, connection.transport.abortConnection)
    try:
        greeting = await connection.greeted
    finally:
        if timer.active():
            timer.cancel()
    if greeting.status == b"BYE":
        await connection.close()
        raise ConnectionEnded(greeting.text)
    return Client(connection, greeting)


async def start_tls(client: Client, options: IOpenSSLClientConnectionCreator) -> None:
    """STARTTLS, or TlsMissing: never on without; CommandFailed, ConnectionEnded."""
    if client.preauth:
        raise TlsMissing("the server let us in without TLS, so that there can be none")
    if b"STARTTLS" not in await client.capability():
        raise TlsMissing("the server does not offer STARTTLS")
    await client.connection.start_tls(options)
