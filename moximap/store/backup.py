"""Copies: of a database while it is used, and of files that never change, each as cheaply as it goes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import apsw

from moximap.store.database import PAGE, sync_directory
from moximap.store.erasing import erase_all
from moximap.store.transaction import Counters, Transaction

#: Called with the octets that were copied since it was called last.
Progress = Callable[[int], object]

#: Pages of a database that are copied at a time.
PIECE: Final = 2000


def silent(octets: int) -> None:
    """No progress is shown."""


def copy_database(source: apsw.Connection, target: Path, progress: Progress = silent) -> None:
    """Copy what one snapshot of a database has into one file, without a log beside it.

    The snapshot is held to the end: writers go on, and nothing of theirs makes the copy begin anew.
    """
    outside = not source.in_transaction
    if outside:
        source.execute("BEGIN")
    try:
        source.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        with closing(_copy(target)) as copy:
            with copy.backup("main", source, "main") as backup:
                left = None
                while not backup.done:
                    backup.step(PIECE)
                    before = backup.page_count if left is None else left
                    left = backup.remaining
                    progress((before - left) * PAGE)
            copy.pragma("journal_mode", "memory")        # no longer "wal", which is two files more
    finally:
        if outside:
            source.execute("ROLLBACK")
    sync_file(target)


def _copy(path: Path) -> apsw.Connection:
    """A connection to a file that nobody else knows: it is synced when it is whole."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    connection = apsw.Connection(str(path))
    connection.pragma("synchronous", "off")
    return connection


def strip(path: Path) -> None:
    """Take out of a copied mail.db what was expunged: files of such messages may be gone already."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.pragma("journal_mode", "memory")
        connection.pragma("synchronous", "off")
        connection.execute("BEGIN")
        erase_all(Transaction(connection, Counters(*Counters.read(connection.execute))))
        connection.execute("COMMIT")
    sync_file(path)


def read_only(path: Path) -> apsw.Connection:
    """A connection to a copy that nobody writes: it makes no files, the disk may be read-only."""
    name = str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return apsw.Connection(f"file:{name}?immutable=1",
                           flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)


def place(target: Path, *sources: Path) -> bool:
    """Make ``target`` a hard link to the first of ``sources`` that can be linked, or a copy of the last.

    True where octets were copied; FileNotFoundError where the last source is not there.
    """
    for source in sources:
        try:
            os.link(source, target)
            return False
        except OSError:
            pass                             # not there, on another disk, somebody else's, too many links
    draft = target.with_name(f".{target.name}")
    shutil.copyfile(sources[-1], draft)
    draft.chmod(0o600)
    sync_file(draft)
    draft.rename(target)
    return True


def sync_file(path: Path) -> None:
    """Make a file's octets durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(top: Path) -> None:
    """Make all names below a directory durable, and its own last."""
    for path, _, _ in os.walk(top, topdown=False):
        sync_directory(Path(path))


def large_files(connection: apsw.Connection) -> Iterator[tuple[str, int]]:
    """Names and sizes of the files that a mail.db names."""
    yield from connection.execute("SELECT file, size FROM content WHERE file IS NOT NULL ORDER BY id")
