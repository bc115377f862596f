"""Mailboxes and subscriptions: the operations that change them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

import attrs

from moximap.store import annotations_table, names, quota
from moximap.store.database import every, one
from moximap.store.errors import Cannot, HasChildren, MailboxExists, OverQuota
from moximap.store.transaction import MAILBOX_COLUMNS, Transaction, load_mailbox
from moximap.store.transfer import relocate
from moximap.values import Created, Mailbox, NumSet, Written

MAX_SUBSCRIPTIONS: Final = 20_000

#: Mailboxes of a new account, and their uses.
STANDARD: Final = ((names.INBOX, ()), ("Archive", ("\\Archive",)), ("Drafts", ("\\Drafts",)),
                   ("Junk", ("\\Junk",)), ("Sent", ("\\Sent",)), ("Trash", ("\\Trash",)))


def found(transaction: Transaction) -> None:
    """Give a new account its mailboxes."""
    for name, uses in STANDARD:
        create(transaction, name, uses, subscribed=True)


def create(transaction: Transaction, name: str, uses: Sequence[str], subscribed: bool) -> Created:
    name = names.clean(name.removesuffix("/"))
    if transaction.find(name) is not None:
        raise MailboxExists("the mailbox exists already")
    wanted = tuple(dict.fromkeys(names.clean_use(use) for use in uses))
    made = _make_parents(transaction, name)
    _take_uses(transaction, wanted)
    made.append(_make(transaction, name, wanted))
    if subscribed:
        for mailbox in made:
            _subscribe(transaction, mailbox.name)
    return Created(transaction.modseq, (), tuple(made))


def delete(transaction: Transaction, name: str) -> Written:
    mailbox = transaction.need(names.canonical(name))
    if mailbox.name == names.INBOX:
        raise Cannot("INBOX is not deleted")
    if _below(transaction, mailbox.name):
        raise HasChildren("the mailbox has children")
    uids = remove(transaction, mailbox.id)
    gone = transaction.changed(mailbox, array("I"), array("Q"), uids)
    return Written(transaction.modseq, (gone,) if uids else (), names=True)


def remove(transaction: Transaction, mailbox: int) -> array[int]:
    """Remove a mailbox, whatever it is; the messages that went with it."""
    uids = empty(transaction, mailbox)
    transaction.execute("UPDATE mailbox_row SET removed = 1, uses = '', modseq = ? WHERE id = ?",
                        (transaction.modseq, mailbox))
    annotations_table.bury(transaction, mailbox)
    return uids


def empty(transaction: Transaction, mailbox: int) -> array[int]:
    """Expunge all messages of a mailbox."""
    live = "mailbox = ? AND NOT expunged"
    uids = array("I", [uid for uid, in transaction.execute(
        f"SELECT uid FROM message WHERE {live} ORDER BY uid", (mailbox,))])
    transaction.execute(f"UPDATE message SET expunged = 1, modseq = ? WHERE {live}",
                        (transaction.modseq, mailbox))
    transaction.log(mailbox, uids)
    transaction.execute(
        "UPDATE mailbox_row SET modseq = ?, messages = 0, unseen = 0, deleted = 0, size = 0,"
        " deleted_size = 0 WHERE id = ?", (transaction.modseq, mailbox))
    return uids


def rename(transaction: Transaction, old: str, new: str) -> Created:
    mailbox = transaction.need(names.canonical(old))
    new = names.clean(new.removesuffix("/"))
    if transaction.find(new) is not None:
        raise MailboxExists("the mailbox exists already")
    if mailbox.name == names.INBOX:
        return _rename_inbox(transaction, mailbox, new)
    if new.startswith(mailbox.name + "/"):
        raise Cannot("a mailbox is not moved into itself")
    made = _make_parents(transaction, new)
    _rename_tree(transaction, mailbox, new)
    renamed = [transaction.need(new), *_below(transaction, new)]
    return Created(transaction.modseq, (), (*made, *renamed))


def subscribe(transaction: Transaction, name: str, on: bool) -> Written:
    present = _is_subscribed(transaction, names.canonical(name))
    if on == present:
        return Written(transaction.counters.modseq)
    if on:
        _subscribe(transaction, names.clean(name))
    else:
        transaction.execute("DELETE FROM subscription WHERE name = ?", (names.canonical(name),))
    return Written(transaction.modseq, names=True)


def _rename_inbox(transaction: Transaction, inbox: Mailbox, new: str) -> Created:
    """RFC 9051 6.3.6: the messages go, INBOX and its children stay."""
    made = _make_parents(transaction, new)
    target = attrs.evolve(_make(transaction, new, ()), modseq=0)      # nobody knew it before
    everything = NumSet(((1, inbox.uidnext),))
    moved = relocate(transaction, inbox, everything, target, move=True)
    annotations_table.copy(transaction, inbox.id, target.id)
    if _is_subscribed(transaction, inbox.name):
        _subscribe(transaction, new)
    return Created(transaction.modseq, moved.changes, (*made, transaction.need(new)))


def _rename_tree(transaction: Transaction, top: Mailbox, new: str) -> None:
    """A new name keeps the subscription; the old one keeps it too (RFC 9051 6.3.8)."""
    for mailbox in (top, *_below(transaction, top.name)):
        name = names.clean(new + mailbox.name[len(top.name):])
        transaction.execute("UPDATE mailbox_row SET name = ?, modseq = ? WHERE id = ?",
                            (name, transaction.modseq, mailbox.id))
        if _is_subscribed(transaction, mailbox.name):
            _subscribe(transaction, name)
    transaction.execute("UPDATE mailbox_row SET parent = ? WHERE id = ?",
                        (_parent(transaction, new), top.id))


def _make_parents(transaction: Transaction, name: str) -> list[Mailbox]:
    missing = [parent for parent in names.parents(name) if transaction.find(parent) is None]
    return [_make(transaction, parent, ()) for parent in missing]


def _make(transaction: Transaction, name: str, uses: Sequence[str]) -> Mailbox:
    quota.check(transaction.execute, mailboxes=1)
    transaction.execute(
        "INSERT INTO mailbox_row (name, parent, uidvalidity, modseq, createseq, uses)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (name, _parent(transaction, name), transaction.next_uidvalidity(), transaction.modseq,
         transaction.modseq, " ".join(uses)))
    return transaction.need(name)


def _parent(transaction: Transaction, name: str) -> int | None:
    above = name.rpartition("/")[0]
    return transaction.need(above).id if above else None


def give_uses(transaction: Transaction, mailbox: Mailbox, uses: Sequence[str]) -> None:
    """Give a mailbox special uses beside those that it has; others lose them."""
    _take_uses(transaction, uses)
    together = dict.fromkeys([*mailbox.uses, *uses])
    transaction.execute("UPDATE mailbox_row SET uses = ?, modseq = ? WHERE id = ?",
                        (" ".join(together), transaction.modseq, mailbox.id))


def _take_uses(transaction: Transaction, uses: Sequence[str]) -> None:
    """Take special uses from the mailboxes that have them."""
    if not uses:
        return
    rows = every(transaction.execute, "SELECT id, uses FROM mailbox WHERE uses <> ''")
    for id, held in rows:
        kept = [use for use in held.split() if use not in uses]
        if " ".join(kept) != held:
            transaction.execute("UPDATE mailbox_row SET uses = ?, modseq = ? WHERE id = ?",
                                (" ".join(kept), transaction.modseq, id))


def _below(transaction: Transaction, name: str) -> list[Mailbox]:
    """Mailboxes below a name, parents first: those from "name/" up to what follows "/" in ASCII."""
    rows = transaction.execute(
        f"SELECT {MAILBOX_COLUMNS} FROM mailbox WHERE NOT removed AND name > ? AND name < ? ORDER BY name",
        (name + "/", name + "0"))
    return [load_mailbox(row) for row in rows]


def _is_subscribed(transaction: Transaction, name: str) -> bool:
    return one(transaction.execute, "SELECT 1 FROM subscription WHERE name = ?", (name,)) is not None


def _subscribe(transaction: Transaction, name: str) -> None:
    if one(transaction.execute, "SELECT count(*) FROM subscription")[0] >= MAX_SUBSCRIPTIONS:
        raise OverQuota("the account has too many subscriptions")
    transaction.execute("INSERT OR IGNORE INTO subscription (name, modseq) VALUES (?, ?)",
                        (name, transaction.modseq))


