"""Listeners that ask for no certificate (rule 14 of docs/contract.md): where AUTH=EXTERNAL is switched off."""

from __future__ import annotations

from typing import Any

from moximap.kinds import KINDS
from moximap.net.tls import Keyless
from tests.dialogue import Client
from tests.secure import SecureCase
from tests.test_alpn import Visitor

OFF = frozenset([b"AUTH=EXTERNAL"])


class Listeners(SecureCase):
    https: Any                    # what a Visitor comes to, of whatever kind it is

    def visit(self, kind: str, hidden: frozenset[bytes]) -> tuple[bytes, bool]:
        """What a client with a known key hears, and whether it was asked for a certificate."""
        self.https = KINDS[kind](self.site, hidden)
        visitor = Visitor(self, self.key, (b"imap",)).shake()  # type: ignore[arg-type]
        self.addCleanup(visitor.lose)
        return visitor.ask(b""), visitor._outer.getPeerCertificate() is not None

    def test_a_key_is_asked_for_unless_login_by_key_is_off(self) -> None:
        self.know()
        for kind in ("imaps", "https"):
            said, asked = self.visit(kind, frozenset([b"UIDONLY"]))
            self.assertEqual((said[:9], asked), (b"* PREAUTH", True))
            said, asked = self.visit(kind, OFF)
            self.assertEqual((said[:4], asked), (b"* OK", False))
            self.assertNotIn(b"EXTERNAL", said)

    def test_the_same_after_starttls(self) -> None:
        started: list[object] = []
        for hidden in (OFF, frozenset[bytes]()):
            client = Client(KINDS["imap"](self.site, hidden))  # type: ignore[arg-type]
            self.addCleanup(client.lose)
            client.transport.startTLS = started.append  # type: ignore[method-assign]
            client.send(b"a STARTTLS\r\n")
        self.assertIsInstance(started[0], Keyless)
        self.assertIs(started[1], self.tls)
