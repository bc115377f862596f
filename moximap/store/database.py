"""Opening SQLite databases: schema, upgrades, pragmas, and what their failures mean to a caller."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

import apsw

from moximap.store.errors import NoSpace, StoreError, Unavailable

SCHEMAS: Final = Path(__file__).parent / "schema"
#: Seconds that a write waits for another process's.
PATIENCE: Final = 5.0
PAGE: Final = 4096
#: A log that was reset is cut to this many octets: what a busy minute needs, and no more.
LOG_LIMIT: Final = 16 << 20
#: Lets a connection give up the pages that it keeps in memory.
SHRINK: Final = "PRAGMA shrink_memory"

_UNAVAILABLE = (apsw.BusyError, apsw.LockedError, apsw.IOError, apsw.CorruptError, apsw.NotADBError,
                apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError)

Bindings = tuple[object, ...]
Execute = Callable[..., apsw.Cursor]


def every(execute: Execute, statement: str, bindings: Bindings = ()) -> list[Any]:
    """All rows; what types they have is the statement's business."""
    return execute(statement, bindings).fetchall()


def one(execute: Execute, statement: str, bindings: Bindings = ()) -> Any:
    """The first row, or None."""
    return execute(statement, bindings).fetchone()


@contextmanager
def writing(connection: apsw.Connection) -> Iterator[apsw.Connection]:
    """A transaction that is committed, or rolled back where anything fails in it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


class translated:
    """``with`` this, failures of the database and the disk become those of moximap.store.errors."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        fail(error)


def fail(error: BaseException | None) -> None:
    """Raise that of moximap.store.errors which a failure of the database or the disk is; else nothing."""
    failure = None if error is None else translate(error)
    if failure is not None:
        raise failure from error


def translate(error: BaseException) -> StoreError | None:
    """The StoreError for an error of the database or the disk; None if it is a mistake of ours."""
    if isinstance(error, apsw.FullError) or is_disk_full(error):
        return NoSpace("the disk is full")
    if isinstance(error, apsw.BusyError):
        return Unavailable("locked by another process for too long")
    if isinstance(error, (*_UNAVAILABLE, OSError)):
        return Unavailable("the account's data cannot be read or written")
    return None


def is_disk_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def versions(schema: str) -> list[Path]:
    """The numbered files of a schema, in order: the first makes it, each other upgrades it."""
    files = {int(path.stem.rpartition("-")[2]): path for path in SCHEMAS.glob(f"{schema}-*.sql")}
    return [files[number] for number in sorted(files)]


def sync_directory(path: Path) -> None:
    """Make names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create(path: Path, schema: str, fill: Callable[[apsw.Connection], None] | None = None) -> None:
    """Build a database in a temporary file, and name it when it is whole and on the disk.

    Where another process was quicker, its database stays.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL, 0o600))
    connection = apsw.Connection(str(draft))
    try:
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.execute("BEGIN IMMEDIATE")
        _upgrade(connection, schema)
        if fill is not None:
            fill(connection)
        connection.execute("COMMIT")
        connection.close()
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        connection.close()
        draft.unlink()
    sync_directory(path.parent)


def connect(path: Path, *, write: bool) -> apsw.Connection:
    """A connection to an existing database; to be used by one thread at a time."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOMUTEX
    connection = apsw.Connection(str(path), flags=flags)
    try:
        # Otherwise a statement on a table with a partial index is compiled anew for each value it is given.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        be_patient(connection, PATIENCE)
        keep_log(connection)
        connection.wal_autocheckpoint(0)      # it would run inside the call that commits
        connection.pragma("synchronous", "full")
        connection.pragma("journal_size_limit", LOG_LIMIT)
        connection.pragma("cache_size", -4096 if write else -1024)
        if not write:
            connection.pragma("query_only", True)
    except BaseException:
        connection.close()
        raise
    return connection


def keep_log(connection: apsw.Connection) -> None:
    """Let the log's files stay when the last connection closes: on a full disk none could be made."""
    yes = ctypes.c_int(1)
    connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(yes))


class _UnixFile(ctypes.Structure):
    """How what SQLite knows of an open file has begun since 2007."""

    _fields_ = [("methods", ctypes.c_void_p), ("vfs", ctypes.c_void_p), ("inode", ctypes.c_void_p),
                ("descriptor", ctypes.c_int)]


def sync(connection: apsw.Connection, path: Path) -> None:
    """Sync the file of a database, not its log; where SQLite should not let us find it nothing is done.

    SQLite's own descriptor is needed: to open the file and close it again would end the locks on it.
    An OSError of the disk is raised: it is told once, and SQLite would not hear of it.
    """
    pointer = ctypes.POINTER(_UnixFile)()
    connection.file_control("main", apsw.SQLITE_FCNTL_FILE_POINTER, ctypes.addressof(pointer))
    descriptor = pointer.contents.descriptor
    try:
        found = os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        found = False
    if found:
        os.fdatasync(descriptor)


class Removal:
    """Whether a connection's database file is gone, or another is in its place: what is written is lost."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._moved = ctypes.c_int(0)
        self._address = ctypes.addressof(self._moved)

    def __bool__(self) -> bool:
        self._connection.file_control("main", apsw.SQLITE_FCNTL_HAS_MOVED, self._address)
        return bool(self._moved.value)


class Patience:
    """How many seconds a connection waits for locks that another process has.

    SQLite's own waiting sleeps for up to 100 ms, in which a busy process comes and goes a hundred
    times: who waits so long would hardly ever find the door open.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._started = 0.0

    def __call__(self, attempt: int) -> bool:
        if not self.seconds:
            return False
        if not attempt:
            self._started = monotonic()
        sleep(0.0002 if attempt < 100 else 0.001)
        return monotonic() - self._started < self.seconds


def be_patient(connection: apsw.Connection, seconds: float) -> None:
    """Let a connection wait for locks that another process has."""
    connection.set_busy_handler(Patience(seconds))


def prepare(path: Path, schema: str) -> None:
    """Bring an existing database to the newest version; Unavailable where it is newer than we."""
    connection = connect(path, write=True)
    try:
        newest = len(versions(schema))
        version = int(connection.pragma("user_version"))
        if version > newest:
            raise Unavailable(f"{path.name} has version {version}, known is {newest}")
        if version < newest:
            _back_up(connection, version, path.with_name(f"{path.name}.version-{version}"))
            connection.execute("BEGIN IMMEDIATE")
            _upgrade(connection, schema)
            connection.execute("COMMIT")
    finally:
        connection.close()


def _upgrade(connection: apsw.Connection, schema: str) -> None:
    """Run what is missing; the version is read inside the transaction, another may have been first."""
    version = int(connection.pragma("user_version"))
    for number, script in enumerate(versions(schema), start=1):
        if number > version:
            connection.execute(script.read_text(encoding="utf-8"))
            connection.pragma("user_version", number)


def _back_up(connection: apsw.Connection, version: int, target: Path) -> None:
    """Copy a database of that version, unless another process has upgraded it meanwhile: it has a copy."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL, 0o600))
    connection.execute("VACUUM INTO ?", (str(draft),))
    with closing(apsw.Connection(str(draft), flags=apsw.SQLITE_OPEN_READONLY)) as copy:
        copied = int(copy.pragma("user_version"))
    if copied != version:
        draft.unlink()
        return
    draft.replace(target)
    sync_directory(target.parent)
