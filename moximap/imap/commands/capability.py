"""CAPABILITY, and the two revisions: IMAP4rev2 (RFC 9051 6.1.1) and IMAP4rev1 (RFC 3501)."""

from __future__ import annotations

import attrs

from moximap.imap.dialect import ANY_STATE, Capability, Enabling, Extension, Spec
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session


@attrs.frozen
class CapabilityCommand:
    def run(self, session: Session) -> None:
        session.write(b"* CAPABILITY %b\r\n" % session.dialect.capabilities(session))


def parse(p: Cursor) -> CapabilityCommand:
    return CapabilityCommand()


EXTENSION = Extension(
    name="CAPABILITY", rfcs=(9051, 3501),
    capabilities=(Capability(b"IMAP4rev1"), Capability(b"IMAP4rev2")),
    commands={b"CAPABILITY": Spec(parse, ANY_STATE)},
    enable={b"IMAP4REV2": Enabling()},
)
