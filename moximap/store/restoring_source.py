"""Reading an account's mail out of a snapshot, which is never written to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from moximap.store import annotations_table, backup
from moximap.store.contents import Spool
from moximap.store.database import every, one
from moximap.store.errors import Unavailable
from moximap.store.flags import FlagTable
from moximap.store.names import canonical
from moximap.store.readers import Readers
from moximap.store.transaction import pieces
from moximap.values import Listing, Mailbox, NumSet

_ROWS: Final = ("SELECT b.name, m.uid, m.flags, m.date, m.zone, m.content, m.size, c.sha256, c.file"
                " FROM message m JOIN mailbox b ON b.id = m.mailbox JOIN content c ON c.id = m.content"
                " WHERE m.mailbox = ? AND NOT m.expunged AND m.{} ORDER BY m.uid")
_ALL: Final = NumSet(((1, 0xFFFFFFFF),))
_CHUNK: Final = 1 << 20


@attrs.frozen
class Saved:
    """A message in a snapshot, without its octets.  ``mailbox``: its name; ``flags``: a code there."""

    mailbox: str
    uid: int
    flags: int
    date: int
    zone: int
    content: int
    size: int
    sha256: bytes
    file: str | None


class Source:
    """One account's mail.  ``database`` is of the newest version, ``large`` the directory of its files."""

    def __init__(self, database: Path, large: Path) -> None:
        self.flags = FlagTable()
        self._large = large
        self._readers = Readers(lambda: backup.read_only(database), self.flags)
        with self._readers.snapshot() as snapshot:
            self.listing: Listing = snapshot.listing()

    def close(self) -> None:
        self._readers.close()

    def mailbox(self, name: str) -> Mailbox:
        """A mailbox by its name; NoSuchMailbox."""
        with self._readers.snapshot() as snapshot:
            return snapshot.named(canonical(name))

    def annotations(self, mailbox: int) -> dict[str, bytes]:
        """What a mailbox has, or with ACCOUNT the account."""
        with self._readers.snapshot() as snapshot:
            return annotations_table.of(snapshot.connection.execute, mailbox)

    def messages(self, mailbox: int, uids: NumSet | None = None) -> list[Saved]:
        """Messages of a mailbox in order of their UIDs."""
        with self._readers.snapshot() as snapshot:
            execute = snapshot.connection.execute
            conditions = pieces(execute, mailbox, _ALL if uids is None else uids)
            return [Saved(*row) for clause, bindings in conditions
                    for row in every(execute, _ROWS.format(clause), (mailbox, *bindings))]

    @contextmanager
    def content(self, saved: Saved, spool: Callable[[], Spool]) -> Iterator[bytes | Spool]:
        """The octets of a message, large ones in a spool that is gone afterwards; Unavailable."""
        if saved.file is None:
            yield self._inline(saved.content)
            return
        spooled = spool()
        try:
            self._read_file(saved.file, spooled)
            yield spooled
        finally:
            spooled.discard()

    def _inline(self, content: int) -> bytes:
        with self._readers.snapshot() as snapshot:
            head, body = one(
                snapshot.connection.execute, "SELECT CAST(head AS BLOB), CAST(ifnull(body, '') AS BLOB)"
                " FROM content WHERE id = ?", (content,))
            return bytes(head + body)

    def _read_file(self, file: str, spool: Spool) -> None:
        try:
            stream = (self._large / file).open("rb")
        except OSError:
            raise Unavailable("the snapshot lacks its file") from None
        with stream:
            while chunk := stream.read(_CHUNK):
                spool.write(chunk)
