"""OBJECTID (RFC 8474)."""

from __future__ import annotations

from time import time

import apsw

from moximap.imap.dialect import standard
from moximap.store import account
from moximap.store.interfaces import NewMessage
from tests.dialogue import DialogueCase
from tests.storecases import ALL

A = b"Subject: Message A\r\nMessage-ID: <fake.1521475657.54797@example.com>\r\n\r\nfirst\r\n"
RE_A = (b"Subject: Re: Message A\r\nMessage-ID: <fake.1521475657.21213@example.org>\r\n"
        b"References: <fake.1521475657.54797@example.com>\r\n\r\nanswer\r\n")
C = b"Subject: Message C\r\nMessage-ID: <fake.1521475657.60280@example.com>\r\n\r\nanother\r\n"


class ObjectIdCase(DialogueCase):
    def select(self, name: str = "INBOX", number: str = "") -> None:
        self.client(number).send(b"s SELECT %b\r\n" % name.encode())
        self.assertIn(b"\r\ns OK", self.client(number).received())


class MailboxIdTests(ObjectIdCase):
    def test_the_conversation_of_rfc_8474(self) -> None:
        """3 to 11 of 4.1 and 4.3: an id survives RENAME, and no mailbox has another's."""
        self.dialogue("""
            C: 3 create foo
            S: 3 OK [MAILBOXID ({foo})] {*}
            C: 4 create bar
            S: 4 OK [MAILBOXID ({bar})] {*}
            C: 5 create foo
            S: 5 NO [ALREADYEXISTS] {*}
            C: 6 status foo (mailboxid)
            S: * STATUS foo (MAILBOXID ({foo}))
            S: 6 OK STATUS completed
            C: 7 status bar (mailboxid)
            S: * STATUS bar (MAILBOXID ({bar}))
            S: 7 OK STATUS completed
            C: 8 rename foo renamed
            S: 8 OK {*}
            C: 9 status renamed (mailboxid)
            S: * STATUS renamed (MAILBOXID ({foo}))
            S: 9 OK STATUS completed
            C: 10 list "" (bar renamed) return (status (mailboxid))
            S: * LIST {*} bar
            S: * STATUS bar (MAILBOXID ({bar}))
            S: * LIST {*} renamed
            S: * STATUS renamed (MAILBOXID ({foo}))
            S: 10 OK LIST completed
        """)
        self.assertNotEqual(self.bound["foo"], self.bound["bar"])
        self.assertRegex(self.bound["foo"], r"^F[0-9]{1,20}$")

    def test_select_and_examine(self) -> None:
        """27 of 4.2."""
        for command in ("SELECT", "EXAMINE"):
            self.dialogue(f"""
                C: 27 {command} Sent
                S: * FLAGS {{*}}
                S: * OK [PERMANENTFLAGS {{*}}
                S: * 0 EXISTS
                S: * 0 RECENT
                S: * OK [UIDVALIDITY {{*}}
                S: * OK [UIDNEXT 1] {{*}}
                S: * OK [HIGHESTMODSEQ {{*}}
                S: * OK [MAILBOXID ({{id}})] {{*}}
                S: 27 OK {{*}}
                C: b UNSELECT
                S: b OK UNSELECT completed
            """)
        self.dialogue("""
            C: c STATUS Sent (MAILBOXID)
            S: * STATUS Sent (MAILBOXID ({id}))
            S: c OK STATUS completed
        """)

    def test_children_keep_theirs_and_inbox_is_another_mailbox_when_renamed(self) -> None:
        """4: RENAME INBOX makes a new mailbox."""
        self.dialogue("""
            C: a CREATE a/b
            S: a OK [MAILBOXID ({child})] {*}
            C: b RENAME a c
            S: b OK {*}
            C: c STATUS c/b (MAILBOXID)
            S: * STATUS c/b (MAILBOXID ({child}))
            S: c OK {*}
            C: d STATUS INBOX (MAILBOXID)
            S: * STATUS INBOX (MAILBOXID ({inbox}))
            S: d OK {*}
            C: e RENAME INBOX old
            S: e OK {*}
            C: f STATUS INBOX (MAILBOXID)
            S: * STATUS INBOX (MAILBOXID ({inbox}))
            S: f OK {*}
            C: g STATUS old (MAILBOXID)
            S: * STATUS old (MAILBOXID ({old}))
            S: g OK {*}
        """)
        self.assertNotEqual(self.bound["old"], self.bound["inbox"])

    def test_a_mailbox_made_anew_has_a_new_one(self) -> None:
        self.dialogue("""
            C: a CREATE x
            S: a OK [MAILBOXID ({one})] {*}
            C: b DELETE x
            S: b OK {*}
            C: c CREATE x
            S: c OK [MAILBOXID ({two})] {*}
        """)
        self.assertNotEqual(self.bound["one"], self.bound["two"])

    def test_an_account_made_anew_gives_out_no_id_again(self) -> None:
        """UIDVALIDITYs go on from the time at which it is made; the other ids have a number that it draws."""
        def ids() -> set[object]:
            store = self.account("bob")
            message = store.append("INBOX", [NewMessage(A)])
            (email, thread), = store.fetch(message.mailbox, message.uids, ["emailid", "threadid"])
            return {email, thread, *(mailbox.uidvalidity for mailbox in store.mailboxes().mailboxes)}

        before = ids()
        now = time()
        self.directory.remove("bob")
        self.patch(account, "time", lambda: now + 10)
        self.directory.add("bob")
        self.assertEqual(before & ids(), set())


