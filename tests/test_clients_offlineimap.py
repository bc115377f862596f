"""OfflineIMAP keeps Maildirs and a real server the same, both ways."""

from __future__ import annotations

import imaplib
from pathlib import Path

from tests import beside
from tests.server import PROGRAM_SECONDS, SharedServerTestCase, needs, run

#: Without STARTTLS: imaplib2 may read while it writes when session tickets of TLS 1.3 come, and then hangs, with any server.
CONFIGURATION = """
[general]
accounts = mail
metadata = {directory}/metadata
ui = basic

[Account mail]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = {directory}/maildir

[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = no
starttls = no
auth_mechanisms = PLAIN, LOGIN
usecompression = yes
"""
#: Local and remote names are the same: this is Entw\u00fcrfe.
ENCODED = "Entw&APw-rfe"


class OfflineimapTests(SharedServerTestCase):
    password = "a password"

    def setUp(self) -> None:
        needs("offlineimap")
        super().setUp()
        (self.directory / "rc").write_text(CONFIGURATION.format(
            directory=self.directory, port=self.server.ports["imap"], user=self.user, password=self.password))
        self.imap = imaplib.IMAP4("127.0.0.1", self.server.ports["imap"], timeout=PROGRAM_SECONDS)
        self.addCleanup(self.imap.shutdown)
        self.imap.login(self.user, self.password)
        for number in (1, 2, 3):
            self.imap.append("INBOX", "\\Seen" if number == 1 else "", "", self.letter(number))
        self.offlineimap()

    def offlineimap(self) -> None:
        run("offlineimap", "-c", self.directory / "rc", "-o", directory=self.directory, HOME=str(self.directory),
            PYTHONPATH="")

    @staticmethod
    def letter(number: int) -> bytes:
        return (b"From: a@example.org\r\nMessage-ID: <%d@example.org>\r\nSubject: letter %d\r\n\r\ngr\xc3\xbc\xc3\x9fe\r\n"
                % (number, number))

    def kept(self, mailbox: str = "INBOX") -> dict[bytes, Path]:
        """The local messages, with the line ends of mail."""
        return {file.read_bytes().replace(b"\n", b"\r\n"): file
                for file in (self.directory / "maildir" / mailbox).glob("*/*")}

    def uids(self, key: str, mailbox: str = "INBOX") -> bytes:
        self.assertEqual("OK", self.imap.select(mailbox, readonly=True)[0])
        return self.imap.uid("SEARCH", key)[1][0]

    def test_all_mail_is_fetched_with_its_flags(self) -> None:
        kept = self.kept()
        self.assertEqual({self.letter(number) for number in (1, 2, 3)}, set(kept))
        self.assertEqual(["S"], [file.name.partition(":2,")[2] for file in kept.values() if file.parent.name == "cur"])

    def test_changes_on_both_sides_meet(self) -> None:
        kept = self.kept()
        kept[self.letter(1)].unlink()
        read = kept[self.letter(2)]
        read.rename(read.parent.parent / "cur" / f"{read.name.partition(':2,')[0]}:2,FS")
        self.imap.select()
        self.imap.uid("STORE", "3", "+FLAGS", "(\\Deleted)")
        self.imap.expunge()
        self.imap.append("INBOX", "", "", self.letter(4))
        self.offlineimap()
        self.assertEqual(b"2 4", self.uids("ALL"))
        self.assertEqual(b"2", self.uids("SEEN FLAGGED"))
        self.assertEqual({self.letter(2), self.letter(4)}, set(self.kept()))

    def test_local_mailboxes_and_letters_are_sent(self) -> None:
        for name in ("cur", "new", "tmp"):
            (self.directory / "maildir" / ENCODED / name).mkdir(parents=True)
        (self.directory / "maildir" / ENCODED / "new" / "1.2.3").write_bytes(self.letter(5).replace(b"\r\n", b"\n"))
        self.offlineimap()
        self.assertEqual(b"1", self.uids("UNSEEN", ENCODED))
        self.assertEqual(self.letter(5), self.imap.fetch("1", "(BODY.PEEK[])")[1][0][1])


test_suite = beside.suite(__name__)
