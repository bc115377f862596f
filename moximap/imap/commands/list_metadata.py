"""LIST-METADATA: LIST with annotations of the mailboxes (RFC 9590, RFC 5464)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from moximap.imap.commands.list import Return
from moximap.imap.commands.listing import Entry
from moximap.imap.commands.metadata import entry_name, response
from moximap.imap.dialect import Capability, Extension, logged_in
from moximap.imap.errors import No
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.store.interfaces import IAccount

#: Entries of one LIST, each of which is told of each mailbox; all together are made in memory.
MOST_ENTRIES: Final = 100
Entries = tuple[str, ...]
Read = tuple[Entries, Mapping[int, Mapping[str, bytes]]]


def parse(p: Cursor) -> Entries:
    """SP "(" entry *(SP entry) ")"; an entry that comes twice is told once."""
    p.sp()
    entries = tuple(dict.fromkeys(p.list_of(lambda: entry_name(p))))
    if len(entries) > MOST_ENTRIES:
        raise No(f"a LIST tells {MOST_ENTRIES} annotations of each mailbox at most", b"LIMIT")
    return entries


def read(account: IAccount, entries: Entries) -> Read:
    return entries, account.annotations.named(entries)


def metadata(session: Session, entry: Entry, wire: bytes, data: Read) -> bytes:
    """One response for each mailbox, with NIL for what it lacks (CONTRACT 83)."""
    entries, values = data
    if entry.mailbox is None:
        return b""
    found = values.get(entry.mailbox.id, {})
    return response(wire, {name: found.get(name) for name in entries}, session.utf8)


EXTENSION = Extension(
    name="LIST-METADATA", rfcs=(5464, 9590),
    capabilities=(Capability(b"LIST-METADATA", logged_in),),
    list_returns={b"METADATA": Return(parse, read=read, response=metadata)},
)
