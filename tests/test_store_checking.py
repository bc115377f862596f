"""The check of an account finds each kind of damage that is planted."""

from __future__ import annotations

from typing import Any

from moximap.store import checking, database
from moximap.store.account import Account
from moximap.store.interfaces import NewMessage
from moximap.store.syncing_table import There
from tests.storecases import ALL, LARGE, MAIL, OnDisk, StoreCase

#: What is done to a sound account, and words of the problem that the check must tell.
DAMAGE = (
    ("UPDATE mailbox_row SET messages = messages + 1 WHERE name = 'INBOX'", "wrong counters"),
    ("UPDATE mailbox_row SET unseen = 7 WHERE name = 'INBOX'", "wrong counters"),
    ("UPDATE mailbox_row SET deleted_size = 7 WHERE name = 'Sent'", "wrong counters"),
    ("UPDATE mailbox_row SET modseq = 99 WHERE name = 'INBOX'", "above the account's"),
    ("UPDATE mailbox_row SET createseq = 0 WHERE name = 'Junk'", "below 1"),
    ("UPDATE mailbox_row SET modseq = 1 WHERE name = 'INBOX'", "older modseq than message"),
    ("UPDATE message SET createseq = modseq + 1 WHERE uid = 1", "below its createseq"),
    ("UPDATE mailbox_row SET uidnext = 2 WHERE name = 'INBOX'", "not below UIDNEXT"),
    ("UPDATE message SET createseq = 1 WHERE uid = 2", "created before one with a smaller UID"),
    ("UPDATE message SET mailbox = 77 WHERE uid = 1 AND mailbox = 1", "does not exist"),
    ("UPDATE mailbox_row SET removed = 1 WHERE name = 'INBOX'", "there is no INBOX"),
    ("UPDATE mailbox_row SET removed = 1 WHERE name = 'Sent'", "is not expunged"),
    ("DELETE FROM log", "not in the log"),
    ("INSERT INTO log VALUES (1, 2, 2, 4)", "overlapping runs"),
    ("UPDATE mailbox_row SET parent = NULL WHERE name = 'a/b'", "no parent"),
    ("UPDATE mailbox_row SET parent = 1 WHERE name = 'a/b'", "no parent"),
    ("UPDATE mailbox_row SET name = 'a/b/c' WHERE name = 'a/b'", "no parent"),
    ("UPDATE mailbox_row SET removed = 1 WHERE name = 'a'", "no parent"),
    ("UPDATE mailbox_row SET uidvalidity = 0 WHERE name = 'a'", "UIDVALIDITY"),
    ("UPDATE mailbox_row SET uidvalidity = uidvalidity + 1 WHERE name = 'a'", "UIDVALIDITY"),
    ("UPDATE mailbox_row SET uses = '\\Sent' WHERE name = 'a'", "same use"),
    ("UPDATE message SET content = NULL WHERE uid = 1", "has no content"),
    ("DELETE FROM content WHERE id = 1", "has no content"),
    ("UPDATE message SET size = size + 1 WHERE uid = 1", "another size than its content"),
    ("UPDATE message SET flags = 9 << 5 WHERE uid = 1", "flags without a name"),
    ("UPDATE mailbox_row SET keywordsets = 0", "keyword set 1 has a number that was not given out"),
    ("UPDATE mailbox_row SET contents = 1", "content 2 has a number that was not given out"),
    ("INSERT INTO content SELECT 9 + id, size, header_size, sha256, thread, file, head, body FROM content"
     " WHERE id = 1", "needed by no message"),
    ("DELETE FROM digest WHERE content = 1", "no digest"),
    ("DELETE FROM summary WHERE content = 1", "no digest"),
    ("UPDATE digest SET content = 9 WHERE content = 1", "is of none"),
    ("UPDATE summary SET content = 9 WHERE content = 1", "is of none"),
    ("UPDATE content SET body = zeroblob(length(body)) WHERE id = 1", "another hash"),
    ("UPDATE content SET body = body || x'00' WHERE id = 1", "another size than its row"),
    ("UPDATE content SET header_size = 3 WHERE id = 1", "a header of another size"),
    ("UPDATE content SET file = 'aa/none' WHERE id = 2", "lacks its file"),
    ("UPDATE content SET thread = 2 WHERE id = 1", "content 1 is in a thread that began after it"),
    ("INSERT INTO messageid VALUES (1, 99)", "thread 99, which no content is in"),
    ("UPDATE synced_mailbox SET mailbox = 99", "the mailbox There of ada@there was brought to one that does not exist"),
    ("UPDATE synced_message SET mailbox = 99", "brought from mailbox 99 of another server"),
    ("UPDATE synced_message SET here = 99", "message 5 of the mailbox There of ada@there was brought to a UID"),
    ("UPDATE synced_message SET here = 4", "brought to another's UID"),
    ("UPDATE synced_message SET flags = 9 << 5", "with flags that have no name"),
)


