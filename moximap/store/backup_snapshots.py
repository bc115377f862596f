"""What a snapshot is on disk: a directory that is complete as soon as it has its name.

    DIR/20260131T235959Z/snapshot.json             what is in it
    DIR/20260131T235959Z/directory.db              all accounts and how they log in
    DIR/20260131T235959Z/accounts/NAME/mail.db     mail of an account, one file
    DIR/20260131T235959Z/accounts/NAME/large/      its large messages, as the server has them
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from errno import EEXIST, ENOTEMPTY
from pathlib import Path
from typing import Any, Final

import attrs

from moximap.store.backup import sync_file
from moximap.store.database import sync_directory
from moximap.store.errors import Cannot, NoSuchAccount

FORMAT: Final = 1
MANIFEST: Final = "snapshot.json"
_TIME: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(r"\d{8}T\d{6}Z")


@attrs.frozen
class SavedAccount:
    """An account in a snapshot.  ``large``: how many of its messages are files of their own."""

    name: str
    directory: str                       # of its files, below accounts/
    messages: int
    size: int                            # octets of the messages
    large: int
    modseq: int


@attrs.frozen
class Snapshot:
    """A snapshot; ``complete``: all accounts that there were; ``problems``: what its check found."""

    path: Path
    accounts: tuple[SavedAccount, ...]
    complete: bool
    problems: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path) -> Snapshot:
        """Read what a directory says of itself; Cannot where it is no snapshot that is known here."""
        try:
            facts = json.loads((path / MANIFEST).read_bytes())
            if facts["format"] != FORMAT:
                raise Cannot(f"{path} is a snapshot of another version")
            return cls(path, tuple(SavedAccount(**saved) for saved in facts["accounts"]),
                       facts["complete"], tuple(facts["problems"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise Cannot(f"{path} is no snapshot") from None

    def facts(self) -> dict[str, Any]:
        return {"format": FORMAT, "complete": self.complete, "problems": list(self.problems),
                "accounts": [attrs.asdict(saved) for saved in self.accounts]}

    def write(self) -> None:
        """Write what is in it."""
        path = self.path / MANIFEST
        path.write_text(json.dumps(self.facts(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        sync_file(path)

    def home(self, saved: SavedAccount) -> Path:
        return self.path / "accounts" / saved.directory

    def account(self, name: str) -> SavedAccount:
        """An account by its name, in any case; NoSuchAccount."""
        for saved in self.accounts:
            if saved.name.casefold() == name.casefold():
                return saved
        raise NoSuchAccount("the snapshot has no such account")

    def stands_for(self, other: Snapshot) -> bool:
        """Whether nothing that ``other`` has of accounts is missing here."""
        if self.problems:
            return False
        names = {saved.name for saved in self.accounts}
        return self.complete or (not other.complete
                                 and names.issuperset(saved.name for saved in other.accounts))


def snapshots(where: Path) -> list[Snapshot]:
    """All snapshots in a directory, oldest first."""
    return [Snapshot.load(path) for path in sorted(where.iterdir())
            if _NAME.fullmatch(path.name) and (path / MANIFEST).exists()]


def publish(draft: Path, where: Path, now: datetime) -> Path:
    """Give a draft the name of the youngest snapshot: now it is one.  All of it is on the disk already."""
    while True:
        youngest = max((path.name for path in where.iterdir() if _NAME.fullmatch(path.name)), default="")
        name = now.astimezone(UTC).strftime(_TIME)
        if name <= youngest:                     # two in one second, or the clock went back
            after = datetime.strptime(youngest, _TIME).replace(tzinfo=UTC) + timedelta(seconds=1)
            name = after.strftime(_TIME)
        try:
            draft.rename(where / name)
        except OSError as error:
            if error.errno not in (EEXIST, ENOTEMPTY):
                raise                            # else another backup took the name just now
        else:
            sync_directory(where)
            return where / name


def prune(where: Path, keep: int, bin: Path) -> list[Path]:
    """Remove each snapshot that ``keep`` younger ones stand for; ``bin``: a name for what is going."""
    kept: list[Snapshot] = []
    gone = []
    for snapshot in reversed(snapshots(where)):
        if keep <= _standing_for(snapshot, kept):
            snapshot.path.rename(bin)            # half of it must not be taken for the whole
            shutil.rmtree(bin)
            gone.append(snapshot.path)
        else:
            kept.append(snapshot)
    return gone


def _standing_for(snapshot: Snapshot, younger: Sequence[Snapshot]) -> int:
    return sum(other.stands_for(snapshot) for other in younger)
