"""Which files the system is asked to let go of."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from moximap.store import filecache
from moximap.store.contents import LARGE
from moximap.store.filecache import Lately
from moximap.store.interfaces import NewMessage
from tests.storecases import OnDisk


class LatelyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(filecache, "LIMIT", 100)
        self.home = Path(self.mktemp())
        self.home.mkdir()
        self.left: list[str] = []
        self.lately = Lately()

    def advise(self, descriptor: int, start: int, length: int, advice: int) -> None:
        self.assertEqual((start, length, advice), (0, 0, os.POSIX_FADV_DONTNEED))
        self.left.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))

    def add(self, name: str, size: int) -> None:
        path = self.home / name
        path.touch()
        with mock.patch("os.posix_fadvise", self.advise):
            self.lately.add(path, size)

    def test_the_oldest_leave_when_there_are_too_many_octets(self) -> None:
        for name in "abc":
            self.add(name, 33)
        self.assertEqual(self.left, [])
        self.add("d", 34)
        self.assertEqual(self.left, ["a"])
        self.add("e", 90)
        self.assertEqual(self.left, ["a", "b", "c", "d"])

    def test_the_last_one_stays_however_large_it_is(self) -> None:
        self.add("a", 1000)
        self.assertEqual(self.left, [])
        self.add("b", 1)
        self.assertEqual(self.left, ["a"])

    def test_what_is_gone_or_cannot_be_opened_is_left_alone(self) -> None:
        self.add("a", 60)
        (self.home / "a").unlink()
        self.add("b", 60)
        (self.home / "c").touch()
        with mock.patch("os.open", side_effect=OSError(errno.EMFILE, "too many open files")):
            self.lately.add(self.home / "c", 60)
        before = len(os.listdir("/proc/self/fd"))
        self.add("d", 60)
        self.assertEqual(self.left, ["c"])
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_a_system_that_cannot_be_told_is_not(self) -> None:
        self.patch(filecache, "_LEAVE", None)
        self.add("a", 60)
        self.add("b", 60)
        self.assertEqual(self.left, [])


class MessageTests(OnDisk):
    def test_large_messages_leave_when_others_come_and_are_read_all_the_same(self) -> None:
        self.patch(filecache, "LIMIT", LARGE)
        left: list[Path] = []
        self.patch(filecache, "_leave", left.append)
        contents = [b"Subject: %d\r\n\r\n" % n + b"x" * LARGE for n in range(3)]
        for content in [*contents, b"Subject: small\r\n\r\n"]:
            self.account.append("INBOX", [NewMessage(content)])
        self.assertEqual([path.read_bytes() for path in left], contents[:2])
