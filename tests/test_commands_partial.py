"""PARTIAL (RFC 9394)."""

from __future__ import annotations

from moximap.imap.dialect import standard
from moximap.values import NumSet
from tests.dialogue import DialogueCase


class PartialCase(DialogueCase):
    """INBOX has UIDs 1 to 12 without 2, 5 and 6; 3 and 9 are seen."""

    def setUp(self) -> None:
        super().setUp()
        self.fill(12)
        account = self.directory.open("ada")
        inbox = account.mailbox("INBOX").id
        account.store(inbox, NumSet.of([2, 5, 6]), "+", ["\\Deleted"])
        account.store(inbox, NumSet.of([3, 9]), "+", ["\\Seen"])
        account.expunge(inbox)
        self.modseq = account.mailbox("INBOX").modseq
        account.close()
        self.ok("SELECT INBOX")

    def ok(self, command: str) -> None:
        client = self.client()
        client.send(b"x " + command.encode() + b"\r\n")
        self.assertIn(b"x OK ", client.received())


class SearchTests(PartialCase):
    def page(self, range: str, found: str, command: str = "UID SEARCH") -> None:
        word = " UID" if command.startswith("UID") else ""
        self.dialogue(f"""
            C: A01 {command} RETURN (PARTIAL {range}) UNSEEN
            S: * ESEARCH (TAG "A01"){word} PARTIAL ({range} {found})
            S: A01 OK {command} completed
        """)

    def test_pages_from_the_first(self) -> None:
        """A02 to A04 of RFC 9394 3.1: a page, one that spans the end, one that lies behind it."""
        self.page("1:3", "1,4,7")
        self.page("4:6", "8,10:11")
        self.page("7:12", "12")
        self.page("8:9", "NIL")
        self.page("3:1", "1,4,7")
        self.page("7:7", "12")
        self.page("1:4294967295", "1,4,7:8,10:12")

    def test_pages_from_the_last(self) -> None:
        """A01 of RFC 9394 3.1."""
        self.page("-1:-3", "10:12")
        self.page("-3:-1", "10:12")
        self.page("-4:-100", "1,4,7:8")
        self.page("-7:-7", "1")
        self.page("-8:-100", "NIL")

    def test_sequence_numbers(self) -> None:
        self.page("1:3", "1,3:4", "SEARCH")
        self.page("-1:-2", "8:9", "SEARCH")

    def test_nothing_found(self) -> None:
        self.dialogue("""
            C: a UID SEARCH RETURN (PARTIAL 1:5 COUNT) FLAGGED
            S: * ESEARCH (TAG "a") UID PARTIAL (1:5 NIL) COUNT 0
            S: a OK UID SEARCH completed
        """)

    def test_what_is_saved(self) -> None:
        """Table 1 of RFC 9394 3.2."""
        for options, told, saved in (
                ("SAVE PARTIAL 2:3", "PARTIAL (2:3 4,7)", "4,7"),
                ("SAVE PARTIAL 2:3 MIN", "PARTIAL (2:3 4,7) MIN 1", "1,4,7"),
                ("SAVE MAX PARTIAL 2:3", "MAX 12 PARTIAL (2:3 4,7)", "4,7,12"),
                ("MIN SAVE MAX PARTIAL 2:3", "MIN 1 MAX 12 PARTIAL (2:3 4,7)", "1,4,7,12"),
                ("SAVE COUNT PARTIAL 2:3 MIN", "COUNT 7 PARTIAL (2:3 4,7) MIN 1", "1,4,7:8,10:12")):
            self.dialogue(f"""
                C: a UID SEARCH RETURN ({options}) UNSEEN
                S: * ESEARCH (TAG "a") UID {told}
                S: a OK UID SEARCH completed
                C: b UID SEARCH RETURN () $
                S: * ESEARCH (TAG "b") UID ALL {saved}
                S: b OK UID SEARCH completed
            """)
        self.dialogue("""
            C: a UID SEARCH RETURN (SAVE PARTIAL 50:60) UNSEEN
            S: * ESEARCH (TAG "a") UID PARTIAL (50:60 NIL)
            S: a OK UID SEARCH completed
            C: b UID SEARCH RETURN (COUNT) $
            S: * ESEARCH (TAG "b") UID COUNT 0
            S: b OK UID SEARCH completed
        """)

    def test_each_mailbox_of_a_multisearch(self) -> None:
        """RFC 7377 2.2."""
        self.fill(5, "Sent")
        self.dialogue("""
            C: a ESEARCH IN (selected mailboxes Sent) RETURN (PARTIAL -1:-2) ALL
            S: * ESEARCH (TAG "a" MAILBOX INBOX UIDVALIDITY {v}) UID PARTIAL (-1:-2 11:12)
            S: * ESEARCH (TAG "a" MAILBOX Sent UIDVALIDITY {w}) UID PARTIAL (-1:-2 4:5)
            S: a OK ESEARCH completed
        """)

    def test_one_list_is_enough(self) -> None:
        """RFC 9394 3.1: ALL or PARTIAL, and one PARTIAL."""
        for options in ("PARTIAL 1:2 ALL", "ALL PARTIAL 1:2", "PARTIAL 1:2 PARTIAL 3:4", "PARTIAL 1:2 PARTIAL -1:-2"):
            self.dialogue(f"C: a UID SEARCH RETURN ({options}) ALL\nS: a BAD {{*}}")

    def test_bad_ranges(self) -> None:
        for text in ("", " ", " 1", " 0:1", " 1:0", " 1:*", " *:1", " -1:1", " 1:-1", " -0:-1", " 1:2,3", " 1:-",
                     " 4294967296:1", " 1:99999999999", " 01:2", " (1:2)", " --1:-2", " 1:2:3", " $", " 1 :2"):
            self.dialogue(f"C: a UID SEARCH RETURN (PARTIAL{text}) ALL\nS: a BAD {{*}}")
            self.dialogue(f"C: a UID FETCH 1:* FLAGS (PARTIAL{text})\nS: a BAD {{*}}")

    def test_announced(self) -> None:
        self.assertIn(b"PARTIAL", standard().capabilities(self.client().protocol.session).split())


