"""Where store tests stand: cases are said against the interfaces, OnDisk is the store on SQLite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from moximap.store.account import Account
from moximap.store.directory import Directory
from moximap.store.interfaces import NewMessage
from moximap.values import NumSet
from tests.memory import InMemory

ALL = NumSet(((1, 0xFFFFFFFF),))
MAIL = (b"From: Ann <ann@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
        b"Date: Fri, 1 Jan 2021 23:30:00 -0500\r\n\r\nHello there\r\n")
LARGE = MAIL + b"0123456789abcde\n" * 10_000


#: Makes a database of version 7 one of version 6, and that one of version 5.
TO_VERSION_6 = """
    CREATE TABLE had AS SELECT * FROM account;
    DROP VIEW account; DROP VIEW mailbox; DELETE FROM mailbox_row WHERE id = 0;
    ALTER TABLE mailbox_row DROP COLUMN contents; ALTER TABLE mailbox_row DROP COLUMN keywordsets;
    ALTER TABLE mailbox_row DROP COLUMN digests; ALTER TABLE mailbox_row RENAME TO mailbox;
    CREATE TABLE account AS SELECT 1 AS id, had.* FROM had; DROP TABLE had; PRAGMA user_version = 6;"""
TO_VERSION_5 = f"""{TO_VERSION_6}
    CREATE TABLE whole AS SELECT digest.*, summary.envelope, summary.bodystructure FROM digest JOIN summary USING (content);
    DROP TABLE digest; DROP TABLE summary; ALTER TABLE whole RENAME TO digest; PRAGMA user_version = 5"""


def one(number: int) -> NumSet:
    return NumSet(((number, number),))


class StoreCase:
    """A test case with ``account``, which has its mailboxes and no mail."""

    directory: Any
    account: Any

    def append(self, *contents: bytes, to: str = "INBOX", flags: tuple[str, ...] = ()) -> Any:
        return self.account.append(to, [NewMessage(content, flags) for content in contents or (MAIL,)])

    def inbox(self) -> int:
        return int(self.account.mailbox("INBOX").id)

    def box(self, name: str) -> Any:
        return self.account.mailbox(name)

    def named(self, name: str = "INBOX") -> dict[int, set[str]]:
        """UIDs and flags of a mailbox."""
        changes = self.account.open(name).changes
        return {uid: set(self.account.flags.names(code))
                for uid, code in zip(changes.uids, changes.flags, strict=True)}

    def rows(self, *columns: str, uids: NumSet = ALL, name: str = "INBOX") -> list[Any]:
        return list(self.account.fetch(self.box(name).id, uids, columns))


class OnDisk(InMemory, SynchronousTestCase):
    """An account in a directory of its own; afterwards it must pass its check."""

    sound = True

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.addCleanup(self.check_account)
        self.directory = Directory(self.path)
        self.addCleanup(self.directory.close)
        self.directory.add("ann")
        self.home = self.path / "accounts" / "ann"
        self.account = self.open()

    def open(self) -> Account:
        account = self.directory.open("ann")
        self.addCleanup(account.close)
        return account

    def check_account(self) -> None:
        """After all that was opened is closed, and before it is gone."""
        if self.sound:
            self.assertEqual(list(self.account.check()), [])
