"""AUTH=SCRAM-SHA-256(-PLUS) and AUTH=SCRAM-SHA-1(-PLUS) (RFC 5802, RFC 7677, channel binding RFC 9266)."""

from __future__ import annotations

from moximap.identity.sasl import Channel
from moximap.identity.scram import Scram
from moximap.imap.dialect import Capability, Extension
from moximap.imap.errors import No
from moximap.imap.proving import Mechanism, channel, early, insist_on_tls, secure
from moximap.imap.session import Session

NAMES = (b"SCRAM-SHA-256", b"SCRAM-SHA-1")


def _plain(session: Session) -> bool:
    return early(session) and secure(session)


def _plus(session: Session) -> bool:
    return early(session) and session.out.tls and session.out.peer.binds()


def insist_on_binding(session: Session) -> None:
    if not channel(session).binds:
        raise No("there is no TLS here to bind to", b"PRIVACYREQUIRED")


def _row(name: bytes) -> Mechanism:
    def make(channel: Channel) -> Scram:
        return Scram(name, channel)

    return Mechanism(make, insist_on_binding if name.endswith(b"-PLUS") else insist_on_tls)


EXTENSION = Extension(
    name="SCRAM", rfcs=(5802, 7677, 9266),
    capabilities=(*(Capability(b"AUTH=" + name, _plain) for name in NAMES),
                  *(Capability(b"AUTH=%b-PLUS" % name, _plus) for name in NAMES)),
    mechanisms={name + suffix: _row(name + suffix) for name in NAMES for suffix in (b"", b"-PLUS")},
)