class SearchByteByByteTests(SearchTests):
    byte_by_byte = True


class FetchTests(PartialCase):
    def test_the_last_and_the_first(self) -> None:
        """10 and 11 of RFC 9394 3.3."""
        self.dialogue("""
            C: 10 UID FETCH 3:11 (UID FLAGS) (PARTIAL -1:-3)
            S: * 6 FETCH (UID 9 FLAGS (\\Seen))
            S: * 7 FETCH (UID 10 FLAGS ())
            S: * 8 FETCH (UID 11 FLAGS ())
            S: 10 OK UID FETCH completed
            C: 11 UID FETCH 2:11 FLAGS (PARTIAL 1:2)
            S: * 2 FETCH (UID 3 FLAGS (\\Seen))
            S: * 3 FETCH (UID 4 FLAGS ())
            S: 11 OK UID FETCH completed
            C: 12 UID FETCH 2:11 FLAGS (PARTIAL 20:30)
            S: 12 OK UID FETCH completed
        """)

    def test_bodies(self) -> None:
        """A page of messages that are read from the store."""
        self.dialogue("""
            C: a UID FETCH 1:* (PREVIEW) (PARTIAL -2:-1)
            S: * 8 FETCH (UID 11 PREVIEW "Hello, Bob.")
            S: * 9 FETCH (UID 12 PREVIEW "Hello, Bob.")
            S: a OK UID FETCH completed
        """)

    def test_with_changedsince_the_page_comes_first(self) -> None:
        """101 of RFC 9394 3.4, in both orders."""
        before = self.modseq - 1
        self.ok("ENABLE CONDSTORE")
        self.ok("STORE 9 +FLAGS (\\Flagged)")
        for modifiers in (f"PARTIAL -1:-4 CHANGEDSINCE {before}", f"CHANGEDSINCE {before} PARTIAL -1:-4"):
            self.dialogue(f"""
                C: 101 UID FETCH 1:* (UID FLAGS) ({modifiers})
                S: * 9 FETCH (UID 12 FLAGS (\\Flagged) MODSEQ ({{m}}))
                S: 101 OK UID FETCH completed
            """)

    def test_a_saved_result(self) -> None:
        self.ok("UID SEARCH RETURN (SAVE) UNSEEN")
        self.dialogue("""
            C: a UID FETCH $ FLAGS (PARTIAL 2:3)
            S: * 3 FETCH (UID 4 FLAGS ())
            S: * 4 FETCH (UID 7 FLAGS ())
            S: a OK UID FETCH completed
        """)

    def test_it_is_for_uid_fetch(self) -> None:
        self.dialogue("""
            C: a FETCH 1:3 FLAGS (PARTIAL 1:2)
            S: a BAD {*}
        """)
