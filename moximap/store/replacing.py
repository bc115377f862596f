"""REPLACE: a new message comes and an old one goes, in one transaction."""

from __future__ import annotations

from array import array

from moximap.store import names, quota
from moximap.store.appending import appended, arrived, insert
from moximap.store.contents import Prepared
from moximap.store.database import Execute, one
from moximap.store.errors import NoSuchMessage
from moximap.store.transaction import Tally, Transaction
from moximap.store.transfer import bury, gone
from moximap.values import Appended, Changes, Mailbox


def replace(transaction: Transaction, mailbox: int, uid: int, target: str, message: Prepared) -> Appended:
    """Append to ``target`` and expunge in ``mailbox``; they may be the same."""
    source = transaction.need_id(mailbox)
    flags, size = find(transaction.execute, mailbox, uid)
    place = transaction.need(names.canonical(target))
    quota.check(transaction.execute, storage=message.size - size)
    uids, codes = insert(transaction, place, [message])
    old = (uid, flags, size)
    if place.id == source.id:
        changes: tuple[Changes, ...] = (_swapped(transaction, source, old, message, uids, codes),)
    else:
        changes = (gone(transaction, source, [old], array("I", [uid])),
                   arrived(transaction, place, [message], uids, codes))
    return appended(transaction, place, uids, changes)


def find(execute: Execute, mailbox: int, uid: int) -> tuple[int, int]:
    """Flag code and size of a message that is there."""
    row = one(execute, "SELECT flags, size FROM message WHERE mailbox = ? AND uid = ? AND NOT expunged",
              (mailbox, uid))
    if row is None:
        raise NoSuchMessage("the message to be replaced has been expunged")
    return int(row[0]), int(row[1])


def _swapped(transaction: Transaction, mailbox: Mailbox, old: tuple[int, int, int], message: Prepared,
             uids: range, codes: array[int]) -> Changes:
    """In one mailbox: one entry of the log, one change of the counters."""
    uid, flags, size = old
    bury(transaction, mailbox.id, array("I", [uid]))
    transaction.log(mailbox.id, [uid, *uids])
    tally = Tally().count([(flags, size)], -1).count([(codes[0], message.size)])
    transaction.touch(mailbox.id, tally, new=1)
    return transaction.changed(mailbox, array("I", uids), codes, array("I", [uid]))
