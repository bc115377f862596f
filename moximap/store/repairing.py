"""Mending of an account: what follows from what is there, and nothing that had to be guessed.

Each mending is a write operation that finds what it is for and says what it did.  What is beyond
them, the check still tells afterwards: mail that is lost is in a backup or nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import apsw

from moximap.store import annotations_table, digesting, mailboxes, names, repairing_records
from moximap.store.checking import COUNTED, STAGED, torn
from moximap.store.contents import Files
from moximap.store.database import every, one
from moximap.store.erasing import orphans
from moximap.store.errors import StoreError
from moximap.store.readers import Readers
from moximap.store.transaction import Transaction
from moximap.store.writer import Writer

Mending = Callable[[Transaction], list[str]]

_HIGHEST: Final = ("SELECT max(modseq) FROM (SELECT max(modseq) AS modseq FROM mailbox UNION ALL"
                   " SELECT max(modseq) FROM message UNION ALL SELECT max(modseq) FROM log UNION ALL"
                   " SELECT max(modseq) FROM subscription UNION ALL SELECT max(modseq) FROM annotation)")
_BEHIND: Final = (
    "SELECT id, name FROM mailbox b WHERE modseq < createseq"
    " OR modseq < (SELECT max(modseq) FROM message WHERE mailbox = b.id)"
    " OR modseq < (SELECT max(modseq) FROM log WHERE mailbox = b.id)"
    " OR modseq < (SELECT max(modseq) FROM annotation WHERE mailbox = b.id)")
_UNLOGGED: Final = (
    "SELECT DISTINCT b.id, b.name FROM mailbox b JOIN message m ON m.mailbox = b.id"
    " WHERE m.modseq > b.logfloor AND NOT EXISTS (SELECT 1 FROM log l WHERE l.mailbox = m.mailbox"
    " AND l.modseq = m.modseq AND m.uid BETWEEN l.lo AND l.hi)"
    " UNION SELECT b.id, b.name FROM mailbox b JOIN (SELECT mailbox, lo, lag(hi, 1, 0) OVER"
    " (PARTITION BY mailbox, modseq ORDER BY lo) AS before FROM log) l ON l.mailbox = b.id"
    " WHERE lo <= before")
_AMBIGUOUS: Final = (
    "SELECT id, name FROM mailbox b WHERE uidvalidity < 1"
    " OR EXISTS (SELECT 1 FROM mailbox o WHERE o.uidvalidity = b.uidvalidity AND o.id < b.id)")


def repair(readers: Readers, writer: Writer, files: Files, home: Path,
           connect: Callable[[], apsw.Connection]) -> Iterator[str]:
    """Mend, each in a transaction of its own, while others go on; what was done, in words."""
    yield from _indexes(connect)
    if _is_torn(connect):
        return                               # what seems needless may be needed by what is torn
    for mending in MENDINGS:
        yield from writer.run(mending)
    yield from writer.run(digesting.remove_needless)
    yield from digesting.make_missing(readers, writer, files)
    while redone := digesting.redigest(readers, writer, files, digesting.STEP):
        yield f"made {redone} digests anew"
    yield from _needless_contents(writer, home)
    yield from writer.run(repairing_records.threads)
    for path in list(orphans(home, connect)):
        path.unlink(missing_ok=True)
        yield f"removed file {path.relative_to(home)}"


def _indexes(connect: Callable[[], apsw.Connection]) -> Iterator[str]:
    """Indexes follow from their tables; a table that is torn itself stays so."""
    if _is_torn(connect):
        with closing(connect()) as connection, suppress(apsw.CorruptError, apsw.ConstraintError):
            connection.execute("REINDEX")
            yield "built the indexes anew"


def _is_torn(connect: Callable[[], apsw.Connection]) -> bool:
    with closing(connect()) as connection:
        try:
            return bool(list(torn(connection)))
        except apsw.CorruptError:
            return True


def _account_counters(transaction: Transaction) -> list[str]:
    """Numbers that are in use were given out."""
    counters, done = transaction.counters, []
    highest = {"modseq": _maximum(transaction, _HIGHEST),
               "uidvalidity": _maximum(transaction, "SELECT max(uidvalidity) FROM mailbox"),
               "contents": _maximum(transaction, "SELECT max(id) FROM content")}
    for name, value in highest.items():
        if value > getattr(counters, name):
            setattr(counters, name, value)
            done.append(f"raised the account's {name} to {value}")
    sets = _maximum(transaction, "SELECT max(id) FROM keywordset")
    if sets > transaction.flags.last:
        transaction.flags.last = sets
        done.append(f"raised the account's keyword sets to {sets}")
    return done


def _maximum(transaction: Transaction, statement: str) -> int:
    return int(one(transaction.execute, statement)[0] or 0)


def _keywords(transaction: Transaction) -> list[str]:
    """A keyword that a set has is one of the account's."""
    known = {name for name, in every(transaction.execute, "SELECT name FROM keyword")}
    sets = every(transaction.execute, "SELECT names FROM keywordset ORDER BY id")
    missing = dict.fromkeys(name for names, in sets for name in names.split(" ") if name not in known)
    for name in missing:
        transaction.execute("INSERT OR IGNORE INTO keyword (folded, name) VALUES (?, ?)",
                            (name.casefold(), name))
    return [f"made keyword {name} known" for name in missing]


