"""APPEND: messages that were read beforehand become rows."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from time import time
from typing import Final

from moximap.store import names
from moximap.store.contents import DIGEST_COLUMNS, Prepared
from moximap.store.transaction import Tally, Transaction
from moximap.values import Appended, Mailbox, NumSet

_CONTENT: Final = ("INSERT INTO content (id, size, header_size, sha256, file, head, body)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?)")
_DIGEST: Final = (f"INSERT INTO digest (content, {', '.join(DIGEST_COLUMNS)})"
                  f" VALUES (?{', ?' * len(DIGEST_COLUMNS)})")
_MESSAGE: Final = ("INSERT INTO message (mailbox, uid, modseq, createseq, flags, date, zone, saved,"
                   " size, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")


def append(transaction: Transaction, name: str, messages: Sequence[Prepared]) -> Appended:
    mailbox = transaction.need(names.canonical(name))
    if not messages:
        return Appended(transaction.counters.modseq, (), mailbox.id, mailbox.uidvalidity)
    uids = transaction.new_uids(mailbox, len(messages))
    codes = array("Q", [transaction.flags.code(message.flags) for message in messages])
    for uid, code, message in zip(uids, codes, messages, strict=True):
        _insert(transaction, mailbox, uid, code, message)
    transaction.log(mailbox.id, uids)
    tally = Tally().count((code, message.size) for code, message in zip(codes, messages, strict=True))
    transaction.touch(mailbox.id, tally, new=len(uids))
    changes = transaction.changed(mailbox, array("I", uids), codes)
    return Appended(transaction.modseq, (changes,), mailbox.id, mailbox.uidvalidity,
                    NumSet(((uids[0], uids[-1]),)))


def _insert(transaction: Transaction, mailbox: Mailbox, uid: int, code: int, message: Prepared) -> None:
    content, modseq = transaction.next_content(), transaction.modseq
    transaction.execute(_CONTENT, (content, message.size, message.header_size, message.sha256,
                                   message.file, message.head, message.body))
    transaction.execute(_DIGEST, (content, *message.digest))
    transaction.execute(_MESSAGE, (mailbox.id, uid, modseq, modseq, code, message.date.seconds,
                                   message.date.zone, int(time()), message.size, content))