def bring(account: Account) -> None:
    """One message, as if from another server."""
    bringer = account.bringer("ada@there")
    bringer.add(bringer.begin(There("There", 9, 6), "There"), {5: NewMessage(MAIL, ("kw",))})


class CheckTests(StoreCase, OnDisk):
    sound = False

    def setUp(self) -> None:
        super().setUp()
        self.append(MAIL, LARGE, flags=("kw",))
        self.account.copy(self.inbox(), ALL, "Sent")
        self.account.create("a/b")
        bring(self.account)

    def problems(self) -> str:
        return "\n".join(self.account.check())

    def large(self) -> Any:
        (path,) = self.home.glob("large/*/*")
        return path

    def test_a_sound_account_has_no_problems(self) -> None:
        self.assertEqual(self.problems(), "")

    def test_each_kind_of_damage_in_the_database_is_found(self) -> None:
        connection = database.connect(self.home / "mail.db", write=True)
        self.addCleanup(connection.close)
        for statement, words in DAMAGE:
            connection.execute("BEGIN")
            connection.execute(statement)
            found = "\n".join(self.problems_in(connection))
            connection.execute("ROLLBACK")
            self.assertIn(words, found, statement)

    def problems_in(self, connection: Any) -> Any:
        """The check, from inside the transaction that does the damage."""
        yield from checking._broken_rules(connection)
        yield from checking._broken_uses(connection)
        yield from checking._broken_contents(connection, self.home)

    def test_damage_that_is_committed_is_found(self) -> None:
        connection = database.connect(self.home / "mail.db", write=True)
        connection.execute("UPDATE message SET flags = flags | 1 WHERE uid = 1")
        connection.close()
        self.assertIn("wrong counters", self.problems())

    def test_a_changed_a_cut_and_a_lost_file_are_found(self) -> None:
        whole = self.large().read_bytes()
        self.large().write_bytes(b"X" + whole[1:])
        self.assertIn("another hash", self.problems())
        self.large().write_bytes(whole[:-1])
        self.assertIn("another size", self.problems())
        self.large().unlink()
        self.assertIn("lacks its file", self.problems())

    def test_files_that_belong_to_no_message_are_found(self) -> None:
        self.patch(checking, "ERASING", 0.0)                  # nobody erases them
        (self.home / "large" / "ff").mkdir(exist_ok=True)
        (self.home / "large" / "ff" / "1-dead.x").write_bytes(b"")
        (self.home / "tmp" / "1-dead.y").write_bytes(b"")
        self.assertEqual(sorted(self.account.check()), ["file large/ff/1-dead.x belongs to no message",
                                                        "file tmp/1-dead.y belongs to no message"])

    def test_files_that_are_coming_in_are_no_problem(self) -> None:
        spool = self.account.spool()
        spool.write(MAIL)
        self.assertEqual(self.problems(), "")
        spool.discard()

    def test_a_torn_database_is_told_and_does_not_end_the_check(self) -> None:
        connection = database.connect(self.home / "mail.db", write=False)
        page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'message_content'").get
        connection.close()
        self.account.close()
        data = bytearray((self.home / "mail.db").read_bytes())
        data[(page - 1) * database.PAGE:page * database.PAGE] = b"\xaa" * database.PAGE
        (self.home / "mail.db").write_bytes(data)
        self.account = self.open()
        self.assertIn("damaged", self.problems())
