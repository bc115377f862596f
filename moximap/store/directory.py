"""directory.db: all accounts, and how they log in."""

from __future__ import annotations

import secrets
import shutil
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import time
from typing import Final
from urllib.parse import quote

import apsw
from zope.interface import implementer

from moximap.store import account as mail
from moximap.store import backup, checking_directory, database
from moximap.store.addresses_table import AccountRow, Addresses
from moximap.store.addresses_table import account_row as _row
from moximap.store.addresses_table import is_taken as _exists
from moximap.store.annotations_table import SharedAnnotations
from moximap.store.attempts_table import AttemptsTable
from moximap.store.checkpointing import Checkpointer
from moximap.store.database import every, one
from moximap.store.errors import AccountExists, Cannot, Unavailable
from moximap.store.interfaces import AccountRecord, IDirectory, Moment, Verifier
from moximap.store.keys_table import Keys
from moximap.store.restoring_logins import Login

SCHEMA: Final = "directory"
DATABASE: Final = "directory.db"
MAX_NAME: Final = 200
#: Characters of the reason for which logins are refused.
MAX_REASON: Final = 256


@implementer(IDirectory)
class Directory:
    """All accounts below a data directory, which is made if it is not there; any thread may call."""

    def __init__(self, path: Path) -> None:
        self._accounts = path / "accounts"
        self._lock = Lock()
        self._written = 0                         # data_version is about what others write
        self._checkpointer = Checkpointer()
        with database.translated():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._accounts.mkdir(mode=0o700, exist_ok=True)
            if not (path / DATABASE).exists():
                database.create(path / DATABASE, SCHEMA)
            database.prepare(path / DATABASE, SCHEMA)
            self._connection = database.connect(path / DATABASE, write=True)
            self._connection.wal_autocheckpoint(1000)
            self._finish_what_was_cut_off()
            self.keys = Keys(self._read, self._write)
            self.annotations = SharedAnnotations(self._read, self._write)
            self.addresses = Addresses(self._read, self._write)
            self.attempts = AttemptsTable(path / DATABASE)

    def close(self) -> None:
        with self._lock:
            self._connection.close()
        self.attempts.close()
        self._checkpointer.close()

    def moment(self) -> Moment:
        with self._read() as connection:
            return one(connection.execute, "PRAGMA data_version")[0], self._written

    def accounts(self) -> tuple[AccountRecord, ...]:
        with self._read() as connection:
            rows = every(connection.execute, "SELECT id, name, created, disabled FROM account"
                         " WHERE NOT removing ORDER BY folded")
            return tuple(_record(connection, row) for row in rows)

    def account(self, name: str) -> AccountRecord:
        with self._read() as connection:
            return _record(connection, _row(connection, name))

    def add(self, name: str, verifiers: Sequence[Verifier] = ()) -> AccountRecord:
        """The account's files are in their place before its row is committed."""
        name = clean_name(name)
        home = self._home(name)
        with self._write() as connection:
            if _exists(connection, name):
                raise AccountExists("an account of that name exists already")
            connection.execute("INSERT INTO account (name, folded, created) VALUES (?, ?, ?)",
                               (name, name.casefold(), time()))
            row = _row(connection, name)
            _write_verifiers(connection, row[0], verifiers)
            draft = self._accounts / f".new-{secrets.token_hex(8)}"
            draft.mkdir(mode=0o700)
            mail.create(draft)
            self._put(draft, home)
            return _record(connection, row)

    def adopt(self, login: Login, draft: Path) -> list[str]:
        """Add an account whose files are ready, in a directory on the same disk; AccountExists, Cannot.

        Gives what of its logins it cannot have any more, in words.
        """
        name = clean_name(login.name)
        with self._write() as connection:
            if _exists(connection, name):
                raise AccountExists("an account of that name exists already")
            connection.execute("INSERT INTO account (name, folded, created, disabled) VALUES (?, ?, ?, ?)",
                               (name, name.casefold(), login.created, login.disabled))
            lost = list(login.write(connection, _row(connection, name)[0]))
            self._put(draft, self._home(name))
            return lost

    def set_verifiers(self, name: str, verifiers: Sequence[Verifier]) -> None:
        with self._write() as connection:
            _write_verifiers(connection, _row(connection, name)[0], verifiers)

    def set_disabled(self, name: str, reason: str | None) -> None:
        if reason is not None and not (0 < len(reason) <= MAX_REASON and reason.isascii()
                                       and reason.isprintable()):
            raise Cannot(f"the reason must be 1 to {MAX_REASON} printable ASCII characters")
        with self._write() as connection:
            connection.execute("UPDATE account SET disabled = ? WHERE id = ?",
                               (reason, _row(connection, name)[0]))

    def set_capabilities_off(self, name: str, capabilities: Collection[str]) -> None:
        with self._write() as connection:
            id = _row(connection, name)[0]
            connection.execute("DELETE FROM capability_off WHERE account = ?", (id,))
            connection.executemany("INSERT OR IGNORE INTO capability_off VALUES (?, ?)",
                                   [(id, capability.upper()) for capability in capabilities])

    def secret(self, name: str) -> bytes:
        with self._read() as connection:
            value: bytes = one(connection.execute, "SELECT value FROM secret WHERE name = ?", (name,))[0]
            return value

    def remove(self, name: str) -> None:
        """The row is marked first: a removal that is cut off is finished by who opens next."""
        with self._write() as connection:
            id = _row(connection, name)[0]
            connection.execute("UPDATE account SET removing = 1 WHERE id = ?", (id,))
        with self._write() as connection:
            self._remove_marked(connection)

    def open(self, name: str) -> mail.Account:
        record = self.account(name)
        home = self._home(record.name)
        if not (home / mail.DATABASE).exists():
            raise Unavailable("the account's database is missing")
        return mail.Account(home, record.name, self._checkpointer)

    def check(self) -> Iterator[str]:
        """What is wrong with the directory, in words; what is wrong inside an account it does not see."""
        with self._write() as connection:
            problems = list(checking_directory.check(connection, self._accounts, self._home))
        yield from problems

    def repair(self) -> Iterator[str]:
        """Mend what can be mended without guessing; what was done, in words."""
        with self._write() as connection:
            done = list(checking_directory.repair(connection))
        yield from done

    def back_up(self, target: Path) -> None:
        """Copy the database into a file."""
        with self._read() as connection:
            backup.copy_database(connection, target)

    def _home(self, name: str) -> Path:
        return self._accounts / directory_name(name)

    def _put(self, draft: Path, home: Path) -> None:
        """Under the directory's write lock, so nobody else makes or removes the same."""
        if home.exists():
            # It has no row: an addition that was cut off, or somebody's mail.  Who knows?
            home.rename(self._accounts / f"{checking_directory.LOST}{home.name}-{secrets.token_hex(8)}")
        draft.rename(home)
        database.sync_directory(self._accounts)

    def _finish_what_was_cut_off(self) -> None:
        if one(self._connection.execute, "SELECT 1 FROM account WHERE removing") is not None \
                or any(self._accounts.glob(".new-*")):
            with self._write() as connection:
                self._remove_marked(connection)
                for draft in self._accounts.glob(".new-*"):
                    shutil.rmtree(draft)

    def _remove_marked(self, connection: apsw.Connection) -> None:
        for id, name in every(connection.execute, "SELECT id, name FROM account WHERE removing"):
            home = self._home(name)
            if home.exists():
                home.rename(self._accounts / f".new-{secrets.token_hex(8)}")
                database.sync_directory(self._accounts)
            connection.execute("DELETE FROM verifier WHERE account = ?", (id,))
            connection.execute("DELETE FROM account WHERE id = ?", (id,))
        for gone in self._accounts.glob(".new-*"):
            shutil.rmtree(gone)

    def _read(self) -> _Reading:
        return _Reading(self._lock, self._connection)

    @contextmanager
    def _write(self) -> Iterator[apsw.Connection]:
        with self._lock, database.translated(), database.writing(self._connection) as connection:
            self._written += 1
            yield connection