class MessageIdTests(ObjectIdCase):
    def setUp(self) -> None:
        super().setUp()
        for message in (A, RE_A, C):
            self.fill(1, content=message)
        self.account().create("foo")
        self.select()

    def bind(self) -> None:
        self.dialogue("""
            C: 22 fetch 1:* (emailid threadid)
            S: * 1 FETCH (UID 1 EMAILID ({m1}) THREADID ({t1}))
            S: * 2 FETCH (UID 2 EMAILID ({m2}) THREADID ({t1}))
            S: * 3 FETCH (UID 3 EMAILID ({m3}) THREADID ({t3}))
            S: 22 OK FETCH completed
        """)

    def test_the_conversation_of_rfc_8474(self) -> None:
        """22 to 26 of 5.3: threads go beyond mailboxes, MOVE keeps ids."""
        self.bind()
        self.assertEqual(len({self.bound[name] for name in ("m1", "m2", "m3", "t1", "t3")}), 5)
        self.dialogue("""
            C: 23 move 2 foo
            S: * OK [COPYUID {v} 2 1] moved
            S: * 2 EXPUNGE
            S: 23 OK MOVE completed
            C: 24 fetch 1:* (emailid threadid)
            S: * 1 FETCH (UID 1 EMAILID ({m1}) THREADID ({t1}))
            S: * 2 FETCH (UID 3 EMAILID ({m3}) THREADID ({t3}))
            S: 24 OK FETCH completed
        """)
        self.select("foo")
        self.dialogue("""
            C: 26 fetch 1:* (emailid threadid)
            S: * 1 FETCH (UID 1 EMAILID ({m2}) THREADID ({t1}))
            S: 26 OK FETCH completed
        """)

    def test_search(self) -> None:
        """27 and 28 of section 6; ids are exact."""
        self.bind()
        self.dialogue("""
            C: 27 search emailid {m1}
            S: * SEARCH 1
            S: 27 OK SEARCH completed
            C: 28 search threadid {t1}
            S: * SEARCH 1 2
            S: 28 OK SEARCH completed
            C: 29 UID SEARCH OR EMAILID {m2} EMAILID {m3}
            S: * SEARCH 2 3
            S: 29 OK UID SEARCH completed
            C: 30 SEARCH NOT THREADID {t1}
            S: * SEARCH 3
            S: 30 OK SEARCH completed
            C: 31 SEARCH THREADID {t1} NOT EMAILID {m1} SUBJECT message
            S: * SEARCH 2
            S: 31 OK SEARCH completed
        """)
        email, thread = self.bound["m1"], self.bound["t1"]
        for key in (f"EMAILID {thread}", f"THREADID {email}", f"EMAILID {email.lower()}", f"EMAILID {email}0",
                    f"EMAILID M0{email[1:]}", f"EMAILID {email.replace('_', '_0')}", "EMAILID M1_1", "EMAILID x", "EMAILID M", "EMAILID -_-", "EMAILID M" + "9" * 254):
            self.dialogue(f"""
                C: a SEARCH {key}
                S: * SEARCH
                S: a OK SEARCH completed
                C: b SEARCH NOT {key}
                S: * SEARCH 1 2 3
                S: b OK SEARCH completed
            """)

    def test_copies_have_the_same_ids_and_new_messages_others(self) -> None:
        """5.1; RFC 8508 4.6: REPLACE is a new message, here of the same thread."""
        self.bind()
        size = len(A)
        text = A.decode().replace("\r\n", "\n            C: ")
        self.dialogue(f"""
            C: a COPY 1 INBOX
            S: * 4 EXISTS
            S: a OK {{*}}
            C: b REPLACE 1 INBOX {{{size}+}}
            C: {text}
            S: * OK {{*}}
            S: * 5 EXISTS
            S: * 1 EXPUNGE
            S: b OK REPLACE completed
            C: c FETCH 3:4 (EMAILID THREADID)
            S: * 3 FETCH (UID 4 EMAILID ({{m1}}) THREADID ({{t1}}))
            S: * 4 FETCH (UID 5 EMAILID ({{m5}}) THREADID ({{t1}}))
            S: c OK FETCH completed
        """)
        self.assertNotIn(self.bound["m5"], (self.bound["m1"], self.bound["m2"], self.bound["m3"]))

    def test_an_expunged_message_has_its_ids_still(self) -> None:
        """Rule 36."""
        self.bind()
        self.select(number="2")
        self.client("2").send(b"a STORE 1 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\n")
        self.client("2").received()
        self.dialogue("""
            C: a FETCH 1 (EMAILID THREADID)
            S: * 1 FETCH (UID 1 EMAILID ({m1}) THREADID ({t1}))
            S: a OK [EXPUNGEISSUED] {*}
        """)

    def test_bad_syntax(self) -> None:
        for text in ("SEARCH EMAILID", "SEARCH THREADID", "SEARCH EMAILID (M1)", "SEARCH EMAILID M1!",
                     "SEARCH EMAILID M1.2", "SEARCH EMAILID " + "M" * 256, "SEARCH MAILBOXID F1",
                     'SEARCH EMAILID "M1"', "FETCH 1 MAILBOXID", "FETCH 1 EMAILID[]",
                     "CREATE x (MAILBOXID F1)", "SELECT INBOX (MAILBOXID)"):
            self.dialogue(f"C: a {text}\nS: a BAD {{*}}")

    def test_announced(self) -> None:
        self.assertIn(b"OBJECTID", standard().capabilities(self.client().protocol.session).split())


