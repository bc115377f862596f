"""interimap keeps an account the same as another one; it compresses by itself, and resynchronises with QRESYNC."""

from __future__ import annotations

import imaplib
import re
from pathlib import Path

from tests import beside
from tests.server import SharedServerTestCase, add_account, needs, run

CONFIGURATION = """
database = {home}/state.db
list-mailbox = *

[local]
type = imap
host = 127.0.0.1
port = {port}
STARTTLS = NO
auth = PLAIN
username = {local}
password = secret
compress = YES

[remote]
type = imaps
host = 127.0.0.1
port = {tls}
SSL_verify = NO
auth = PLAIN
username = {remote}
password = secret
"""
MESSAGE = b"From: ada@example.org\r\nSubject: number %d\r\n\r\n%b\r\n"


class InterimapTests(SharedServerTestCase):
    """Both sides are ours, two accounts of one server; one connection is over TLS.

    That one it compresses without being told to.
    """

    def setUp(self) -> None:
        needs("interimap")
        super().setUp()
        self.local, self.remote = f"local-{self.user}", f"remote-{self.user}"
        for name in (self.local, self.remote):
            add_account(self.server.data, name, "secret")

    def configure(self) -> Path:
        path = self.directory / "interimap.conf"
        path.write_text(CONFIGURATION.format(home=self.directory, port=self.server.ports["imap"],
                                             tls=self.server.ports["imaps"], local=self.local,
                                             remote=self.remote))
        return path

    def sync(self, configuration: Path) -> str:
        """What it says of a run, every line of protocol included."""
        return run("sh", "-c", 'interimap --debug --config "$0" 2>&1', configuration, directory=self.directory,
                   HOME=str(self.directory)).decode(errors="replace")

    def connect(self, user: str) -> imaplib.IMAP4:
        connection = imaplib.IMAP4("127.0.0.1", self.server.ports["imap"])
        self.addCleanup(connection.logout)
        connection.login(user, "secret")
        return connection

    def subjects(self, user: str, mailbox: str) -> list[bytes]:
        connection = self.connect(user)
        connection.select(mailbox, readonly=True)
        _, data = connection.fetch("1:*", "(FLAGS BODY.PEEK[])")
        return [part[1] for part in data if isinstance(part, tuple)]

    def fill(self, user: str, mailbox: str, numbers: range) -> None:
        connection = self.connect(user)
        for number in numbers:
            status, data = connection.append(mailbox, "(\\Seen)", "", MESSAGE % (number, b"line\r\n" * 40 * number))
            self.assertEqual(status, "OK", data)

    def test_two_accounts_become_one_over_compressed_connections(self) -> None:
        self.connect(self.local).create("only/here")
        self.fill(self.local, "INBOX", range(1, 6))
        self.fill(self.remote, "INBOX", range(6, 9))
        self.fill(self.local, "only/here", range(9, 11))
        configuration = self.configure()
        said = self.sync(configuration)
        self.assertEqual(len(re.findall(r"COMPRESS DEFLATE", said)), 2, said)
        self.assertEqual(len(re.findall(r"OK DEFLATE active", said)), 2, said)
        for mailbox, count in (("INBOX", 8), ("only/here", 2)):
            ours, theirs = self.subjects(self.local, mailbox), self.subjects(self.remote, mailbox)
            self.assertEqual(sorted(ours), sorted(theirs))
            self.assertEqual(len(ours), count)
        self.fill(self.remote, "only/here", range(20, 21))
        self.sync(configuration)
        self.assertEqual(len(self.subjects(self.local, "only/here")), 3)


test_suite = beside.suite(__name__)
