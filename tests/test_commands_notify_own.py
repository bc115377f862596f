"""NOTIFY: what a client does itself is not echoed (docs/contract.md 61 and 62)."""

from __future__ import annotations

from moximap.store.interfaces import NewMessage
from tests.dialogue import HELLO
from tests.test_commands_notify import NotifyCase


class OwnTests(NotifyCase):
    """62: what a client does itself is not echoed."""

    def test_62_own_changes_elsewhere(self) -> None:
        self.fill(2)
        self.select()
        self.notify("SET (PERSONAL (MailboxName SubscriptionChange MessageNew MessageExpunge FlagChange"
                    " MailboxMetadataChange ServerMetadataChange))"
                    " (SELECTED (MessageNew (FLAGS) MessageExpunge FlagChange))")
        self.dialogue("""
            C: a COPY 1 Junk
            S: a OK {*}
            C: b CREATE New
            S: b OK {*}
            C: c SUBSCRIBE Nowhere
            S: c OK {*}
            C: d RENAME New Newer
            S: d OK {*}
            C: e DELETE Newer
            S: e OK {*}
            C: f SETMETADATA INBOX (/private/comment "x")
            S: f OK {*}
            C: g SETMETADATA "" (/private/comment "x")
            S: g OK {*}
            C: h STORE 1 +FLAGS (\\Deleted)
            S: * 1 FETCH (UID 1 FLAGS (\\Deleted))
            S: h OK {*}
            C: i MOVE 2 Junk
            S: * OK [COPYUID {*}
            S: * 2 EXPUNGE
            S: i OK {*}
            C: j EXPUNGE
            S: * 1 EXPUNGE
            S: j OK {*}
        """)
        self.deliver("Junk")
        self.dialogue("S: * STATUS Junk (UIDNEXT 4 MESSAGES 3 UNSEEN 3)")

    def test_61_messages_of_ones_own_are_not_fetched(self) -> None:
        self.select()
        self.notify("SET (SELECTED (MessageNew (FLAGS) MessageExpunge))")
        self.client().send(b"a APPEND INBOX {%d+}\r\n%b\r\n" % (len(HELLO), HELLO))
        self.dialogue("""
            S: * 1 EXISTS
            S: a OK [APPENDUID {*}
        """)
        self.deliver()
        self.dialogue("""
            S: * 2 EXISTS
            S: * 2 FETCH (UID 2 FLAGS ())
        """)

    def test_62_a_foreign_change_before_ones_own_is_told(self) -> None:
        self.notify("SET (PERSONAL (MessageNew MessageExpunge))")
        self.deliver("Junk")
        self.client().send(b"a APPEND Junk {%d+}\r\n%b\r\n" % (len(HELLO), HELLO))
        self.dialogue("""
            S: * STATUS Junk (UIDNEXT 3 MESSAGES 2 UNSEEN 2)
            S: a OK [APPENDUID {*}
        """)

    def test_62_a_write_that_changes_nothing_hides_nothing(self) -> None:
        self.notify("SET (PERSONAL (MessageNew MessageExpunge SubscriptionChange))")
        other = self.account()
        other.append("Junk", [NewMessage(HELLO)])
        rings = [1]
        self.site.listen_to_bells = lambda: rings.pop() and self.site.accounts.bell("ada") if rings else None
        self.dialogue("""
            C: a SUBSCRIBE INBOX
            S: * STATUS Junk (UIDNEXT 2 MESSAGES 1 UNSEEN 1)
            S: a OK {*}
        """)
