"""Digests of an older version are made anew, a few at a time, while the account is in use."""

from __future__ import annotations

from moximap.mail.digest import VERSION
from moximap.store.contents import DIGEST_COLUMNS, Files, digest_columns
from moximap.store.database import every, one
from moximap.store.readers import Readers
from moximap.store.transaction import Transaction
from moximap.store.writer import Writer


def is_behind(readers: Readers) -> bool:
    """Whether there may be digests of an older version."""
    with readers.snapshot() as snapshot:
        return bool(one(snapshot.connection.execute, "SELECT digests FROM account")[0] < VERSION)


def redigest(readers: Readers, writer: Writer, files: Files, limit: int) -> int:
    """How many were made anew; messages are read outside the write transaction."""
    made: list[tuple[object, ...]] = []
    with readers.snapshot() as snapshot:
        execute = snapshot.connection.execute
        if one(execute, "SELECT digests FROM account")[0] >= VERSION:
            return 0
        for id, *row in every(
                execute, "SELECT c.id, c.size, c.header_size, c.head, c.body, c.file FROM digest d"
                " JOIN content c ON c.id = d.content WHERE d.version < ? LIMIT ?", (VERSION, limit)):
            content = files.content(*row)
            made.append((*digest_columns(content.read(0, content.size))[1], id))
    writer.run(lambda transaction: _replace(transaction, made))
    return len(made)


def _replace(transaction: Transaction, made: list[tuple[object, ...]]) -> None:
    """With none left, later calls need not look: appends write digests of this version."""
    columns = ", ".join(f"{column} = ?" for column in DIGEST_COLUMNS)
    transaction.executemany(f"UPDATE digest SET {columns} WHERE content = ?", made)
    if not made:
        transaction.execute("UPDATE account SET digests = ?", (VERSION,))
