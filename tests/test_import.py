"""Maildirs and mboxes, as other programs leave them."""

import mailbox
import os
from io import BytesIO
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.delivery import importing, maildir, mbox
from moximap.delivery.importing import BadSource, Import
from moximap.store.errors import NoSuchMailbox
from moximap.values import InternalDate, NumSet
from tests.test_delivery import AccountCase, no_spool

MBOX = b"""\
From ada@example.org Tue Feb  3 04:05:06 2009
Subject: first
Status: RO
X-Status: AF
X-Keywords: $Work, later

>From the start
>>From afar
From here on, no message starts.

From here on neither: no time of day.

From - Wed Mar  4 05:06:07 2009 +0100
Subject: second

"""


def put(path: Path, data: bytes, seconds: int = 1_234_567_890) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (seconds, seconds))


class Mbox(SynchronousTestCase):
    def read(self, data: bytes) -> list[Any]:
        return [message for message, _ in mbox.messages(BytesIO(data), no_spool)]

    def test_messages_are_cut_at_from_lines_after_a_blank_line(self) -> None:
        first, second = self.read(MBOX)
        self.assertEqual(first.content, b"Subject: first\r\n\r\nFrom the start\r\n>From afar\r\n"
                         b"From here on, no message starts.\r\n\r\n"
                         b"From here on neither: no time of day.\r\n")
        self.assertEqual(second.content, b"Subject: second\r\n\r\n")

    def test_flags_come_from_the_status_fields_which_go(self) -> None:
        first, second = self.read(MBOX)
        self.assertEqual(first.flags, ("\\Seen", "\\Answered", "\\Flagged", "$Work", "later"))
        self.assertEqual(second.flags, ())

    def test_dates_come_from_the_from_line(self) -> None:
        first, second = self.read(MBOX)
        self.assertEqual(first.date, InternalDate(1233633906))
        self.assertEqual(second.date, InternalDate(1236139567, 60))

    def test_from_lines_without_a_date_have_none(self) -> None:
        for line in (b"From ", b"From ada", b"From ada Tue Feb 99 99:99:99 2009", b"From a Tue 1:2"):
            self.assertIsNone(mbox.date_of(line))

    def test_sizes_add_up_to_the_file(self) -> None:
        sizes = [size for _, size in mbox.messages(BytesIO(MBOX), no_spool)]
        self.assertEqual(sum(sizes), len(MBOX))

    def test_crlf_files_are_read_alike(self) -> None:
        self.assertEqual(self.read(MBOX.replace(b"\n", b"\r\n")), self.read(MBOX))

    def test_a_line_without_end_takes_no_more_memory_than_a_piece(self) -> None:
        [message] = self.read(b"From a Tue Feb  3 04:05:06 2009\nSubject: x\n\n" + b"y" * 300000)
        self.assertEqual(len(message.content), 14 + 300000)

    def test_pythons_mailbox_writes_what_is_read_back(self) -> None:
        path = Path(self.mktemp())
        box = mailbox.mbox(path)
        bodies = [b"Subject: a\n\nFrom b\n\nFrom c Tue Feb  3 04:05:06 2009\n", b"Subject: d\n\n\n\n"]
        for body in bodies:
            box.add(body)
        box.close()
        self.assertEqual([message.content for message in self.read(path.read_bytes())],
                         [body.replace(b"\n", b"\r\n") for body in bodies])

    @given(st.binary())
    def test_any_file_is_read(self, data: bytes) -> None:
        self.read(b"From " + data)


class Maildirs(AccountCase):
    def setUp(self) -> None:
        super().setUp()
        self.top = Path(self.mktemp())

    def run_import(self, to: str | None = None) -> Import:
        job = Import(self.account, to)
        job.run(self.top)
        return job

    def rows(self, name: str, *columns: Any) -> list[tuple[Any, ...]]:
        id = self.account.mailbox(name).id
        return list(self.account.fetch(id, NumSet.merge([(1, 1000)]), columns))

    def flags(self, name: str = "INBOX") -> list[set[str]]:
        return [set(self.account.flags.names(code)) for code, in self.rows(name, "flags")]

    def test_cur_and_new_are_read_oldest_first(self) -> None:
        put(self.top / "cur/1.b:2,S", b"Subject: later\n\n", 2000)
        put(self.top / "new/2.a", b"Subject: earlier\n\n", 1000)
        put(self.top / "tmp/3.c", b"Subject: unfinished\n\n")
        put(self.top / "cur/.hidden", b"")
        self.assertEqual(self.run_import().messages, 2)
        self.assertEqual(self.stored(), [b"Subject: earlier\r\n\r\n", b"Subject: later\r\n\r\n"])
        self.assertEqual(self.rows("INBOX", "date"), [(1000,), (2000,)])

    def test_flags_are_the_letters_after_2(self) -> None:
        put(self.top / "cur/1.a,S=1:2,DFPRSTab", b"Subject: x\n\n")
        put(self.top / "dovecot-keywords", b"0 $Work\n1 later\nbroken\n")
        self.run_import()
        self.assertEqual(self.flags(), [{"\\Draft", "\\Flagged", "$Forwarded", "\\Answered", "\\Seen",
                                         "\\Deleted", "$Work", "later"}])

    def test_both_layouts_of_folders_are_mailboxes(self) -> None:
        for folder in (".", ".Sent.2023", ".Entw&APw-rfe", "plain", "plain/below", ".AT&-T"):
            put(self.top / folder / "cur/1.a:2,", b"Subject: x\n\n")
        job = self.run_import()
        self.assertEqual((job.messages, job.mailboxes), (6, 6))
        for name in ("INBOX", "Sent/2023", "Entwürfe", "plain", "plain/below", "AT&T"):
            self.assertEqual(len(self.stored(name)), 1, name)

    def test_everything_can_go_below_one_mailbox(self) -> None:
        put(self.top / "cur/1.a:2,", b"Subject: x\n\n")
        put(self.top / ".Sent/cur/1.a:2,", b"Subject: x\n\n")
        self.run_import("Old/mail")
        self.assertEqual(len(self.stored("Old/mail")), 1)
        self.assertEqual(len(self.stored("Old/mail/Sent")), 1)
        self.assertEqual(self.stored(), [])

    def test_a_names_broken_encoding_is_kept_as_it_is(self) -> None:
        self.assertEqual(maildir.decode_name("&A-x"), "&A-x")

    def test_progress_is_in_octets_of_the_source(self) -> None:
        self.patch(importing, "BATCH_MESSAGES", 2)
        for number in range(5):
            put(self.top / f"cur/{number}:2,", b"Subject: x\n\n")
        read: list[int] = []
        Import(self.account, None, read.append).run(self.top)
        self.assertEqual(len(read), 3)
        self.assertEqual(sum(read), importing.total_size(self.top))

    def test_an_mbox_goes_into_the_inbox(self) -> None:
        put(self.top, MBOX)
        self.assertEqual(self.run_import().messages, 2)
        self.assertEqual(len(self.stored()), 2)
        self.assertEqual(self.rows("INBOX", "date", "zone"), [(1233633906, 0), (1236139567, 60)])

    def test_what_is_neither_is_refused_and_makes_nothing(self) -> None:
        put(self.top, b"hello\n")
        self.assertRaises(BadSource, self.run_import, "New")
        self.top.unlink()
        self.top.mkdir()
        self.assertRaises(BadSource, self.run_import, "New")
        self.assertRaises(NoSuchMailbox, self.account.mailbox, "New")
