"""PREVIEW: the first words of a message (RFC 8970).

Every message has one from the moment it comes in, so LAZY makes no difference; an empty one means
that the message has no text to show.
"""

from __future__ import annotations

import attrs

from moximap.imap import encoding
from moximap.imap.dialect import Capability, Extension
from moximap.imap.fetching import Context, Convert, IFetchItem
from moximap.imap.grammar import Cursor
from moximap.store.interfaces import Column


@attrs.frozen(cache_hash=True)
class PreviewField:
    """UTF-8 text: a quoted string or a literal."""

    format: bytes = b"PREVIEW %b"
    columns: tuple[Column, ...] = ("preview",)
    sets_seen: bool = False
    enables: bytes = b""

    def converter(self, context: Context) -> Convert:
        return lambda text: encoding.string(text.encode(), context.utf8)


def parse(p: Cursor) -> IFetchItem:
    """ "PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"].

    Behind a single item another parenthesis may come, that of FETCH modifiers: it is left alone.
    """
    if p.at(b" (LAZY"):
        while p.at(b" LAZY"):
            pass
        p.take(b")")
    return PreviewField()


EXTENSION = Extension(
    name="PREVIEW", rfcs=(8970,),
    capabilities=(Capability(b"PREVIEW"),),
    fetch={b"PREVIEW": parse},
)