def _inbox(transaction: Transaction) -> list[str]:
    if transaction.find(names.INBOX) is not None:
        return []
    mailboxes.create(transaction, names.INBOX, (), subscribed=True)
    return ["made an INBOX"]


def _parents(transaction: Transaction) -> list[str]:
    """A name says which mailbox is its parent, and that there is one."""
    done = []
    for id, name, parent in every(transaction.execute, "SELECT id, name, parent FROM mailbox"
                                  " WHERE NOT removed ORDER BY name"):
        above = name.rpartition("/")[0]
        found = transaction.find(above) if above else None
        if above and found is None:
            try:
                found = mailboxes.create(transaction, above, (), subscribed=False).mailboxes[-1]
            except StoreError:
                continue                     # it has a name that none can have: the check tells
        wanted = None if found is None else found.id
        if wanted != parent:
            transaction.execute("UPDATE mailbox_row SET parent = ?, modseq = ? WHERE id = ?",
                                (wanted, transaction.modseq, id))
            done.append(f"gave mailbox {name} its parent")
    return done


def _uidvalidities(transaction: Transaction) -> list[str]:
    """A new one is always right: it makes clients forget what they have."""
    rows = every(transaction.execute, _AMBIGUOUS)
    for id, _ in rows:
        transaction.execute("UPDATE mailbox_row SET uidvalidity = ?, modseq = ? WHERE id = ?",
                            (transaction.next_uidvalidity(), transaction.modseq, id))
    return [f"gave mailbox {name} a new UIDVALIDITY" for _, name in rows]


def _uidnexts(transaction: Transaction) -> list[str]:
    rows = every(transaction.execute, "SELECT b.id, b.name, max(m.uid) + 1 FROM mailbox b JOIN message m"
                 " ON m.mailbox = b.id GROUP BY b.id HAVING max(m.uid) >= b.uidnext")
    for id, _, uidnext in rows:
        transaction.execute("UPDATE mailbox_row SET uidnext = ?, modseq = ? WHERE id = ?",
                            (uidnext, transaction.modseq, id))
    return [f"raised UIDNEXT of mailbox {name} to {uidnext}" for _, name, uidnext in rows]


def _cut_off_restores(transaction: Transaction) -> list[str]:
    """Nobody has seen these; a restore that is still at work notices, and fails."""
    rows = every(transaction.execute, f"SELECT id FROM mailbox WHERE name GLOB '{STAGED}*' AND messages")
    for id, in rows:
        mailboxes.empty(transaction, id)
    return ["removed what a restore left that was cut off"] if rows else []


def _message_modseqs(transaction: Transaction) -> list[str]:
    rows = every(transaction.execute, "SELECT mailbox, uid FROM message WHERE modseq < createseq"
                 " AND mailbox IN (SELECT id FROM mailbox) ORDER BY mailbox, uid")
    by_mailbox: dict[int, list[int]] = {}
    for mailbox, uid in rows:
        by_mailbox.setdefault(mailbox, []).append(uid)
    for mailbox, uids in by_mailbox.items():
        transaction.executemany("UPDATE message SET modseq = ? WHERE mailbox = ? AND uid = ?",
                                [(transaction.modseq, mailbox, uid) for uid in uids])
        transaction.log(mailbox, uids)
        transaction.execute("UPDATE mailbox_row SET modseq = ? WHERE id = ?", (transaction.modseq, mailbox))
    return [f"gave {len(rows)} messages a new modseq"] if rows else []


