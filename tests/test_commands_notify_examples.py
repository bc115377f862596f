"""NOTIFY: the examples of RFC 5465."""

from __future__ import annotations

from tests.test_commands_notify import NotifyCase


class ExampleTests(NotifyCase):
    """The RFC's examples; its first has MessageNew without MessageExpunge, which its section 5 forbids."""

    def setUp(self) -> None:
        super().setUp()
        account = self.directory.open("ada")
        for name in ("Lists/Lemonade", "Lists/Im2000", "misc"):
            account.create(name)
        account.close()
        self.fill(2, "Lists/Lemonade")
        self.fill(3)

    def test_section_3_1(self) -> None:
        self.dialogue("""
            C: b notify set status (selected MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge) (subtree Lists MessageNew MessageExpunge)
            S: * STATUS Lists (UIDVALIDITY {*} UIDNEXT 1 MESSAGES 0 UNSEEN 0)
            S: * STATUS Lists/Im2000 (UIDVALIDITY {*} UIDNEXT 1 MESSAGES 0 UNSEEN 0)
            S: * STATUS Lists/Lemonade (UIDVALIDITY {*} UIDNEXT 3 MESSAGES 2 UNSEEN 2)
            S: b OK NOTIFY completed
        """)
        self.select()
        self.deliver("Lists/Lemonade")
        self.dialogue("S: * STATUS Lists/Lemonade (UIDNEXT 4 MESSAGES 3 UNSEEN 3)")
        self.deliver()
        self.dialogue("""
            S: * 4 EXISTS
            S: * 4 FETCH (UID 4 BODY[HEADER.FIELDS ({*})] {{*}}
            S: From: Ada <ada@example.org>
            S: To: bob@example.org
            S: Subject: hello
            S:
            S: )
            C: d STATUS misc (UIDVALIDITY UIDNEXT MESSAGES)
            S: * STATUS misc (UIDVALIDITY {*} UIDNEXT 1 MESSAGES 0)
            S: d OK STATUS completed
            C: e notify set (selected MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge) (subtree Lists MessageNew MessageExpunge) (mailboxes misc MessageNew MessageExpunge)
            S: e OK NOTIFY completed
        """)
        self.deliver("misc")
        self.dialogue("S: * STATUS misc (UIDNEXT 2 MESSAGES 1 UNSEEN 1)")

    def test_section_5_1_flags_here_and_elsewhere(self) -> None:
        self.select()
        self.notify("SET (SELECTED (MessageNew MessageExpunge FlagChange))"
                    " (PERSONAL (MessageNew MessageExpunge FlagChange))")
        self.flag(2, flag="$Junk")
        self.dialogue("""
            S: * FLAGS {*}
            S: * 2 FETCH (UID 2 FLAGS ($Junk))
        """)
        self.flag(1, "Lists/Lemonade", "\\Seen")
        self.dialogue("""
            S: * STATUS Lists/Lemonade (UIDVALIDITY {*} UNSEEN 1)
            C: a ENABLE CONDSTORE
            S: * OK [HIGHESTMODSEQ {*}
            S: * ENABLED CONDSTORE
            S: a OK {*}
        """)
        self.flag(2, "Lists/Lemonade", "$Junk")
        self.dialogue("S: * STATUS Lists/Lemonade (UIDVALIDITY {*} UNSEEN 1 HIGHESTMODSEQ {*})")

    def test_section_5_2_and_5_3_messages_come_and_go(self) -> None:
        self.select()
        self.notify("SET (SELECTED (MessageNew (UID) MessageExpunge)) (MAILBOXES (misc) (MessageNew MessageExpunge))")
        self.deliver()
        self.remove(1)
        self.deliver("misc")
        self.deliver("misc")
        self.remove(1, "misc")
        self.dialogue("""
            S: * 1 EXPUNGE
            S: * 3 EXISTS
            S: * 3 FETCH (UID 4)
            S: * STATUS misc (UIDNEXT 3 MESSAGES 1 UNSEEN 1)
        """)

    def test_section_5_4_and_5_5_names_and_subscriptions(self) -> None:
        self.notify("SET (PERSONAL (MailboxName SubscriptionChange))")
        self.dialogue("""
            C2: a CREATE NewMailbox
            S2: a OK {*}
            S: * LIST (\\HasNoChildren \\Subscribed) "/" NewMailbox
            C2: b RENAME NewMailbox Other
            S2: b OK {*}
            S: * LIST (\\HasNoChildren \\Subscribed) "/" Other ("OLDNAME" (NewMailbox))
            C2: c UNSUBSCRIBE Other
            S2: c OK {*}
            S: * LIST (\\HasNoChildren) "/" Other
            C2: d SUBSCRIBE Other
            S2: d OK {*}
            S: * LIST (\\HasNoChildren \\Subscribed) "/" Other
            C2: e UNSUBSCRIBE Other
            S2: e OK {*}
            S: * LIST (\\HasNoChildren) "/" Other
            C2: f DELETE Other
            S2: f OK {*}
            S: * LIST (\\NonExistent \\HasNoChildren) "/" Other
        """)

    def test_section_5_6_and_5_7_annotations(self) -> None:
        self.notify("SET (PERSONAL (MailboxMetadataChange ServerMetadataChange))")
        self.dialogue("""
            C2: a SETMETADATA INBOX (/shared/comment "mine")
            S2: a OK {*}
            S: * METADATA INBOX /shared/comment
            C2: b SETMETADATA INBOX (/shared/comment NIL)
            S2: b OK {*}
            S: * METADATA INBOX /shared/comment
            C2: c SETMETADATA "" (/private/comment "mine")
            S2: c OK {*}
            S: * METADATA "" /private/comment
        """)
        self.directory.annotations.change({"/shared/comment": b"ours"})
        self.site.accounts.bell("ada")
        self.dialogue("S: * METADATA \"\" /shared/comment")

    def test_section_6_groups_add_up(self) -> None:
        self.notify("SET (mailboxes INBOX (Messagenew messageExpunge)) (personal (SubscriptionChange))")
        self.deliver()
        self.dialogue("""
            S: * STATUS INBOX (UIDNEXT 5 MESSAGES 4 UNSEEN 4)
            C2: a UNSUBSCRIBE INBOX
            S2: a OK {*}
            S: * LIST (\\HasNoChildren) "/" INBOX
        """)
        self.deliver("misc")
        self.silent()

    def test_section_6_selected_overrides_personal(self) -> None:
        self.select()
        self.notify("SET (selected (Messagenew (uid flags) messageExpunge)) (personal (MessageNew FlagChange MessageExpunge))")
        self.flag(1)
        self.silent()
        self.flag(1, "Lists/Lemonade")
        self.deliver()
        self.dialogue("""
            S: * 4 EXISTS
            S: * 4 FETCH (UID 4 FLAGS ())
            S: * STATUS Lists/Lemonade (UIDVALIDITY {*} UNSEEN 2)
        """)
