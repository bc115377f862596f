"""STATUS (RFC 9051 6.3.11, RFC 3501 6.3.10, RFC 8438, RFC 7889)."""

from __future__ import annotations

from moximap.imap.dialect import Dialect, Extension, standard
from moximap.imap.commands.status import StatusItem
from moximap.imap.site import Limits
from tests.dialogue import HELLO, DialogueCase


class StatusTests(DialogueCase):
    limits = Limits(append=257890)

    def test_counters(self) -> None:
        """A042 of RFC 9051, in the order that was asked for; DELETED and SIZE are of RFC 9051."""
        self.fill(2)
        self.fill(1, flags=("\\Seen", "\\Deleted"))
        size = 3 * len(HELLO)
        self.dialogue(f"""
            C: A042 STATUS INBOX (UIDNEXT MESSAGES)
            S: * STATUS INBOX (UIDNEXT 4 MESSAGES 3)
            S: A042 OK STATUS completed
            C: A01 STATUS INBOX (MESSAGES UNSEEN DELETED SIZE)
            S: * STATUS INBOX (MESSAGES 3 UNSEEN 2 DELETED 1 SIZE {size})
            S: A01 OK STATUS completed
        """)

    def test_uidvalidity_is_that_of_select(self) -> None:
        """Client 20: never 0, never changing."""
        self.dialogue("""
            C: a STATUS Sent (UIDVALIDITY)
            S: * STATUS Sent (UIDVALIDITY {v})
            S: a OK STATUS completed
        """)
        self.client().send(b"b EXAMINE Sent\r\n")
        self.assertIn(f"[UIDVALIDITY {self.bound['v']}]".encode(), self.client().received())
        self.assertGreater(int(self.bound["v"]), 0)

    def test_recent_is_0(self) -> None:
        self.fill(1)
        self.dialogue("""
            C: a STATUS inbox (recent Messages)
            S: * STATUS INBOX (RECENT 0 MESSAGES 1)
            S: a OK STATUS completed
        """)

    def test_appendlimit(self) -> None:
        """t1 of RFC 7889; defect l: it is the real limit."""
        self.dialogue("""
            C: t1 STATUS INBOX (APPENDLIMIT)
            S: * STATUS INBOX (APPENDLIMIT 257890)
            S: t1 OK STATUS completed
        """)

    def test_the_selected_mailbox_answers(self) -> None:
        """Client 36; what is new is told before the OK, too."""
        self.fill(1)
        self.client().send(b"a SELECT INBOX\r\n")
        self.client().received()
        self.fill(1)
        self.dialogue("""
            C: b STATUS INBOX (MESSAGES)
            S: * STATUS INBOX (MESSAGES 2)
            S: * 2 EXISTS
            S: b OK STATUS completed
        """)

    def test_an_item_that_comes_twice_is_told_once(self) -> None:
        self.dialogue("""
            C: a STATUS "inbox/" (MESSAGES UNSEEN MESSAGES)
            S: * STATUS INBOX (MESSAGES 0 UNSEEN 0)
            S: a OK STATUS completed
        """)

    def test_no_such_mailbox(self) -> None:
        self.dialogue("""
            C: a STATUS nowhere (MESSAGES)
            S: a NO [NONEXISTENT] {*}
        """)

    def test_bad_syntax(self) -> None:
        for text in ("STATUS", "STATUS INBOX", "STATUS INBOX MESSAGES", "STATUS INBOX ()",
                     "STATUS INBOX (FANCY)",
                     "STATUS INBOX (MESSAGES", "STATUS INBOX (MESSAGES UNSEEN) x", "STATUS (MESSAGES)",
                     "STATUS INBOX (MESSAGES,UNSEEN)"):
            self.dialogue(f"C: a {text}\nS: a BAD {{*}}")

    def test_login_comes_first(self) -> None:
        self.dialogue("""
            S: * OK {*}
            C: a STATUS INBOX (MESSAGES)
            S: a BAD log in first
        """, login=None)

    def test_items_of_another_module(self) -> None:
        asked: list[str] = []
        self.site.dialect = Dialect((*standard().extensions, Extension(name="made up", rfcs=(), status={
            b"FANCY": StatusItem(lambda session, mailbox: b"(%d)" % mailbox.deleted_size,
                                 lambda session: asked.append("FANCY"))})))
        self.dialogue(r"""
            C: a STATUS INBOX (FANCY)
            S: * STATUS INBOX (FANCY (0))
            S: a OK STATUS completed
            C: b LIST "" INBOX RETURN (STATUS (FANCY))
            S: * LIST (\HasNoChildren) "/" INBOX
            S: * STATUS INBOX (FANCY (0))
            S: b OK LIST completed
        """)
        self.assertEqual(asked, ["FANCY", "FANCY"])

    def test_announced(self) -> None:
        self.assertIn(b"STATUS=SIZE", standard().capabilities(self.client().protocol.session).split())


class StatusByteByByteTests(StatusTests):
    byte_by_byte = True
