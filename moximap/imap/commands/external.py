"""AUTH=EXTERNAL (RFC 4422 appendix A, RFC 9051 6.2.2): login by the key that the TLS handshake has proved."""

from __future__ import annotations

from moximap.identity.sasl import External
from moximap.imap.dialect import Capability, Extension
from moximap.imap.proving import Mechanism, early
from moximap.imap.session import Session


def has_key(session: Session) -> bool:
    """Whether the client has really sent a certificate."""
    return early(session) and session.out.peer_key is not None


EXTENSION = Extension(
    name="EXTERNAL", rfcs=(4422, 9051),
    capabilities=(Capability(b"AUTH=EXTERNAL", has_key),),
    mechanisms={b"EXTERNAL": Mechanism(External, lambda session: None)},
)