def _annotations(transaction: Transaction) -> list[str]:
    """Those of mailboxes that are not there go; one that is older than itself is changed now."""
    gone = every(transaction.execute, "DELETE FROM annotation WHERE mailbox <> 0 AND mailbox NOT IN"
                 " (SELECT id FROM mailbox) RETURNING entry")
    removed = every(transaction.execute, "SELECT DISTINCT a.mailbox FROM annotation a JOIN mailbox b"
                    " ON b.id = a.mailbox WHERE b.removed AND a.value IS NOT NULL")
    for id, in removed:
        annotations_table.bury(transaction, id)
    older = every(transaction.execute, "SELECT mailbox, entry FROM annotation WHERE modseq < createseq")
    transaction.executemany("UPDATE annotation SET modseq = ? WHERE mailbox = ? AND entry = ?",
                            [(transaction.modseq, *row) for row in older] if older else [])
    done = [f"removed {len(gone) + len(removed)} annotations of no mailbox"] if gone or removed else []
    return [*done, f"gave {len(older)} annotations a new modseq"] if older else done


def _mailbox_modseqs(transaction: Transaction) -> list[str]:
    rows = every(transaction.execute, _BEHIND)
    for id, _ in rows:
        transaction.execute("UPDATE mailbox_row SET modseq = ? WHERE id = ?", (transaction.modseq, id))
    return [f"gave mailbox {name} a new modseq" for _, name in rows]


def _logs(transaction: Transaction) -> list[str]:
    """Below the floor of a log messages are looked at one by one, which is always right."""
    rows = every(transaction.execute, _UNLOGGED)
    for id, _ in rows:
        transaction.execute("UPDATE mailbox_row SET logfloor = modseq WHERE id = ?", (id,))
        transaction.execute("DELETE FROM log WHERE mailbox = ?", (id,))
    stray = every(transaction.execute, "DELETE FROM log WHERE mailbox NOT IN (SELECT id FROM mailbox)"
                  " RETURNING mailbox")
    done = [f"began the log of mailbox {name} anew" for _, name in rows]
    return [*done, f"removed {len(stray)} entries of the log of no mailbox"] if stray else done


def _sizes(transaction: Transaction) -> list[str]:
    """A message is as large as its content, whose hash the check looks at."""
    rows = every(transaction.execute, "SELECT m.mailbox, m.uid, c.size FROM message m JOIN content c"
                 " ON c.id = m.content WHERE m.size <> c.size")
    transaction.executemany("UPDATE message SET size = ? WHERE mailbox = ? AND uid = ?",
                            [(size, mailbox, uid) for mailbox, uid, size in rows])
    return [f"corrected the sizes of {len(rows)} messages"] if rows else []


def _mailbox_counters(transaction: Transaction) -> list[str]:
    rows = every(transaction.execute, COUNTED)
    for _, id, *counters in rows:
        transaction.execute("UPDATE mailbox_row SET messages = ?, unseen = ?, deleted = ?, size = ?,"
                            " deleted_size = ? WHERE id = ?", (*counters, id))
    return [f"counted mailbox {row[0]} anew" for row in rows]


def _needless_contents(writer: Writer, home: Path) -> Iterator[str]:
    gone = writer.run(_forget_needless)
    for file in gone:
        if file is not None:
            (home / "large" / file).unlink(missing_ok=True)
    if gone:
        yield f"removed {len(gone)} contents that no message needs"


def _forget_needless(transaction: Transaction) -> list[str | None]:
    rows = every(transaction.execute, "DELETE FROM content WHERE id NOT IN (SELECT content FROM message"
                 " WHERE content IS NOT NULL) RETURNING id, file")
    for table in ("summary", "digest"):
        transaction.executemany(f"DELETE FROM {table} WHERE content = ?", [(id,) for id, _ in rows])
    return [file for _, file in rows]


#: In this order: what comes later may rest on what is mended before it.
MENDINGS: Final[tuple[Mending, ...]] = (
    _account_counters, _keywords, _inbox, _parents, _uidvalidities, _uidnexts, _cut_off_restores,
    _message_modseqs, _annotations, _mailbox_modseqs, _logs, _sizes, _mailbox_counters,
    repairing_records.brought)
