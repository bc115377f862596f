"""Schemas, upgrades, checkpoints and digests of older versions."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from errno import EIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import apsw
from twisted.trial.unittest import SynchronousTestCase

from moximap.store import checkpointing, contents, database, digesting
from moximap.store.checkpointing import Checkpointer
from moximap.store.errors import NoSpace, Unavailable
from tests.storecases import ALL, LARGE, MAIL, TO_VERSION_5, TO_VERSION_6, OnDisk, StoreCase, one


class SchemaTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.schemas = Path(self.mktemp())
        self.schemas.mkdir()
        self.patch(database, "SCHEMAS", self.schemas)
        self.path = Path(self.mktemp())
        self.path.mkdir()
        self.database = self.path / "x.db"
        self.script(1, "CREATE TABLE t (a); INSERT INTO t VALUES (1);")
        database.create(self.database, "x")

    def script(self, number: int, text: str) -> None:
        (self.schemas / f"x-{number}.sql").write_text(text)

    def query(self, statement: str) -> object:
        connection = database.connect(self.database, write=False)
        try:
            return connection.execute(statement).get
        finally:
            connection.close()

    def test_a_new_database_appears_whole(self) -> None:
        self.assertEqual([path.name for path in self.path.iterdir()], ["x.db"])
        self.assertEqual(self.query("SELECT a FROM t"), 1)

    def test_a_database_that_is_not_finished_does_not_appear(self) -> None:
        self.script(1, "CREATE TABLE t (a); nonsense;")
        self.assertRaises(apsw.SQLError, database.create, self.path / "y.db", "x")
        self.assertFalse((self.path / "y.db").exists())

    def test_upgrades_run_in_order_after_a_backup(self) -> None:
        for number in range(2, 12):
            self.script(number, f"UPDATE t SET a = a || ',{number}';")
        database.prepare(self.database, "x")
        self.assertEqual(self.query("SELECT a FROM t"), "1,2,3,4,5,6,7,8,9,10,11")
        self.assertEqual(self.query("PRAGMA user_version"), 11)
        shutil.copy(self.path / "x.db.version-1", self.database)
        self.assertEqual(self.query("SELECT a FROM t"), 1)

    def test_what_another_process_has_upgraded_meanwhile_is_no_copy_of_the_old(self) -> None:
        self.script(2, "UPDATE t SET a = 2;")
        back_up = database._back_up

        def late(*args: Any) -> None:
            self.patch(database, "_back_up", back_up)
            database.prepare(self.database, "x")
            back_up(*args)

        self.patch(database, "_back_up", late)
        database.prepare(self.database, "x")
        shutil.copy(self.path / "x.db.version-1", self.database)
        self.assertEqual(self.query("SELECT a FROM t"), 1)
        self.assertEqual([path.name for path in self.path.iterdir() if path.name.startswith(".")], [])

    def test_an_upgrade_that_fails_changes_nothing(self) -> None:
        self.script(2, "UPDATE t SET a = 2;")
        self.script(3, "nonsense;")
        self.assertRaises(apsw.SQLError, database.prepare, self.database, "x")
        self.assertEqual(self.query("SELECT a FROM t"), 1)
        self.assertEqual(self.query("PRAGMA user_version"), 1)

    def test_a_newer_database_is_left_alone(self) -> None:
        self.script(2, "UPDATE t SET a = 2;")
        database.prepare(self.database, "x")
        (self.schemas / "x-2.sql").unlink()
        self.assertRaises(Unavailable, database.prepare, self.database, "x")

    def test_errors_of_the_disk_are_those_of_the_store(self) -> None:
        for error, expected in ((apsw.FullError(), NoSpace), (OSError(28, ""), NoSpace),
                                (OSError(122, ""), NoSpace), (OSError(5, ""), Unavailable),
                                (apsw.BusyError(), Unavailable), (apsw.CorruptError(), Unavailable)):
            self.assertIsInstance(database.translate(error), expected)
        self.assertIsNone(database.translate(apsw.SQLError()))


class StatementTests(StoreCase, OnDisk):
    def test_other_values_do_not_make_a_statement_be_compiled_anew(self) -> None:
        compiled: list[str | None] = []

        def connect(path: Path, *, write: bool) -> apsw.Connection:
            connection = plain(path, write=write)
            connection.authorizer = lambda action, *about: compiled.append(about[0]) or apsw.SQLITE_OK
            return connection

        plain = database.connect
        self.patch(database, "connect", connect)
        self.append(*[MAIL] * 4)
        before = 0
        for uid in range(1, 5):
            self.rows("uid", "content", uids=one(uid))
            self.account.store(self.inbox(), one(uid), "+", ["\\Seen"])
            before = before or len(compiled)
        self.assertNotEqual(before, 0)
        self.assertEqual(compiled[before:], [])


class CheckpointTests(StoreCase, OnDisk):
    def test_a_log_that_grew_is_copied_in_the_background(self) -> None:
        self.patch(checkpointing, "COPY", 1)
        self.append(LARGE[:100_000])
        self.directory._checkpointer.close()
        self.assertGreater(self.directory._checkpointer._copied[str(self.home / "mail.db")], 20)

    def checkpoint(self, sync: Callable[[str], None] = lambda path: None) -> list[str]:
        """What a checkpoint syncs, besides SQLite, and whether the log begins anew after it."""
        steps = []

        def synced(descriptor: int) -> None:
            steps.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            sync(steps[-1])

        def patient(connection: object, seconds: float) -> None:
            if seconds == checkpointing._PATIENCE:
                steps.append("anew")

        self.append(LARGE[:100_000])
        with patch("os.fdatasync", synced), patch.object(checkpointing, "RESTART", 1), \
                patch.object(database, "be_patient", patient), contextlib.suppress(OSError):
            self.assertGreater(checkpointing.checkpoint(self.home / "mail.db"), 20)
        return steps

    def test_the_database_is_synced_before_writers_have_to_wait(self) -> None:
        self.assertEqual(self.checkpoint(), [str((self.home / "mail.db").resolve()), "anew"])

    def test_where_the_disk_fails_the_log_does_not_begin_anew(self) -> None:
        def fail(path: str) -> None:
            raise OSError(EIO, "broken")

        self.assertEqual(self.checkpoint(fail), [str((self.home / "mail.db").resolve())])

    def test_a_checkpoint_that_fails_is_in_the_log_and_the_next_one_is_tried(self) -> None:
        tried = patch.object(checkpointing, "checkpoint", side_effect=[OSError(EIO, "broken"), 7])
        with tried, patch.object(checkpointing, "COPY", 1):
            for _ in range(2):
                self.append(MAIL)
                self.directory._checkpointer.close()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.directory._checkpointer._copied[str(self.home / "mail.db")], 7)

    def test_no_other_file_is_taken_for_the_database(self) -> None:
        with patch("os.path.samestat", lambda one, other: False):
            self.assertEqual(self.checkpoint(), ["anew"])
        with patch("os.fstat", side_effect=OSError):
            self.assertEqual(self.checkpoint(), ["anew"])

    def test_what_was_copied_is_not_copied_again(self) -> None:
        checkpointer, path = Checkpointer(), "x"
        asked: list[str] = []
        self.patch(checkpointer, "_enqueue", lambda path, pages: asked.append(path))
        checkpointer._copied[path] = 5000
        checkpointer.committed(path, 5100)
        self.assertEqual(asked, [])
        checkpointer.committed(path, 5000 + checkpointing.COPY)
        self.assertEqual(asked, [path])
        checkpointer.committed(path, 10)
        self.assertEqual(checkpointer._copied[path], 0)

    def test_what_is_committed_while_a_log_is_copied_asks_for_no_second_time(self) -> None:
        checkpointer, path = Checkpointer(), "x"
        copied: list[Path] = []

        def checkpoint(of: Path) -> int:
            copied.append(of)
            checkpointer.committed(path, checkpointing.COPY + 1)
            return checkpointing.COPY + 1

        self.patch(checkpointing, "checkpoint", checkpoint)
        checkpointer.committed(path, checkpointing.COPY)
        checkpointer.close()
        self.assertEqual(copied, [Path(path)])

    def test_a_log_that_is_too_long_begins_anew(self) -> None:
        self.patch(checkpointing, "RESTART", 1)
        self.append(LARGE[:100_000])
        checkpointing.checkpoint(self.home / "mail.db")
        before = (self.home / "mail.db-wal").stat().st_size
        self.append(MAIL)
        self.assertEqual((self.home / "mail.db-wal").stat().st_size, before)

    def test_a_long_reader_is_not_waited_for_with_each_commit(self) -> None:
        """What it keeps from being copied is looked at again when the log has grown by as much once more."""
        self.append(MAIL)
        reader = database.connect(self.home / "mail.db", write=False)
        self.addCleanup(reader.close)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM account").fetchall()
        self.append(LARGE[:100_000])
        other = database.connect(self.home / "mail.db", write=True)
        self.addCleanup(other.close)
        total, copied = other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self.assertLess(copied, total)
        for restart in (checkpointing.RESTART, 1):
            self.patch(checkpointing, "RESTART", restart)
            self.assertEqual(checkpointing.checkpoint(self.home / "mail.db"), total)


class DigestTests(StoreCase, OnDisk):
    def test_digests_of_an_older_version_are_made_anew(self) -> None:
        self.append(MAIL, LARGE, MAIL)
        whole = self.rows("envelope", "bodystructure", "preview", "parts")
        connection = database.connect(self.home / "mail.db", write=True)
        connection.execute("UPDATE digest SET version = 0, preview = '', parts = ''")
        connection.execute("UPDATE summary SET envelope = '', bodystructure = ''")
        connection.execute("UPDATE mailbox_row SET digests = 0")
        connection.close()
        self.assertEqual([self.account.redigest(2) for _ in range(4)], [2, 1, 0, 0])
        self.assertEqual(self.rows("envelope", "bodystructure", "preview", "parts"), whole)
        self.patch(digesting, "every", None)
        self.assertEqual(self.account.redigest(2), 0)

    def test_digest_columns_name_what_they_hold(self) -> None:
        self.append(MAIL)
        connection = database.connect(self.home / "mail.db", write=False)
        rows = tuple(connection.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchone() for table, columns
                     in (("summary", contents.SUMMARY_COLUMNS), ("digest", contents.DIGEST_COLUMNS)))
        connection.close()
        self.assertEqual(rows, contents.digest_columns(MAIL)[1:])
        self.assertEqual(len(self.rows("uid", uids=ALL)), 1)

    def test_an_account_of_version_6_is_upgraded(self) -> None:
        """Which had its own counters in a table of their own."""
        self.append(MAIL, flags=("kw",))
        self.account.create("Other")
        before = self.account.mailboxes()
        self.account.close()
        connection = apsw.Connection(str(self.home / "mail.db"))
        connection.execute(TO_VERSION_6)
        connection.close()
        self.account = self.open()
        self.assertEqual(self.account.mailboxes(), before)
        appended = self.append(MAIL, flags=("kw", "more"))
        self.assertEqual((appended.modseq, appended.uids), (before.modseq + 1, one(2)))
        created, = self.account.create("Another").mailboxes
        self.assertEqual(created.uidvalidity, 1 + max(mailbox.uidvalidity for mailbox in before.mailboxes))
        self.assertEqual(self.named(), {1: {"kw"}, 2: {"kw", "more"}})

    def test_an_account_of_version_5_is_upgraded(self) -> None:
        """Which had both halves of a digest in one table."""
        self.append(MAIL, LARGE, flags=("kw",))
        self.account.copy(self.inbox(), one(1), "Sent")
        columns = ("uid", *contents.SUMMARY_COLUMNS, "body", "preview", "parts", "sent", "sent_time", "subject",
                   "base_subject", "from_key", "to_key", "cc_key", "from_display", "to_display", "message_id",
                   "references")
        before = self.rows(*columns), self.rows(*columns, name="Sent")
        self.account.close()
        connection = apsw.Connection(str(self.home / "mail.db"))
        connection.execute(TO_VERSION_5)
        connection.close()
        self.account = self.open()
        self.assertEqual((self.rows(*columns), self.rows(*columns, name="Sent")), before)
        self.append()
        self.assertEqual(self.rows(*columns)[2][1:], before[0][0][1:])
        self.assertTrue((self.home / "mail.db.version-5").exists())
