"""APPEND: messages that were read beforehand become rows."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from time import time
from typing import Final

from moximap.store import names, quota, threadids
from moximap.store.contents import DIGEST_COLUMNS, SUMMARY_COLUMNS, Prepared
from moximap.store.transaction import Tally, Transaction
from moximap.values import Appended, Changes, Mailbox, NumSet

_CONTENT: Final = ("INSERT INTO content (id, size, header_size, sha256, thread, file, head, body)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
_SUMMARY: Final = f"INSERT INTO summary (content, {', '.join(SUMMARY_COLUMNS)}) VALUES (?, ?, ?)"
_DIGEST: Final = (f"INSERT INTO digest (content, {', '.join(DIGEST_COLUMNS)})"
                  f" VALUES (?{', ?' * len(DIGEST_COLUMNS)})")
MESSAGE: Final = ("INSERT INTO message (mailbox, uid, modseq, createseq, flags, date, zone, saved,"
                  " size, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")


def append(transaction: Transaction, name: str, messages: Sequence[Prepared]) -> Appended:
    mailbox = transaction.need(names.canonical(name))
    if not messages:
        return Appended(transaction.counters.modseq, (), mailbox.id, mailbox.uidvalidity)
    quota.check(transaction.execute, storage=sum(message.size for message in messages),
                messages=len(messages))
    uids, codes = insert(transaction, mailbox, messages)
    return appended(transaction, mailbox, uids, (arrived(transaction, mailbox, messages, uids, codes),))


def appended(transaction: Transaction, mailbox: Mailbox, uids: range,
             changes: tuple[Changes, ...]) -> Appended:
    """What is told of messages that were inserted."""
    return Appended(transaction.modseq, changes, mailbox.id, mailbox.uidvalidity,
                    NumSet(((uids[0], uids[-1]),)))


def insert(transaction: Transaction, mailbox: Mailbox,
           messages: Sequence[Prepared]) -> tuple[range, array[int]]:
    """The rows of new messages, without log and counters; gives their UIDs and flag codes."""
    uids = transaction.new_uids(mailbox, len(messages))
    interned = {flags: transaction.flags.code(flags) for flags in dict.fromkeys(m.flags for m in messages)}
    codes = array("Q", [interned[message.flags] for message in messages])
    contents = add_contents(transaction, messages)
    modseq, now = transaction.modseq, int(time())
    transaction.insert(MESSAGE, [
        (mailbox.id, uid, modseq, modseq, code, m.date.seconds, m.date.zone, now, m.size, content)
        for uid, code, content, m in zip(uids, codes, contents, messages, strict=True)])
    return uids, codes


def add_contents(transaction: Transaction, messages: Sequence[Prepared]) -> list[int]:
    """The rows of what messages consist of, and their threads; gives the ids."""
    contents = [transaction.next_content() for _ in messages]
    threads = threadids.assign(transaction, contents, messages)
    transaction.insert(_CONTENT, [
        (content, m.size, m.header_size, m.sha256, thread, m.file, m.head, m.body)
        for content, thread, m in zip(contents, threads, messages, strict=True)])
    transaction.insert(_SUMMARY, [
        (content, *m.summary) for content, m in zip(contents, messages, strict=True)])
    transaction.insert(_DIGEST, [
        (content, *m.digest) for content, m in zip(contents, messages, strict=True)])
    return contents


def arrived(transaction: Transaction, mailbox: Mailbox, messages: Sequence[Prepared], uids: range,
            codes: array[int]) -> Changes:
    """Log and count messages that were inserted."""
    transaction.log(mailbox.id, uids)
    tally = Tally().count((code, message.size) for code, message in zip(codes, messages, strict=True))
    transaction.touch(mailbox.id, tally, new=len(uids))
    return transaction.changed(mailbox, array("I", uids), codes)
