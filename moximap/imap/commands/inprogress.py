"""INPROGRESS: commands that run long say so every ten seconds (RFC 9585)."""

from __future__ import annotations

from moximap.imap import encoding
from moximap.imap.dialect import Capability, Extension
from moximap.imap.session import Session
from moximap.imap.waiting import Progress


def tell(session: Session, progress: Progress) -> bytes:
    """An untagged OK.  A tag that a response code cannot hold is NIL (CONTRACT 88)."""
    tag = b"NIL" if b"]" in session.tag else encoding.quoted(session.tag)
    numbers = b"%d %d" % (progress.done, progress.goal) if progress.goal else b"NIL NIL"
    return b"* OK [INPROGRESS (%b %b)] still working\r\n" % (tag, numbers)


EXTENSION = Extension(
    name="INPROGRESS", rfcs=(9585,),
    capabilities=(Capability(b"INPROGRESS"),),
    long_wait=tell,
)
