"""Taking a snapshot of a server that goes on serving."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import attrs

from moximap.store import backup, checking
from moximap.store.account import DATABASE, Account
from moximap.store.backup_snapshots import SavedAccount, Snapshot, prune, publish, snapshots
from moximap.store.database import one, translated
from moximap.store.directory import DATABASE as DIRECTORY
from moximap.store.directory import Directory, directory_name
from moximap.store.errors import NoSuchAccount, Unavailable
from moximap.store.presence import Presence

_DRAFT: Final = ".draft-{}"


class IMeter(Protocol):
    """Who watches: octets that are to be copied, and that were."""

    def expect(self, octets: int) -> object: ...

    def advance(self, octets: int) -> object: ...


class Unwatched:
    """Nobody watches."""

    def expect(self, octets: int) -> None:
        pass

    def advance(self, octets: int) -> None:
        pass


@attrs.frozen
class Taken:
    """A snapshot that was taken.  ``copied``: octets that it needed of its own; ``pruned``: what went."""

    snapshot: Snapshot
    copied: int
    pruned: tuple[Path, ...]


def take(directory: Directory, where: Path, names: Sequence[str] = (), *, verify: bool = False,
         keep: int | None = None, meter: IMeter | None = None) -> Taken:
    """Take a snapshot into the directory ``where``, of the named accounts or of all.

    ``verify``: read all of it again and compare hashes.  NoSuchAccount, NoSpace, Unavailable.
    """
    with translated():
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _draft(where) as draft:
            taking = _Taking(directory, draft, snapshots(where), verify, meter or Unwatched())
            snapshot = taking.run(names)
            path = publish(draft, where, datetime.now(UTC))
            pruned = () if keep is None else tuple(prune(where, keep, draft))
    return Taken(attrs.evolve(snapshot, path=path), taking.copied, pruned)


@contextmanager
def _draft(where: Path) -> Iterator[Path]:
    """A directory for what is not a snapshot yet; those of killed backups go."""
    (where / ".open").mkdir(mode=0o700, exist_ok=True)
    presence = Presence(where / ".open")
    draft = where / _DRAFT.format(presence.token)
    try:
        for token in presence.bury():
            shutil.rmtree(where / _DRAFT.format(token), ignore_errors=True)
        draft.mkdir(mode=0o700)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        presence.leave()


@attrs.define
class _Taking:
    """One snapshot in the making."""

    directory: Directory
    draft: Path
    earlier: list[Snapshot]
    verify: bool
    meter: IMeter
    problems: list[str] = attrs.field(factory=list)
    copied: int = 0

    def run(self, names: Sequence[str]) -> Snapshot:
        """The directory first: an account that is in it and was removed since is left out."""
        self.directory.back_up(self.draft / DIRECTORY)
        (self.draft / "accounts").mkdir(mode=0o700)
        wanted = [self.directory.account(name).name for name in names] or \
            [record.name for record in self.directory.accounts()]
        saved = [self._account(name) for name in dict.fromkeys(wanted)]
        snapshot = Snapshot(self.draft, tuple(one for one in saved if one is not None), not names,
                            tuple(self.problems))
        snapshot.write()
        backup.sync_tree(self.draft)
        return snapshot

    def _account(self, name: str) -> SavedAccount | None:
        home = self.draft / "accounts" / directory_name(name)
        try:
            with closing(self.directory.open(name)) as account:
                return self._copy(account, home)
        except (Unavailable, FileNotFoundError, NoSuchAccount) as error:
            shutil.rmtree(home, ignore_errors=True)
            if self._is_there(name):
                self.problems.append(f"{name}: {error}")
            return None

    def _is_there(self, name: str) -> bool:
        try:
            self.directory.account(name)
        except NoSuchAccount:
            return False
        return True

    def _copy(self, account: Account, home: Path) -> SavedAccount:
        """As long as the account is open nothing that its copy names is erased."""
        home.mkdir(mode=0o700)
        (home / "large").mkdir(mode=0o700)
        path = home / DATABASE
        self.meter.expect(account.size())
        account.back_up(path, self.meter.advance)
        backup.strip(path)
        self.copied += path.stat().st_size
        with closing(backup.read_only(path)) as copy:
            files = list(backup.large_files(copy))
            self._files(account.home, home, files)
            messages, size = one(copy.execute, "SELECT ifnull(sum(messages), 0), ifnull(sum(size), 0)"
                                 " FROM mailbox WHERE NOT removed")
            modseq = one(copy.execute, "SELECT modseq FROM account")[0]
        for problem in checking.check_copy(lambda: backup.read_only(path), home, self.verify):
            self.problems.append(f"{account.name}: {problem}")
        return SavedAccount(account.name, home.name, messages, size, len(files), modseq)

    def _files(self, live: Path, home: Path, files: Sequence[tuple[str, int]]) -> None:
        before = self._before(home.name)
        self.meter.expect(sum(size for _, size in files))
        for name, size in files:
            target = home / "large" / name
            target.parent.mkdir(mode=0o700, exist_ok=True)
            sources = [live / "large" / name]
            if before is not None and _has(before / "large" / name, size):
                sources.insert(0, before / "large" / name)
            self._place(target, sources, size)
            self.meter.advance(size)

    def _place(self, target: Path, sources: Sequence[Path], size: int) -> None:
        try:
            if backup.place(target, *sources):
                self.copied += size
        except FileNotFoundError:
            pass                             # the server has lost it: the check tells

    def _before(self, directory: str) -> Path | None:
        """The account's files in the youngest snapshot that has it."""
        for snapshot in reversed(self.earlier):
            for saved in snapshot.accounts:
                if saved.directory == directory:
                    return snapshot.home(saved)
        return None


def _has(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


__all__ = ["IMeter", "Taken", "take"]
