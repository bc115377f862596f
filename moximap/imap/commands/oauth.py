"""AUTH=OAUTHBEARER (RFC 7628, tokens checked by RFC 7662) and AUTH=XOAUTH2: where [oauth] is configured."""

from __future__ import annotations

from moximap.identity.tokens import OAuthBearer, XOAuth2
from moximap.imap.dialect import Capability, Extension
from moximap.imap.proving import Mechanism, early, insist_on_tls, secure
from moximap.imap.session import Session


def configured(session: Session) -> bool:
    return session.site.tokens is not None


def _offered(session: Session) -> bool:
    return early(session) and secure(session) and configured(session)


EXTENSION = Extension(
    name="OAUTHBEARER", rfcs=(7628, 7662),
    capabilities=(Capability(b"AUTH=OAUTHBEARER", _offered), Capability(b"AUTH=XOAUTH2", _offered)),
    mechanisms={b"OAUTHBEARER": Mechanism(OAuthBearer, insist_on_tls, configured),
                b"XOAUTH2": Mechanism(XOAuth2, insist_on_tls, configured)},
)
