"""WITHIN: the search keys OLDER and YOUNGER (RFC 5032)."""

from __future__ import annotations

from collections.abc import Callable

from moximap.imap.commands.search_program import IKey, KeyReader, Plain
from moximap.imap.dialect import Capability, Extension
from moximap.searchtree import Within


def interval(younger: bool) -> Callable[[KeyReader], IKey]:
    """SP nz-number: seconds."""
    def row(reader: KeyReader) -> IKey:
        reader.p.sp()
        return Plain(Within(reader.p.nz_number(), younger))
    return row


EXTENSION = Extension(
    name="WITHIN", rfcs=(5032,),
    capabilities=(Capability(b"WITHIN"),),
    search={b"OLDER": interval(younger=False), b"YOUNGER": interval(younger=True)},
)
