"""Clients' public keys in directory.db."""

from __future__ import annotations

from typing import Any, Final

import apsw
from zope.interface import implementer

from moximap.store.addresses_table import Transaction, account_row
from moximap.store.database import every, one
from moximap.store.keys import IKeys, KeyExists, KeyRecord, NoSuchKey

_SELECT: Final = ("SELECT fingerprint, account.name, key.name, type, certificate, key.created, no_preauth,"
                  " read_only, until, used FROM key JOIN account ON account.id = key.account"
                  " WHERE NOT removing")


@implementer(IKeys)
class Keys:
    """``read`` and ``write`` open a transaction of the directory."""

    def __init__(self, read: Transaction, write: Transaction) -> None:
        self._read = read
        self._write = write

    def add(self, key: KeyRecord) -> KeyRecord:
        with self._write() as connection:
            account = account_row(connection, key.account)[0]
            if one(connection.execute, "SELECT 1 FROM key WHERE fingerprint = ?", (key.fingerprint,)):
                raise KeyExists(f"the key {key.fingerprint} belongs to an account already")
            connection.execute(
                "INSERT INTO key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key.fingerprint, account, key.name, key.type, key.certificate, key.created,
                 key.no_preauth, key.read_only, key.until, key.used))
            return _find(connection, key.fingerprint)

    def of(self, account: str | None = None) -> tuple[KeyRecord, ...]:
        with self._read() as connection:
            id = None if account is None else account_row(connection, account)[0]
            rows = every(connection.execute, f"{_SELECT} AND (?1 IS NULL OR account.id = ?1)"
                         " ORDER BY folded, key.name, fingerprint", (id,))
            return tuple(map(_record, rows))

    def find(self, fingerprint: str) -> KeyRecord:
        with self._read() as connection:
            return _find(connection, fingerprint)

    def remove(self, fingerprint: str) -> KeyRecord:
        with self._write() as connection:
            key = _find(connection, fingerprint)
            connection.execute("DELETE FROM key WHERE fingerprint = ?", (fingerprint,))
            return key


def _find(connection: apsw.Connection, fingerprint: str) -> KeyRecord:
    row = one(connection.execute, f"{_SELECT} AND fingerprint = ?", (fingerprint,))
    if row is None:
        raise NoSuchKey("there is no such key")
    return _record(row)


def _record(row: Any) -> KeyRecord:
    fingerprint, account, name, type, certificate, created, no_preauth, read_only, until, used = row
    return KeyRecord(fingerprint, account, name, type, certificate, created, bool(no_preauth),
                     bool(read_only), until, used)
