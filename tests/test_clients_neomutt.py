"""neomutt with all that it can: QRESYNC with a header cache, IDLE, UTF8=ACCEPT."""

from __future__ import annotations

import imaplib

from tests import beside
from tests.server import PROGRAM_SECONDS, SharedServerTestCase, needs, run_on_terminal

SETTINGS = """
set folder="imap://127.0.0.1:{port}/"
set imap_user="{user}"
set imap_pass="{password}"
set imap_authenticators="login"
set imap_condstore=yes
set imap_qresync=yes
set imap_idle=yes
set imap_check_subscribed=yes
set ssl_starttls=no
set ssl_force_tls=no
set header_cache="{cache}"
set delete=yes
set quit=yes
set confirmappend=no
set confirmcreate=no
set mark_old=no
set wait_key=no
set beep=no
set sleep_time=0
"""


class NeomuttTests(SharedServerTestCase):
    password = "a password"

    def setUp(self) -> None:
        needs("neomutt")
        super().setUp()
        (self.directory / "cache").mkdir()
        (self.directory / "rc").write_text(SETTINGS.format(
            port=self.server.ports["imap"], user=self.user, password=self.password,
            cache=f"{self.directory / 'cache'}/"))
        self.imap = imaplib.IMAP4("127.0.0.1", self.server.ports["imap"], timeout=PROGRAM_SECONDS)
        self.addCleanup(self.imap.shutdown)
        self.imap.login(self.user, self.password)
        self.append(1, 2, 3, 4)

    def append(self, *numbers: int) -> None:
        for number in numbers:
            self.imap.append("INBOX", "", "", b"From: a@example.org\r\nSubject: letter %d\r\n\r\nbody %d\r\n"
                             % (number, number))

    def neomutt(self, keys: str, mailbox: str = "INBOX") -> bytes:
        """Open a mailbox and type the keys, which must end in leaving neomutt: what the terminal showed."""
        return run_on_terminal("neomutt", "-n", "-F", self.directory / "rc",
                               "-f", f"={mailbox}",
                               "-e", f"push '{keys}'", HOME=str(self.directory))

    def uids(self, key: str, mailbox: str = "INBOX") -> bytes:
        self.assertEqual("OK", self.imap.select(mailbox, readonly=True)[0])
        return self.imap.uid("SEARCH", key)[1][0]

    def test_what_has_changed_since_the_last_time_is_seen(self) -> None:
        """The second start asks for changes and vanished messages only."""
        self.assertIn(b"Msgs:4 New:4", self.neomutt("<quit>"))
        self.imap.select()
        self.imap.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
        self.imap.uid("STORE", "3", "+FLAGS", "(\\Seen \\Flagged)")
        self.imap.expunge()
        self.append(5)
        screen = self.neomutt("<quit>")
        self.assertIn(b"Msgs:4 New:3 Flag:1", screen)
        self.assertNotIn(b"letter 2", screen)
        self.assertIn(b"letter 5", screen)

    def test_letters_are_read_flagged_filed_and_deleted(self) -> None:
        self.neomutt("1<enter><display-message><exit>2<enter><flag-message>3<enter><copy-message>=Archive<enter>"
                     "4<enter><delete-message><quit>")
        self.assertEqual(b"1 2 3", self.uids("ALL"))
        self.assertEqual(b"1", self.uids("SEEN"))
        self.assertEqual(b"2", self.uids("FLAGGED"))
        self.assertEqual(b"1", self.uids('SUBJECT "letter 3"', "Archive"))
        self.assertIn(b"Msgs:3 New:2 Flag:1", self.neomutt("<quit>"))

    def test_a_mailbox_that_is_not_ascii_is_made_and_opened(self) -> None:
        """Its name is on the wire in UTF-8."""
        self.neomutt("<save-message>=Entw\u00fcrfe&mehr<enter><quit>")
        self.assertEqual(b"2 3 4", self.uids("ALL"))
        self.assertIn(b"Msgs:1", self.neomutt("<quit>", "Entw\u00fcrfe&mehr"))


test_suite = beside.suite(__name__)
