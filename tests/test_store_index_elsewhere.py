"""Search indexes that are made in a process of their own."""

from __future__ import annotations

import json
import os
import sys
from errno import EMFILE
from io import StringIO
from pathlib import Path
from signal import SIGKILL
from typing import Any
from unittest.mock import Mock

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from moximap.store import indexing_elsewhere, indexing_process
from moximap.store.errors import Unavailable
from moximap.store.housework import BUSY_PAUSE, Turn
from moximap.store.indexing_elsewhere import IndexElsewhere
from moximap.store.indexing_soon import ELSEWHERE, OTHERS_PAUSE, PATIENCE, IndexSoon, Step
from tests.indexcases import IndexCase
from tests.storecases import MAIL

reactor: Any = installed


class ProcessTests(IndexCase, TestCase):
    """With the real process."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(os, "environ", {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
        self.indexer = self.make()

    def make(self, *command: str) -> IndexElsewhere:
        indexer = IndexElsewhere(reactor, execute, *([command] if command else []))
        self.addCleanup(indexer.stop)
        return indexer

    @property
    def process(self) -> Any:
        return self.indexer._process

    async def test_it_indexes_batch_by_batch(self) -> None:
        self.append(MAIL, MAIL, MAIL)
        self.assertEqual(await self.indexer.step(self.account, 2), Step(2))
        self.assertEqual(self.upto(), 2)
        self.assertEqual(await self.indexer.step(self.account, 2), Step(1))
        self.assertEqual(self.upto(), 3)
        self.assertEqual(await self.indexer.step(self.account, 2), Step(0))

    async def test_it_tells_where_many_wait(self) -> None:
        self.patch(indexing_elsewhere, "MANY", 2)
        self.append(MAIL, MAIL)
        self.expunge(1)
        self.assertEqual(await self.indexer.step(self.account, 1, spare=True), Step(None))
        self.assertEqual(await self.indexer.step(self.account, 1), Step(1))
        self.append(MAIL, MAIL, MAIL)
        self.assertEqual(await self.indexer.step(self.account, 1, spare=True), Step(1, many=True))

    async def test_digests_of_an_older_version_are_made_anew_here(self) -> None:
        self.append(MAIL)
        self.account._writer.run(lambda transaction: transaction.execute("UPDATE digest SET version = 0"))
        self.account._writer.run(lambda transaction: transaction.execute("UPDATE mailbox_row SET digests = 0"))
        self.assertEqual(await self.indexer.step(self.account, 1), Step(1))
        self.assertIsNone(self.process)
        self.assertEqual(self.account.redigest(1), 0)
        self.assertEqual(await self.indexer.step(self.account, 1), Step(1))
        self.assertEqual(self.upto(), 1)

    async def test_it_gives_way_to_everything_else(self) -> None:
        self.append(MAIL)
        await self.indexer.step(self.account, 1)
        pid = self.indexer._transport.pid
        self.assertTrue(os.sched_getscheduler(pid) == os.SCHED_IDLE or os.getpriority(os.PRIO_PROCESS, pid) == 19)

    async def test_what_was_expunged_is_erased_meanwhile(self) -> None:
        """The other opening of the account reads nothing that is gone."""
        self.append(MAIL, MAIL, MAIL)
        await self.indexer.step(self.account, 2)            # there is one more: it stays open
        self.expunge(1, 2, 3)
        self.assertEqual(self.erase(), 3)

    async def test_without_anything_to_do_there_is_no_process(self) -> None:
        self.assertEqual(await self.indexer.step(self.account, 1), Step(0))
        self.assertIsNone(self.process)

    async def test_it_ends_when_it_is_told_to(self) -> None:
        self.append(MAIL)
        await self.indexer.step(self.account, 1)
        gone = self.process.gone
        await self.indexer.stop()
        self.assertTrue(gone.called)

    async def test_it_ends_when_there_is_nothing_to_do_and_is_begun_anew(self) -> None:
        self.append(MAIL)
        self.patch(indexing_elsewhere, "LINGER", 0)
        await self.indexer.step(self.account, 1)
        if self.process is not None:
            await self.process.gone
        self.assertIsNone(self.process)
        self.append(MAIL)
        self.assertEqual(await self.indexer.step(self.account, 1), Step(1))

    async def test_one_that_is_killed_is_told_of_and_another_goes_on(self) -> None:
        self.append(MAIL, MAIL)
        await self.indexer.step(self.account, 1)
        asked = self.indexer.step(self.account, 1)
        os.kill(self.indexer._transport.pid, SIGKILL)
        try:
            self.assertEqual(await asked, Step(1))          # it was quicker
        except Unavailable as error:
            self.assertIn("ended", str(error))
            self.assertEqual(await self.indexer.step(self.account, 1), Step(1))
        self.assertEqual(self.upto(), 2)

    async def test_one_that_cannot_begin_is_told_of(self) -> None:
        self.append(MAIL)
        indexer = self.make("-c", "raise SystemExit(3)")
        with self.assertRaisesRegex(Unavailable, "exit code 3"):
            await indexer.step(self.account, 1)

    async def test_where_the_system_has_no_room_for_it_the_next_request_starts_it(self) -> None:
        self.append(MAIL)
        spawn = reactor.spawnProcess

        def fail(*args: object, **kwargs: object) -> None:
            raise OSError(EMFILE, "too many open files")

        self.patch(reactor, "spawnProcess", fail)
        for _ in range(2):
            with self.assertRaises(OSError):
                await self.indexer.step(self.account, 1)
        self.patch(reactor, "spawnProcess", spawn)
        self.assertEqual(await self.indexer.step(self.account, 1), Step(1))

    async def test_where_the_system_has_no_room_for_it_nobody_waits_for_it_to_end(self) -> None:
        self.append(MAIL)
        self.patch(reactor, "spawnProcess", Mock(side_effect=OSError(EMFILE, "too many open files")))
        with self.assertRaises(OSError):
            await self.indexer.step(self.account, 1)
        await self.indexer.stop()

    async def test_none_is_begun_for_what_was_asked_before_the_end(self) -> None:
        self.append(MAIL)
        backlog: Deferred[int] = Deferred()
        waits = [backlog]
        indexer = IndexElsewhere(reactor, lambda *call: waits.pop() if waits else execute(*call))
        asked = indexer.step(self.account, 1)
        await indexer.stop()
        backlog.callback(1)
        with self.assertRaises(Unavailable):
            await asked
        self.assertIsNone(indexer._process)

    async def test_one_that_talks_nonsense_is_ended(self) -> None:
        self.append(MAIL)
        for nonsense in (b"hello", b"1\n2"):
            indexer = self.make("-c", f"import sys; input(); print({nonsense.decode()!r}, flush=True); sys.stdin.read()")
            asked = [indexer.step(self.account, 1)]
            process = indexer._process
            assert process is not None
            await process.gone
            try:
                self.assertEqual(await asked[0], Step(1))
            except Unavailable as error:
                self.assertIn("ended", str(error))

    async def test_what_an_account_lacks_is_told_and_the_process_goes_on(self) -> None:
        self.append(MAIL)
        other: Any = Nowhere()
        with self.assertRaisesRegex(Unavailable, "Unavailable"):
            await self.indexer.step(other, 1)
        self.assertEqual(await self.indexer.step(self.account, 1), Step(1))


class Nowhere:
    """An account whose directory is gone."""

    home = Path("/nonexistent/account")
    name = "nobody"

    def backlog(self, most: int) -> int:
        return 1

    def redigest(self, limit: int) -> int:
        return 0


class ServeTests(IndexCase):
    """The process's side, in this process."""

    def ask(self, *requests: tuple[str, str, int]) -> list[Any]:
        answers = StringIO()
        indexing_process.serve([json.dumps(request) + "\n" for request in requests], answers)
        return [json.loads(line) for line in answers.getvalue().splitlines()]

    def request(self, limit: int) -> tuple[str, str, int]:
        return str(self.account.home), "ann", limit

    def test_each_request_has_its_answer(self) -> None:
        self.append(MAIL, MAIL, MAIL)
        self.assertEqual(self.ask(*[self.request(2)] * 3), [2, 1, 0])
        self.assertEqual(self.upto(), 3)

    def test_it_has_an_account_open_only_while_there_is_more_to_do(self) -> None:
        self.append(MAIL, MAIL)
        indexing = indexing_process.Indexing()
        self.addCleanup(indexing.close)
        openings = []
        for _ in range(3):
            indexing.answer(json.dumps(self.request(1)))
            openings.append(len(list((self.account.home / "open").iterdir())))
        self.assertEqual(openings, [2, 2, 1])

    def test_who_is_at_it_already_is_left_alone(self) -> None:
        self.append(MAIL)
        self.account.index(1)
        self.append(MAIL)
        with self.account._index.writing():
            self.assertEqual(self.ask(self.request(1)), [None])

    def test_a_failure_is_an_answer(self) -> None:
        self.append(MAIL)
        answers = self.ask(("/nonexistent", "nobody", 1), self.request(1))
        self.assertIsInstance(answers[0], str)
        self.assertEqual(answers[1], 1)

    def test_where_it_may_not_be_idle_it_is_nice(self) -> None:
        nice: list[int] = []

        def refuse(*args: object) -> None:
            raise PermissionError

        self.patch(os, "sched_setscheduler", refuse)
        self.patch(os, "nice", nice.append)
        indexing_process.give_way()
        self.assertEqual(nice, [19])


