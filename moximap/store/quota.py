"""Quotas (RFC 9208): what an account uses and may use, judged inside the transaction that would use more.

Only growth is judged: who is over a limit already may still move, replace by something smaller, and
remove.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from moximap.store.database import Execute, every, one
from moximap.store.errors import OverQuota
from moximap.store.transaction import Transaction
from moximap.values import Quota, Resource

#: More mailboxes than this no account has.
MAX_MAILBOXES: Final = 10_000

_USED: Final = ("SELECT ifnull(sum(size), 0), ifnull(sum(messages), 0), count(*) FROM mailbox"
                " WHERE NOT removed")


def read(execute: Execute) -> Quota:
    """What is used and what may be."""
    limits = _limits(execute)
    storage, messages, mailboxes = one(execute, _USED)
    return Quota(storage, messages, mailboxes, limits.get("storage"), limits.get("messages"),
                 limits["mailboxes"])


def check(execute: Execute, *, storage: int = 0, messages: int = 0, mailboxes: int = 0) -> None:
    """OverQuota if so much more would be too much."""
    limits = _limits(execute)
    if len(limits) == 1 and not mailboxes:
        return                               # the usual account, which costs no sum
    growth = {"storage": storage, "messages": messages, "mailboxes": mailboxes}
    used = dict(zip(growth, one(execute, _USED), strict=True))
    for resource, limit in limits.items():
        if growth[resource] > 0 and used[resource] + growth[resource] > limit:
            raise OverQuota(f"the account's limit of {resource} would be passed")


def change(transaction: Transaction, limits: Mapping[Resource, int | None]) -> None:
    """Set some limits; None: there is none."""
    for resource, amount in limits.items():
        if amount is None:
            transaction.execute("DELETE FROM quota WHERE resource = ?", (resource,))
        else:
            transaction.execute("INSERT OR REPLACE INTO quota VALUES (?, ?)", (resource, amount))


def _limits(execute: Execute) -> dict[str, int]:
    limits = dict(every(execute, "SELECT resource, amount FROM quota"))
    limits["mailboxes"] = min(limits.get("mailboxes", MAX_MAILBOXES), MAX_MAILBOXES)
    return limits
