"""A message that is appended in two halves: all but the commit, and the commit."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Any
from unittest import mock

import apsw
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from moximap.store.contents import SMALL
from moximap.store.database import PATIENCE
from moximap.store.errors import Busy, NoSpace, NoSuchMailbox, Unavailable
from moximap.store.interfaces import NewMessage
from moximap.store.opened import SYNC_DELAY
from moximap.store.threads import Pool
from moximap.store.writer import Queue
from moximap.values import Appended
from tests.dialogue import DialogueCase
from tests.storecases import ALL, MAIL, OnDisk, StoreCase, one


class HalvesTests(StoreCase, OnDisk):
    def begin(self, content: bytes = MAIL, mailbox: str = "INBOX") -> Callable[[], Appended]:
        commit: Callable[[], Appended] = self.account.begin_append(mailbox, [NewMessage(content)])
        return commit

    def uids(self) -> list[Any]:
        return [uid for uid, in self.account.fetch(self.inbox, ALL, ("uid",))]

    @property
    def inbox(self) -> int:
        return int(self.account.mailbox("INBOX").id)

    def test_nothing_is_there_before_the_commit(self) -> None:
        commit = self.begin()
        self.assertEqual(self.uids(), [])
        self.assertEqual(commit().uids, one(1))
        self.assertEqual(self.uids(), [1])

    def test_it_is_as_durable_as_any_other_append(self) -> None:
        self.append(MAIL)
        self.account.store(self.inbox, ALL, "+", ["\\Seen"])
        commit = self.begin()
        self.assertEqual(self.account._writer._connection.pragma("synchronous"), 2)
        commit()
        self.assertFalse(self.account.needs_sync)

    def test_others_wait_until_it_is_committed(self) -> None:
        commit = self.begin()
        self.assertRaises(Busy, self.begin)
        self.assertRaises(Busy, self.account.store, self.inbox, ALL, "+", ["\\Seen"], now=True)
        other = Thread(target=self.append, args=(MAIL,))
        other.start()
        while not self.account._writer._queue.waiting:
            pass
        self.assertEqual(commit().uids, one(1))
        other.join()
        self.assertEqual(self.uids(), [1, 2])

    def test_another_process_that_writes_is_not_waited_for(self) -> None:
        other = apsw.Connection(str(self.home / "mail.db"))
        other.execute("BEGIN IMMEDIATE")
        self.assertRaises(Busy, self.begin)
        other.close()
        self.assertEqual(self.begin()().uids, one(1))

    def test_what_fails_holds_nobody_up(self) -> None:
        self.assertRaises(NoSuchMailbox, self.begin, mailbox="Nowhere")
        commit = self.begin()
        with mock.patch.object(self.account._writer, "_end", side_effect=apsw.FullError("full")):
            self.assertRaises(NoSpace, commit)
        self.assertEqual(self.uids(), [])
        self.assertEqual(self.begin()().uids, one(1))

    def test_who_comes_next_waits_for_another_process_as_ever(self) -> None:
        writer = self.account._writer
        patient: list[float] = []
        pass_on = Queue.pass_on

        def passed_on(queue: Queue) -> None:
            patient.append(writer._patience.seconds)
            pass_on(queue)

        with mock.patch.object(Queue, "pass_on", passed_on):
            self.assertRaises(NoSuchMailbox, self.begin, mailbox="Nowhere")
        self.assertEqual(patient, [PATIENCE])

    def test_nobody_is_held_up_where_the_disk_fails_twice(self) -> None:
        for half in ("_perform", "_end"):
            with mock.patch.object(self.account._writer, half, side_effect=apsw.IOError("bad")), \
                    mock.patch.object(self.account._writer, "_roll_back", side_effect=apsw.IOError("bad")):
                self.assertRaises(Unavailable, lambda: self.begin()())
            self.account._writer._roll_back()
        self.assertEqual(self.begin()().uids, one(1))

    def test_what_takes_long_is_not_begun(self) -> None:
        self.assertRaises(Busy, self.begin, b"x" * (SMALL + 1))
        self.assertRaises(Busy, self.account.begin_append, "INBOX", [NewMessage(MAIL)] * 2)
        self.assertEqual(self.begin()().uids, one(1))


class AppendTests(DialogueCase):
    def test_an_append_while_another_is_being_committed_waits_for_it(self) -> None:
        self.client()
        room = self.site.accounts._open["ada"]
        commit = room.store.begin_append("INBOX", [NewMessage(b"Subject: first\r\n\r\n")])

        def append(*args: Any) -> Appended:
            commit()
            return store.append(*args)

        store, room.store = room.store, mock.Mock(wraps=room.store, append=append)
        self.dialogue("""
            C: a APPEND INBOX {2+}
            C: ab
            S: a OK [APPENDUID {v} 2] appended
        """)


    def test_flags_are_synced_soon_and_what_is_synced_is_not_synced_again(self) -> None:
        self.dialogue("""
            C: a APPEND INBOX {2+}
            C: ab
            S: a OK [APPENDUID {v} 1] appended
        """)
        with mock.patch.object(self.site.accounts._open["ada"].store, "sync") as sync:
            self.clock.advance(SYNC_DELAY)
            self.assertEqual(sync.call_count, 0)
            self.client().send(b"b SELECT INBOX\r\nc STORE 1 +FLAGS.SILENT (\\Seen)\r\n")
            self.assertIn(b"\r\nc OK", self.client().received())
            self.clock.advance(SYNC_DELAY)
            self.assertEqual(sync.call_count, 1)


class PoolTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pool = Pool(mock.Mock(), size=1)
        self.said: list[str] = []
        self.go = Event()

    def halves(self) -> Deferred[str]:
        def begin() -> Callable[[], str]:
            self.said.append("begun")
            return lambda: "committed"

        return self.pool.halves(begin)

    def wait(self) -> None:
        self.go.wait()
        self.said.append("waited")

    def test_the_first_half_is_done_at_once_the_second_in_a_thread(self) -> None:
        done = self.halves()
        self.assertEqual(self.said, ["begun"])
        self.assertNoResult(done)
        self.pool.stopService()
        self.assertEqual(self.successResultOf(done), "committed")

    def test_the_second_half_is_done_even_where_no_thread_can_be_had(self) -> None:
        with mock.patch("moximap.store.threads.Thread.start", side_effect=RuntimeError("no more threads")):
            self.assertEqual(self.successResultOf(self.halves()), "committed")
        self.pool.stopService()

    def test_nothing_is_begun_while_no_thread_is_free_to_end_it(self) -> None:
        self.pool.call(self.wait)
        done = self.halves()
        self.assertEqual(self.said, [])
        self.go.set()
        self.pool.stopService()
        self.assertEqual(self.said, ["waited", "begun"])
        self.assertEqual(self.successResultOf(done), "committed")
