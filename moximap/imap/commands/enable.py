"""ENABLE (RFC 9051 6.3.1, RFC 5161) and UTF8=ACCEPT (RFC 6855, RFC 9755)."""

from __future__ import annotations

import attrs

from moximap.imap.dialect import LOGGED_IN, Capability, Enabling, Extension, Spec, logged_in
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session


@attrs.frozen
class Enable:
    names: tuple[bytes, ...]

    def run(self, session: Session) -> None:
        """Unknown names are ignored; ENABLED is sent even where it is empty (Mailspring needs it)."""
        known = session.dialect.tables["enable"].keys() - session.hidden
        new = []
        for name in self.names:
            if name in known and name not in session.enabled and name not in new:
                new.append(name)
        for name in new:
            session.enable(name)
        session.write(b"* ENABLED%b\r\n" % b"".join(b" " + spelled(name) for name in new))


def spelled(name: bytes) -> bytes:
    """IMAP4rev2 in the spelling of its RFC."""
    return b"IMAP4rev2" if name == b"IMAP4REV2" else name


def parse(p: Cursor) -> Enable:
    names: list[bytes] = []
    while not names or p.at_sp():
        if not names:
            p.sp()
        names.append(p.atom().upper())
    return Enable(tuple(names))


EXTENSION = Extension(
    name="ENABLE", rfcs=(5161, 6855, 9051, 9755),
    capabilities=(Capability(b"ENABLE"), Capability(b"UTF8=ACCEPT", logged_in)),
    commands={b"ENABLE": Spec(parse, LOGGED_IN, capability=b"ENABLE")},
    enable={b"UTF8=ACCEPT": Enabling()},
)
