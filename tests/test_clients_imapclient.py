"""IMAPClient: a library with opinions on every response, two connections to one mailbox."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from tests import beside
from tests.server import PROGRAM_SECONDS, SharedServerTestCase
from tests.syncing import connect

MESSAGE = (b"From: \"Ada L\" <ada@example.org>\r\nTo: b@example.org, c@example.org\r\n"
           b"Subject: =?utf-8?q?gr=C3=BCn?=\r\nDate: Thu, 2 Jan 2020 03:04:05 +0530\r\n"
           b"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
           b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
           b"--b\r\n\r\nfirst\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>second\r\n--b--\r\n")


class IMAPClientTests(SharedServerTestCase):
    """Each test logs in anew; its mailboxes are empty."""

    password = "secret word"

    def setUp(self) -> None:
        super().setUp()
        self.imap = self.connect()

    def connect(self) -> IMAPClient:
        client = connect(self.server.ports["imap"], self.user, self.password)
        self.addCleanup(client.shutdown)
        return client

    def fill(self, count: int = 3) -> None:
        for _ in range(count):
            self.imap.append("INBOX", MESSAGE)

    def test_envelope_structure_and_parts(self) -> None:
        when = datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5, minutes=30)))
        self.imap.normalise_times = False
        self.imap.append("INBOX", MESSAGE, [b"\\Flagged", b"$Work"], when)
        self.imap.select_folder("INBOX")
        got = self.imap.fetch(1, ["ENVELOPE", "BODYSTRUCTURE", "INTERNALDATE", "FLAGS", "RFC822.SIZE",
                                  "BODY.PEEK[2]", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]"])[1]
        self.assertEqual(b"=?utf-8?q?gr=C3=BCn?=", got[b"ENVELOPE"].subject)
        self.assertEqual(["Ada L <ada@example.org>"], list(map(str, got[b"ENVELOPE"].from_)))
        self.assertEqual(2, len(got[b"ENVELOPE"].to))
        self.assertTrue(got[b"BODYSTRUCTURE"].is_multipart)
        self.assertEqual([b"plain", b"html"], [part[1].lower() for part in got[b"BODYSTRUCTURE"][0]])
        self.assertEqual(when, got[b"INTERNALDATE"])
        self.assertEqual({b"\\Flagged", b"$Work"}, set(got[b"FLAGS"]) - {b"\\Recent"})
        self.assertEqual(len(MESSAGE), got[b"RFC822.SIZE"])
        self.assertEqual(b"<p>second", got[b"BODY[2]"])
        self.assertEqual(b"Subject: =?utf-8?q?gr=C3=BCn?=\r\n\r\n", got[b"BODY[HEADER.FIELDS (SUBJECT)]"])

    def test_store_copy_move_and_expunge(self) -> None:
        self.fill()
        self.imap.select_folder("INBOX")
        self.assertEqual({1: (b"\\Seen",)}, self.without_recent(self.imap.set_flags(1, [b"\\Seen"])))
        self.imap.copy([1, 2], "Archive")
        self.imap.move([3], "Trash")
        self.assertEqual([1, 2], self.imap.search())
        self.imap.delete_messages([1])
        self.imap.uid_expunge([1])
        self.assertEqual([2], self.imap.search())
        self.assertEqual(2, self.imap.folder_status("Archive", [b"MESSAGES"])[b"MESSAGES"])
        self.assertEqual(1, self.imap.folder_status("Trash", [b"MESSAGES"])[b"MESSAGES"])

    @staticmethod
    def without_recent(flags: dict[int, tuple[bytes, ...]]) -> dict[int, tuple[bytes, ...]]:
        return {uid: tuple(flag for flag in some if flag != b"\\Recent") for uid, some in flags.items()}

    def test_search_keys(self) -> None:
        self.fill(2)
        self.imap.append("INBOX", "Subject: andere\r\n\r\nGr\u00fc\u00dfe aus K\u00f6ln\r\n".encode())
        self.imap.select_folder("INBOX")
        self.assertEqual([3], self.imap.search(["TEXT", "K\u00f6ln"], charset="UTF-8"))
        self.assertEqual([1, 2], self.imap.search(["SUBJECT", "gr\u00fcn"], charset="UTF-8"))
        self.assertEqual([1, 2], self.imap.search(["FROM", "ada", "NOT", ["HEADER", "Subject", "andere"]]))
        self.assertEqual([2, 3], self.imap.search(["OR", ["UID", "2"], ["SUBJECT", "andere"]]))
        self.assertEqual([1, 2], self.imap.search(["SENTON", date(2020, 1, 2), "LARGER", 100]))

    def test_mailbox_names_of_all_kinds(self) -> None:
        names = ["Entw\u00fcrfe", "R & D", "&", "\u65e5\u672c\u8a9e/\u53f0\u5317", 'quo"te', "back\\slash",
                 "a b c", "\U0001f4ec", "(paren)", "tilde~x"]
        for name in names:
            self.imap.create_folder(name)
            self.imap.append(name, MESSAGE)
        listed = {name for _, _, name in self.imap.list_folders()}
        self.assertEqual(set(), set(names) - listed)
        for name in names:
            self.assertEqual(1, self.imap.select_folder(name)[b"EXISTS"], name)
        self.imap.close_folder()
        self.imap.rename_folder("\u65e5\u672c\u8a9e", "\u4e2d\u6587")
        self.assertTrue(self.imap.folder_exists("\u4e2d\u6587/\u53f0\u5317"))
        self.imap.delete_folder("R & D")
        self.assertFalse(self.imap.folder_exists("R & D"))

    def test_the_uses_of_mailboxes_are_found(self) -> None:
        for use in (b"\\Archive", b"\\Drafts", b"\\Junk", b"\\Sent", b"\\Trash"):
            self.assertEqual(use[1:].decode(), self.imap.find_special_folder(use))
        self.assertEqual([("", "/")], [tuple(each) for each in self.imap.namespace().personal])

    def test_idle_hears_of_mail_flags_and_removals(self) -> None:
        self.fill(2)
        self.imap.select_folder("INBOX")
        other = self.connect()
        other.select_folder("INBOX")
        self.imap.idle()
        other.append("INBOX", MESSAGE)
        self.assertIn((3, b"EXISTS"), self.hear(b"EXISTS"))
        other.add_flags(2, [b"\\Flagged"])
        self.assertTrue(any(b"\\Flagged" in repr(said).encode() for said in self.hear(b"FETCH")))
        other.delete_messages([1])
        other.expunge()
        self.assertIn((1, b"EXPUNGE"), self.hear(b"EXPUNGE"))
        text, _ = self.imap.idle_done()
        self.assertTrue(text)
        self.assertEqual([2, 3], self.imap.search())

    def hear(self, word: bytes) -> list[tuple[object, ...]]:
        """What IDLE says until a word was among it."""
        heard: list[tuple[object, ...]] = []
        while not any(word in said for said in heard):
            news = self.imap.idle_check(timeout=PROGRAM_SECONDS)
            self.assertTrue(news, f"nothing but {heard}")
            heard += news
        return heard

    def test_client_27_noop_tells_what_others_did(self) -> None:
        self.fill(2)
        self.imap.select_folder("INBOX")
        other = self.connect()
        other.select_folder("INBOX")
        other.delete_messages([1])
        other.expunge()
        other.append("INBOX", MESSAGE)
        _, told = self.imap.noop()
        self.assertLess(told.index((1, b"EXPUNGE")), told.index((2, b"EXISTS")))

    def test_what_is_selected_read_only_stays_as_it_is(self) -> None:
        self.fill(1)
        self.imap.select_folder("INBOX", readonly=True)
        self.imap.fetch(1, ["BODY[]"])
        with self.assertRaises(IMAPClientError):
            self.imap.add_flags(1, [b"\\Seen"])
        self.assertEqual([], self.imap.search("SEEN"))

    def test_id_and_enable(self) -> None:
        self.assertEqual(b"moximap", self.imap.id_({"name": "a client"})[0][1].lower())
        self.assertEqual([b"IMAP4REV2"], [name.upper() for name in self.imap.enable("IMAP4rev2")])


test_suite = beside.suite(__name__)
