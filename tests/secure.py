"""Clients that speak real TLS with a server in memory, with keys of all kinds, for dialogues."""

from __future__ import annotations

import contextlib
from pathlib import Path
from time import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto
from twisted.protocols.tls import TLSMemoryBIOFactory

from moximap.identity import clientkeys
from moximap.identity.authenticator import Authenticator
from moximap.imap.protocol import IMAPFactory, IMAPProtocol
from moximap.imap.site import Site
from moximap.net.tls import ServerTLS, peer_key
from moximap.store.keys import KeyRecord
from moximap.store.threads import DirectPool
from tests.dialogue import DialogueCase, FakeTransport
from tests.test_tls import client_certificate

VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


class SecureClient:
    """One TLS connection from the client's side, as tests.dialogue.Client."""

    def __init__(self, case: SecureCase, context: SSL.Context) -> None:
        protocol = IMAPFactory(case.site, implicit_tls=True).buildProtocol(None)
        self.protocol: IMAPProtocol = protocol
        outer = TLSMemoryBIOFactory(case.tls, False, _Always(protocol), case.clock).buildProtocol(None)
        assert outer is not None
        self._outer, self._clock = outer, case.clock
        self.transport = FakeTransport()
        self._outer.makeConnection(self.transport)
        self.connection = SSL.Connection(context, None)
        self.connection.set_tlsext_host_name(b"mail.example.org")
        self.connection.set_connect_state()
        self.lost = False
        for _ in range(6):
            with contextlib.suppress(SSL.WantReadError):
                self.connection.do_handshake()
            self._pump()

    def _pump(self) -> None:
        with contextlib.suppress(SSL.WantReadError):
            self._outer.dataReceived(self.connection.bio_read(1 << 20))
        self._clock.advance(0)                     # Twisted gathers small writes until the next turn
        if self.transport.value():
            self.connection.bio_write(self.transport.value())
            self.transport.clear()

    def send(self, data: bytes) -> None:
        self.connection.send(data)
        self._pump()

    def received(self) -> bytes:
        self._pump()
        data = b""
        with contextlib.suppress(SSL.WantReadError, SSL.ZeroReturnError, SSL.Error):
            while True:
                data += self.connection.recv(1 << 20)
        return data

    def lose(self) -> None:
        from twisted.internet.protocol import connectionDone
        if not self.lost:
            self.lost = True
            self._outer.connectionLost(connectionDone)


class _Always:
    """A factory of one protocol."""

    noisy = False

    def __init__(self, protocol: IMAPProtocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: object) -> IMAPProtocol:
        return self._protocol

    def doStart(self) -> None: ...

    def doStop(self) -> None: ...


class SecureCase(DialogueCase):
    """A server with TLS.  ``now`` is what its calendar says, in Unix seconds."""

    plaintext_login = False

    def setUp(self) -> None:
        self.now = time()
        self.key: Any = ec.generate_private_key(ec.SECP256R1())
        super().setUp()

    def make_site(self) -> Site:
        self.tls = ServerTLS(*server_files())
        return Site(self.directory, Authenticator(self.directory, clock=lambda: self.now + self.clock.seconds()),
                    DirectPool(), self.clock, limits=self.limits, tls=self.tls,
                    plaintext_login=self.plaintext_login, peer_key=peer_key)

    def know(self, key: Any = None, account: str = "ada", **more: Any) -> KeyRecord:
        """Let a key log in to an account."""
        certificate = client_certificate(key or self.key)
        return self.directory.keys.add(clientkeys.record(certificate, account, None, self.now, **more))

    def connect(self, number: str = "", key: Any = None, version: str = "1.3", certificate: Any = None,
                context: SSL.Context | None = None) -> SecureClient:
        """A new TLS connection, for dialogues by its number; ``key``: shown with a certificate."""
        if context is None:
            context = SSL.Context(SSL.TLS_METHOD)
            if key is not None:
                certificate = certificate or client_certificate(key)
                context.use_certificate(crypto.X509.from_cryptography(certificate))
                context.use_privatekey(crypto.PKey.from_cryptography_key(key))
        context.set_min_proto_version(VERSIONS[version])
        context.set_max_proto_version(VERSIONS[version])
        client = SecureClient(self, context)
        self.addCleanup(client.lose)
        self.clients[number] = client  # type: ignore[assignment]
        return client

    def greeting(self, **options: Any) -> bytes:
        """What a new client hears first."""
        return self.connect("9", **options).received()


_FILES: list[tuple[Path, Path]] = []


def server_files() -> tuple[Path, Path]:
    """The server's certificate (ECDSA with SHA-256) and key, made once per process."""
    import atexit
    import shutil
    import tempfile

    from moximap.net.certificates import ensure
    if not _FILES:
        directory = Path(tempfile.mkdtemp(prefix="moximap-test-"))
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        _FILES.append(ensure(directory, ["mail.example.org"]))
    return _FILES[0]
