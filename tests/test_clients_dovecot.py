"""Dovecot's own IMAP client (imapc), as `doveadm backup` and `doveadm sync` use it between a real server and local mail."""

from __future__ import annotations

import imaplib

from tests import beside
from tests.dovecot import PROGRAM, Dovecot, Tunnel
from tests.server import PROGRAM_SECONDS, SharedServerTestCase, needs, run


class ImapcTests(SharedServerTestCase):
    password = "a password"

    def setUp(self) -> None:
        needs(PROGRAM, "doveadm")
        super().setUp()
        self.directory.chmod(0o711)
        self.dovecot = Dovecot.make(self.directory / "dovecot")
        self.imap = imaplib.IMAP4("127.0.0.1", self.server.ports["imap"], timeout=PROGRAM_SECONDS)
        self.addCleanup(self.imap.shutdown)
        self.imap.login(self.user, self.password)
        for number in (1, 2, 3):
            self.imap.append("INBOX", "(\\Seen $Label1)" if number == 2 else "", "", self.letter(number))
        self.imap.create("Entw&APw-rfe/alt")
        self.imap.append("Entw&APw-rfe/alt", "", "", self.letter(4))

    @staticmethod
    def letter(number: int) -> bytes:
        return b"From: a@example.org\r\nMessage-ID: <%d@example.org>\r\nSubject: letter %d\r\n\r\n" % (number, number)

    def doveadm(self, *command: str) -> None:
        """``command`` between the local mail and ours."""
        settings = {"imapc_host": "127.0.0.1", "imapc_port": self.server.ports["imap"], "imapc_user": self.user,
                    "imapc_password": self.password,
                    "imapc_features": "rfc822.size fetch-headers fetch-bodystructure search modseq"}
        more = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        run(*self.dovecot.doveadm, *more, *command, "imapc:")

    def local(self, mailbox: str) -> dict[int, tuple[bytes, set[bytes]]]:
        """UID to message and flags, asked of Dovecot."""
        with Tunnel(self.dovecot.command) as client:
            client.select_folder(mailbox, readonly=True)
            return {uid: (found[b"BODY[]"], set(found[b"FLAGS"]) - {b"\\Recent"})
                    for uid, found in client.fetch(client.search(), ["BODY.PEEK[]", "FLAGS"]).items()}

    def uids(self, key: str) -> bytes:
        self.imap.select(readonly=True)
        return self.imap.uid("SEARCH", key)[1][0]

    def test_all_mail_is_taken_with_uids_and_flags(self) -> None:
        self.doveadm("backup", "-R")
        self.assertEqual({1: (self.letter(1), set()), 2: (self.letter(2), {b"\\Seen", b"$Label1"}),
                          3: (self.letter(3), set())}, self.local("INBOX"))
        self.assertEqual({1: (self.letter(4), set())}, self.local("Entw\u00fcrfe/alt"))

    def test_changes_on_both_sides_meet(self) -> None:
        self.doveadm("backup", "-R")
        self.imap.select()
        self.imap.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
        self.imap.expunge()
        self.imap.append("INBOX", "", "", self.letter(5))
        with Tunnel(self.dovecot.command) as client:
            client.select_folder("INBOX")
            client.add_flags([3], [b"\\Flagged", b"$Forwarded"])
            client.delete_messages([2])
            client.expunge([2])
        self.doveadm("sync")
        self.assertEqual(b"3 4", self.uids("ALL"))
        self.assertEqual(b"3", self.uids("FLAGGED KEYWORD $Forwarded"))
        self.assertEqual({3: (self.letter(3), {b"\\Flagged", b"$Forwarded"}), 4: (self.letter(5), set())},
                         self.local("INBOX"))


test_suite = beside.suite(__name__)
