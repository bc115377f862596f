"""The check of an account: everything that must hold, looked at from outside the code that writes.

Each rule is a statement that finds what breaks it, and a text; nothing found is nothing said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import file_digest, sha256
from pathlib import Path
from time import sleep
from typing import Any, Final

import apsw

from moximap.store.database import every, one
from moximap.store.erasing import orphans
from moximap.values import DELETED, SEEN, SYSTEM_BITS

#: Mailboxes with wrong counters, and what they should be.
COUNTED: Final = f"""
    SELECT b.name, b.id, ifnull(m.messages, 0), ifnull(m.unseen, 0), ifnull(m.deleted, 0),
        ifnull(m.size, 0), ifnull(m.deleted_size, 0) FROM mailbox b LEFT JOIN (
        SELECT mailbox, count(*) AS messages, sum(flags & {SEEN} = 0) AS unseen,
            sum(flags & {DELETED} <> 0) AS deleted, sum(size) AS size,
            sum(iif(flags & {DELETED}, size, 0)) AS deleted_size
        FROM message WHERE NOT expunged GROUP BY mailbox) m ON m.mailbox = b.id
    WHERE (b.messages, b.unseen, b.deleted, b.size, b.deleted_size) IS NOT
        (ifnull(m.messages, 0), ifnull(m.unseen, 0), ifnull(m.deleted, 0), ifnull(m.size, 0),
         ifnull(m.deleted_size, 0))"""

_NEXT_CONTENT: Final = ("SELECT id, size, header_size, sha256, file, CAST(head AS BLOB),"
                        " CAST(ifnull(body, '') AS BLOB) FROM content WHERE id > ? ORDER BY id LIMIT 1")

#: Seconds in which files go whose rows were erased.
ERASING: Final = 0.5

#: What the name of a mailbox begins with that is being restored: nobody sees it, and none can be named so.
STAGED: Final = "\x1f"

_BROUGHT: Final = ("synced_message m JOIN synced_mailbox s ON s.id = m.mailbox"
                   " JOIN mailbox b ON b.id = s.mailbox WHERE ")
#: Records of messages from another server that are wrong: of UIDs that were never given out, of another
#: message's UID, of flags without a name.
BROUGHT_WRONG: Final = (
    _BROUGHT + "m.here NOT BETWEEN 1 AND b.uidnext - 1",
    _BROUGHT + "s.kept AND s.uidvalidity = b.uidvalidity AND m.here <> m.uid AND m.here < s.reserved",
    _BROUGHT + f"m.flags >> {SYSTEM_BITS} <> 0"
    f" AND m.flags >> {SYSTEM_BITS} NOT IN (SELECT id FROM keywordset)")

#: Text of a problem, with places for the columns of the statement that finds it.
RULES: Final[tuple[tuple[str, str], ...]] = (
    ("mailbox {0} (id {1}) has wrong counters", COUNTED),
    ("mailbox {0} has a modseq above the account's",
     "SELECT name FROM mailbox WHERE modseq > (SELECT modseq FROM account)"),
    ("mailbox {0} has a modseq below 1 or below its createseq",
     "SELECT name FROM mailbox WHERE createseq < 1 OR modseq < createseq"),
    ("mailbox {0} has an older modseq than message {1} in it",
     "SELECT b.name, m.uid FROM mailbox b JOIN message m ON m.mailbox = b.id WHERE m.modseq > b.modseq"),
    ("message {1} of mailbox {0} has a modseq below its createseq",
     "SELECT mailbox, uid FROM message WHERE modseq < createseq OR createseq < 1"),
    ("message {1} of mailbox {0} is not below UIDNEXT",
     "SELECT b.name, m.uid FROM mailbox b JOIN message m ON m.mailbox = b.id"
     " WHERE m.uid >= b.uidnext OR m.uid < 1"),
    ("message {1} of mailbox {0} was created before one with a smaller UID",
     "SELECT mailbox, uid FROM (SELECT mailbox, uid, createseq, lag(createseq, 1, 0) OVER"
     " (PARTITION BY mailbox ORDER BY uid) AS before FROM message) WHERE createseq < before"),
    ("message {1} is in mailbox {0}, which does not exist",
     "SELECT mailbox, uid FROM message WHERE mailbox NOT IN (SELECT id FROM mailbox)"),
    ("message {1} in the removed mailbox {0} is not expunged",
     "SELECT b.name, m.uid FROM mailbox b JOIN message m ON m.mailbox = b.id"
     f" WHERE b.removed AND NOT m.expunged AND b.name NOT GLOB '{STAGED}*'"),
    ("{1} messages are being restored to {0}, or that was cut off",
     f"SELECT ltrim(name, '{STAGED}'), messages FROM mailbox WHERE name GLOB '{STAGED}*' AND messages"),
    ("the change of message {1} in mailbox {0} is not in the log",
     "SELECT b.name, m.uid FROM mailbox b JOIN message m ON m.mailbox = b.id"
     " WHERE m.modseq > b.logfloor AND NOT EXISTS (SELECT 1 FROM log l WHERE l.mailbox = m.mailbox"
     " AND l.modseq = m.modseq AND m.uid BETWEEN l.lo AND l.hi)"),
    ("the log of mailbox {0} has overlapping runs at modseq {1}",
     "SELECT mailbox, modseq FROM (SELECT mailbox, modseq, lo, lag(hi, 1, 0) OVER"
     " (PARTITION BY mailbox, modseq ORDER BY lo) AS before FROM log) WHERE lo <= before"),
    ("the log has modseq {1} of mailbox {0}, which is not there or older",
     "SELECT l.mailbox, max(l.modseq) FROM log l LEFT JOIN mailbox b ON b.id = l.mailbox"
     " GROUP BY l.mailbox HAVING max(l.modseq) > ifnull(b.modseq, 0)"),
    ("the subscription of {0} has a modseq above the account's",
     "SELECT name FROM subscription WHERE modseq > (SELECT modseq FROM account)"),
    ("annotation {1} of mailbox {0} is of none, or older or newer than it may be",
     "SELECT a.mailbox, a.entry FROM annotation a LEFT JOIN mailbox b ON b.id = a.mailbox WHERE"
     " a.createseq < 1 OR a.modseq < a.createseq OR iif(a.mailbox, b.id IS NULL OR a.modseq > b.modseq"
     " OR b.removed AND a.value IS NOT NULL, a.modseq > (SELECT modseq FROM account))"),
    ("mailbox {0} has no parent, or a wrong one",
     "SELECT c.name FROM mailbox c LEFT JOIN mailbox p ON p.id = c.parent WHERE NOT c.removed AND"
     " iif(c.parent IS NULL, instr(c.name, '/'), p.removed IS NOT 0 OR p.name || '/' <> substr(c.name,"
     " 1, length(p.name) + 1) OR instr(substr(c.name, length(p.name) + 2), '/'))"),
    ("mailbox {0} has UIDVALIDITY 0, one above the account's, or another mailbox's",
     "SELECT name FROM mailbox WHERE uidvalidity NOT BETWEEN 1 AND (SELECT uidvalidity FROM account)"
     " OR uidvalidity IN (SELECT uidvalidity FROM mailbox GROUP BY 1 HAVING count(*) > 1)"),
    ("there is no INBOX",
     "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM mailbox WHERE name = 'INBOX' AND NOT removed)"),
    ("message {1} of mailbox {0} has no content",
     "SELECT mailbox, uid FROM message WHERE iif(content IS NULL, NOT expunged,"
     " content NOT IN (SELECT id FROM content))"),
    ("message {1} of mailbox {0} has another size than its content",
     "SELECT m.mailbox, m.uid FROM message m JOIN content c ON c.id = m.content WHERE m.size <> c.size"),
    ("message {1} of mailbox {0} has flags without a name",
     f"SELECT mailbox, uid FROM message WHERE flags >> {SYSTEM_BITS} <> 0"
     f" AND flags >> {SYSTEM_BITS} NOT IN (SELECT id FROM keywordset)"),
    ("content {0} is needed by no message", "SELECT id FROM content WHERE id NOT IN"
     " (SELECT content FROM message WHERE content IS NOT NULL)"),
    ("content {0} has a number that was not given out",
     "SELECT id FROM content WHERE id > (SELECT contents FROM account)"),
    ("content {0} has no digest",
     "SELECT id FROM content WHERE id NOT IN (SELECT content FROM digest)"
     " OR id NOT IN (SELECT content FROM summary)"),
    ("content {0} has a digest older than any should be",
     "SELECT content FROM digest WHERE version < (SELECT digests FROM account)"),
    ("the digest of content {0} is of none",
     "SELECT content FROM (SELECT content FROM digest UNION SELECT content FROM summary)"
     " WHERE content NOT IN (SELECT id FROM content)"),
    ("keyword set {0} has a number that was not given out",
     "SELECT id FROM keywordset WHERE id > (SELECT keywordsets FROM account)"),
    ("content {0} is in a thread that began after it",
     "SELECT id FROM content WHERE thread NOT BETWEEN 1 AND id"),
    ("message ids belong to thread {0}, which no content is in",
     "SELECT DISTINCT thread FROM messageid WHERE thread NOT IN (SELECT thread FROM content)"),
    ("the mailbox {1} of {0} was brought to one that does not exist",
     "SELECT source, name FROM synced_mailbox WHERE mailbox NOT IN (SELECT id FROM mailbox)"),
    ("messages were brought from mailbox {0} of another server, which is not known",
     "SELECT DISTINCT mailbox FROM synced_message WHERE mailbox NOT IN (SELECT id FROM synced_mailbox)"),
    *(("message {2} of the mailbox {1} of {0} was brought to " + what,
       "SELECT s.source, s.name, m.uid FROM " + wrong) for what, wrong in zip(
           ("a UID that was not given out", "another's UID", "here with flags that have no name"),
           BROUGHT_WRONG, strict=True)),
)


def check(connect: Callable[[], apsw.Connection], home: Path) -> Iterator[str]:
    """Problems of an account, in words; each look is one snapshot, so others may go on writing."""
    try:
        with closing(connect()) as connection:
            yield from torn(connection)
            connection.execute("BEGIN")
            yield from _broken_rules(connection)
            yield from _broken_uses(connection)
            yield from _broken_keywords(connection)
            connection.execute("COMMIT")
            yield from _broken_contents(connection, home)
        for path in _left_over(connect, home):
            yield f"file {path.relative_to(home)} belongs to no message"
    except apsw.CorruptError as error:
        yield f"the database is damaged: {error}"


def check_copy(connect: Callable[[], apsw.Connection], home: Path, whole: bool) -> Iterator[str]:
    """Problems of a copy that nobody writes; unless ``whole`` its messages are counted and not read."""
    try:
        with closing(connect()) as connection:
            yield from torn(connection, "integrity_check" if whole else "quick_check")
            yield from _broken_rules(connection)
            yield from _broken_uses(connection)
            yield from _broken_keywords(connection)
            if whole:
                yield from _broken_contents(connection, home)
            else:
                yield from _missing_files(connection, home)
    except apsw.CorruptError as error:
        yield f"the database is damaged: {error}"


def torn(connection: apsw.Connection, how: str = "integrity_check") -> Iterator[str]:
    """What SQLite itself finds wrong with a database."""
    for text, in every(connection.execute, f"PRAGMA {how}"):
        if text != "ok":
            yield f"the database is damaged: {text}"


def _broken_rules(connection: apsw.Connection) -> Iterator[str]:
    for text, statement in RULES:
        for row in connection.execute(statement):
            yield text.format(*row)


def _broken_uses(connection: apsw.Connection) -> Iterator[str]:
    held: dict[str, str] = {}
    for name, uses in every(connection.execute, "SELECT name, uses FROM mailbox WHERE uses <> ''"):
        for use in uses.split():
            if use in held:
                yield f"mailboxes {held[use]} and {name} have the same use {use}"
            held[use] = name


def _left_over(connect: Callable[[], apsw.Connection], home: Path) -> list[Path]:
    """Files of no message.  Those that somebody just erases are gone at the second look."""
    found = list(orphans(home, connect))
    if found:
        sleep(ERASING)
        found = [path for path in orphans(home, connect) if path in found]
    return found


def _broken_keywords(connection: apsw.Connection) -> Iterator[str]:
    known = {name for name, in connection.execute("SELECT name FROM keyword")}
    for number, names in connection.execute("SELECT id, names FROM keywordset ORDER BY id"):
        for name in names.split(" "):
            if name not in known:
                yield f"keyword {name} of keyword set {number} is not known"


def _missing_files(connection: apsw.Connection, home: Path) -> Iterator[str]:
    for id, size, file in connection.execute("SELECT id, size, file FROM content WHERE file IS NOT NULL"):
        try:
            found = (home / "large" / file).stat().st_size
        except OSError:
            yield f"content {id} lacks its file {file}"
        else:
            if found != size:
                yield f"content {id} has another size than its row says"


def _broken_contents(connection: apsw.Connection, home: Path) -> Iterator[str]:
    """One content at a time, each in a snapshot of its own: this may take long."""
    last = 0
    while (row := one(connection.execute, _NEXT_CONTENT, (last,))) is not None:
        last = row[0]
        problem = _broken_content(row, home)
        # It may have been erased while its file was read.
        if problem and one(connection.execute, "SELECT 1 FROM content WHERE id = ?", (last,)) is not None:
            yield f"content {last} {problem}"


def _broken_content(row: Any, home: Path) -> str:
    _, size, header_size, expected, file, head, body = row
    if len(head) != header_size:
        return "has a header of another size"
    if file is None:
        whole = head + body
        return _compare(len(whole), size, sha256(whole).digest(), expected)
    try:
        with (home / "large" / file).open("rb") as opened:
            found = file_digest(opened, "sha256").digest()
            return _compare(opened.tell(), size, found, expected)
    except OSError:
        return f"lacks its file {file}"


def _compare(size: int, expected_size: int, digest: bytes, expected: bytes) -> str:
    if size != expected_size:
        return "has another size than its row says"
    return "" if digest == expected else "has another hash than its row says"
