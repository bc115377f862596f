"""COMPRESS=DEFLATE (RFC 4978): from the tagged OK on, both directions are deflated.

A client that sends compressed commands without waiting for the OK is understood, too.
"""

from __future__ import annotations

import attrs

from moximap.imap.dialect import LOGGED_IN, NOT_AUTHENTICATED, Capability, Extension, Reply, Spec
from moximap.imap.errors import No
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.net.deflate import Deflate


@attrs.frozen
class Compress:
    algorithm: bytes

    def run(self, session: Session) -> Reply:
        if self.algorithm != b"DEFLATE":
            raise No("there is no such algorithm here")
        if session.out.layered:
            raise No("DEFLATE is active already", b"COMPRESSIONACTIVE")
        session.out.add_layer(lambda transport, above: Deflate(transport, above, session.site.reactor))
        return Reply("DEFLATE active")


def parse(p: Cursor) -> Compress:
    p.sp()
    return Compress(p.atom().upper())


def possible(session: Session) -> bool:
    return session.state != NOT_AUTHENTICATED and not session.out.layered


EXTENSION = Extension(
    name="COMPRESS", rfcs=(4978,),
    capabilities=(Capability(b"COMPRESS=DEFLATE", possible),),
    commands={b"COMPRESS": Spec(parse, LOGGED_IN, capability=b"COMPRESS=DEFLATE")},
)
