"""What the model test found once, as dialogues (RFC 9051, RFC 7162): none of it comes back."""

from __future__ import annotations

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
