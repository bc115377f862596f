"""NOTIFY (RFC 5465): docs/contract.md rules 57 to 65, each by its number."""

from __future__ import annotations

from moximap.imap.commands import notify_policy
from moximap.store.interfaces import NewMessage
from moximap.values import NumSet
from tests.dialogue import HELLO
from tests.test_commands_idle import IdleCase

ALL = ("[BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange"
       " MailboxMetadataChange ServerMetadataChange)]")


class NotifyCase(IdleCase):
    """``notify`` asks for events; the other methods then do things as others do.  There are no pauses."""

    pause = 0.0

    def setUp(self) -> None:
        super().setUp()
        self.patch(notify_policy, "PAUSE", self.pause)

    def notify(self, groups: str, number: str = "", status: bool = False) -> None:
        client = self.client(number)
        client.send(b"n NOTIFY %b\r\n" % groups.encode())
        answer = client.received()
        self.assertTrue(answer.endswith(b"n OK NOTIFY completed\r\n"), answer)

    def deliver(self, mailbox: str = "INBOX", content: bytes = HELLO, flags: tuple[str, ...] = ()) -> None:
        """New mail, by this process."""
        self.room.write(self.room.store.append, mailbox, [NewMessage(content, flags)])

    def flag(self, uid: int, mailbox: str = "INBOX", flag: str = "\\Flagged") -> None:
        box = self.room.store.mailbox(mailbox)
        self.room.write(self.room.store.store, box.id, NumSet.of([uid]), "+", [flag])

    def remove(self, uid: int, mailbox: str = "INBOX") -> None:
        box = self.room.store.mailbox(mailbox)
        self.flag(uid, mailbox, "\\Deleted")
        self.room.write(self.room.store.expunge, box.id, NumSet.of([uid]))

    def silent(self, number: str = "") -> None:
        """Nothing is told unasked."""
        self.clock.advance(0)
        self.assertEqual(self.client(number).received(), b"")


class AgainTests(NotifyCase):
    def test_57_what_an_earlier_set_promised_is_told_before_the_next_one_holds(self) -> None:
        """What happened before the command must not get lost because the client now wants something else."""
        self.notify("SET (PERSONAL (MessageNew MessageExpunge)) (SELECTED (MessageNew MessageExpunge))")
        self.deliver("Junk")
        self.dialogue("""
            C: a NOTIFY SET (SELECTED (MessageNew MessageExpunge))
            S: * STATUS Junk (UIDNEXT 2 MESSAGES 1 UNSEEN 1)
            S: a OK NOTIFY completed
        """)
        self.deliver("Junk")
        self.silent()


class RefusalTests(NotifyCase):
    def test_57_unknown_events_are_named_with_all_that_there_are(self) -> None:
        self.dialogue(f"""
            C: a NOTIFY SET (PERSONAL (AnnotationChange MessageNew MessageExpunge))
            S: a NO {ALL} {{*}}
            C: b NOTIFY SET (SELECTED (MessageNew MessageExpunge AnnotationChange))
            S: b NO {ALL} {{*}}
            C: c NOTIFY SET (PERSONAL (MessageNew MessageExpunge)) (PERSONAL (Whatever))
            S: c NO {ALL} {{*}}
        """)
        self.deliver()
        self.silent()

    def test_58_what_must_come_together(self) -> None:
        wrong = ("(PERSONAL (MessageNew))", "(PERSONAL (MessageExpunge))", "(PERSONAL (FlagChange))",
                 "(SELECTED (FlagChange MessageNew))", "(SELECTED NONE) (SELECTED-DELAYED NONE)",
                 "(SELECTED (MailboxName))", "(SELECTED (MessageNew MessageExpunge ServerMetadataChange))",
                 "(PERSONAL (MessageNew (UID) MessageExpunge))")
        for groups in wrong:
            self.dialogue(f"C: a NOTIFY SET {groups}\nS: a BAD {{*}}")

    def test_syntax(self) -> None:
        for words in ("", " SET", " SET STATUS", " MAYBE", " NONE NONE", " SET ()", " SET (PERSONAL)",
                      " SET (PERSONAL ())", " SET (SUBTREE (MailboxName))", " SET (MAILBOXES () (MailboxName))",
                      " SET (EVERYTHING (MailboxName))", " SET (PERSONAL (MailboxName)",
                      " SET (PERSONAL (MailboxName)) (", " SET (SELECTED (MessageNew () MessageExpunge))",
                      " SET (SELECTED (MessageNew (NOTHING) MessageExpunge))", " SET (PERSONAL (\"x\"))"):
            self.dialogue(f"C: a NOTIFY{words}\nS: a BAD {{*}}")

    def test_it_is_for_those_who_are_logged_in(self) -> None:
        client = self.client(login=None)
        client.received()
        client.send(b"a NOTIFY NONE\r\n")
        self.assertIn(b"a BAD ", client.received())
        self.assertNotIn(b" NOTIFY", self.site.dialect.capabilities(client.protocol.session))

    def test_a_refused_one_leaves_the_last_in_force(self) -> None:
        self.notify("SET (PERSONAL (MessageNew MessageExpunge))")
        self.dialogue("C: a NOTIFY SET (PERSONAL (MessageNew))\nS: a BAD {*}")
        self.deliver()
        self.dialogue("S: * STATUS INBOX (UIDNEXT 2 MESSAGES 1 UNSEEN 1)")


