"""Mail of another server: the run of a sync, against this server itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from moximap import client
from moximap.client.listing import Listed
from moximap.delivery import syncing_fetching
from moximap.delivery.syncing import Sync
from moximap.delivery.syncing_fetching import Summary, batches, date
from moximap.delivery.syncing_names import here
from moximap.store.account import Account
from moximap.store.directory import Directory
from moximap.values import InternalDate, NumSet
from tests import beside
from tests.dialogue import HELLO
from tests.storecases import ALL
from tests.test_client import ClientCase


class CutOff(Exception):
    """The process would be gone here."""


class Silent:
    """Progress that counts."""

    def __init__(self) -> None:
        self.expected = self.advanced = 0

    def expect(self, messages: int) -> None:
        self.expected += messages

    def advance(self, messages: int) -> None:
        self.advanced += messages


def state(account: Account) -> dict[str, Any]:
    """All that a client can see of an account, but modseqs."""
    listing = account.mailboxes()
    found: dict[str, Any] = {"subscribed": listing.subscribed, "": dict(account.annotations.of(""))}
    for box in listing.mailboxes:
        rows: Any = account.fetch(box.id, ALL, ("uid", "flags", "date", "zone", "content", "expunged"))
        found[box.name] = (box.uidvalidity, box.uidnext, box.uses, dict(account.annotations.of(box.name)), [
            (uid, set(account.flags.names(code)), date, zone, content.read(0, content.size))
            for uid, code, date, zone, content, expunged in rows if not expunged])
    return found


class SyncCase(ClientCase):
    """``there`` is the client's account at the source, ``account`` the one that mail is brought to."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(syncing_fetching, "BATCH_MESSAGES", 3)
        self.patch(syncing_fetching, "PIECE", 2000)
        self.home = Path(self.mktemp())
        self.account = self.new()

    def new(self, name: str = "bob") -> Account:
        directory = Directory(self.home)
        self.addCleanup(directory.close)
        directory.add(name)
        account = directory.open(name)
        self.addCleanup(account.close)
        return account

    def source(self) -> Account:
        directory = Directory(self.data)
        self.addCleanup(directory.close)
        account = directory.open("ada")
        self.addCleanup(account.close)
        return account

    async def fill(self) -> client.Client:
        found = await self.ada()
        for line in ("CREATE Entw&APw-rfe/&2D3eAA-", "UNSUBSCRIBE Junk", 'SUBSCRIBE "not there"', "DELETE Sent",
                     'CREATE "Sent Items" (USE (\\Sent))', 'SETMETADATA "Sent Items" (/private/comment "x")',
                     'SETMETADATA "" (/private/comment "y")'):
            await found.command(line.encode())
        for number in range(8):
            content = HELLO + b"%d\r\n" % number + b"long line\r\n" * (400 if number == 4 else 0)
            await found.append("INBOX", content, ["\\Seen", "$Work"][:number % 3], InternalDate(number * 10**8, 90))
            await found.append("Entwürfe/😀", content)
        await found.append("Archive", (HELLO + b"x" * 3999)[:4000])         # two pieces, and not an octet more
        for mailbox, uids in (("INBOX", b"2,8"), ("Entwürfe/😀", b"1")):
            await found.select(mailbox)
            await found.command(b"UID STORE %b +FLAGS.SILENT (\\Deleted)" % uids)
            await found.command(b"EXPUNGE")
        await found.command(b"UNSELECT")
        return found

    async def sync(self, account: Account | None = None, cut: int = -1,
                   wanted: Callable[[str], bool] = lambda name: True, condstore: bool = True) -> Summary:
        """``cut``: after so many calls of the store there are no more."""
        left = cut

        async def call(function: Callable[..., Any], *arguments: Any) -> Any:
            nonlocal left
            if not left:
                raise CutOff
            left -= 1
            return function(*arguments)

        found = await self.ada()
        self.progress = Silent()
        self.modseqs: list[int] = []
        try:
            return await Sync(found, account or self.account, "ada@old.example", call, self.progress,
                              self.modseqs.append, wanted, condstore).run()
        finally:
            await found.close()


