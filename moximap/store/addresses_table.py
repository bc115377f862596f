"""Addresses and domains in directory.db, and how an account is found by either."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager

import apsw
from zope.interface import implementer

from moximap.store.addresses import Domain, IAddresses
from moximap.store.database import every, one
from moximap.store.errors import AccountExists, Cannot, NoSuchAccount, Unavailable

Transaction = Callable[[], AbstractContextManager[apsw.Connection]]
#: id, name, created, disabled.
AccountRow = tuple[int, str, float, "str | None"]

_ACCOUNT = "SELECT id, name, created, disabled FROM account WHERE NOT removing AND "


def fold(name: str) -> str:
    """What names and addresses are compared by."""
    return unicodedata.normalize("NFC", name).casefold()


def account_row(connection: apsw.Connection, name: str) -> AccountRow:
    """An account by its name or one of its addresses; NoSuchAccount."""
    row = _by_name(connection, fold(name)) or _by_address(connection, fold(name))
    if row is None or name.startswith("@"):
        raise NoSuchAccount("there is no such account")
    return row


def _by_name(connection: apsw.Connection, folded: str) -> AccountRow | None:
    row: AccountRow | None = one(connection.execute, _ACCOUNT + "folded = ?", (folded,))
    return row


def _by_address(connection: apsw.Connection, folded: str) -> AccountRow | None:
    row: AccountRow | None = one(
        connection.execute, _ACCOUNT + "id = (SELECT account FROM address WHERE folded = ?)", (folded,))
    return row


def is_taken(connection: apsw.Connection, name: str) -> bool:
    """Whether it is an account's name or address, even of one that is being removed."""
    return one(connection.execute, "SELECT 1 FROM account WHERE folded = ?1"
               " UNION ALL SELECT 1 FROM address WHERE folded = ?1", (fold(name),)) is not None


def clean_address(address: str) -> str:
    """An address in normal form C, or "@domain"; Cannot."""
    address = unicodedata.normalize("NFC", address)
    _, at, domain = address.rpartition("@")
    if not at or not _is_domain(domain) or len(address.encode()) > 320 \
            or any(c.isspace() or unicodedata.category(c) in ("Cc", "Cs") for c in address):
        raise Cannot("an address is NAME@DOMAIN, and @DOMAIN stands for all the others of a domain")
    return address


def _is_domain(name: str) -> bool:
    return bool(name) and all(label and not label.startswith("-") for label in name.split(".")) \
        and not any(c in "@/\\\"'<>()[],;:" or c.isspace() or not c.isprintable() for c in name)


@implementer(IAddresses)
class Addresses:
    """``read`` and ``write`` open a transaction of the directory."""

    def __init__(self, read: Transaction, write: Transaction) -> None:
        self._read = read
        self._write = write

    def add(self, account: str, address: str) -> None:
        address = clean_address(address)
        with self._write() as connection:
            id = account_row(connection, account)[0]
            if is_taken(connection, address):
                raise AccountExists("the address is an account's already")
            connection.execute("INSERT INTO address VALUES (?, ?, ?)", (fold(address), address, id))

    def of(self, account: str) -> tuple[str, ...]:
        with self._read() as connection:
            rows = every(connection.execute, "SELECT address FROM address WHERE account = ? ORDER BY folded",
                         (account_row(connection, account)[0],))
            return tuple(address for address, in rows)

    def remove(self, address: str) -> None:
        with self._write() as connection:
            connection.execute("DELETE FROM address WHERE folded = ?", (fold(address),))
            if not connection.changes():
                raise NoSuchAccount("no account has that address, or only as its name")

    def recipient(self, address: str) -> str:
        folded = fold(address)
        domain = folded.rpartition("@")[2]
        with self._read() as connection:
            row = _by_name(connection, folded) or _by_address(connection, folded) \
                or "@" in folded and _by_address(connection, "@" + domain)
            if not row or folded.startswith("@"):
                raise NoSuchAccount("there is no such account")
            if one(connection.execute, "SELECT 1 FROM domain WHERE folded = ? AND disabled", (domain,)):
                raise Unavailable("the domain takes no mail for now")
            return row[1]

    def domains(self) -> tuple[Domain, ...]:
        with self._read() as connection:
            names = every(connection.execute, "SELECT folded FROM account WHERE NOT removing"
                          " UNION ALL SELECT folded FROM address")
            disabled = dict(every(connection.execute, "SELECT folded, disabled FROM domain"))
        found = {name.rpartition("@")[2] for name, in names if "@" in name} | {*disabled}
        return tuple(Domain(name, bool(disabled.get(name))) for name in sorted(found))

    def disable_domain(self, name: str, disabled: bool) -> None:
        folded = fold(name)
        if not _is_domain(folded):
            raise Cannot("that is no domain")
        with self._write() as connection:
            if disabled:
                connection.execute("INSERT OR REPLACE INTO domain VALUES (?, 1)", (folded,))
            else:
                connection.execute("DELETE FROM domain WHERE folded = ?", (folded,))