class GroupTests(NotifyCase):
    def test_59_the_first_group_that_has_the_event_or_none_decides(self) -> None:
        self.notify("SET (MAILBOXES Junk NONE) (MAILBOXES Sent (MailboxName)) (PERSONAL (MessageNew MessageExpunge))")
        self.deliver("Junk")
        self.silent()
        self.deliver("Sent")
        self.dialogue("S: * STATUS Sent (UIDNEXT 2 MESSAGES 1 UNSEEN 1)")

    def test_59_the_selected_mailbox_is_in_no_other_group_for_messages(self) -> None:
        self.fill(1)
        self.select()
        self.notify("SET (PERSONAL (MessageNew MessageExpunge FlagChange SubscriptionChange))")
        self.deliver()
        self.silent()
        self.dialogue("""
            C2: a UNSUBSCRIBE INBOX
            S2: a OK {*}
            S: * LIST (\\HasNoChildren) "/" INBOX
            C: a NOOP
            S: a OK NOOP completed
            C: b UNSELECT
            S: b OK UNSELECT completed
        """)
        self.deliver()
        self.dialogue("S: * STATUS INBOX (UIDNEXT 4 MESSAGES 3 UNSEEN 3)")

    def test_57_sets_of_mailboxes(self) -> None:
        for name in ("A", "A/B", "A/B/C", "AB"):
            self.room.write(self.room.store.create, name, (), False)
        cases = {"INBOXES": "A A/B A/B/C AB INBOX", "PERSONAL": "A A/B A/B/C AB INBOX", "SUBSCRIBED": "INBOX",
                 "SUBTREE A": "A A/B A/B/C", "SUBTREE-ONE A": "A A/B", "SUBTREE (A/B INBOX)": "A/B A/B/C INBOX",
                 "MAILBOXES (AB Nowhere inbox)": "AB INBOX", "MAILBOXES \"%\"": "", "SUBTREE \"\"": "A A/B A/B/C AB INBOX"}
        for where, wanted in cases.items():
            self.notify(f"SET ({where} (MessageNew MessageExpunge))")
            for name in ("A", "A/B", "A/B/C", "AB", "INBOX"):
                self.deliver(name)
            self.clock.advance(0)
            lines = self.client().received().decode().splitlines()
            self.assertEqual([line.split()[2] for line in lines], wanted.split(), where)

    def test_subscribed_follows_the_subscriptions(self) -> None:
        self.notify("SET (SUBSCRIBED (MessageNew MessageExpunge))")
        self.dialogue("C2: a UNSUBSCRIBE Junk\nS2: a OK {*}")
        self.deliver("Junk")
        self.silent()
        self.dialogue("C2: a SUBSCRIBE Junk\nS2: a OK {*}")
        self.deliver("Junk")
        self.dialogue("S: * STATUS Junk (UIDNEXT 3 MESSAGES 2 UNSEEN 2)")


