"""Examples of RFCs that stand in no other file, word for word as far as mail and texts allow."""

from __future__ import annotations

import time

from moximap.values import InternalDate
from tests.dialogue import HELLO, DialogueCase

LOREM = b"Lorem ipsum dolor sit amet, consectetur adipiscing elit. Curabitur aliquam turpis et ante dictum. "


class ExampleCase(DialogueCase):
    def select(self, mailbox: str = "INBOX") -> None:
        self.client().send(b"s SELECT %b\r\n" % mailbox.encode())
        self.assertIn(b"\r\ns OK", self.client().received())


class SearchTests(ExampleCase):
    def test_rfc_5032_section_4(self) -> None:
        """CONTRACT 93."""
        now = int(time.time())
        for age in (0, 300_000, 200_000):
            self.fill(date=InternalDate(now - age))
        self.fill(date=InternalDate(now), flags=("\\Seen",))
        self.select()
        self.dialogue("""
            C: a1 SEARCH UNSEEN YOUNGER 259200
            S: * SEARCH 1 3
            S: a1 OK SEARCH completed
        """)

    def test_rfc_9394_section_3_1_searches_that_do_not_wait_for_each_other(self) -> None:
        self.fill(12)
        self.select()
        self.dialogue("""
            C: A01 UID SEARCH RETURN (PARTIAL -1:-3) UNDELETED
            C: A02 UID SEARCH RETURN (PARTIAL 11:15) UNDELETED
            C: A03 UID SEARCH RETURN (PARTIAL 1:5) UNDELETED
            C: A04 UID SEARCH RETURN (PARTIAL 24000:24500) UNDELETED
            S: * ESEARCH (TAG "A01") UID PARTIAL (-1:-3 10:12)
            S: A01 OK UID SEARCH completed
            S: * ESEARCH (TAG "A02") UID PARTIAL (11:15 11:12)
            S: A02 OK UID SEARCH completed
            S: * ESEARCH (TAG "A03") UID PARTIAL (1:5 1:5)
            S: A03 OK UID SEARCH completed
            S: * ESEARCH (TAG "A04") UID PARTIAL (24000:24500 NIL)
            S: A04 OK UID SEARCH completed
        """)

    def test_rfc_7377_section_2_a_window_that_goes_beyond_the_end(self) -> None:
        self.fill(3)
        self.select()
        self.dialogue("""
            C: tag1 ESEARCH IN (selected) FROM "ada" 1:100
            S: * ESEARCH (TAG "tag1" MAILBOX INBOX UIDVALIDITY {v}) UID ALL 1:3
            S: tag1 OK ESEARCH completed
            C: tag1 ESEARCH IN (selected) FROM "ada" 101:200
            S: tag1 OK ESEARCH completed
        """)

    def test_rfc_7377_section_3_two_at_once(self) -> None:
        """They are answered in order: the example's server takes turns, and need not."""
        self.client().send(b"x CREATE folder1\r\nx CREATE folder2/banana\r\n")
        self.client().received()
        self.fill(2, "folder1", HELLO.replace(b"hello", b"chad"))
        self.fill(1, "folder2/banana")
        self.dialogue("""
            C: tag1 ESEARCH IN (mailboxes "folder1" subtree "folder2") unseen
            C: tag2 ESEARCH IN (mailboxes "folder1" subtree-one "folder2") subject "chad"
            S: * ESEARCH (TAG "tag1" MAILBOX folder1 UIDVALIDITY {one}) UID ALL 1:2
            S: * ESEARCH (TAG "tag1" MAILBOX folder2/banana UIDVALIDITY {two}) UID ALL 1
            S: tag1 OK ESEARCH completed
            S: * ESEARCH (TAG "tag2" MAILBOX folder1 UIDVALIDITY {one}) UID ALL 1:2
            S: tag2 OK ESEARCH completed
        """)


class PreviewTests(ExampleCase):
    """RFC 8970 3.2 and 5; here no preview is ever missing."""

    def test_a_preview_alone_and_one_that_is_long(self) -> None:
        self.fill()
        self.fill(content=b"Subject: x\r\n\r\n" + LOREM * 3)
        self.select()
        self.dialogue("""
            C: A1 FETCH 1 (PREVIEW)
            S: * 1 FETCH (UID 1 PREVIEW "Hello, Bob.")
            S: A1 OK FETCH completed
            C: A2 FETCH 2 (PREVIEW)
            S: * 2 FETCH (UID 2 PREVIEW {long})
            S: A2 OK FETCH completed
        """.replace("{long}", '"' + (LOREM * 3)[:200].decode().rstrip() + '"'))

    def test_with_envelopes_and_then_alone(self) -> None:
        self.fill(content=b"Subject: \r\n\r\n")
        self.fill(content=HELLO)
        self.select()
        self.dialogue("""
            C: B1 FETCH 1:2 (ENVELOPE PREVIEW (LAZY))
            S: * 1 FETCH (UID 1 ENVELOPE ({*}) PREVIEW "")
            S: * 2 FETCH (UID 2 ENVELOPE ("Mon, 7 Feb 1994 21:52:25 -0800" {*}) PREVIEW "Hello, Bob.")
            S: B1 OK FETCH completed
            C: B2 FETCH 1:2 (PREVIEW)
            S: * 1 FETCH (UID 1 PREVIEW "")
            S: * 2 FETCH (UID 2 PREVIEW "Hello, Bob.")
            S: B2 OK FETCH completed
        """)


