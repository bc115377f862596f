"""SELECT of a mailbox that this process has in memory (RFC 9051 6.3.2, RFC 3501 7.1)."""

from __future__ import annotations

from array import array
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.store import image as module
from moximap.store.account import Account
from moximap.store.image import Image
from moximap.store.opened import TRUST
from moximap.values import Changes, NumSet
from tests.dialogue import DialogueCase


class Again(DialogueCase):
    """What others write is seen by the next SELECT behind their bell."""

    def setUp(self) -> None:
        super().setUp()
        self.fill(3)
        self.clock.advance(1000)
        self.elsewhere = self.account()
        self.inbox = self.elsewhere.mailbox("INBOX").id

    def hear(self) -> None:
        self.site.accounts.bell("ada")

    def select(self, client: str = "", mailbox: str = "INBOX") -> list[str]:
        self.client(client).send(f"x SELECT {mailbox}\r\n".encode())
        return self.client(client).received().decode().split("\r\n")

    def test_nothing_has_happened(self) -> None:
        first = self.select()
        self.assertIn("* 3 EXISTS", first)
        self.assertEqual(self.select()[1:], first)
        self.assertEqual(self.select("2"), first)

    def test_flags_and_keywords_of_others(self) -> None:
        self.select()
        self.elsewhere.store(self.inbox, NumSet.of([1]), "+", ["\\Seen", "$Work"])
        self.hear()
        told = self.select()
        self.assertIn("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)", told)
        self.assertIn("* OK [UNSEEN 2] first message not seen", told)
        self.client().send(b"y FETCH 1 FLAGS\r\n")
        self.assertIn(b"* 1 FETCH (UID 1 FLAGS (\\Seen $Work))", self.client().received())

    def test_keywords_that_came_to_another_mailbox(self) -> None:
        self.fill(1, "Archive")
        self.select()
        self.elsewhere.store(self.elsewhere.mailbox("Archive").id, NumSet.of([1]), "+", ["$Work"])
        self.hear()
        self.assertIn("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)", self.select())

    def test_expunges_of_others(self) -> None:
        self.select()
        self.elsewhere.store(self.inbox, NumSet.of([2]), "+", ["\\Deleted"])
        self.elsewhere.expunge(self.inbox)
        self.hear()
        told = self.select()
        self.assertIn("* 2 EXISTS", told)
        self.assertIn("* OK [UIDNEXT 4] predicted next UID", told)

    def test_a_mailbox_that_took_the_name_of_another(self) -> None:
        self.fill(2, "Archive")
        before = self.select(mailbox="Archive")
        self.elsewhere.rename("Archive", "Old")
        self.elsewhere.rename("Drafts", "Archive")
        self.hear()
        told = self.select(mailbox="Archive")
        self.assertIn("* 0 EXISTS", told)
        self.assertNotEqual([line for line in told if "UIDVALIDITY" in line],
                            [line for line in before if "UIDVALIDITY" in line])

    def test_one_that_is_gone(self) -> None:
        self.client().send(b"a CREATE gone\r\nb SELECT gone\r\n")
        self.elsewhere.delete("gone")
        self.hear()
        self.client().received()
        self.client().send(b"c SELECT gone\r\n")
        self.assertIn(b"c NO [NONEXISTENT]", self.client().received())

    def test_what_a_client_is_told_is_for_its_own_dialect(self) -> None:
        for client, words in (("rev2", b"IMAP4rev2"), ("bare", b"UIDONLY"), ("utf8", b"UTF8=ACCEPT")):
            self.client(client).send(b"a ENABLE " + words + b"\r\n")
            self.client(client).received()
        first = {client: self.select(client) for client in ("rev1", "rev2", "bare", "utf8")}
        for client, told in first.items():
            again = self.select(client)
            self.assertEqual(again[1:], told, client)
            self.assertEqual("* 0 RECENT" in told, client != "rev2", client)
            self.assertEqual("* LIST () \"/\" INBOX" in told, client == "rev2", client)
            self.assertEqual("* OK [UNSEEN 1] first message not seen" in told, client in ("rev1", "utf8"))

    def test_reading_only_and_not(self) -> None:
        self.select()
        self.client("2").send(b"a EXAMINE INBOX\r\n")
        self.assertIn(b"* OK [PERMANENTFLAGS ()]", self.client("2").received())
        self.assertIn("x OK [READ-WRITE] SELECT completed", self.select())
        self.client("2").send(b"a EXAMINE INBOX\r\n")
        self.assertIn(b"\r\na OK [READ-ONLY] EXAMINE completed\r\n", self.client("2").received())

    def test_the_name_as_each_client_writes_it(self) -> None:
        self.elsewhere.create("INBOX/a")
        self.client().send(b"a ENABLE IMAP4rev2\r\n")
        told = [self.select(mailbox=name)[-3] for name in ("INBOX/a", "inbox/a", "INBOX/a")]
        self.assertEqual(told, ['* LIST () "/" INBOX/a', '* LIST () "/" INBOX/a ("OLDNAME" (inbox/a))',
                                '* LIST () "/" INBOX/a'])

    def test_a_use_that_the_mailbox_was_given(self) -> None:
        self.elsewhere.create("Old", ("\\Archive",))
        self.client().send(b"a ENABLE IMAP4rev2\r\n")
        self.assertIn('* LIST (\\Archive) "/" Old', self.select(mailbox="Old"))
        self.elsewhere.create("New", ("\\Archive",))
        self.hear()
        self.assertIn('* LIST () "/" Old', self.select(mailbox="Old"))

    def test_what_another_client_does_here_needs_no_bell(self) -> None:
        self.select()
        self.client("2").send(b"a STORE 1 +FLAGS (\\Seen)\r\nb SELECT INBOX\r\nc STORE 1 +FLAGS (\\Seen)\r\n")
        self.assertIn("* OK [UNSEEN 2] first message not seen", self.select())
        self.client("2").send(b"d DELETE Drafts\r\ne RENAME INBOX Old\r\n")
        self.assertIn("* 0 EXISTS", self.select())
        self.client("2").send(b"f DELETE Old\r\n")
        self.assertIn("x NO [NONEXISTENT]", self.select(mailbox="Old")[-2])

    def test_a_clock_that_was_set_back_makes_nothing_be_trusted_for_longer(self) -> None:
        self.select()
        self.elsewhere.store(self.inbox, NumSet.of([1]), "+", ["\\Seen"])
        self.clock.rightNow -= 500
        self.assertIn("* OK [UNSEEN 2] first message not seen", self.select())

    def test_the_store_is_asked_only_when_it_may_be_another(self) -> None:
        with patch.object(Account, "mailbox", autospec=True, side_effect=Account.mailbox) as asked:
            for expected in (0, 0, 0):
                self.select()
                self.assertEqual(asked.call_count, expected)
            self.hear()
            self.select()
            self.assertEqual(asked.call_count, 1)


class NotHeard(Again):
    """Who was killed between a commit and its bell is not heard: what it wrote is seen soon all the same."""

    def hear(self) -> None:
        self.clock.advance(TRUST)


class Unseen(SynchronousTestCase):
    @given(st.lists(st.sampled_from([0, 1, 31, 32, 33, 1 << 40, 1 << 40 | 1]), max_size=30),
           st.integers(0, 12), st.integers(0, 12))
    def test_the_first_is_found(self, some: list[int], read: int, start: int) -> None:
        self.patch(module, "PIECE", 8)
        flags = [1] * read + some
        uids = array("I", range(1, len(flags) + 1))
        image = Image(Changes(1, 0, 1, uids, array("Q", flags), array("Q", [1] * len(flags))))
        expected = next((i for i, code in enumerate(flags) if i >= start and not code & 1), None)
        self.assertEqual(image.first_unseen(start), expected)
