"""NOOP, CHECK and LOGOUT (RFC 9051 6.1.2, 6.1.3, RFC 3501 6.4.1)."""

from __future__ import annotations

import attrs

from moximap.imap.dialect import ANY_STATE, SELECTED, Extension, Reply, Spec
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session


@attrs.frozen
class Noop:
    """Also CHECK: what is answered OK is on disk already, and changes are told before every OK."""

    def run(self, session: Session) -> None:
        """The catching up before the tagged line is all there is to it."""


@attrs.frozen
class Logout:
    def run(self, session: Session) -> Reply:
        session.unselect()
        session.write(b"* BYE logging out\r\n")
        session.out.close()
        return Reply("see you")


def parse_noop(p: Cursor) -> Noop:
    return Noop()


def parse_logout(p: Cursor) -> Logout:
    return Logout()


EXTENSION = Extension(
    name="NOOP and LOGOUT", rfcs=(9051, 3501),
    commands={b"NOOP": Spec(parse_noop, ANY_STATE),
              b"CHECK": Spec(parse_noop, SELECTED),
              b"LOGOUT": Spec(parse_logout, ANY_STATE)},
)