class OtherTests(ExampleCase):
    def test_rfc_8508_section_4_2_there_is_no_catenate(self) -> None:
        self.fill(1)
        self.select()
        self.dialogue("""
            C: A011 UID REPLACE 1 Drafts CATENATE (URL "/Drafts/;UID=3002")
            S: A011 BAD {*}
        """)

    def test_rfc_5464_section_4_4_2_entries_of_the_server_and_two_of_a_mailbox(self) -> None:
        self.dialogue("""
            C: e ENABLE METADATA
            S: * ENABLED METADATA
            S: e OK ENABLE completed
            C2: a SETMETADATA INBOX (/shared/comment "ours" /private/comment "mine")
            S2: a OK SETMETADATA completed
        """)
        self.directory.annotations.change({"/shared/comment": b"moved"})
        self.site.accounts.bell(None)
        self.dialogue("""
            C: a NOOP
            S: * METADATA INBOX /private/comment /shared/comment
            S: * METADATA "" /shared/comment
            S: a OK NOOP completed
        """)


class RuleTests(ExampleCase):
    def test_56_no_result_shows_a_message_that_was_not_told_of(self) -> None:
        """CONTRACT 56: a search by number tells of no new mail before its end, and finds none."""
        self.fill(2)
        self.select()
        self.fill(1)
        self.dialogue("""
            C: a SEARCH ALL
            S: * SEARCH 1 2
            S: a OK SEARCH completed
            C: b UID FETCH 1:* UID
            S: * 1 FETCH (UID 1)
            S: * 2 FETCH (UID 2)
            S: * 3 EXISTS
            S: b OK UID FETCH completed
        """)

    def test_94_select_tells_of_the_mailbox_what_each_revision_wants(self) -> None:
        """CONTRACT 94; after a SELECT that fails nothing is selected."""
        self.fill(1)
        both = """
            S: * OK [UIDVALIDITY {v}] {*}
            S: * OK [UIDNEXT 2] {*}
            S: * OK [HIGHESTMODSEQ {m}] {*}
            S: * OK [MAILBOXID {*}
        """
        self.dialogue(f"""
            C: a SELECT INBOX
            S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
            S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] {{*}}
            S: * 1 EXISTS
            S: * 0 RECENT
            S: * OK [UNSEEN 1] {{*}}
            {both}
            S: a OK [READ-WRITE] SELECT completed
            C: b ENABLE IMAP4rev2
            S: * ENABLED IMAP4rev2
            S: b OK ENABLE completed
            C: c EXAMINE INBOX
            S: * OK [CLOSED] {{*}}
            S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
            S: * OK [PERMANENTFLAGS ()] {{*}}
            S: * 1 EXISTS
            {both}
            S: * LIST () "/" INBOX
            S: c OK [READ-ONLY] EXAMINE completed
            C: d SELECT nowhere
            S: * OK [CLOSED] {{*}}
            S: d NO [NONEXISTENT] {{*}}
            C: e CLOSE
            S: e BAD no mailbox is selected
        """)

    def test_what_the_client_spells_otherwise_is_told_by_oldname_in_imap4rev2(self) -> None:
        """RFC 9051 6.3.2, 6.3.4 to 6.3.6, 6.3.9.7."""
        self.dialogue(r"""
            C: a ENABLE IMAP4rev2
            S: * ENABLED IMAP4rev2
            S: a OK ENABLE completed
            C: b CREATE inBox/Lists/
            S: * LIST (\HasNoChildren \Subscribed) "/" INBOX/Lists ("OLDNAME" (inBox/Lists))
            S: b OK [MAILBOXID ({*})] CREATE completed
            C: c CREATE plain/
            S: * LIST (\HasNoChildren \Subscribed) "/" plain
            S: c OK [MAILBOXID ({*})] CREATE completed
            C: d RENAME inbox/Lists iNBOX/Other
            S: * LIST (\HasNoChildren \Subscribed) "/" INBOX/Other ("OLDNAME" (inbox/Lists))
            S: d OK RENAME completed
            C: e RENAME INBOX/Other INBOX/Again
            S: e OK RENAME completed
            C: f DELETE INBox/Again
            S: * LIST (\NonExistent) "/" INBOX/Again ("OLDNAME" (INBox/Again))
            S: f OK DELETE completed
            C: g SELECT inbox
            S: * FLAGS {*}
            S: * OK [PERMANENTFLAGS {*}
            S: * 0 EXISTS
            S: * OK [UIDVALIDITY {*}
            S: * OK [UIDNEXT {*}
            S: * OK [HIGHESTMODSEQ {*}
            S: * OK [MAILBOXID {*}
            S: * LIST () "/" INBOX ("OLDNAME" (inbox))
            S: g OK [READ-WRITE] SELECT completed
        """)
