"""From an endpoint to a client that the server has greeted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS

from moximap.client.client import Client
from moximap.client.protocol import Connection, ConnectionEnded

#: Seconds for the connection and its greeting.
PATIENCE = 60.0


def tls_endpoint(reactor: Any, host: str, port: int = 993, *, key: Path | None = None,
                 trust: Path | None = None, lookup: str | None = None) -> IStreamClientEndpoint:
    """TLS to a host whose certificate must be for its name.

    ``key``: a PEM file with our own key and its certificate, if we have one.  ``trust``: a PEM file with
    the server's certificate or its issuer's, in place of those that the system trusts.  ``lookup``: where
    to connect, if that is not the name in the certificate.
    """
    load: Any = PrivateCertificate.loadPEM
    own = load(key.read_bytes()) if key is not None else None
    root = Certificate.loadPEM(trust.read_bytes()) if trust is not None else None
    options = optionsForClientTLS(host, trustRoot=root, clientCertificate=own,
                                  acceptableProtocols=[b"imap"])
    plain = HostnameEndpoint(reactor, lookup or host, port)
    endpoint: IStreamClientEndpoint = wrapClientTLS(options, plain)
    return endpoint


async def connect(reactor: Any, endpoint: IStreamClientEndpoint, patience: float = PATIENCE) -> Client:
    """A client that was greeted; ConnectionEnded with the server's words where it said BYE, or nothing."""
    factory: Any = Factory.forProtocol(Connection)
    factory.noisy = False
    connection = await endpoint.connect(factory)
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
