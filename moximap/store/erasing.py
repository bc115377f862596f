"""What nobody needs any more goes: contents of expunged messages, old rows of the log, left files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import apsw
import attrs

from moximap.store import threadids
from moximap.store.database import SHRINK, every, is_disk_full, one
from moximap.store.presence import Presence, is_alive
from moximap.store.readers import Readers
from moximap.store.transaction import Transaction
from moximap.store.writer import Writer

#: Messages in one step: other writers wait for no more than this.
STEP: Final = 500
#: Rows of the log that a mailbox keeps in any case.
KEPT_LOG: Final = 1000

_WIDTH: Final = 20
_GONE: Final = ("SELECT mailbox, uid, content FROM message INDEXED BY message_gone"
                " WHERE expunged AND content IS NOT NULL AND modseq <= ? LIMIT ?")
_SHOWN: Final = "SELECT 1 FROM message WHERE content = ? AND NOT expunged"


def say_floor(presence: Presence, modseq: int) -> None:
    """This opening may still read what was expunged after ``modseq``.

    Where the disk is too full to say it, others take it for 0, or for what was said before.
    """
    try:
        presence.say(f"{modseq:0{_WIDTH}d}")
    except OSError as error:
        if not is_disk_full(error):
            raise


def common_floor(presence: Presence, floor: int) -> int:
    """The least floor of all openings; one that has not said it yet has 0."""
    for path in presence.others():
        try:
            floor = min(floor, int(path.read_bytes() or b"0"))
        except FileNotFoundError:
            pass                             # it left between the two calls
    return floor


@attrs.frozen
class Eraser:
    """Erases contents of messages expunged at or before a floor.  ``large``: where the files are;
    ``forget`` is told before which contents may go, and says whether they may."""

    readers: Readers
    writer: Writer
    large: Path
    forget: Callable[[list[int]], bool]

    def erase(self, floor: int) -> int:
        """How many contents went."""
        erased, more = 0, True
        while more:
            count, more = self.erase_some(floor, STEP)
            erased += count
        return erased

    def erase_some(self, floor: int, limit: int) -> tuple[int, bool]:
        """Of up to ``limit`` messages: how many contents went, and whether there is more to do."""
        with self.readers.snapshot() as snapshot:
            rows = every(snapshot.connection.execute, _GONE, (floor, limit))
            contents = {row[2] for row in rows}
            unseen = [content for content in contents
                      if one(snapshot.connection.execute, _SHOWN, (content,)) is None]
        if unseen and not self.forget(unseen):
            return 0, True
        count = 0
        if rows:
            count, files = self.writer.run(_erasing(rows))
            for name in files:
                (self.large / name).unlink(missing_ok=True)
        return count, len(rows) == limit or self.writer.run(_trim_one_log)


def erase_all(transaction: Transaction) -> None:
    """Erase contents of all expunged messages of a copy; their files are no part of it."""
    transaction.execute("UPDATE message SET content = NULL WHERE expunged AND content IS NOT NULL")
    for content, in every(transaction.execute, "SELECT id FROM content WHERE id NOT IN"
                          " (SELECT content FROM message WHERE content IS NOT NULL)"):
        _forget(transaction, content)


def _erasing(rows: list[tuple[int, int, int]]) -> Callable[[Transaction], tuple[int, list[str]]]:
    return lambda transaction: _erase_some(transaction, rows)


def _erase_some(transaction: Transaction, rows: list[tuple[int, int, int]]) -> tuple[int, list[str]]:
    """Rows let go of their contents; how many contents went, and their files.

    Expunged rows stay so, and nothing refers to a content anew that is shown nowhere: what was true
    when these were read is true now.  Another process may have been here before.
    """
    transaction.executemany("UPDATE message SET content = NULL WHERE mailbox = ? AND uid = ?",
                            [row[:2] for row in rows])
    erased, files = 0, list[str]()
    for content in {row[2] for row in rows}:
        if one(transaction.execute, "SELECT 1 FROM message WHERE content = ?", (content,)) is None:
            found = _forget(transaction, content)
            erased += len(found)
            files += [name for name in found if name is not None]
    transaction.execute(SHRINK)                        # all that was read is of no use any more
    return erased, files


def _forget(transaction: Transaction, content: int) -> list[str | None]:
    transaction.execute("DELETE FROM summary WHERE content = ?", (content,))
    transaction.execute("DELETE FROM digest WHERE content = ?", (content,))
    rows = every(transaction.execute, "DELETE FROM content WHERE id = ? RETURNING file, thread",
                 (content,))
    for _, thread in rows:
        threadids.forget(transaction, thread)
    return [name for name, _ in rows]


def _trim_one_log(transaction: Transaction) -> bool:
    """Cut the log of a mailbox for which reading all messages is quicker than reading all of it."""
    row = one(
        transaction.execute,
        "SELECT id FROM (SELECT mailbox, count(*) AS length FROM log GROUP BY mailbox) JOIN mailbox"
        " ON id = mailbox WHERE length > 2 * messages + 2 * ? LIMIT 1", (KEPT_LOG,))
    if row is None:
        return False
    cut = transaction.execute("SELECT modseq FROM log WHERE mailbox = ? ORDER BY modseq DESC"
                              " LIMIT 1 OFFSET ?", (row[0], KEPT_LOG)).get
    transaction.execute("DELETE FROM log WHERE mailbox = ? AND modseq <= ?", (row[0], cut))
    transaction.execute("UPDATE mailbox_row SET logfloor = max(logfloor, ?) WHERE id = ?", (cut, row[0]))
    return True


def clean(home: Path, presence: Presence, connect: Callable[[], apsw.Connection]) -> None:
    """Remove files that killed openings left; looks only if there was one."""
    if presence.dead():
        for path in list(orphans(home, connect)):
            path.unlink(missing_ok=True)
        presence.bury()


def orphans(home: Path, connect: Callable[[], apsw.Connection]) -> Iterator[Path]:
    """Files that no row names, and whose writer is gone."""
    large = [path for path in (home / "large").glob("*/*") if not _is_at_work(home, path)]
    connection = connect()
    try:
        rows = connection.execute("SELECT file FROM content WHERE file IS NOT NULL") if large else ()
        named = {name for name, in rows}
    finally:
        connection.close()
    yield from (path for path in large if f"{path.parent.name}/{path.name}" not in named)
    yield from (path for path in (home / "tmp").iterdir() if not _is_at_work(home, path))


def _is_at_work(home: Path, path: Path) -> bool:
    return is_alive(home / "open" / path.name.partition(".")[0])
