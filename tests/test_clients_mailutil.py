"""mailutil, and with it the c-client library that Alpine and PHP speak IMAP with, makes and fills mailboxes."""

from __future__ import annotations

import imaplib

from tests import beside
from tests.server import PROGRAM_SECONDS, SharedServerTestCase, needs, run


class MailutilTests(SharedServerTestCase):
    password = "a password"

    def setUp(self) -> None:
        needs("mailutil", "setsid")
        super().setUp()
        self.imap = imaplib.IMAP4("127.0.0.1", self.server.ports["imap"], timeout=PROGRAM_SECONDS)
        self.addCleanup(self.imap.shutdown)
        self.imap.login(self.user, self.password)
        for number in (1, 2, 3):
            self.imap.append("INBOX", "", "", b"Subject: letter %d\r\n\r\nbody %d\r\n" % (number, number))

    def mailutil(self, command: str, *mailboxes: str, more: tuple[str, ...] = ()) -> bytes:
        """What it prints; it asks for the password where each connection begins, on standard input."""
        host = f'{{127.0.0.1:{self.server.ports["imaps"]}/imap/ssl/novalidate-cert/user="{self.user}"}}'
        return run("setsid", "--wait", "mailutil", command, *(host + name for name in mailboxes), *more,
                   directory=self.directory, given=f"{self.password}\n".encode() * 2, HOME=str(self.directory))

    def subjects(self, mailbox: str) -> list[bytes]:
        self.assertEqual("OK", self.imap.select(mailbox, readonly=True)[0])
        _, answers = self.imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return [answer[1].strip() for answer in answers if isinstance(answer, tuple)]

    def test_mailboxes_are_made_renamed_and_removed(self) -> None:
        """A LIST that comes unasked ends `create` with a segmentation fault."""
        self.mailutil("create", "Projects/2026")
        self.mailutil("rename", "Projects/2026", "Old &- done")
        self.assertEqual("OK", self.imap.select('"Old &- done"')[0])
        self.mailutil("delete", "Old &- done")
        self.assertEqual("NO", self.imap.select('"Old &- done"')[0])

    def test_letters_are_counted(self) -> None:
        self.imap.select()
        self.imap.store("2", "+FLAGS", "\\Seen")
        self.assertIn(b"(2 unseen), 3 total", self.mailutil("check", "INBOX"))

    def test_a_mailbox_is_copied_to_a_new_one_with_its_flags(self) -> None:
        self.imap.select()
        self.imap.store("2", "+FLAGS", "(\\Flagged $Label1)")
        self.mailutil("copy", "INBOX", "Copies", more=("-kwcopy",))
        self.assertEqual([b"Subject: letter %d" % number for number in (1, 2, 3)], self.subjects("Copies"))
        self.assertEqual(b"2", self.imap.search(None, "FLAGGED KEYWORD $Label1")[1][0])

    def test_letters_are_moved(self) -> None:
        self.mailutil("move", "INBOX", "Moved")
        self.assertEqual(3, len(self.subjects("Moved")))
        self.assertEqual([b"0"], self.imap.select("INBOX")[1])

    def test_letters_that_are_found_are_pruned(self) -> None:
        self.imap.append("INBOX", "", "", b"Subject: letter 4\r\n\r\n\r\n")
        with self.assertRaisesRegex(AssertionError, "ends with 1:\n1 message.s. purged"):      # as it does when all went well
            self.mailutil("prune", "INBOX", more=('subject "letter 2"',))
        self.assertEqual([b"Subject: letter %d" % number for number in (1, 3, 4)], self.subjects("INBOX"))


test_suite = beside.suite(__name__)
