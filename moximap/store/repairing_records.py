"""Mending of what an account keeps beside its mail: threads, and what came from other servers."""

from __future__ import annotations

from moximap.store.checking import BROUGHT_WRONG
from moximap.store.database import every
from moximap.store.transaction import Transaction


def threads(transaction: Transaction) -> list[str]:
    """A content in no thread that can be begins one; message ids of no thread say nothing."""
    alone = every(transaction.execute, "UPDATE content SET thread = id WHERE thread NOT BETWEEN 1 AND id"
                  " RETURNING id")
    gone = every(transaction.execute, "DELETE FROM messageid WHERE thread NOT IN (SELECT thread FROM content)"
                 " RETURNING hash")
    done = [f"made content {id} a thread of its own" for id, in alone]
    return [*done, f"removed {len(gone)} message ids of no thread"] if gone else done


def brought(transaction: Transaction) -> list[str]:
    """A record that is wrong is forgotten: comparing what comes with what is here is always right."""
    rows = every(transaction.execute, "SELECT id, source, name FROM synced_mailbox"
                 " WHERE mailbox NOT IN (SELECT id FROM mailbox)")
    for id, _, _ in rows:
        transaction.execute("DELETE FROM synced_mailbox WHERE id = ?", (id,))
    stray = every(transaction.execute, "DELETE FROM synced_message WHERE mailbox NOT IN"
                  " (SELECT id FROM synced_mailbox) RETURNING uid")
    wrong = every(transaction.execute, " UNION ".join(
        f"SELECT s.id, s.source, s.name FROM {each}" for each in BROUGHT_WRONG))
    for id, _, _ in wrong:
        transaction.execute("DELETE FROM synced_message WHERE mailbox = ?", (id,))
        transaction.execute("UPDATE synced_mailbox SET kept = 0, compare = 1, modseq = 0 WHERE id = ?", (id,))
    done = [f"forgot what came from the mailbox {name} of {source}" for _, source, name in (*rows, *wrong)]
    return [*done, f"removed the record of {len(stray)} messages from nowhere"] if stray else done