class ElsewhereTests(NotifyCase):
    def test_60_with_condstore_highestmodseq_is_told(self) -> None:
        self.client().send(b"a ENABLE QRESYNC\r\n")
        self.client().received()
        self.notify("SET (PERSONAL (MessageNew MessageExpunge))")
        self.deliver("Junk")
        self.dialogue("S: * STATUS Junk (UIDNEXT 2 MESSAGES 1 UNSEEN 1 HIGHESTMODSEQ {*})")

    def test_60_flags_are_told_only_where_they_are_wished(self) -> None:
        self.fill(1, "Junk")
        self.notify("SET (PERSONAL (MessageNew MessageExpunge))")
        self.flag(1, "Junk", "\\Seen")
        self.silent()

    def test_status_names_highestmodseq_where_flags_are_wished(self) -> None:
        self.dialogue("""
            C: a NOTIFY SET STATUS (MAILBOXES (Junk Sent Nowhere) (MessageNew MessageExpunge FlagChange)) (MAILBOXES Trash (MessageNew MessageExpunge)) (PERSONAL (MailboxName))
            S: * STATUS Junk (UIDVALIDITY {*} UIDNEXT 1 MESSAGES 0 UNSEEN 0 HIGHESTMODSEQ {*})
            S: * STATUS Sent (UIDVALIDITY {*} UIDNEXT 1 MESSAGES 0 UNSEEN 0 HIGHESTMODSEQ {*})
            S: * STATUS Trash (UIDVALIDITY {*} UIDNEXT 1 MESSAGES 0 UNSEEN 0)
            S: a OK NOTIFY completed
        """)

    def test_a_mailbox_that_is_made_anew_has_another_uidvalidity(self) -> None:
        self.room.write(self.room.store.create, "X")
        self.notify("SET (PERSONAL (MessageNew MessageExpunge FlagChange))")
        self.room.write(self.room.store.delete, "X")
        self.room.write(self.room.store.create, "X")
        self.dialogue("S: * STATUS X (UIDVALIDITY {*} UIDNEXT 1 MESSAGES 0 UNSEEN 0)")

    def test_64_removed_and_renamed_mailboxes_and_their_parents(self) -> None:
        for name in ("A/B", "A/C/D"):
            self.room.write(self.room.store.create, name, (), False)
        self.notify("SET (PERSONAL (MailboxName))")
        self.dialogue("""
            C2: a DELETE A/B
            S2: a OK {*}
            S: * LIST (\\NonExistent \\HasNoChildren) "/" A/B
            S: * LIST (\\HasChildren) "/" A
            C2: b RENAME A Z
            S2: b OK {*}
            S: * LIST (\\HasChildren) "/" Z ("OLDNAME" (A))
            C2: c DELETE Z/C/D
            S2: c OK {*}
            S: * LIST (\\NonExistent \\HasNoChildren) "/" Z/C/D
            S: * LIST (\\HasNoChildren) "/" Z/C
        """)

    def test_64_a_rename_is_told_to_who_watches_the_old_name_or_the_new_one(self) -> None:
        self.room.write(self.room.store.create, "Old", (), False)
        self.notify("SET (MAILBOXES Old (MailboxName))")
        self.notify("SET (MAILBOXES New (MailboxName))", "2")
        self.room.write(self.room.store.rename, "Old", "New")
        self.dialogue("""
            S: * LIST (\\HasNoChildren) "/" New ("OLDNAME" (Old))
            S2: * LIST (\\HasNoChildren) "/" New ("OLDNAME" (Old))
        """)

    def test_64_a_renamed_inbox_is_a_new_mailbox_with_mail(self) -> None:
        self.fill(2)
        self.notify("SET (PERSONAL (MailboxName MessageNew MessageExpunge))")
        self.room.write(self.room.store.rename, "INBOX", "Old")
        self.dialogue("""
            S: * LIST (\\HasNoChildren \\Subscribed) "/" Old
            S: * STATUS INBOX (UIDNEXT 3 MESSAGES 0 UNSEEN 0)
            S: * STATUS Old (UIDVALIDITY {*} UIDNEXT {*} MESSAGES 2 UNSEEN 2)
        """)

    def test_65_metadata_of_the_mailboxes_that_are_wished(self) -> None:
        self.notify("SET (MAILBOXES Junk (MailboxMetadataChange))")
        self.dialogue("""
            C2: a SETMETADATA INBOX (/private/comment "x")
            S2: a OK {*}
            C2: b SETMETADATA "" (/private/comment "x")
            S2: b OK {*}
            C2: c SETMETADATA Junk (/private/comment "x" /shared/comment "y")
            S2: c OK {*}
            S: * METADATA Junk /private/comment /shared/comment
        """)

    def test_65_who_enabled_metadata_hears_after_notify_what_it_asks_for(self) -> None:
        self.client().send(b"a ENABLE METADATA\r\nb NOTIFY NONE\r\n")
        self.client().received()
        self.dialogue("""
            C2: a SETMETADATA INBOX (/private/comment "x")
            S2: a OK {*}
            C: c NOOP
            S: c OK NOOP completed
        """)

    def test_names_in_utf8(self) -> None:
        self.client().send(b"a ENABLE IMAP4rev2\r\n")
        self.client().received()
        self.notify("SET (PERSONAL (MailboxName))")
        self.notify("SET (PERSONAL (MailboxName))", "2")
        self.room.write(self.room.store.create, "Entwürfe", (), False)
        self.dialogue("""
            S: * LIST (\\HasNoChildren) "/" {*}Entwürfe{*}
            S2: * LIST (\\HasNoChildren) "/" Entw&APw-rfe
        """)
