"""CAPABILITY, NOOP, LOGOUT, ENABLE, LOGIN, AUTHENTICATE, STARTTLS, SELECT."""

from __future__ import annotations

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
