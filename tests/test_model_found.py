"""What the model test found once, as dialogues (RFC 9051, RFC 7162): none of it comes back."""

from __future__ import annotations

from moximap.imap.commands import fetch
from moximap.values import NumSet
from tests.dialogue import DialogueCase


class FoundTests(DialogueCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(3)
        self.elsewhere = self.account()
        self.inbox = self.elsewhere.mailbox("INBOX").id
        self.site.listen_to_bells = lambda: self.site.accounts.bell("ada")

    def ask(self, text: str, client: str = "") -> str:
        self.client(client).send(f"x {text}\r\n".encode())
        return self.client(client).received().decode()

    def test_a_store_that_changes_nothing_says_highestmodseq_while_an_expunge_is_held_back(self) -> None:
        self.ask("ENABLE CONDSTORE")
        self.ask("SELECT INBOX")
        self.elsewhere.move(self.inbox, NumSet.of([1]), "INBOX")
        told = self.ask("UID FETCH 4 FLAGS")
        self.assertIn("[HIGHESTMODSEQ 2]", told)
        told = self.ask("UID STORE 4 -FLAGS (two)")
        self.assertIn("(UID 4 FLAGS () MODSEQ (3))", told)
        self.assertIn("[HIGHESTMODSEQ 2]", told)

    def test_close_expunges_what_another_process_marked_deleted(self) -> None:
        self.ask("SELECT INBOX")
        self.elsewhere.store(self.inbox, NumSet.of([2]), "+", ["\\Deleted"])
        self.assertEqual(self.ask("CLOSE"), "x OK CLOSE completed\r\n")
        self.assertEqual(list(self.elsewhere.open("INBOX").changes.uids), [1, 3])

    def test_close_of_a_removed_mailbox_is_ok(self) -> None:
        self.ask("CREATE gone")
        self.fill(1, "gone", flags=["\\Deleted"])
        self.ask("SELECT gone")
        self.ask("DELETE gone", "2")
        self.assertEqual(self.ask("CLOSE"), "x OK CLOSE completed\r\n")

    def test_fetch_from_a_removed_mailbox_is_ok_even_if_it_would_set_seen(self) -> None:
        self.ask("CREATE gone")
        self.fill(1, "gone")
        self.ask("SELECT gone")
        self.ask("DELETE gone", "2")
        self.assertRegex(self.ask("FETCH 1 BODY[TEXT]"), r"(?s)Hello, Bob.*x OK \[EXPUNGEISSUED\]")

    def test_a_long_fetch_goes_on_behind_a_message_that_is_gone(self) -> None:
        self.patch(fetch, "BATCH", 2)
        self.ask("SELECT INBOX")
        self.ask("SELECT INBOX", "2")
        self.ask("MOVE 3 Trash", "2")
        told = self.ask("FETCH 1:3 FLAGS")
        self.assertEqual(told.count("FETCH ("), 3)
        self.assertIn("x OK [EXPUNGEISSUED]", told)