class Runs(SyncCase):
    async def test_all_comes_over_as_it_is(self) -> None:
        await self.fill()
        done = await self.sync()
        self.assertEqual((done.mailboxes, done.kept, done.messages, done.problems), (8, 8, 14, []))
        there, here = state(self.source()), self.brought(self.account)
        self.assertEqual(set(there["subscribed"]), set(here["subscribed"]) - {"Junk"})
        for found in there, here:
            found.pop("subscribed")
        self.assertEqual(here, there)
        self.assertEqual((self.progress.expected, self.progress.advanced), (14, 14))
        self.assertEqual(self.modseqs[-1], self.account.mailboxes().modseq)
        self.assertEqual(list(self.account.check()), [])

    async def test_the_second_time_brings_what_is_new(self) -> None:
        there = await self.fill()
        await self.sync()
        before = state(self.account)
        again = await self.sync()
        self.assertEqual((again.messages, again.present, again.flags, again.annotations), (0, 14, 0, 0))
        self.assertEqual(state(self.account), before)
        await there.append("INBOX", HELLO)
        await there.select("INBOX")
        await there.command(b"UID STORE 3 +FLAGS (\\Answered $New)")
        await there.command(b"SUBSCRIBE Junk")
        self.account.store(self.account.mailbox("INBOX").id, NumSet(((3, 3),)), "+", ["\\Flagged"])
        third = await self.sync()
        self.assertEqual((third.messages, third.flags), (1, 1))
        messages = {row[0]: row[1] for row in state(self.account)["INBOX"][4]}
        self.assertEqual(set(messages), {1, 3, 4, 5, 6, 7, 9})
        self.assertEqual(messages[3], {"\\Flagged", "\\Answered", "$New", "\\Seen", "$Work"})

    async def test_flags_come_over_without_condstore_too(self) -> None:
        there = await self.fill()
        await self.sync()
        await there.select("INBOX")
        await there.command(b"UID STORE 3 -FLAGS (\\Seen)")
        self.assertEqual((await self.sync(condstore=False)).flags, 1)

    async def test_cut_off_anywhere_and_begun_again_it_is_the_same(self) -> None:
        await self.fill()
        await self.sync()
        expected = self.brought(self.account)
        for cut in range(1, 60, 7):
            account = self.new(f"bob{cut}")
            try:
                await self.sync(account, cut)
            except CutOff:
                await self.sync(account)
            self.assertEqual(self.brought(account), expected, cut)

    def brought(self, account: Account) -> dict[str, Any]:
        """Without what is not there at the source."""
        found = state(account)
        self.assertEqual(found.pop("Sent")[4], [])
        return found

    async def test_only_what_is_wanted_comes(self) -> None:
        await self.fill()
        done = await self.sync(wanted=lambda name: name.startswith("Entw"))
        self.assertEqual((done.mailboxes, done.messages), (2, 7))

    async def test_a_message_that_cannot_be_fetched_is_told_and_comes_later(self) -> None:
        await self.fill()
        fetch = client.Client.fetch

        async def failing(self: client.Client, uids: NumSet, names: Any, **more: Any) -> Any:
            if any(name.startswith(b"BODY") for name in names) and 5 in uids:
                await self.command(b"NONSENSE")
            return await fetch(self, uids, names, **more)

        with mock.patch.object(client.Client, "fetch", failing):
            done = await self.sync()
        self.assertEqual((len(done.problems), done.messages), (2, 12))
        self.assertRegex(done.problems[0], "^message 5 of ")
        self.assertEqual((await self.sync()).messages, 2)

    async def test_numbers_that_changed_there_are_told(self) -> None:
        there = await self.fill()
        await self.sync()
        for line in (b"RENAME Archive Old", b"CREATE Archive", b"SELECT Old", b"UID COPY 1:* Archive", b"DELETE Old"):
            await there.command(line)
        done = await self.sync()
        self.assertEqual((done.messages, len(done.notes)), (0, 1))
        self.assertRegex(done.notes[0], "^Archive: .*anew")


class Names(SynchronousTestCase):
    def test_what_names_become(self) -> None:
        for name, level, prefix, expected in (
                ("inbox", "/", "", "INBOX"), ("INBOX.Sent", ".", "INBOX.", "Sent"), ("Inbox.a.b", ".", "INBOX.", "a/b"),
                ("INBOX.INBOX", ".", "INBOX.", "INBOX/INBOX"), ("INBOX.x", ".", "", "INBOX/x"), ("a/b", ".", "", "a_b"),
                ("a.b.", ".", "", "a/b"), ("..", "/", "", "__"), ("a//b", "/", "", "a/_/b"), ("#news", "/", "", "_news"),
                ("100%", None, "", "100_"), ("e\u0301", "/", "", "\xe9"), ("a\\b", "\\", "", "a/b"), ("~/mail/x", "/", "~/mail/", "x")):
            self.assertEqual(here(Listed(b"", name, level, frozenset()), prefix), expected)

    def test_dates(self) -> None:
        self.assertEqual(date(b" 7-Feb-1994 21:52:25 -0830"), InternalDate(760688545, -510))
        for wrong in (b"", b"yesterday", b"32-Feb-1994 21:52:25 +0000", b"\xff"):
            self.assertIsNone(date(wrong))

    def test_batches_are_bounded(self) -> None:
        sizes = [(1, 10), (2, 3 << 20), (3, 900_000), *((uid, 500_000) for uid in range(4, 24))]
        found = list(batches(sizes))
        self.assertEqual([each for batch in found for each in batch], sizes)
        self.assertEqual([len(batch) for batch in found], [1, 1, 15, 6])


test_suite = beside.suite(__name__)
