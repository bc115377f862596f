"""mutt reads, flags, files and saves mail on a terminal that nobody sees."""

from __future__ import annotations

import imaplib

from tests import beside
from tests.server import PROGRAM_SECONDS, SharedServerTestCase, needs, run_on_terminal

SETTINGS = """
set folder="imap://127.0.0.1:{port}/"
set imap_user="{user}"
set imap_pass='{password}'
set imap_authenticators="login"
set ssl_starttls=no
set ssl_force_tls=no
set delete=yes
set quit=yes
set confirmappend=no
set confirmcreate=no
set move=no
set mark_old=no
set wait_key=no
set beep=no
set sleep_time=0
set mbox_type=mbox
set header_cache=
set pager_stop=yes
"""


class MuttTests(SharedServerTestCase):
    """What a person types, as mutt's own key strings."""

    password = "a password"

    def setUp(self) -> None:
        needs("mutt")
        super().setUp()
        (self.directory / "muttrc").write_text(SETTINGS.format(
            port=self.server.ports["imap"], user=self.user, password=self.password))
        self.imap = imaplib.IMAP4("127.0.0.1", self.server.ports["imap"], timeout=PROGRAM_SECONDS)
        self.addCleanup(self.imap.shutdown)
        self.imap.login(self.user, self.password)
        for number in (1, 2, 3):
            self.imap.append("INBOX", "", "", b"From: a@example.org\r\nSubject: letter %d\r\n\r\nbody %d\r\n"
                             % (number, number))

    def mutt(self, mailbox: str, keys: str) -> None:
        """Open a mailbox and type the keys; they must end in leaving mutt."""
        run_on_terminal("mutt", "-n", "-F", self.directory / "muttrc",
                        "-f", f"imap://127.0.0.1:{self.server.ports['imap']}/{mailbox}",
                        "-e", f"push '{keys}'", HOME=str(self.directory))

    def uids(self, mailbox: str, key: str) -> bytes:
        self.imap.select(mailbox, readonly=True)
        return self.imap.uid("SEARCH", key)[1][0]

    def test_a_letter_that_was_opened_is_read(self) -> None:
        self.mutt("INBOX", "1<enter><display-message><exit><sync-mailbox><quit>")
        self.assertEqual(b"1", self.uids("INBOX", "SEEN"))

    def test_letters_are_flagged_and_filed(self) -> None:
        self.mutt("INBOX", "2<enter><flag-message>3<enter><save-message>=Archive<enter><quit>")
        self.assertEqual(b"1 2", self.uids("INBOX", "ALL"))
        self.assertEqual(b"2", self.uids("INBOX", "FLAGGED"))
        self.assertEqual(b"1", self.uids("Archive", 'SUBJECT "letter 3"'))

    def test_all_letters_are_saved_to_a_local_mailbox(self) -> None:
        saved = self.directory / "saved"
        self.mutt("INBOX", f"<tag-pattern>~A<enter><tag-prefix><copy-message>{saved}<enter><quit>")
        content = saved.read_bytes()
        for number in (1, 2, 3):
            self.assertIn(b"Subject: letter %d\n" % number, content)
            self.assertIn(b"\n\nbody %d\n" % number, content)

    def test_a_local_letter_is_filed_on_the_server(self) -> None:
        self.mutt("INBOX", "1<enter><copy-message>=Drafts<enter><quit>")
        self.mutt("Drafts", "<delete-message><quit>")
        self.assertEqual(b"", self.uids("Drafts", "ALL"))
        self.assertEqual(b"1 2 3", self.uids("INBOX", "ALL"))

    def test_a_pattern_is_searched_for_in_bodies(self) -> None:
        self.mutt("INBOX", "<delete-pattern>~b \"body 2\"<enter><quit>")
        self.assertEqual(b"1 3", self.uids("INBOX", "ALL"))


test_suite = beside.suite(__name__)
