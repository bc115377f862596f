"""What a repair mends of planted damage, and what it leaves to be told."""

from __future__ import annotations

import shutil
from contextlib import closing

from moximap.store import database
from moximap.store.account import Account
from moximap.store.checking import STAGED
from tests import beside
from tests.storecases import ALL, LARGE, MAIL, OnDisk, StoreCase
from tests.test_store_checking import DAMAGE, bring

#: Words of problems that nobody can mend without guessing.
BEYOND = ("created before one with a smaller UID", "which does not exist", "is not expunged", "same use",
          "has no content", "flags without a name", "another hash", "size than its row", "lacks its file",
          "a header of another size", "below 1")

MORE = (
    "UPDATE mailbox_row SET uidnext = 1, modseq = 1",
    "UPDATE mailbox_row SET modseq = 1, contents = 0, keywordsets = 0, uidvalidity = 0 WHERE id = 0",
    "DELETE FROM digest",
    "DELETE FROM summary",
    "DELETE FROM summary WHERE content = 1; DELETE FROM digest WHERE content = 2",
    "UPDATE summary SET content = 9 WHERE content = 1; UPDATE digest SET version = 0 WHERE content = 2",
    "UPDATE digest SET version = 0",
    "DELETE FROM keyword",
    "INSERT INTO log VALUES (99, 1, 1, 1)",
    "UPDATE subscription SET modseq = 999",
    "DELETE FROM message WHERE mailbox = 1; UPDATE mailbox_row SET messages = 0 WHERE id = 1",
    "DELETE FROM message",
    "INSERT INTO annotation VALUES (99, '/private/comment', x'00', 1, 1)",
    "INSERT INTO annotation VALUES (1, '/private/comment', x'00', 1, 2)",
    "INSERT INTO annotation VALUES (1, '/private/comment', x'00', 99, 99)",
    "INSERT INTO annotation VALUES (0, '/private/comment', x'00', 99, 99)",
    "INSERT INTO annotation SELECT id, '/private/comment', x'00', 1, 1 FROM mailbox WHERE name = 'Junk';"
    " UPDATE mailbox_row SET removed = 1 WHERE name = 'Junk'",
    f"INSERT INTO mailbox_row (name, uidvalidity, modseq, createseq, removed, messages, uidnext) SELECT '{STAGED}x',"
    " uidvalidity + 1, modseq, createseq, 1, 2, 3 FROM mailbox WHERE name = 'a/b';"
    " INSERT INTO message SELECT (SELECT max(id) FROM mailbox), uid, modseq, createseq, flags, date, zone, saved,"
    " size, content, 0 FROM message WHERE mailbox = 1",
)


