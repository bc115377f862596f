"""Import of a Maildir or an mbox into an account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from moximap.delivery import maildir, mbox
from moximap.store.errors import MailboxExists
from moximap.store.interfaces import IAccount, ISpool, NewMessage

#: A transaction ends with so many messages, or with so many octets of them in memory.
BATCH_MESSAGES: Final = 500
BATCH_OCTETS: Final = 8 << 20

Spool = Callable[[], ISpool]
#: Messages with the octets that each took in the source, and the mailbox they are for ("": the top).
Source = tuple[str, Callable[[Spool], Iterator[tuple[NewMessage, int]]]]


class BadSource(ValueError):
    """A path that holds no mail in a form that is known here."""


def _read_mbox(path: Path, spool: Spool) -> Iterator[tuple[NewMessage, int]]:
    with path.open("rb") as stream:
        yield from mbox.messages(stream, spool)


def _from_folder(folder: maildir.Folder) -> Source:
    return folder.name, lambda spool: maildir.messages(folder, spool)


def sources(path: Path) -> list[Source]:
    """What is there to import at ``path``; BadSource, OSError."""
    if path.is_dir():
        if found := [_from_folder(folder) for folder in maildir.folders(path)]:
            return found
        raise BadSource(f"{path} is a directory, but no Maildir: it has neither cur/ nor new/")
    with path.open("rb") as stream:
        if not mbox.is_mbox(stream):
            raise BadSource(f"{path} is no mbox: it does not start with 'From '")
    return [("", lambda spool: _read_mbox(path, spool))]


def total_size(path: Path) -> int:
    """Octets that will be read: what progress is measured by; OSError."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(file.stat().st_size for folder in maildir.folders(path) for file in folder.files())


def _batches(messages: Iterable[tuple[NewMessage, int]]) -> Iterator[tuple[list[NewMessage], int]]:
    """Messages that are added together, and the octets that they took in the source."""
    batch: list[NewMessage] = []
    read = memory = 0
    for message, size in messages:
        batch.append(message)
        read += size
        memory += len(message.content) if isinstance(message.content, bytes) else 0
        if len(batch) >= BATCH_MESSAGES or memory >= BATCH_OCTETS:
            yield batch, read
            batch, read, memory = [], 0, 0
    if batch:
        yield batch, read


@attrs.define
class Import:
    """An import and how far it came: what ``messages`` counts is in the account, durably.

    ``mailbox``: where the top goes (INBOX where it is None), and below which folders go.
    ``progress`` is called with the octets read since it was called last.
    """

    account: IAccount
    mailbox: str | None = None
    progress: Callable[[int], object] = lambda octets: None
    messages: int = 0
    mailboxes: int = 0

    def run(self, path: Path) -> None:
        """Import all of ``path``; BadSource, OSError, StoreError."""
        for name, read in sources(path):
            target = self._target(name)
            self._make(target)
            self.mailboxes += 1
            for batch, octets in _batches(read(self.account.spool)):
                self.account.append(target, batch)
                self.messages += len(batch)
                self.progress(octets)

    def _target(self, name: str) -> str:
        if not name:
            return self.mailbox or "INBOX"
        return f"{self.mailbox}/{name}" if self.mailbox else name

    def _make(self, name: str) -> None:
        with suppress(MailboxExists):
            self.account.create(name)
