"""Many threads and several openings of one account: what one does to another."""

from __future__ import annotations

from threading import Barrier, Event, Thread
from typing import Any

import apsw

from moximap.store import contents, erasing
from moximap.store.errors import Cannot, NoSpace, NoSuchMailbox, Unavailable
from moximap.store.flags import FlagTable
from moximap.store.interfaces import NewMessage
from moximap.store.transaction import Counters, Tally
from moximap.values import NumSet
from tests.storecases import ALL, LARGE, MAIL, OnDisk, StoreCase, one


def together(count: int, work: Any) -> None:
    """Run ``work(number)`` in so many threads, all at once."""
    barrier = Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        work(number)

    threads = [Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class GroupTests(StoreCase, OnDisk):
    def batch(self, *works: Any, durable: bool = True) -> list[Any]:
        """Operations that waited while another was committed, hence are one transaction."""
        writer = self.account._writer
        entered, leave = Event(), Event()

        def block(transaction: Any) -> None:
            entered.set()
            leave.wait()

        outcomes: list[Any] = [None] * len(works)

        def run(number: int) -> None:
            try:
                outcomes[number] = writer.run(works[number], durable=durable)
            except Exception as error:
                outcomes[number] = error

        first = Thread(target=writer.run, args=(block,))
        first.start()
        entered.wait()
        threads = []
        for number in range(len(works)):
            threads.append(Thread(target=run, args=(number,)))
            threads[-1].start()
            while len(writer._queue.waiting) <= number:
                pass
        leave.set()
        for thread in (first, *threads):
            thread.join()
        return outcomes

    def count_commits(self) -> list[int]:
        """Grows by one entry with each commit that wrote."""
        commits: list[int] = []
        self.account.subscribe("x", True)
        connection = self.account._writer._connection

        def hook(connection: apsw.Connection, name: str, pages: int) -> int:
            commits.append(pages)
            return apsw.SQLITE_OK

        connection.set_wal_hook(hook)
        return commits

    def test_writes_of_many_threads_are_all_there_each_with_its_modseq(self) -> None:
        results: list[Any] = []
        together(8, lambda number: results.extend(
            self.account.append("INBOX", [NewMessage(b"%d" % number)]) for _ in range(20)))
        self.assertEqual(len(self.named()), 160)
        self.assertEqual(len({appended.modseq for appended in results}), 160)
        self.assertEqual(len({uid for appended in results for uid in appended.uids}), 160)
        for appended in results:
            ((content,),) = self.rows("content", uids=appended.uids)
            self.assertEqual(content.size, 1)

    def test_writes_that_wait_are_committed_together(self) -> None:
        commits = self.count_commits()
        works = [lambda t: t.touch(1, Tally())] * 3
        self.batch(*works)
        self.assertEqual(len(commits), 1)

    def test_one_that_fails_does_not_hurt_the_others(self) -> None:
        def fail(transaction: Any) -> None:
            transaction.execute("DELETE FROM subscription")
            transaction.flags.code(contents.Flags.of(["lost"]))
            transaction.modseq      # noqa: B018
            raise NoSuchMailbox("no")

        def subscribe(transaction: Any) -> int:
            transaction.execute("INSERT INTO subscription VALUES ('new', ?)", (transaction.modseq,))
            return int(transaction.modseq)

        before = self.account.mailboxes().modseq
        first, failed, second = self.batch(subscribe_inbox, fail, subscribe)
        self.assertIsInstance(failed, NoSuchMailbox)
        self.assertEqual((first, second), (before + 1, before + 2))
        self.assertIn("new", self.account.mailboxes().subscribed)
        self.assertIn("INBOX", self.account.mailboxes().subscribed)
        self.assertEqual(self.account.flags.keywords(), ())

    def test_a_transaction_that_breaks_gives_each_operation_its_own(self) -> None:
        def abort(transaction: Any) -> None:
            transaction.execute("ROLLBACK")
            raise apsw.FullError("full")

        first, failed, second = self.batch(subscribe_inbox, abort, subscribe_inbox)
        self.assertIsInstance(failed, NoSpace)
        self.assertEqual(second, first + 1)

    def test_commits_of_flags_alone_are_synced_later(self) -> None:
        self.append()
        self.assertFalse(self.account.needs_sync)
        self.account.store(self.inbox(), ALL, "+", ["\\Seen"])
        self.assertTrue(self.account.needs_sync)
        self.account.sync()
        self.assertFalse(self.account.needs_sync)
        self.account.store(self.inbox(), ALL, "-", ["\\Seen"])
        self.append()
        self.assertFalse(self.account.needs_sync)

    def test_readers_do_not_wait_for_a_reader_that_is_not_done(self) -> None:
        self.append(MAIL, MAIL)
        open_rows = [self.account.fetch(self.inbox(), ALL, ["uid"]) for _ in range(5)]
        self.assertEqual([next(rows) for rows in open_rows], [(1,)] * 5)
        self.assertEqual(self.box("INBOX").messages, 2)
        for rows in open_rows:
            rows.close()

    def test_the_last_commits_of_flags_are_synced_when_the_account_is_closed(self) -> None:
        self.append()
        account = self.open()
        account.store(self.inbox(), ALL, "+", ["\\Seen"])
        account.close()
        self.assertFalse(account.needs_sync)

    def test_files_stay_where_it_is_not_known_whether_the_disk_took_the_commit(self) -> None:
        def fail(*args: Any, **more: Any) -> None:
            raise Unavailable("broken") from apsw.IOError("broken")

        before = len(list(self.home.glob("large/*/*")))
        run = self.account._writer.run
        self.account._writer.run = fail             # type: ignore[method-assign,assignment]
        self.assertRaises(Unavailable, self.append, LARGE)
        (left,) = self.home.glob("large/*/*")
        self.assertEqual(before, 0)
        self.account._writer.run = run              # type: ignore[method-assign]
        left.unlink()

    def test_a_closed_account_is_unavailable(self) -> None:
        account = self.open()
        account.close()
        account.close()
        self.assertRaises(Unavailable, account.mailboxes)
        self.assertRaises(Unavailable, account.create, "x")


def subscribe_inbox(transaction: Any) -> int:
    transaction.execute("UPDATE subscription SET modseq = ? WHERE name = 'INBOX'", (transaction.modseq,))
    return int(transaction.modseq)


class TwoOpeningsTests(StoreCase, OnDisk):
    def setUp(self) -> None:
        super().setUp()
        self.other = self.open()

    def test_numbers_are_given_out_once(self) -> None:
        for account in (self.account, self.other) * 3:
            account.append("INBOX", [NewMessage(MAIL)])
        self.assertEqual(self.rows("uid", "modseq"), [(n, n + 1) for n in range(1, 7)])

    def test_numbers_are_read_again_only_where_another_has_written(self) -> None:
        read, asked = Counters.read, []
        self.patch(Counters, "read", staticmethod(lambda execute: asked.append(1) or read(execute)))
        modseq = self.append().modseq

        def store(account: Any, sign: str) -> int:
            asked.clear()
            nonlocal modseq
            modseq += 1
            self.assertEqual(account.store(self.inbox(), ALL, sign, ["\\Seen"]).modseq, modseq)
            return len(asked)

        self.assertEqual([store(self.account, sign) for sign in "+-+"], [0, 0, 0])
        self.assertEqual([store(self.other, sign) for sign in "-+"], [1, 0])
        self.assertEqual([store(self.account, sign) for sign in "-+"], [1, 0])

    def test_what_another_writes_right_behind_a_commit_is_not_missed(self) -> None:
        load, others = FlagTable._load, []

        def behind(table: FlagTable, connection: apsw.Connection) -> None:
            if table is self.account.flags and not connection.in_transaction:
                others.append(self.other.append("INBOX", [NewMessage(MAIL)]))
            load(table, connection)

        self.append()
        self.patch(FlagTable, "_load", behind)
        self.account.store(self.inbox(), ALL, "+", ["new"])
        self.assertEqual(self.append().modseq, others[-1].modseq + 1)

    def test_numbers_of_what_failed_are_given_out_again(self) -> None:
        modseq = self.append().modseq

        def fail(transaction: Any) -> None:
            raise Cannot(f"{transaction.modseq}")

        for _ in range(2):
            self.assertEqual(str(self.assertRaises(Cannot, self.account._writer.run, fail)), str(modseq + 1))
        self.assertEqual(self.account.store(self.inbox(), ALL, "+", ["\\Seen"]).modseq, modseq + 1)

    def test_names_of_flags_that_the_other_added_are_known(self) -> None:
        self.append()
        self.other.store(self.inbox(), ALL, "+", ["new"])
        (code,) = self.account.changes(self.inbox(), 1).flags
        self.assertEqual(self.account.flags.names(code), ("new",))
        self.other.store(self.inbox(), ALL, "+", ["newer"])
        (code,) = self.account.store(self.inbox(), ALL, "-", ["new"]).changes[0].flags
        self.assertEqual(self.account.flags.names(code), ("newer",))

    def test_unchangedsince_sees_what_the_other_did(self) -> None:
        since = self.append().modseq
        self.other.store(self.inbox(), ALL, "+", ["\\Seen"])
        stored = self.account.store(self.inbox(), ALL, "+", ["\\Draft"], cursor=since, unchangedsince=since)
        self.assertEqual((stored.modified, stored.foreign), (one(1), one(1)))

    def test_nothing_is_erased_that_another_opening_may_read(self) -> None:
        self.append(MAIL, LARGE, flags=("\\Deleted",))
        gone = self.account.expunge(self.inbox()).modseq
        self.account.set_floor(gone)
        self.assertEqual(self.account.erase(gone), 0)
        self.other.set_floor(gone)
        self.assertEqual(self.account.erase(gone), 2)

    def test_an_opening_that_is_gone_keeps_nothing(self) -> None:
        self.append(flags=("\\Deleted",))
        gone = self.account.expunge(self.inbox()).modseq
        self.other.close()
        self.account.set_floor(gone)
        self.assertEqual(self.account.erase(gone), 1)

    def test_erasing_goes_in_steps_and_trims_logs(self) -> None:
        self.patch(erasing, "STEP", 3)
        self.patch(erasing, "KEPT_LOG", 2)
        known = self.append(*[b"x"] * 10).modseq
        for uid in range(1, 11):
            self.account.store(self.inbox(), one(uid), "+", ["\\Deleted"])
        gone = self.account.expunge(self.inbox(), NumSet(((1, 9),))).modseq
        for account in (self.account, self.other):
            account.set_floor(gone)
        self.assertEqual(self.account.erase(gone), 9)
        changes = self.other.changes(self.inbox(), known)
        self.assertEqual((list(changes.uids), list(changes.expunged)), ([10], list(range(1, 10))))
