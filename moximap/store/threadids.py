"""Threads of messages (RFC 8474 5.2): who names a message id that is known belongs to its thread.

A thread is given when a message comes in, and stays: where a late message shows that two threads are
one, it joins the older, and what was reported of the others holds.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import apsw

from moximap.store.contents import DIGEST_COLUMNS, Prepared
from moximap.store.database import every, one
from moximap.store.transaction import Transaction

_MESSAGE_ID: Final = DIGEST_COLUMNS.index("message_id")
_REFERENCES: Final = DIGEST_COLUMNS.index("refs")


def assign(transaction: Transaction, contents: Sequence[int], messages: Sequence[Prepared]) -> list[int]:
    """The threads of new contents."""
    hashes = [_hashes(message) for message in messages]
    known = _known(transaction, set().union(*hashes))
    new: dict[int, int] = {}
    threads = []
    for content, some in zip(contents, hashes, strict=True):
        thread = min((known[found] for found in some if found in known), default=content)
        fresh = {unknown: thread for unknown in some if unknown not in known}
        known |= fresh
        new |= fresh
        threads.append(thread)
    transaction.insert("INSERT INTO messageid (hash, thread) VALUES (?, ?)", sorted(new.items()))
    return threads


def forget(transaction: Transaction, thread: int) -> None:
    """A content of the thread is gone; with the last one go its message ids."""
    if one(transaction.execute, "SELECT 1 FROM content WHERE thread = ?", (thread,)) is None:
        transaction.execute("DELETE FROM messageid WHERE thread = ?", (thread,))


def _known(transaction: Transaction, hashes: set[int]) -> dict[int, int]:
    if not hashes:
        return {}
    return dict(every(transaction.execute, "SELECT hash, thread FROM carray(?)"
                      " CROSS JOIN messageid ON hash = value", (apsw.carray(array("q", hashes)),)))


def _hashes(message: Prepared) -> list[int]:
    """Of the message's own id and those that it refers to, each once."""
    own, references = message.digest[_MESSAGE_ID], message.digest[_REFERENCES]
    assert isinstance(references, bytes)
    ids = references.split(b" ") if references else []
    if isinstance(own, bytes):
        ids.append(own)
    return [int.from_bytes(blake2b(id, digest_size=8).digest(), "big", signed=True)
            for id in dict.fromkeys(ids)]
