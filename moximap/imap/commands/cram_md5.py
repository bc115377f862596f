"""AUTH=CRAM-MD5 (RFC 2195): where the administrator has switched it on."""

from __future__ import annotations

from moximap.identity.crammd5 import CramMD5
from moximap.imap.dialect import Capability, Extension
from moximap.imap.proving import Mechanism, early, insist_on_tls, secure
from moximap.imap.session import Session


def switched_on(session: Session) -> bool:
    return session.site.cram_md5


EXTENSION = Extension(
    name="CRAM-MD5", rfcs=(2195,),
    capabilities=(Capability(b"AUTH=CRAM-MD5", lambda s: early(s) and secure(s) and switched_on(s)),),
    mechanisms={b"CRAM-MD5": Mechanism(lambda channel: CramMD5(), insist_on_tls, switched_on)},
)
