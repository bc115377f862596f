"""What a client that is connected sees of a restoration."""

from __future__ import annotations

import re

from moximap.store.backup_taking import take
from moximap.store.restoring_accounts import Restoration
from tests.dialogue import DialogueCase


class ServingTests(DialogueCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(2)
        snapshot = take(self.directory, self.data.parent / "backup").snapshot
        self.restoration = Restoration(self.data, self.directory, snapshot, snapshot.account("ada"))
        self.before = self.ask(b"SELECT INBOX")

    def ask(self, command: bytes) -> bytes:
        self.client().send(b"x " + command + b"\r\n")
        return self.client().received()

    def uidvalidity(self, answer: bytes) -> int:
        found = re.search(rb"\[UIDVALIDITY (\d+)\]", answer)
        assert found is not None
        return int(found[1])

    def test_restored_messages_come_as_new_ones(self) -> None:
        self.ask(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
        self.ask(b"EXPUNGE")
        self.restoration.mailbox("INBOX", "ada", "INBOX")
        self.site.accounts.bell("ada")
        self.assertIn(b"* 2 EXISTS", self.ask(b"NOOP"))
        self.assertIn(b"UID 3 FLAGS ()", self.ask(b"FETCH 1 (UID FLAGS)"))

    def test_a_replaced_mailbox_is_empty_for_who_has_it_open_and_selected_anew(self) -> None:
        self.restoration.account("ada", replace=True)
        self.site.accounts.bell("ada")
        self.assertIn(b"* 2 EXPUNGE\r\n* 1 EXPUNGE", self.ask(b"NOOP"))
        again = self.ask(b"SELECT INBOX")
        self.assertIn(b"* 2 EXISTS", again)
        self.assertGreater(self.uidvalidity(again), self.uidvalidity(self.before))
        self.assertIn(b"x OK", self.ask(b"STORE 1 +FLAGS (\\Seen)"))
