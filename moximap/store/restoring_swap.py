"""New mailboxes for old, in one transaction: how a whole account is restored while it is in use.

Mailboxes that are being filled are rows that are marked as removed, so that no session sees them, and
have a name that no mailbox can have, so that the check and its repair know them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from moximap.store import annotations_table, mailboxes
from moximap.store.checking import STAGED
from moximap.store.database import every, one
from moximap.store.errors import Unavailable
from moximap.store.transaction import Transaction
from moximap.values import Mailbox


@attrs.frozen
class Staged:
    """A mailbox that waits, what it is to be, and how many messages it should have."""

    id: int
    saved: Mailbox
    messages: int
    annotations: Mapping[str, bytes]


@attrs.frozen
class Rest:
    """What an account has beside its mailboxes."""

    subscribed: Iterable[str]
    annotations: Mapping[str, bytes]


def stage(transaction: Transaction, saved: Mailbox) -> int:
    """Make a mailbox that nobody sees; its id."""
    return int(one(
        transaction.execute, "INSERT INTO mailbox_row (name, uidvalidity, modseq, createseq, removed)"
        " VALUES (?, ?, ?, ?, 1) RETURNING id",
        (STAGED + saved.name, transaction.next_uidvalidity(), transaction.modseq,
         transaction.modseq))[0])


def swap(transaction: Transaction, staged: Sequence[Staged], rest: Rest) -> None:
    """Remove all mailboxes that there are, and show the staged ones; the rest becomes what it was."""
    for id, in every(transaction.execute, "SELECT id FROM mailbox WHERE NOT removed"):
        mailboxes.remove(transaction, id)
    ids: dict[str, int] = {}
    for box in sorted(staged, key=lambda box: box.saved.name):        # parents first
        _show(transaction, box, ids.get(box.saved.name.rpartition("/")[0]))
        ids[box.saved.name] = box.id
    transaction.execute("DELETE FROM subscription")
    transaction.executemany("INSERT INTO subscription (name, modseq) VALUES (?, ?)",
                            [(name, transaction.modseq) for name in rest.subscribed])
    annotations_table.bury(transaction, annotations_table.ACCOUNT)
    annotations_table.give(transaction, annotations_table.ACCOUNT, rest.annotations)


def _show(transaction: Transaction, box: Staged, parent: int | None) -> None:
    found, = one(transaction.execute, "SELECT messages FROM mailbox WHERE id = ?", (box.id,))
    if found != box.messages:
        raise Unavailable("somebody cleaned up what was being restored: try again")
    transaction.execute(
        "UPDATE mailbox_row SET name = ?, parent = ?, uses = ?, modseq = ?, removed = 0 WHERE id = ?",
        (box.saved.name, parent, " ".join(box.saved.uses), transaction.modseq, box.id))
    annotations_table.give(transaction, box.id, box.annotations)


def give_up(transaction: Transaction) -> None:
    """Expunge what was staged."""
    for id, in every(transaction.execute, f"SELECT id FROM mailbox WHERE name GLOB '{STAGED}*' AND messages"):
        mailboxes.empty(transaction, id)
