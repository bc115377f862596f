"""CAPABILITY, NOOP, LOGOUT, ENABLE, LOGIN, AUTHENTICATE, STARTTLS, SELECT."""

from __future__ import annotations

from moximap.imap import intake
from tests.dialogue import DialogueCase


class BasicTests(DialogueCase):
    def test_noop_and_logout(self) -> None:
        self.dialogue("""
            C: a NOOP
            S: a OK NOOP completed
            C: b LOGOUT
            S: * BYE logging out
            S: b OK see you
        """)
        self.assertTrue(self.client().transport.disconnecting)

    def test_select_describes_the_mailbox(self) -> None:
        self.fill(2)
        self.dialogue("""
            C: a SELECT inbox
            S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
            S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] flags that are kept
            S: * 2 EXISTS
            S: * 0 RECENT
            S: * OK [UNSEEN 1] first message not seen
            S: * OK [UIDVALIDITY {v}] UIDs are valid
            S: * OK [UIDNEXT 3] predicted next UID
            S: * OK [HIGHESTMODSEQ 2] highest modseq
            S: * OK [MAILBOXID {*}
            S: a OK [READ-WRITE] SELECT completed
            C: b SELECT nowhere
            S: * OK [CLOSED] the previous mailbox is closed
            S: b NO [NONEXISTENT] {*}
            C: c CLOSE
            S: c BAD no mailbox is selected
        """)

    def test_what_a_client_sends_as_soon_as_it_may_begin_tls_is_not_thrown_away(self) -> None:
        self.patch(intake, "TURN", -1)             # every command lets others in
        self.patch(self.site, "tls", object())
        client = self.client(login=None)
        client.send(b"a STARTTLS\r\n")
        self.assertTrue(client.received().endswith(b"a OK begin TLS now\r\n"))
        self.assertTrue(client.transport.started_tls)
        client.send(b"b NOOP\r\n")
        self.clock.advance(0)
        self.assertEqual(client.received(), b"b OK NOOP completed\r\n")
