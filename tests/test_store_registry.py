"""The accounts that a process has open, and what others are told of that."""

from __future__ import annotations

import errno
from math import inf
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred

from moximap.store.errors import NoSuchAccount
from moximap.store.interfaces import NewMessage
from moximap.store.registry import LINGER
from tests.dialogue import DialogueCase


class RegistryTests(DialogueCase):
    """It is the others, too."""

    def setUp(self) -> None:
        super().setUp()
        self.told: list[str] = []
        self.site.accounts.others = self
        opens = self.directory.open
        self.patch(self.directory, "open", lambda name: [self.told.append(f"open {name}"), opens(name)][1])

    def want(self, account: str) -> None:
        self.told.append(f"want {account}")

    def unwant(self, account: str) -> None:
        self.told.append(f"unwant {account}")

    def doze(self, account: str) -> None:
        self.told.append(f"doze {account}")

    def wake(self, account: str) -> None:
        self.told.append(f"wake {account}")

    def ring(self, account: str, modseq: int, again: bool) -> None:
        self.told.append(f"ring {account}")

    def silent(self) -> float:
        return inf

    def test_a_write_is_done_even_if_the_others_cannot_be_told(self) -> None:
        client = self.client()
        with mock.patch.object(self, "ring", side_effect=OSError(errno.EMFILE, "too many open files")):
            client.send(b"a CREATE New\r\n")
        self.assertIn(b"a OK", client.received())
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        client.send(b"b CREATE New\r\n")
        self.assertIn(b"b NO [ALREADYEXISTS]", client.received())

    def test_an_account_is_wanted_before_it_is_read_and_until_it_is_closed(self) -> None:
        first, second = self.client("1"), self.client("2")
        self.assertEqual(self.told, ["want ada", "open ada"])
        first.send(b"a CREATE New\r\n")
        first.lose()
        self.clock.advance(LINGER)
        self.assertEqual(self.told[2:], ["ring ada"])
        second.lose()
        self.clock.advance(LINGER)
        self.assertEqual(self.told[3:], ["doze ada", "wake ada", "unwant ada"])

    def test_while_nobody_uses_an_account_it_dozes_and_then_what_is_known_of_it_is_stale(self) -> None:
        first = self.client("1")
        first.send(b"a LIST \"\" *\r\nb SELECT INBOX\r\nc UNSELECT\r\n")
        first.lose()
        self.assertEqual(self.told[2:], ["doze ada"])
        other = self.directory.open("ada")                # of another process, which does not ring
        self.addCleanup(other.close)
        other.create("Meanwhile")
        other.append("INBOX", [NewMessage(b"Subject: new\r\n\r\n")])
        self.told.clear()
        [room] = self.site.accounts._open.values()
        with mock.patch.object(room._erasing, "soon") as soon:
            second = self.client("2")
        soon.assert_called()                              # the others may have expunged, and wait for us
        self.assertEqual(self.told, ["wake ada"])
        second.received()
        second.send(b"a LIST \"\" *\r\nb SELECT INBOX\r\n")
        answer = second.received()
        self.assertIn(b"Meanwhile", answer)
        self.assertIn(b"* 1 EXISTS", answer)

    def test_an_account_that_was_removed_is_not_shared_with_the_next_of_its_name(self) -> None:
        old, idle = self.client("old"), self.client("idle", "bob")
        for client in (old, idle):
            client.send(b"a CREATE Old\r\n")
        idle.lose()
        for name in ("ada", "bob"):
            self.directory.remove(name)
            self.directory.add(name)
        self.told.clear()
        for name in ("ada", "bob"):
            new = self.client(f"new {name}", name)
            new.received()
            new.send(b"a LIST \"\" *\r\nb CREATE New\r\n")
            answer = new.received()
            self.assertNotIn(b"Old", answer)
            self.assertIn(b"b OK", answer)
        old.lose()
        self.assertEqual(self.told, ["want ada", "open ada", "ring ada",
                                     "wake bob", "unwant bob", "want bob", "open bob", "ring bob", "unwant ada"])

    def test_what_cannot_be_opened_is_not_wanted(self) -> None:
        got: Deferred[Any] = Deferred.fromCoroutine(self.site.accounts.get("nobody"))
        self.failureResultOf(got, NoSuchAccount)
        self.assertEqual(self.told, ["want nobody", "open nobody", "unwant nobody"])
