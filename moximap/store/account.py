"""One account on disk: mail.db, the files beside it, and the methods of IAccount."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from time import time
from types import MappingProxyType
from typing import Final, Literal

import apsw
from zope.interface import implementer

from moximap.mail import digest
from moximap.store import (appending, backup, checking, database, digesting, erasing, fetching,
                           indexing_steps, mailboxes, names, quota, repairing, replacing, searching, storing,
                           transfer)
from moximap.store.backup import Progress
from moximap.store.annotations_table import AnnotationsTable
from moximap.store.checkpointing import Checkpointer
from moximap.store.contents import Files, Prepared, is_small
from moximap.store.errors import Busy
from moximap.store.flags import Flags, FlagTable
from moximap.store.indexing import Index
from moximap.store.interfaces import Column, IAccount, ISpool, NewMessage
from moximap.store.presence import Presence
from moximap.store.readers import Readers
from moximap.store.restoring import Restorer
from moximap.store.syncing import Bringer
from moximap.store.transaction import Counters, Transaction
from moximap.store.writer import Writer
from moximap.searchtree import SearchTree
from moximap.values import (Appended, Changes, Copied, Created, Known, Listing, Mailbox, NumSet, Opened,
                            Quota, Resource, Stored, Written)

SCHEMA: Final = "account"
DATABASE: Final = "mail.db"
_NOTHING: Final[Mapping[int, int]] = MappingProxyType({})
_named: Final = lru_cache(Flags.of)                   # a STORE has the same few as the one before


@implementer(IAccount)
class Account:
    """An opening of an account; any thread may call any method.

    ``needs_sync``: a commit of flags is not on the disk yet; somebody should call ``sync`` soon.
    """

    def __init__(self, home: Path, name: str, checkpointer: Checkpointer | None = None) -> None:
        self.name = name
        self.flags = FlagTable()
        self.needs_sync = False
        self._path = home / DATABASE
        self._checkpointer = checkpointer
        self._home = home
        self._readers = Readers(self._connect_reader, self.flags)
        self._writer = Writer(self._connect_writer, self.flags, self._committed)
        self.annotations = AnnotationsTable(self._readers, self._writer)
        with database.translated():
            self._presence = Presence(home / "open")
            self._files = Files(home, self._presence.token)
            self._index = Index(home, self._presence.token)
            self._eraser = erasing.Eraser(self._readers, self._writer, home / "large", self._index.forget)
            try:
                database.prepare(self._path, SCHEMA)
                self._index.verify(self._contents)
                erasing.clean(home, self._presence, self._connect_reader)
                self.set_floor(self._modseq())
            except BaseException:
                self._index.close()
                self._readers.close()
                self._presence.leave()
                raise

    def rest(self) -> None:
        with database.translated():
            self._writer.rest()
            self._readers.rest()
            self._index.rest()

    def close(self) -> None:
        if self.needs_sync:
            self.sync()
        self._index.close()
        self._readers.close()
        self._writer.close()
        if self._checkpointer is not None:
            self._checkpointer.forget(str(self._path))
        self._presence.leave()

    # mailboxes

    def mailboxes(self) -> Listing:
        with self._readers.snapshot() as snapshot:
            return snapshot.listing()

    def mailbox(self, name: str) -> Mailbox:
        return self._readers.named(names.canonical(name))

    def mailbox_by_id(self, id: int) -> Mailbox:
        with self._readers.snapshot() as snapshot:
            return snapshot.by_id(id)

    def create(self, name: str, uses: Sequence[str] = (), subscribe: bool = True) -> Created:
        return self._writer.run(lambda t: mailboxes.create(t, name, uses, subscribe))

    def delete(self, name: str) -> Written:
        return self._writer.run(lambda t: mailboxes.delete(t, name))

    def rename(self, old: str, new: str) -> Created:
        return self._writer.run(lambda t: mailboxes.rename(t, old, new))

    def subscribe(self, name: str, on: bool) -> Written:
        return self._writer.run(lambda t: mailboxes.subscribe(t, name, on))

    # reading messages

    def open(self, name: str, known: Mapping[int, int] = _NOTHING) -> Opened:
        with self._readers.snapshot() as snapshot:
            return snapshot.opened(names.canonical(name), known)

    def changes(self, mailbox: int, since: int) -> Changes:
        with self._readers.snapshot() as snapshot:
            return snapshot.changes(mailbox, since)

    def fetch(self, mailbox: int, uids: NumSet,
              columns: Sequence[Column]) -> Iterator[tuple[object, ...]]:
        if len(uids.ranges) == 1 and len(uids) <= fetching.FEW:
            with self._readers.statement() as connection:
                yield from fetching.fetch_range(connection, self._files, self.flags, mailbox, uids.ranges[0],
                                                tuple(columns))
        else:
            with self._readers.snapshot() as snapshot:
                yield from fetching.fetch(snapshot.connection, self._files, mailbox, uids, tuple(columns))

    def fetch_one(self, mailbox: int, uid: int, columns: Sequence[Column]) -> list[tuple[object, ...]]:
        with self._readers.statement() as connection:
            return list(fetching.fetch_range(connection, self._files, self.flags, mailbox, (uid, uid),
                                             tuple(columns)))

    def search(self, mailbox: int, tree: SearchTree, uids: NumSet,
               looked: Callable[[int], None] | None = None) -> NumSet:
        with self._index.reading() as index, self._readers.snapshot() as snapshot:
            return NumSet.ascending(searching.find(snapshot.connection, index, self._files, self.flags,
                                                   mailbox, tree, uids, looked))

    # writing messages

    def spool(self) -> ISpool:
        return self._files.spool()

    def may_append(self, name: str, messages: int, size: int) -> None:
        with self._readers.snapshot() as snapshot:
            snapshot.named(names.canonical(name))
            quota.check(snapshot.connection.execute, storage=size, messages=messages)

    def append(self, name: str, messages: Sequence[NewMessage]) -> Appended:
        return self._take_in(messages, lambda t, prepared: appending.append(t, name, prepared))

    def begin_append(self, name: str, messages: Sequence[NewMessage]) -> Callable[[], Appended]:
        if len(messages) != 1 or not is_small(messages[0]):
            raise Busy("it takes long")
        prepared = self._files.prepare(messages, int(time()))
        return self._writer.begin_now(lambda t: appending.append(t, name, prepared))

    def may_replace(self, mailbox: int, uid: int, target: str, size: int) -> None:
        with self._readers.snapshot() as snapshot:
            snapshot.by_id(mailbox)
            _, old = replacing.find(snapshot.connection.execute, mailbox, uid)
            snapshot.named(names.canonical(target))
            quota.check(snapshot.connection.execute, storage=size - old)

    def replace(self, mailbox: int, uid: int, target: str, message: NewMessage) -> Appended:
        return self._take_in([message],
                             lambda t, prepared: replacing.replace(t, mailbox, uid, target, prepared[0]))

    def _take_in(self, messages: Sequence[NewMessage],
                 work: Callable[[Transaction, Sequence[Prepared]], Appended]) -> Appended:
        prepared = self._files.prepare(messages, int(time()))
        try:
            return self._writer.run(lambda t: work(t, prepared))
        except BaseException as error:
            # Where the disk failed the commit may be found complete after all: its files must stay.
            if not isinstance(error.__cause__, apsw.IOError):
                self._files.withdraw(prepared)
            raise

    def store(self, mailbox: int, uids: NumSet, how: Literal["+", "-", "="], flags: Sequence[str], *,
              cursor: int = 0, unchangedsince: int | None = None, known: Known | None = None,
              now: bool = False, soon: Callable[[Changes], None] = lambda changes: None) -> Stored:
        named = _named(tuple(flags))

        def work(t: Transaction) -> Stored:
            return storing.store(t, mailbox, uids, how, named, cursor, unchangedsince, known, soon)

        return self._writer.run_now(work) if now else self._writer.run(work, durable=False)

    def copy(self, mailbox: int, uids: NumSet, target: str) -> Copied:
        return self._writer.run(lambda t: transfer.copy(t, mailbox, uids, target))

    def move(self, mailbox: int, uids: NumSet, target: str) -> Copied:
        return self._writer.run(lambda t: transfer.move(t, mailbox, uids, target))

    def expunge(self, mailbox: int, uids: NumSet | None = None) -> Written:
        return self._writer.run(lambda t: transfer.expunge(t, mailbox, uids))

    # quotas

    def quota(self) -> Quota:
        with self._readers.snapshot() as snapshot:
            return quota.read(snapshot.connection.execute)

    def set_quota(self, limits: Mapping[Resource, int | None]) -> None:
        self._writer.run(lambda t: quota.change(t, limits))

    # keeping house

    def check(self) -> Iterator[str]:
        with database.translated():
            yield from checking.check(self._connect_reader, self._home)
            yield from indexing_steps.check(self._index, self._connect_reader)

    def repair(self) -> Iterator[str]:
        with database.translated():
            yield from repairing.repair(self._readers, self._writer, self._files, self._home,
                                        self._connect_writer)
            yield from indexing_steps.repair(self._index, self._connect_reader)

    @property
    def home(self) -> Path:
        """The directory of the account's files."""
        return self._home

    @property
    def removed(self) -> bool:
        return self._presence.lost

    def size(self) -> int:
        """Octets of the database, more or less."""
        return self._path.stat().st_size

    def back_up(self, target: Path, progress: Progress) -> None:
        """Copy the database into a file; until this opening is closed the files that it names stay."""
        with self._readers.snapshot() as snapshot:
            backup.copy_database(snapshot.connection, target, progress)

    def restorer(self, progress: Progress) -> Restorer:
        """What adds messages of a backup to this account."""
        return Restorer(self._readers, self._writer, self._files, progress)

    def bringer(self, source: str) -> Bringer:
        """What adds mail of another server, named user@host, and keeps record of it."""
        return Bringer(self._readers, self._writer, self._files, self.flags, source)

    def redigest(self, limit: int) -> int:
        return digesting.redigest(self._readers, self._writer, self._files, limit)

    def set_floor(self, modseq: int) -> None:
        self._floor = modseq
        with database.translated():
            erasing.say_floor(self._presence, modseq)

    def erase(self, floor: int) -> int:
        with database.translated():
            return self._eraser.erase(self._common(floor))

    def erase_some(self, floor: int, limit: int) -> bool:
        with database.translated():
            return self._eraser.erase_some(self._common(floor), limit)[1]

    def _common(self, floor: int) -> int:
        return erasing.common_floor(self._presence, min(floor, self._floor))

    def backlog(self, most: int) -> int:
        with database.translated():
            if digesting.is_behind(self._readers):
                return most
            return indexing_steps.backlog(self._index, self._readers, most)

    def index(self, limit: int) -> int | None:
        with database.translated():
            return (self.redigest(limit)
                    or indexing_steps.step(self._index, self._readers, self._files, limit))

    def sync(self) -> None:
        """The log is opened by its path, never the database: closing that would drop SQLite's locks."""
        self.needs_sync = False
        try:
            descriptor = os.open(f"{self._path}-wal", os.O_RDONLY)
        except FileNotFoundError:
            return                           # all of it was copied, and that is synced
        with database.translated():
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            database.sync_directory(self._home)

    def _contents(self) -> int:
        with self._readers.snapshot() as snapshot:
            return int(snapshot.connection.execute("SELECT contents FROM account").get)

    def _modseq(self) -> int:
        with self._readers.snapshot() as snapshot:
            return snapshot.modseq

    def _connect_reader(self) -> apsw.Connection:
        return database.connect(self._path, write=False)

    def _connect_writer(self) -> apsw.Connection:
        connection = database.connect(self._path, write=True)
        if self._checkpointer is not None:
            committed, path = self._checkpointer.committed, str(self._path)

            def hook(connection: apsw.Connection, name: str, pages: int) -> int:
                committed(path, pages)
                return apsw.SQLITE_OK

            connection.set_wal_hook(hook)
        return connection

    def _committed(self, durable: bool) -> None:
        self.needs_sync = not durable


def create(home: Path) -> None:
    """Make the files of a new account in an empty directory."""
    for name in ("large", "tmp", "open"):
        (home / name).mkdir(mode=0o700)

    def fill(connection: apsw.Connection) -> None:
        # Times grow, so an account that is made anew has higher UIDVALIDITYs than the one before.
        counters = Counters(modseq=0, uidvalidity=int(time()), contents=0, keywordsets=0)
        connection.execute(
            "INSERT INTO mailbox_row (id, name, uidvalidity, modseq, createseq, removed, contents,"
            " keywordsets, digests) VALUES (0, '', 0, 0, 0, 1, 0, 0, ?)", (digest.VERSION,))
        mailboxes.found(Transaction(connection, counters))
        counters.write(connection.execute)

    database.create(home / DATABASE, SCHEMA, fill)