class RepairTests(StoreCase, OnDisk):
    def setUp(self) -> None:
        super().setUp()
        self.append(MAIL, LARGE, flags=("kw",))
        self.account.copy(self.inbox(), ALL, "Sent")
        self.account.create("a/b")
        bring(self.account)
        self.account.close()

    def damaged(self, statement: str) -> Account:
        """The account with damage, as a copy of its own."""
        home = self.path / "copy"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.home, home)
        with closing(database.connect(home / "mail.db", write=True)) as connection:
            connection.execute(statement)
        return Account(home, "ann")

    def test_what_follows_from_the_rest_is_mended_and_the_rest_is_told(self) -> None:
        mended = 0
        for statement in (*(statement for statement, _ in DAMAGE), *MORE):
            with closing(self.damaged(statement)) as account:
                self.assertNotEqual(list(account.check()), [], statement)
                done = list(account.repair())
                left = list(account.check())
                self.assertTrue(all(any(words in line for words in BEYOND) for line in left), (statement, left))
                self.assertTrue(done or left, statement)
                mended += not left
                self.assertEqual(list(account.repair()), [], statement)
        self.assertGreater(mended, 25)

    def test_a_sound_account_is_left_alone(self) -> None:
        with closing(self.open()) as account:
            before = account.mailboxes()
            self.assertEqual(list(account.repair()), [])
            self.assertEqual(account.mailboxes(), before)

    def test_counters_are_what_the_messages_say(self) -> None:
        with closing(self.damaged("UPDATE mailbox_row SET messages = 9, size = 1, unseen = 5")) as account:
            self.assertIn("counted mailbox INBOX anew", list(account.repair()))
            box = account.mailbox("INBOX")
            self.assertEqual((box.messages, box.unseen, box.size), (2, 2, len(MAIL) + len(LARGE)))

    def test_a_log_begun_anew_misses_no_change(self) -> None:
        with closing(self.damaged("DELETE FROM log")) as account:
            list(account.repair())
            box = account.mailbox("INBOX").id
            self.assertEqual(list(account.changes(box, 1).uids), [1, 2])
            modseq = account.mailboxes().modseq
            account.store(box, ALL, "+", ["\\Seen"])
            self.assertEqual(list(account.changes(box, modseq).uids), [1, 2])

    def test_numbers_are_not_given_out_twice(self) -> None:
        with closing(self.damaged(MORE[1] + ";" + MORE[0])) as account:
            before = account.mailbox("INBOX")
            list(account.repair())
            uids = account.append("INBOX", []).modseq, account.create("new").mailboxes[0].uidvalidity
            self.assertGreater(uids[0], before.modseq)
            self.assertGreater(uids[1], before.uidvalidity)
            self.assertEqual(list(account.check()), [])

    def test_missing_digests_are_made_of_small_and_large_messages(self) -> None:
        columns = ("uid", "envelope", "bodystructure", "preview", "parts")
        with closing(self.damaged("")) as account:
            whole = list(account.fetch(account.mailbox("INBOX").id, ALL, columns))
        for table in ("digest", "summary"):
            with closing(self.damaged(f"DELETE FROM {table}")) as account:
                self.assertIn("made 3 missing digests", list(account.repair()))
                self.assertEqual(list(account.fetch(account.mailbox("INBOX").id, ALL, columns)), whole)

    def test_what_is_left_of_a_digest_of_an_older_version_is_not_kept(self) -> None:
        with closing(self.damaged("DELETE FROM digest; UPDATE summary SET envelope = ''")) as account:
            list(account.repair())
            self.assertNotIn((b"",), list(account.fetch(account.mailbox("INBOX").id, ALL, ("envelope",))))

    def test_old_digests_are_made_anew(self) -> None:
        with closing(self.damaged("UPDATE digest SET version = 0; UPDATE mailbox_row SET digests = 0")) as account:
            self.assertEqual(list(account.repair()), ["made 3 digests anew"])

    def test_contents_and_files_that_no_message_needs_go(self) -> None:
        with closing(self.damaged("DELETE FROM message WHERE uid = 2")) as account:
            stray = account.home / "large" / "ff"
            stray.mkdir(exist_ok=True)
            (stray / "1-dead.x").write_bytes(b"")
            (account.home / "tmp" / "1-dead.y").write_bytes(b"")
            done = list(account.repair())
            self.assertIn("removed 1 contents that no message needs", done)
            self.assertIn("removed file large/ff/1-dead.x", done)
            self.assertEqual([*account.home.glob("large/*/*"), *account.home.glob("tmp/*")], [])
            self.assertEqual(list(account.check()), [])

    def test_files_that_are_coming_in_stay(self) -> None:
        with closing(self.open()) as account, closing(self.open()) as other:
            spool = other.spool()
            spool.write(MAIL)
            self.assertEqual(list(account.repair()), [])
            self.assertTrue(spool.path.exists())
            spool.discard()

    def test_a_torn_index_is_built_anew(self) -> None:
        with closing(self.damaged("PRAGMA writable_schema = 1; SELECT 1")) as account:
            connection = database.connect(account.home / "mail.db", write=True)
            page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'message_content'").get
            connection.close()
        path = self.path / "copy" / "mail.db"
        data = bytearray(path.read_bytes())
        empty = b"\x0a\x00\x00\x00\x00\x10\x00\x00" + bytes(database.PAGE - 8)      # an index without entries
        data[(page - 1) * database.PAGE:page * database.PAGE] = empty
        path.write_bytes(data)
        with closing(Account(path.parent, "ann")) as account:
            self.assertIn("damaged", "\n".join(account.check()))
            self.assertIn("built the indexes anew", list(account.repair()))
            self.assertEqual(list(account.check()), [])

    def test_others_write_meanwhile(self) -> None:
        with closing(self.damaged(MORE[0])) as account, closing(Account(account.home, "ann")) as other:
            for line in account.repair():
                other.append("Archive", [])
                self.assertTrue(line)
            self.assertEqual(list(other.check()), [])


class DirectoryTests(OnDisk):
    def problems(self) -> str:
        return "\n".join(self.directory.check())

    def test_a_sound_directory_has_no_problems(self) -> None:
        self.assertEqual(self.problems(), "")
        self.assertEqual(list(self.directory.repair()), [])

    def test_accounts_without_mail_and_mail_without_account_are_told(self) -> None:
        accounts = self.path / "accounts"
        self.directory.add("bob")
        (accounts / "bob").rename(accounts / "carol")
        (accounts / ".lost-dora-1").mkdir()
        self.assertIn("account bob has no mail", self.problems())
        self.assertIn("carol belongs to no account", self.problems())
        self.assertIn(".lost-dora-1 was put aside", self.problems())
        self.assertEqual(list(self.directory.repair()), [])

    def test_passwords_of_nobody_and_wrong_names_are_mended(self) -> None:
        with closing(database.connect(self.path / "directory.db", write=True)) as connection:
            connection.execute("INSERT INTO verifier VALUES (77, 'SCRAM-SHA-256', x'', 1, x'', x'');"
                               " UPDATE account SET folded = 'Ann'")
        self.assertIn("1 passwords belong to no account", self.problems())
        self.assertIn("account ann is not found by its name", self.problems())
        self.assertEqual(len(list(self.directory.repair())), 2)
        self.assertEqual(self.problems(), "")


test_suite = beside.suite(__name__)
