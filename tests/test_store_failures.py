"""Killed processes, full disks, locks not given: what was answered stays, nothing is half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from array import array

import apsw

from moximap.store import contents, database, indexing
from moximap.store.errors import NoSpace, Unavailable
from moximap.store.writer import Job
from moximap.values import Known, NumSet
from tests import beside
from tests.storecases import ALL, LARGE, MAIL, OnDisk, StoreCase

CUT = """
import os, signal, sys
from pathlib import Path
from moximap.store.directory import Directory
from moximap.store.interfaces import NewMessage
from moximap.store.transaction import Tally
from tests.storecases import LARGE, MAIL
account = Directory(Path(sys.argv[1])).open("ann")
account.append("INBOX", [NewMessage(MAIL)])
account.store(account.mailbox("INBOX").id, account.append("INBOX", [NewMessage(LARGE)]).uids, "+", ["a"])
spool = account.spool()
spool.write(LARGE)
spool.flush()
account._writer.run = lambda *args, **more: os.kill(os.getpid(), signal.SIGKILL)
account.append("INBOX", [NewMessage(LARGE)])
"""


class KilledTests(StoreCase, OnDisk):
    def test_what_was_answered_is_there_and_nothing_else(self) -> None:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        ended = subprocess.run([sys.executable, "-c", CUT, str(self.path.resolve())],
                               env={**os.environ, "PYTHONPATH": path})
        self.assertEqual(ended.returncode, -signal.SIGKILL)
        files = [*self.home.glob("large/*/*"), *self.home.glob("tmp/*")]
        self.assertEqual(len(files), 3)
        self.assertEqual(len(list(self.account.check())), 2)
        self.account.close()
        self.account = self.open()
        self.assertEqual(self.named(), {1: set(), 2: {"a"}})
        self.assertEqual(len([*self.home.glob("large/*/*"), *self.home.glob("tmp/*")]), 1)
        self.assertEqual(len(list((self.home / "open").iterdir())), 1)


class FullDiskTests(StoreCase, OnDisk):
    def fill(self) -> None:
        """No page more than there are now."""
        self.account.subscribe("x", True)
        connection = self.account._writer._connection
        connection.pragma("max_page_count", connection.pragma("page_count"))

    def test_an_append_without_room_leaves_nothing_behind(self) -> None:
        self.append()
        self.fill()
        before = self.account.open("INBOX")
        for content in (b"x" * 100_000, LARGE + b"y" * 10):
            with self.assertRaises(NoSpace):
                for _ in range(100):
                    before = self.account.open("INBOX")
                    self.append(content, MAIL)
            self.assertEqual(self.account.open("INBOX"), before)
        large = sum(size > contents.LARGE for size, in self.rows("size"))
        self.assertEqual(len(list(self.home.glob("large/*/*"))), large)

    def test_a_copy_without_room_leaves_nothing_behind(self) -> None:
        self.append(*[b"x"] * 500)
        self.fill()
        with self.assertRaises(NoSpace):
            for _ in range(100):
                before = self.account.open("Sent")
                self.account.move(self.inbox(), NumSet(((1, 250),)), "Sent")
                self.account.copy(self.inbox(), ALL, "Sent")
        self.assertEqual(self.account.open("Sent").mailbox.messages % 250, before.mailbox.messages % 250)

    def test_other_writes_go_on(self) -> None:
        self.append()
        self.fill()
        self.assertRaises(NoSpace, self.append, b"x" * 120_000)
        self.account.store(self.inbox(), ALL, "+", ["\\Seen"])
        self.assertEqual(self.named(), {1: {"\\Seen"}})

    def test_a_spool_without_room_says_so(self) -> None:
        spool = self.account.spool()

        class Full:
            def write(self, data: bytes) -> None:
                raise OSError(28, "No space left on device")

            def close(self) -> None:
                pass

        self.patch(spool, "_file", Full())
        self.assertRaises(NoSpace, spool.write, b"x")
        spool.discard()
        self.assertEqual(list(self.home.glob("tmp/*")), [])


    def test_an_index_that_has_no_room_to_begin_leaves_nothing_behind(self) -> None:
        self.append()

        def full(index: object, connection: apsw.Connection) -> None:
            connection.execute("CREATE TABLE some (thing)")
            raise apsw.FullError("database or disk is full")
        self.patch(indexing.Index, "_fill", full)
        self.assertRaises(NoSpace, self.account.index, 1)
        self.assertEqual(list(self.home.glob("tmp/*")), [])


class LockTests(StoreCase, OnDisk):
    def test_an_account_that_is_locked_for_too_long_is_unavailable(self) -> None:
        self.account.subscribe("x", True)
        self.account._writer._connection.set_busy_timeout(1)
        other = database.connect(self.home / "mail.db", write=True)
        other.execute("BEGIN IMMEDIATE")
        self.assertRaises(Unavailable, self.append)
        self.assertEqual(self.box("INBOX").messages, 0)
        other.execute("ROLLBACK")
        other.close()
        self.append()

    def test_writes_that_wait_together_for_a_lock_fail_together(self) -> None:
        waited: list[int] = []
        jobs = [Job(lambda transaction: None, True) for _ in range(3)]
        self.account.subscribe("x", True)
        self.account._writer._connection.set_busy_handler(
            lambda attempt: bool(waited.append(attempt)))
        other = database.connect(self.home / "mail.db", write=True)
        other.execute("BEGIN IMMEDIATE")
        self.account._writer._serve(jobs)
        other.close()
        self.assertEqual([type(job.error) for job in jobs], [Unavailable] * 3)
        self.assertEqual(waited, [0])


class HintTests(StoreCase, OnDisk):
    def test_a_large_message_is_synced_whatever_the_disk_was_told_before(self) -> None:
        told: list[str] = []
        self.patch(contents, "_sync_file_range", lambda *args: told.append("begin"))
        sync = os.fsync
        self.patch(os, "fsync", lambda file: told.append("sync") or sync(file))
        self.append(LARGE)
        self.assertEqual(told[:2], ["begin", "sync"])

    def test_a_system_that_cannot_be_told_syncs_as_well(self) -> None:
        self.patch(contents, "_sync_file_range", None)
        self.append(LARGE)
        self.assertEqual(list(self.account.check()), [])


class BrokenTests(StoreCase, OnDisk):
    def test_a_change_of_many_that_breaks_in_the_midst_changes_none(self) -> None:
        self.append()
        self.append(flags=("\\Draft",))
        modseq = self.account.mailbox("INBOX").modseq
        wrong = Known(modseq, array("I", [1, 2]), array("Q", [0, 0]))
        with self.assertRaises(apsw.ConstraintError):
            self.account.store(self.inbox(), ALL, "+", ["\\Seen"], cursor=modseq, known=wrong)
        self.assertEqual(self.named(), {1: set(), 2: {"\\Draft"}})


test_suite = beside.suite(__name__)
