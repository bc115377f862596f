"""SEARCHRES: the RETURN option SAVE (RFC 5182, RFC 9051 6.4.4.1).  "$" itself is MessageSet's."""

from __future__ import annotations

import attrs

from moximap.imap.commands.search_answer import Found, Option
from moximap.imap.dialect import Capability, Extension
from moximap.imap.session import Session
from moximap.values import NumSet


@attrs.frozen
class Save(Option):
    """Keeps what the other options tell of; alone, it keeps everything and tells nothing."""

    silent = True

    def done(self, session: Session, found: Found) -> None:
        session.saved = NumSet.ascending(found.told())

    def failed(self, session: Session) -> None:
        session.saved = NumSet()


EXTENSION = Extension(
    name="SEARCHRES", rfcs=(5182, 9051),
    capabilities=(Capability(b"SEARCHRES"),),
    search_returns={b"SAVE": lambda p: Save()},
)
