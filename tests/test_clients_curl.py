"""curl as an IMAP client: plain, with STARTTLS, and with TLS from the first octet."""

from __future__ import annotations

from tests import beside
from tests.server import SharedServerTestCase, needs, run

MESSAGE = b"From: a@example.org\r\nSubject: from curl\r\n\r\nBody \xc3\xa4\r\n.\r\nlast line\r\n"


class CurlTests(SharedServerTestCase):
    """curl reads URLs, which is all that many scripts know of IMAP."""

    def setUp(self) -> None:
        needs("curl")
        super().setUp()

    def curl(self, path: str, *options: str, kind: str = "imap", given: bytes = b"") -> bytes:
        """Standard output of curl for a URL of the server, logged in."""
        return run("curl", "--silent", "--show-error", "--max-time", "30", "--noproxy", "*",
                   "--user", f"{self.user}:{self.password}", *options,
                   f"{kind}://localhost:{self.server.ports[kind]}/{path}", given=given)

    def upload(self, mailbox: str, message: bytes = MESSAGE) -> None:
        # curl wants to know the size before it says APPEND, hence a file and not its input.
        path = self.directory / "upload.eml"
        path.write_bytes(message)
        self.curl(mailbox, "--upload-file", str(path))

    def test_the_mailboxes_of_a_new_account_are_listed_with_their_uses(self) -> None:
        listed = self.curl("").decode()
        for use in ("Archive", "Drafts", "Junk", "Sent", "Trash"):
            self.assertRegex(listed, rf'\* LIST \([^)]*\\{use}[^)]*\) "/" "?{use}"?\r\n')
        self.assertRegex(listed, r'\* LIST \([^)]*\) "/" "?INBOX"?\r\n')

    def test_an_uploaded_message_is_found_and_fetched_unchanged(self) -> None:
        self.upload("INBOX")
        self.assertEqual(b"* SEARCH 1\r\n", self.curl("INBOX?SUBJECT%20from"))
        self.assertEqual(b"* SEARCH\r\n", self.curl("INBOX?SUBJECT%20nothing"))
        self.assertEqual(MESSAGE, self.curl("INBOX;UID=1"))
        self.assertEqual(MESSAGE, self.curl("INBOX;MAILINDEX=1"))
        self.assertEqual(b"Body \xc3\xa4\r\n.\r\nlast line\r\n", self.curl("INBOX;UID=1;SECTION=TEXT"))

    def test_any_command_can_be_asked_for(self) -> None:
        self.upload("INBOX")
        said = self.curl("INBOX", "--request", "UID FETCH 1:* (FLAGS RFC822.SIZE)")
        self.assertRegex(said, rb"\* 1 FETCH \((?=.*UID 1\b)(?=.*FLAGS \()(?=.*RFC822\.SIZE %d\b).*\)\r\n"
                         % len(MESSAGE))
        self.assertIn(b"NAMESPACE", self.curl("", "--request", "NAMESPACE"))

    def test_tls_from_the_first_octet(self) -> None:
        self.assertIn(b"INBOX", self.curl("", "--insecure", kind="imaps"))
        self.assertIn(b"INBOX", self.curl("", "--cacert", str(self.server.certificate), kind="imaps"))

    def test_starttls_before_the_password(self) -> None:
        verbose = self.directory / "verbose"
        said = self.curl("", "--ssl-reqd", "--cacert", str(self.server.certificate),
                         "--verbose", "--stderr", str(verbose))
        self.assertIn(b"INBOX", said)
        log = verbose.read_text(errors="replace")
        self.assertLess(log.index("STARTTLS"), log.index("AUTHENTICATE"))

    def test_a_wrong_password_is_refused(self) -> None:
        with self.assertRaisesRegex(AssertionError, "curl ends with 67"):
            self.curl("", "--user", f"{self.user}:wrong")

    def test_a_message_of_a_megabyte(self) -> None:
        message = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 4 * 16384 + b"\r\n"
        self.upload("Archive", message)
        self.assertEqual(message, self.curl("Archive;UID=1"))


test_suite = beside.suite(__name__)
