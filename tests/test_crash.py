"""What was acknowledged survives kill -9, and the means that show it would notice if it did not."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import beside
from tests.crashing import Crashing
from tests.crashing_workers import WorkerCrashing
from tests.dialogue import HELLO, DialogueCase
from tests.notes import Append, Copy, Expunge, Message, Move, Notes, Store, key_of, octets

ROUNDS, SEED = 5, 20260101
ONE, TWO = Message("w0-1-10"), Message("w0-2-10", frozenset(["\\Seen"]))


class KillTests(SynchronousTestCase):
    """The short form; `python -m tests.crashing --rounds 200` is the long one."""

    def test_killed_servers_lose_nothing_that_they_acknowledged(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="moximap-crashing-"))
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        result = Crashing(directory, SEED).run(ROUNDS)
        self.assertEqual([], result.problems)
        self.assertEqual(ROUNDS, result.rounds)
        self.assertEqual({"APPEND", "COPY", "MOVE", "EXPUNGE", "STORE"}, set(result.acknowledged))


    def test_a_killed_worker_loses_nothing_and_the_other_serves_on(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="moximap-crashing-"))
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        result = WorkerCrashing(directory, SEED).run(2)
        self.assertEqual([], result.problems)
        self.assertEqual(2, result.rounds)


class TornTests(DialogueCase):
    """A file that a message needs is not there."""

    def test_a_message_that_cannot_be_read_to_its_end_ends_the_connection(self) -> None:
        self.fill(content=HELLO + b"x" * 300_000)
        client = self.client()
        client.send(b"a SELECT INBOX\r\n")
        client.received()
        for path in (self.data / "accounts" / "ada" / "large").glob("*/*"):
            path.unlink()
        client.send(b"b FETCH 1 BODY.PEEK[]\r\n")
        self.assertRegex(client.received(), rb"BODY\[\] \{\d+\}\r\n$")           # a BYE would be taken for its text
        self.assertTrue(client.transport.disconnecting)


class NotesTests(SynchronousTestCase):
    """Each kind of damage is seen."""

    notes = Notes({("INBOX", 1): ONE, ("INBOX", 2): TWO})

    def test_what_is_as_noted_agrees(self) -> None:
        self.assertTrue(self.notes.agrees(dict(self.notes.known)))

    def test_a_lost_message_is_seen(self) -> None:
        self.assertFalse(self.notes.agrees({("INBOX", 1): ONE}))

    def test_a_doubled_message_is_seen(self) -> None:
        self.assertFalse(self.notes.agrees(self.notes.known | {("INBOX", 3): ONE}))

    def test_another_uid_and_lost_flags_are_seen(self) -> None:
        self.assertFalse(self.notes.agrees({("INBOX", 1): ONE, ("INBOX", 3): TWO}))
        self.assertFalse(self.notes.agrees({("INBOX", 1): ONE, ("INBOX", 2): Message(TWO.key)}))

    def test_half_a_move_is_neither_done_nor_undone(self) -> None:
        move = Move("INBOX", (1, 2), "Archive")
        whole = {("Archive", 8): ONE, ("Archive", 9): TWO}
        self.assertTrue(move.guessed(self.notes).agrees(whole))
        for half in ({("INBOX", 1): ONE, ("Archive", 9): TWO}, whole | {("INBOX", 1): ONE}, {}):
            self.assertFalse(self.notes.agrees(half) or move.guessed(self.notes).agrees(half))

    def test_answers_tell_the_new_uids(self) -> None:
        copied = Copy("INBOX", (1, 2), "Archive").acknowledged(self.notes, b"t OK [COPYUID 7 1:2 8:9] ok")
        self.assertEqual(TWO, copied.known["Archive", 9])
        added = Append("INBOX", (ONE.key, ONE.key), ONE.flags).acknowledged(Notes(), b"t OK [APPENDUID 7 5:6] ok")
        self.assertTrue(added.agrees({("INBOX", 5): ONE, ("INBOX", 6): ONE}))

    def test_flags_and_expunges_are_followed(self) -> None:
        deleted = Store("INBOX", (2,), "+", frozenset(["\\Deleted"])).guessed(self.notes)
        self.assertTrue(Expunge("INBOX", None).guessed(deleted).agrees({("INBOX", 1): ONE}))
        self.assertFalse(Expunge("INBOX", (1,)).guessed(deleted).agrees({("INBOX", 1): ONE}))

    def test_a_changed_octet_is_seen(self) -> None:
        raw = octets(ONE.key)
        self.assertEqual(ONE.key, key_of(raw))
        self.assertIsNone(key_of(raw[:-3] + b"!\r\n"))


test_suite = beside.suite(__name__)
