"""Restoring from a snapshot: a mailbox or messages into an account, or an account as a whole.

An account that is restored gets new UIDVALIDITYs.  Clients have seen UIDs and modseqs that were given
out after the snapshot; they would be given out again, for other messages, and a client that comes back
with the old ones would take the new messages for those that it knows.  Only who knows that no client
has seen anything newer, as in moving to another machine, may keep them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import time
from typing import Final

import apsw
import attrs

from moximap.store import account as mail
from moximap.store import backup, checking, database
from moximap.store.backup import Progress
from moximap.store.backup_snapshots import SavedAccount, Snapshot
from moximap.store.directory import DATABASE as DIRECTORY
from moximap.store.directory import SCHEMA as DIRECTORY_SCHEMA
from moximap.store.directory import Directory
from moximap.store.errors import AccountExists, NoSuchAccount
from moximap.store.presence import Presence
from moximap.store.restoring import Restored
from moximap.store.restoring_logins import Login
from moximap.store.restoring_source import Source
from moximap.values import NumSet

#: Where accounts are made ready, below the data directory.
ROOM: Final = "restoring"
#: Numbers of contents that are left out: EMAILIDs that may have been given out since the snapshot.
SKIPPED: Final = 10_000_000


@attrs.frozen
class Restoration:
    """One account of a snapshot, and the data directory that it goes into; ``progress`` by octets."""

    data: Path
    directory: Directory
    snapshot: Snapshot
    saved: SavedAccount
    progress: Progress = backup.silent

    def mailbox(self, name: str, account: str, into: str, uids: NumSet | None = None) -> Restored:
        """Add a mailbox's messages, or some of them, to a mailbox of an account that exists."""
        with self._source() as source, closing(self.directory.open(account)) as opened:
            restorer = opened.restorer(self.progress)
            restorer.mailbox(source, name, into, uids)
            return restorer.done

    def account(self, name: str, *, replace: bool = False, keep_uids: bool = False) -> Restored:
        """Restore the account under a name; AccountExists unless ``replace``, which needs one."""
        try:
            self.directory.account(name)
        except NoSuchAccount:
            return self._new(name, keep_uids)
        if not replace or keep_uids:
            raise AccountExists("an account of that name exists: say whether to replace all its mail")
        with self._source() as source, closing(self.directory.open(name)) as opened:
            restorer = opened.restorer(self.progress)
            restorer.account(source)
            return restorer.done

    @contextmanager
    def _source(self) -> Iterator[Source]:
        """The account's mail; a database of an older version is copied and upgraded."""
        home = self.snapshot.home(self.saved)
        path = home / mail.DATABASE
        with database.translated(), _room(self.data) as room:
            with closing(backup.read_only(path)) as connection:
                current = connection.pragma("user_version") == len(database.versions(mail.SCHEMA))
            if not current:
                path = _upgraded(path, room / mail.DATABASE, mail.SCHEMA)
            with closing(Source(path, home / "large")) as source:
                yield source

    def _new(self, name: str, keep_uids: bool) -> Restored:
        with database.translated(), _room(self.data) as room:
            login = _login(self.snapshot, self.saved.name, room)
            home = room / "home"
            for path in (home, home / "large", home / "tmp", home / "open"):
                path.mkdir(mode=0o700)
            _upgraded(self.snapshot.home(self.saved) / mail.DATABASE, home / mail.DATABASE, mail.SCHEMA)
            done = self._fill(home, keep_uids)
            backup.sync_tree(home)
            done.problems += self.directory.adopt(login.under(name), home)
        return done

    def _fill(self, home: Path, keep_uids: bool) -> Restored:
        """Put large messages in their place, and look whether all is there."""
        path = home / mail.DATABASE
        done = Restored(len(self._mailboxes(path, keep_uids)), self.saved.messages)
        self.progress(path.stat().st_size)
        with closing(database.connect(path, write=False)) as connection:
            for name, size in backup.large_files(connection):
                (home / "large" / name).parent.mkdir(mode=0o700, exist_ok=True)
                try:
                    backup.place(home / "large" / name, self.snapshot.home(self.saved) / "large" / name)
                except FileNotFoundError:
                    pass                     # the check tells
                self.progress(size)
        done.problems += checking.check(lambda: database.connect(path, write=False), home)
        return done

    def _mailboxes(self, path: Path, keep_uids: bool) -> list[int]:
        with closing(database.connect(path, write=True)) as connection:
            connection.pragma("journal_mode", "wal")
            ids = [id for id, in connection.execute("SELECT id FROM mailbox WHERE NOT removed ORDER BY id")]
            if not keep_uids:
                connection.execute("BEGIN IMMEDIATE")
                _give_new_numbers(connection, ids)
                connection.execute("COMMIT")
            return ids


def _give_new_numbers(connection: apsw.Connection, mailboxes: list[int]) -> None:
    """UIDVALIDITYs grow with time: these are higher than all that an account of that name ever had."""
    first = max(int(time()), connection.execute("SELECT uidvalidity FROM account").get) + 1
    connection.executemany("UPDATE mailbox_row SET uidvalidity = ? WHERE id = ?", enumerate(mailboxes, first))
    connection.execute("UPDATE mailbox_row SET uidvalidity = ?, contents = contents + ? WHERE id = 0",
                       (first + len(mailboxes), SKIPPED))


def _upgraded(path: Path, copy: Path, schema: str) -> Path:
    """A copy of a database, of the newest version."""
    shutil.copyfile(path, copy)
    copy.chmod(0o600)
    database.prepare(copy, schema)
    backup.sync_file(copy)
    return copy


def _login(snapshot: Snapshot, name: str, room: Path) -> Login:
    path = _upgraded(snapshot.path / DIRECTORY, room / DIRECTORY, DIRECTORY_SCHEMA)
    with closing(backup.read_only(path)) as connection:
        return Login.read(connection, name)


@contextmanager
def _room(data: Path) -> Iterator[Path]:
    """A directory on the disk of the accounts; those of killed restorations go."""
    (data / ROOM).mkdir(mode=0o700, exist_ok=True)
    presence = Presence(data / ROOM)
    room = data / ROOM / f"{presence.token}.draft"
    try:
        for token in presence.bury():
            shutil.rmtree(data / ROOM / f"{token}.draft", ignore_errors=True)
        room.mkdir(mode=0o700)
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)
        presence.leave()