class ThreadTests(ObjectIdCase):
    def message(self, own: str = "", references: str = "", reply: str = "") -> bytes:
        fields = (("Message-ID", own), ("References", references), ("In-Reply-To", reply))
        return "".join(f"{name}: {value}\r\n" for name, value in fields if value).encode() + b"\r\nhello\r\n"

    def threads(self, *messages: bytes) -> list[int]:
        """The threads of messages that are appended one after the other, numbered from 0."""
        for message in messages:
            self.fill(1, content=message)
        return self.numbered()

    def numbered(self, *mailboxes: str) -> list[int]:
        store = self.account()
        found: list[object] = []
        for name in mailboxes or ("INBOX",):
            found += [thread for thread, in store.fetch(store.mailbox(name).id, ALL, ["threadid"])]
        return [list(dict.fromkeys(found)).index(thread) for thread in found]

    def test_an_answer_is_of_the_thread_of_what_it_answers(self) -> None:
        self.assertEqual(self.threads(
            self.message("<a@x>"), self.message("<b@x>", reply="<a@x>"),
            self.message("<c@x>", references="<a@x> <b@x>"), self.message("<d@x>", reply="<other@x>")),
            [0, 0, 0, 1])

    def test_an_answer_that_comes_first(self) -> None:
        self.assertEqual(self.threads(self.message("<b@x>", "<a@x>"), self.message("<a@x>")), [0, 0])

    def test_answers_to_what_never_came(self) -> None:
        self.assertEqual(self.threads(self.message("<b@x>", "<a@x>"), self.message("<c@x>", "<a@x>")), [0, 0])

    def test_messages_without_ids_are_threads_of_their_own(self) -> None:
        self.assertEqual(self.threads(self.message(), self.message(), self.message("nonsense")), [0, 1, 2])

    def test_a_thread_never_changes_and_who_joins_two_is_of_the_older(self) -> None:
        """5.2: MUST NOT change once reported."""
        first, second = self.message("<a@x>"), self.message("<b@x>")
        self.assertEqual(self.threads(first, second), [0, 1])
        joining = self.message("<c@x>", references="<b@x> <a@x>")
        self.assertEqual(self.threads(joining), [0, 1, 0])
        self.assertEqual(self.threads(self.message("<d@x>", references="<b@x>")), [0, 1, 0, 1])

    def test_many_at_once_are_as_one_after_the_other(self) -> None:
        store = self.account()
        store.append("INBOX", [NewMessage(message) for message in (
            self.message("<a@x>"), self.message("<z@x>"), self.message("<b@x>", "<a@x>"),
            self.message("<c@x>", "<b@x>"), self.message("<b@x>"))])
        self.assertEqual(self.numbered(), [0, 1, 0, 0, 0])

    def test_threads_go_beyond_mailboxes(self) -> None:
        self.fill(1, content=self.message("<a@x>"))
        self.fill(1, "Sent", content=self.message("<b@x>", "<a@x>"))
        self.assertEqual(self.numbered("INBOX", "Sent"), [0, 0])

    def test_a_thread_of_which_nothing_is_left_is_forgotten(self) -> None:
        self.fill(2, content=self.message("<a@x>", "<z@x>"), flags=("\\Deleted",))
        self.fill(1, content=self.message("<c@x>", "<b@x>"))
        store = self.account()
        modseq = store.expunge(store.mailbox("INBOX").id).modseq
        store.set_floor(modseq)
        store.erase(modseq)
        connection = apsw.Connection(str(self.data / "accounts" / "ada" / "mail.db"))
        left = list(connection.execute("SELECT DISTINCT thread FROM messageid"))
        threads = list(connection.execute("SELECT thread FROM content"))
        connection.close()
        self.assertEqual(left, threads)
        self.assertEqual(len(threads), 1)


class MailboxIdByteByByteTests(MailboxIdTests):
    byte_by_byte = True


class MessageIdByteByByteTests(MessageIdTests):
    byte_by_byte = True
