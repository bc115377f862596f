"""NAMESPACE (RFC 9051 6.3.10, RFC 2342): one personal namespace without a prefix."""

from __future__ import annotations

import attrs

from moximap.imap.dialect import LOGGED_IN, Capability, Extension, Spec
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session


@attrs.frozen
class Namespace:
    """The prefix is empty: K-9 could do nothing with another."""

    def run(self, session: Session) -> None:
        session.write(b'* NAMESPACE (("" "/")) NIL NIL\r\n')


def parse(p: Cursor) -> Namespace:
    return Namespace()


EXTENSION = Extension(
    name="NAMESPACE", rfcs=(9051, 2342),
    capabilities=(Capability(b"NAMESPACE"),),
    commands={b"NAMESPACE": Spec(parse, LOGGED_IN, capability=b"NAMESPACE")},
)