class PaceTests(SynchronousTestCase):
    """The mail is spared, though not if so much of it is waiting that searches take long."""

    pace = ELSEWHERE

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn = Turn(self.clock, pause=ELSEWHERE.pause)
        self.calls: list[float] = []
        self.steps = [Step(ELSEWHERE.batch)] * 5
        self.many = False
        account: Any = None
        self.soon = IndexSoon(account, self, self.fail, self.clock, self.turn)

    def step(self, account: object, limit: int, spare: bool) -> Deferred[Step]:
        self.assertEqual(limit, ELSEWHERE.batch)
        if spare and not self.many:
            return succeed(Step(None))
        self.calls.append(self.clock.seconds())
        return succeed(self.steps.pop() if self.steps else Step(0))

    def write_until_called(self) -> None:
        while not self.calls:
            self.turn.written = self.clock.seconds()
            self.soon.soon()
            self.clock.advance(0.25)

    def test_while_others_write_it_waits_for_long_and_then_rests(self) -> None:
        self.write_until_called()
        self.assertGreaterEqual(self.calls[0], PATIENCE)
        self.assertLessEqual(self.calls[0], PATIENCE + OTHERS_PAUSE)
        self.clock.advance(BUSY_PAUSE[0])
        self.assertEqual(len(self.calls), 2)

    def test_where_many_wait_it_begins_at_once_and_does_not_rest(self) -> None:
        self.steps, self.many = [Step(ELSEWHERE.batch, many=True)] * 5, True
        self.write_until_called()
        self.assertEqual(self.calls, [ELSEWHERE.look] * 6)

    def test_in_the_quiet_it_does_not_rest(self) -> None:
        self.soon.soon()
        self.clock.pump([ELSEWHERE.look] + [0] * 6)
        self.assertEqual(self.calls, [ELSEWHERE.look] * 6)
