"""Python's imaplib, which most scripts use and which believes what it reads."""

from __future__ import annotations

import contextlib
import imaplib
import re
import ssl
import time

from tests import beside
from tests.server import PROGRAM_SECONDS, SharedServerTestCase

MESSAGE = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: hello\r\n\r\nbody\r\n"


class ImaplibTests(SharedServerTestCase):
    """One login, then what scripts do."""

    password = "secret word"

    def setUp(self) -> None:
        super().setUp()
        self.imap = imaplib.IMAP4("127.0.0.1", self.server.ports["imap"], timeout=PROGRAM_SECONDS)
        self.addCleanup(self.disconnect)

    def disconnect(self) -> None:
        with contextlib.suppress(OSError):         # a test may have logged out already
            self.imap.shutdown()

    def login(self) -> None:
        self.imap.login(self.user, self.password)

    def test_client_24_all_hits_of_a_search_are_in_one_line(self) -> None:
        self.login()
        self.imap.append("INBOX", "", "", MESSAGE)
        self.imap.select()
        for _ in range(8):
            self.imap.copy("1:*", "INBOX")
            self.imap.noop()
        self.assertEqual([b"256"], self.imap.select()[1])
        hits = self.imap.search(None, "ALL")[1][0].split()
        self.assertEqual([b"%d" % number for number in range(1, 257)], hits)
        # Gaps, so that no server could have said it as one range.
        self.imap.store(",".join(str(number) for number in range(1, 257, 2)), "+FLAGS.SILENT", "(\\Flagged)")
        self.assertEqual(128, len(self.imap.uid("SEARCH", "FLAGGED")[1][0].split()))

    def test_a_message_is_appended_fetched_flagged_and_expunged(self) -> None:
        self.login()
        date = '"02-Jan-2020 03:04:05 +0530"'
        status, said = self.imap.append("INBOX", "(\\Seen custom)", date, MESSAGE)
        self.assertEqual("OK", status)
        self.assertRegex(said[0], rb"\[APPENDUID \d+ 1\]")
        self.imap.select()
        fetched = self.imap.fetch("1", "(FLAGS INTERNALDATE RFC822)")[1]
        self.assertEqual(MESSAGE, fetched[0][1])
        self.assertRegex(fetched[0][0], rb'INTERNALDATE "[ 0]2-Jan-2020 03:04:05 \+0530"')
        self.assertEqual({b"\\Seen", b"custom"}, set(imaplib.ParseFlags(fetched[0][0])) - {b"\\Recent"})
        self.imap.store("1", "+FLAGS", "(\\Deleted)")
        self.assertEqual([b"1"], self.imap.expunge()[1])
        self.assertEqual([b"0"], self.imap.select()[1])

    def test_mailboxes_are_made_renamed_subscribed_and_removed(self) -> None:
        self.login()
        self.assertEqual("OK", self.imap.create("Projects/2026")[0])
        self.assertEqual("OK", self.imap.rename("Projects", '"Old projects"')[0])
        self.imap.subscribe('"Old projects/2026"')
        self.assertTrue(any(b"Old projects/2026" in line for line in self.imap.lsub()[1]))
        names = [re.search(rb' "?([^"]+)"?$', line)[1] for line in self.imap.list()[1]]
        self.assertIn(b"Old projects", names)
        self.assertNotIn(b"Projects", names)
        self.assertEqual("OK", self.imap.delete('"Old projects/2026"')[0])
        self.assertEqual("NO", self.imap.select('"Old projects/2026"')[0])

    def test_status_counts(self) -> None:
        self.login()
        self.imap.append("INBOX", "(\\Seen)", "", MESSAGE)
        self.imap.append("INBOX", "", "", MESSAGE)
        said = self.imap.status("INBOX", "(MESSAGES UNSEEN UIDNEXT)")[1][0]
        self.assertRegex(said, rb'^"?INBOX"? \((?=.*MESSAGES 2)(?=.*UNSEEN 1)(?=.*UIDNEXT 3)')

    def test_starttls_then_authenticate_plain(self) -> None:
        trusted = ssl.create_default_context(cafile=str(self.server.certificate))
        trusted.check_hostname = False
        self.imap.starttls(trusted)
        self.imap.authenticate("PLAIN", lambda _: f"\0{self.user}\0{self.password}".encode())
        self.assertEqual("AUTH", self.imap.state)

    def test_tls_and_enable_utf8(self) -> None:
        trusted = ssl.create_default_context(cafile=str(self.server.certificate))
        with imaplib.IMAP4_SSL("localhost", self.server.ports["imaps"], ssl_context=trusted,
                               timeout=PROGRAM_SECONDS) as imap:
            imap.login(self.user, self.password)
            imap.enable("UTF8=ACCEPT")
            self.assertEqual("OK", imap.create('"Entw\u00fcrfe"')[0])
            self.assertTrue(any("Entw\u00fcrfe".encode() in line for line in imap.list()[1]))
            self.assertEqual("OK", imap.append("INBOX", "", "", "Subject: \u00fc\r\n\r\nx\r\n".encode())[0])

    def test_a_wrong_password_is_an_error_and_the_connection_lives(self) -> None:
        with self.assertRaises(imaplib.IMAP4.error):
            self.imap.login(self.user, "wrong")
        self.login()

    def test_client_31_logout_says_bye_and_closes(self) -> None:
        self.login()
        before = time.monotonic()
        self.assertEqual("BYE", self.imap.logout()[0])
        self.assertLess(time.monotonic() - before, 5)


test_suite = beside.suite(__name__)