class _Reading:
    """The connection, for one thread at a time."""

    def __init__(self, lock: Lock, connection: apsw.Connection) -> None:
        self._lock = lock
        self._connection = connection

    def __enter__(self) -> apsw.Connection:
        self._lock.acquire()
        return self._connection

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._lock.release()
        database.fail(error)


def clean_name(name: str) -> str:
    """The name in normal form C; Cannot where it can't be an account's."""
    name = unicodedata.normalize("NFC", name)
    if any(c == "/" or unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name):
        raise Cannot("an account's name has no / and no control characters")
    if not name or name.strip() != name or len(name.encode()) > MAX_NAME \
            or len(directory_name(name)) > MAX_NAME:
        raise Cannot("an account's name is not empty, not too long, and has no space around it")
    return name


def directory_name(name: str) -> str:
    """The name of an account's directory: the same for names that are the same without case."""
    quoted = quote(name.casefold(), safe="@+").replace("~", "%7E")
    return "%2E" + quoted[1:] if quoted.startswith(".") else quoted


def _record(connection: apsw.Connection, row: AccountRow) -> AccountRecord:
    id, name, created, disabled = row
    verifiers = connection.execute(
        "SELECT mechanism, salt, iterations, stored_key, server_key FROM verifier WHERE account = ?"
        " ORDER BY mechanism", (id,))
    off = every(connection.execute, "SELECT name FROM capability_off WHERE account = ? ORDER BY name", (id,))
    return AccountRecord(name, created, disabled, tuple(Verifier(*verifier) for verifier in verifiers),
                         tuple(capability for capability, in off))


def _write_verifiers(connection: apsw.Connection, id: int, verifiers: Sequence[Verifier]) -> None:
    connection.execute("DELETE FROM verifier WHERE account = ?", (id,))
    connection.executemany(
        "INSERT INTO verifier VALUES (?, ?, ?, ?, ?, ?)",
        [(id, v.mechanism, v.salt, v.iterations, v.stored_key, v.server_key) for v in verifiers])
