"""The keys of SEARCH."""

from __future__ import annotations

import time

from moximap.store.interfaces import NewMessage
from moximap.values import InternalDate
from tests.dialogue import HELLO
from tests.test_commands_search import DAY, FEB_1994, SearchCase, mail


class KeyTests(SearchCase):
    def test_flags(self) -> None:
        names = ("Answered", "Deleted", "Draft", "Flagged", "Seen")
        self.put(*[NewMessage(HELLO, (f"\\{name}",)) for name in names])
        self.select()
        for number, name in enumerate(names, 1):
            others = " ".join(str(n) for n in range(1, 6) if n != number)
            self.assertEqual(self.ask(name), str(number))
            self.assertEqual(self.ask(f"un{name}"), others)
            self.assertEqual(self.ask(f"NOT {name.upper()}"), others)

    def test_keywords_in_any_case_defect_m(self) -> None:
        self.put(NewMessage(HELLO, ("$Forwarded", "Work")), NewMessage(HELLO, ("$Junk", "\\Seen")),
                 NewMessage(HELLO))
        self.select()
        for program, found in (("KEYWORD $Forwarded", "1"), ("KEYWORD $FORWARDED", "1"),
                               ("UNKEYWORD $Junk", "1 3"), ("KEYWORD work", "1"), ("KEYWORD never", ""),
                               ("UNKEYWORD never", "1 2 3"), ("KEYWORD Seen", ""),
                               ("OR KEYWORD $junk KEYWORD Work", "1 2")):
            self.assertEqual(self.ask(program), found, program)

    def test_nothing_is_recent(self) -> None:
        self.flagged(2)
        self.select()
        for program, found in (("RECENT", ""), ("NEW", ""), ("OLD", "1 2"), ("NOT RECENT", "1 2"),
                               ("NOT OLD", ""), ("UNSEEN NEW", "")):
            self.assertEqual(self.ask(program), found, program)

    def test_dates_disregard_time_and_zone(self) -> None:
        """The internal date is the one that was written, in its zone."""
        self.put(NewMessage(HELLO, (), InternalDate(FEB_1994 - 1, 0)),             # 31 January, 23:59:59
                 NewMessage(HELLO, (), InternalDate(FEB_1994 - 1, 60)),            # 1 February, 00:59:59
                 NewMessage(HELLO, (), InternalDate(FEB_1994 + DAY - 1, 0)),      # 1 February, 23:59:59
                 NewMessage(HELLO, (), InternalDate(FEB_1994 + DAY, 0)))
        self.select()
        for program, found in (("BEFORE 1-Feb-1994", "1"), ("ON 1-Feb-1994", "2 3"),
                               ("SINCE 1-Feb-1994", "2 3 4"), ('ON "01-feb-1994"', "2 3"),
                               ("NOT ON 1-Feb-1994", "1 4"), ("BEFORE 3-Feb-1994", "1 2 3 4")):
            self.assertEqual(self.ask(program), found, program)

    def test_sent_dates_and_that_sentsince_has_the_day_itself_defect_b(self) -> None:
        self.put(NewMessage(mail(date="Mon, 31 Jan 1994 23:30:00 -0800")),
                 NewMessage(mail(date="Tue, 1 Feb 1994 00:10:00 +0900")),
                 NewMessage(mail(date="Wed, 2 Feb 1994 12:00:00 +0000")))
        self.select()
        for program, found in (("SENTBEFORE 1-Feb-1994", "1"), ("SENTON 1-Feb-1994", "2"),
                               ("SENTSINCE 1-Feb-1994", "2 3"), ("SENTSINCE 2-Feb-1994", "3"),
                               ("NOT SENTON 1-Feb-1994", "1 3")):
            self.assertEqual(self.ask(program), found, program)

    def test_sizes(self) -> None:
        small, large = mail(), mail(body="x" * 5000)
        self.put(NewMessage(small), NewMessage(large))
        self.select()
        for program, found in (("LARGER 4096", "2"), ("SMALLER 4096", "1"), (f"LARGER {len(small)}", "2"),
                               (f"SMALLER {len(small)}", ""), (f"SMALLER {len(small) + 1}", "1"),
                               ("LARGER 9223372036854775807", ""), ("SMALLER 0", "")):
            self.assertEqual(self.ask(program), found, program)

    def test_fields_of_the_envelope_and_others(self) -> None:
        self.put(NewMessage(mail(sender="Smith <s@example.org>", subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=")),
                 NewMessage(mail(more="Bcc: hidden@example.org\r\nX-Spam: \r\n")))
        self.select()
        for program, found in (('FROM "smith"', "1"), ("FROM S@EXAMPLE.ORG", "1"), ('TO "bob@"', "1 2"),
                               ("CC Carl", "1 2"), ("BCC hidden", "2"), ('SUBJECT "Grüße"', "1"),
                               ('SUBJECT "GRÜ"', "1"), ("SUBJECT hello", "2"), ('HEADER X-Spam ""', "2"),
                               ("HEADER x-spam yes", ""), ('HEADER "Message-ID" <1@example.org>', "1 2"),
                               ('NOT HEADER X-Spam ""', "1"), ('HEADER Nowhere ""', ""),
                               ('BCC ""', "2")):
            self.assertEqual(self.ask(program), found, program)

    def test_text_is_of_header_and_body_and_body_is_not_of_the_header(self) -> None:
        self.put(NewMessage(mail(subject="needle")), NewMessage(mail(body="a needle in the hay")))
        self.select()
        for program, found in (("TEXT needle", "1 2"), ("BODY needle", "2"), ("BODY NEEDLE", "2"),
                               ('TEXT ""', "1 2"), ('BODY ""', "1 2"), ('NOT BODY ""', ""),
                               ("UNSEEN BODY needle", "2"), ("2 TEXT needle", "2"), ("1 BODY needle", ""),
                               ("OR UID 1 BODY needle", "1 2"), ("NOT BODY needle", "1")):
            self.assertEqual(self.ask(program), found, program)

    def test_keys_are_joined_by_and_or_not_and_parentheses(self) -> None:
        self.put(NewMessage(HELLO, ("\\Seen",)), NewMessage(HELLO, ("\\Flagged",)),
                 NewMessage(HELLO, ("\\Seen", "\\Flagged")), NewMessage(HELLO))
        self.select()
        for program, found in (("SEEN FLAGGED", "3"), ("(SEEN FLAGGED)", "3"), ("OR SEEN FLAGGED", "1 2 3"),
                               ("NOT (SEEN FLAGGED)", "1 2 4"), ("NOT NOT SEEN", "1 3"),
                               ("NOT OR SEEN FLAGGED", "4"),
                               ("OR (SEEN NOT FLAGGED) (FLAGGED NOT SEEN)", "1 2"),
                               ("OR OR 1 2 OR 3 SEEN", "1 2 3"), ("OR SEEN FLAGGED 3:4", "3"),
                               ("((((ALL))))", "1 2 3 4"), ("OR NOT SEEN (1)", "1 2 4"),
                               ("2:3,4 NOT 3", "2 4"), ("*", "4"), ("*:3", "3 4"), ("NOT ALL", ""),
                               ("OR UID 2 SEEN UNFLAGGED", "1"), ("1 2", ""), ("UID 2:3 SEEN", "3")):
            self.assertEqual(self.ask(program), found, program)

    def test_hundreds_of_keys_may_be_chained_by_or(self) -> None:
        """Clients ask so for lists of message-ids, nested on either side."""
        self.flagged(3, 2)
        self.select()
        self.assertEqual(self.ask("OR SUBJECT x " * 500 + "FLAGGED"), "2")
        self.assertEqual(self.ask("OR " * 500 + "FLAGGED" + " SUBJECT x" * 500), "2")
        self.assertEqual(self.ask("OR KEYWORD a " * 500 + "FLAGGED"), "2")
        self.assertEqual(self.ask("UNFLAGGED " * 500 + "UID 1:2"), "1")

    def test_thousands_of_keys_are_answered(self) -> None:
        self.flagged(4, 2)
        self.select()
        self.assertEqual(self.ask(" ".join(f"NOT UID {n}" for n in range(3, 4000, 2))), "1 2 4")
        self.assertEqual(self.ask("OR (SEEN KEYWORD x) " + " ".join(
            f"OR (FLAGGED SMALLER {n})" for n in range(2, 800)) + " ANSWERED"), "2")

    def test_older_and_younger_rfc_5032_rule_93(self) -> None:
        now = int(time.time())
        self.put(NewMessage(HELLO, (), InternalDate(now - 300000)),
                 NewMessage(HELLO, (), InternalDate(now - 60)),
                 NewMessage(HELLO, ("\\Seen",), InternalDate(now - 60)))
        self.select()
        self.assertEqual(self.ask("UNSEEN YOUNGER 259200"), "2")
        self.assertEqual(self.ask("OLDER 259200"), "1")
        self.refused("SEARCH OLDER 0")
        self.refused("SEARCH YOUNGER")


class KeyTestsByteByByte(KeyTests):
    byte_by_byte = True
