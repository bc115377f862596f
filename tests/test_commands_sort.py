"""SORT, UID SORT, SORT=DISPLAY and ESORT: RFC 5256, RFC 5957, RFC 5267, and what is refused."""

from __future__ import annotations

from moximap.store.errors import Unavailable
from moximap.store.interfaces import NewMessage
from moximap.values import InternalDate
from tests.test_commands_search import DAY, FEB_1994, SearchCase


def message(arrived: int = 0, flags: tuple[str, ...] = (), body: str = "", **fields: str) -> NewMessage:
    """``arrived``: days after 1 February 1994."""
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return NewMessage(f"{head}\r\n{body}".encode(), flags, InternalDate(FEB_1994 + arrived * DAY))


class SortCase(SearchCase):
    def sort(self, criteria: str, program: str = "UTF-8 ALL", command: str = "SORT", told: str = "SORT") -> str:
        client = self.client()
        client.send(f"q {command} {criteria} {program}\r\n".encode())
        first, *rest = client.received().decode().split("\r\n")
        self.assertEqual(rest, [f"q OK {command} completed", ""], first)
        self.assertTrue(first.startswith(f"* {told}"), first)
        return first[len(told) + 3:]


class SortTests(SortCase):
    def test_it_is_announced(self) -> None:
        self.client().send(b"a CAPABILITY\r\n")
        names = self.client().received().split(b"\r\n")[0].split()
        for name in (b"SORT", b"SORT=DISPLAY", b"ESORT"):
            self.assertIn(name, names)

    def test_examples_of_rfc_5256(self) -> None:
        self.put(message(-40, Subject="too early"), message(1, Subject="alpha"), message(-40, Subject="a"),
                 message(3, Subject="Re: Zulu"), message(3, Subject="fwd: mike"))
        self.select()
        self.dialogue("""
            C: A282 SORT (SUBJECT) UTF-8 SINCE 1-Feb-1994
            S: * SORT 2 5 4
            S: A282 OK SORT completed
            C: A283 SORT (SUBJECT REVERSE DATE) UTF-8 ALL
            S: * SORT 3 2 5 1 4
            S: A283 OK SORT completed
            C: A284 SORT (SUBJECT) US-ASCII TEXT "not in mailbox"
            S: * SORT
            S: A284 OK SORT completed
        """)

    def test_every_key(self) -> None:
        self.put(message(5, To="zoe@a", Cc="carl@b", From="Zack <adam@x>", Subject="b",
                         Date="Mon, 7 Feb 1994 00:00:00 +0000"),
                 message(3, To="Bob@a", From="Anna <zack@x>", Subject="Re: a", body="longer",
                         Date="Sun, 6 Feb 1994 20:00:00 -0500"),
                 message(4, Cc="Abe@b", From="M@x", Subject="C", body="x" * 300,
                         Date="Mon, 7 Feb 1994 02:00:00 +0200"))
        self.select()
        for key, expected in (
                ("ARRIVAL", "2 3 1"), ("CC", "2 3 1"), ("DATE", "1 3 2"), ("FROM", "1 3 2"), ("SIZE", "2 1 3"),
                ("SUBJECT", "2 1 3"), ("TO", "3 2 1"), ("DISPLAYFROM", "2 3 1"), ("DISPLAYTO", "3 2 1")):
            self.assertEqual(self.sort(f"({key})"), expected, key)
            self.assertEqual(self.sort(f"({key.lower()} arrival)", "us-ascii 1:*"),
                             expected if key != "DATE" else "3 1 2", key)

    def test_reverse_is_for_one_key_and_not_for_what_is_equal(self) -> None:
        self.put(*[message(n % 3, Subject="same" if n % 2 else "other") for n in range(6)])
        self.select()
        self.assertEqual(self.sort("(SUBJECT)"), "1 3 5 2 4 6")
        self.assertEqual(self.sort("(REVERSE SUBJECT)"), "2 4 6 1 3 5")
        self.assertEqual(self.sort("(REVERSE SUBJECT REVERSE ARRIVAL)"), "6 2 4 3 5 1")
        self.assertEqual(self.sort("(REVERSE SUBJECT ARRIVAL SUBJECT REVERSE ARRIVAL)"), "4 2 6 1 5 3")

    def test_without_a_date_the_internal_date_is_used(self) -> None:
        self.put(message(10), message(1, Date="no such day"), message(2, Date="Tue, 8 Feb 1994 00:00:00 +0000"))
        self.select()
        self.assertEqual(self.sort("(DATE)"), "2 3 1")

    def test_collation_is_unicode_casemap(self) -> None:
        subjects = ("b", "A", "_", "é", "e", "F", "", "\u01c6", "É")
        self.put(*[message(Subject=subject) for subject in subjects])
        self.select()
        self.assertEqual(self.sort("(SUBJECT)"), "7 2 1 8 5 4 9 6 3")

    def test_a_letter_whose_capitals_are_two_is_itself(self) -> None:
        self.put(*[message(Subject=subject) for subject in ("\u00df", "ss", "z")])
        self.select()
        self.assertEqual(self.sort("(SUBJECT)"), "2 3 1")

    def test_a_display_name_that_is_none_is_the_address(self) -> None:
        self.put(message(From="zz@example.org"), message(From='"" <m@example.org>'), message(),
                 message(From="=?utf-8?q?=C3=81bc?= <a@b>"), message(From="abd <c@d>"))
        self.select()
        self.assertEqual(self.sort("(DISPLAYFROM)"), "3 5 4 2 1")

    def test_uid_sort_after_an_expunge_and_with_new_messages(self) -> None:
        self.put(*[message(Subject=subject) for subject in "dcba"])
        self.select()
        self.assertEqual(self.sort("(SUBJECT)", "UTF-8 2:3"), "3 2")
        self.elsewhere("expunge", [2])
        self.assertEqual(self.sort("(SUBJECT)"), "4 3 2 1")      # the client was not told that 2 is gone
        self.send("n NOOP")
        self.assertEqual(self.sort("(SUBJECT)"), "3 2 1")
        self.assertEqual(self.sort("(SUBJECT)", command="UID SORT"), "4 3 1")
        self.put(message(Subject="aa"), message(Subject="0"))
        self.send("n NOOP")
        self.assertEqual(self.sort("(SUBJECT)"), "5 3 4 2 1")
        self.assertEqual(self.sort("(REVERSE SUBJECT)", command="UID SORT"), "1 3 5 4 6")

    def test_what_is_refused(self) -> None:
        self.put(message())
        self.select()
        for text in ("()", "SUBJECT", "(SUBJECT", "(REVERSE)", "(REVERSE REVERSE DATE)", "(COLOUR)",
                     "(REVERSE  DATE)", "(SUBJECT ) ", "RETURN (MIN)", "RETURN (WHAT) (DATE)",
                     "RETURN (ALL PARTIAL 1:2) (DATE)"):
            self.client().send(f"q SORT {text} UTF-8 ALL\r\n".encode())
            self.assertTrue(self.client().received().startswith(b"q BAD "), text)
        self.client().send(b"q SORT (DATE) UTF-8\r\nq SORT (DATE) ALL\r\nq SORT (DATE) UTF-8 NONSENSE\r\n")
        for line in self.client().received().splitlines():
            self.assertTrue(line.startswith(b"q BAD "), line)
        self.client().send(b'q UID SORT RETURN (SAVE) (DATE) KOI8-R SUBJECT "\xc1"\r\n')
        self.assertTrue(self.client().received().startswith(b"q NO [BADCHARSET (US-ASCII UTF-8)] "))

    def test_the_charset_stays_with_utf8_accept_and_quoted(self) -> None:
        self.put(message(Subject="é"), message(Subject="e"))
        self.send("e ENABLE UTF8=ACCEPT")
        self.select()
        self.assertEqual(self.sort("(REVERSE SUBJECT)", '"utf-8" SUBJECT "é"'), "1")

    def test_with_uidonly_there_is_uid_sort_only(self) -> None:
        self.put(message(Subject="b"), message(Subject="a"))
        self.send("e ENABLE UIDONLY")
        self.select()
        self.client().send(b"q SORT (SUBJECT) UTF-8 ALL\r\n")
        self.assertTrue(self.client().received().startswith(b"q BAD [UIDREQUIRED] "))
        self.assertEqual(self.sort("(SUBJECT)", command="UID SORT"), "2 1")

    def test_rev2_does_not_make_it_extended(self) -> None:
        self.put(message(Subject="b"), message(Subject="a"))
        self.send("e ENABLE IMAP4rev2")
        self.select()
        self.assertEqual(self.sort("(SUBJECT)"), "2 1")

    def test_modseq_of_rfc_7162_3_1_9(self) -> None:
        self.put(message(Subject="b"), message(Subject="a"), message(Subject="c"))
        self.send("e ENABLE CONDSTORE")
        self.select()
        self.dialogue("""
            C: 1 SORT (SUBJECT) UTF-8 MODSEQ 1
            S: * SORT 2 1 3 (MODSEQ {m})
            S: 1 OK SORT completed
            C: 2 SORT RETURN (ALL) (SUBJECT) UTF-8 MODSEQ 1
            S: * ESEARCH (TAG "2") ALL 2,1,3 MODSEQ {m}
            S: 2 OK SORT completed
            C: 3 SORT (SUBJECT) UTF-8 MODSEQ 999999
            S: * SORT
            S: 3 OK SORT completed
        """)


class ExtendedSortTests(SortCase):
    """ESORT: RFC 5267 section 3."""

    def setUp(self) -> None:
        super().setUp()
        self.put(*[message(Subject=subject) for subject in ("f", "b", "c", "d", "a", "e")])
        self.select()

    def esort(self, options: str, program: str = "UTF-8 ALL", criteria: str = "(SUBJECT)") -> str:
        return self.sort(f"RETURN ({options}) {criteria}", program, told='ESEARCH (TAG "q")').strip()

    def test_options_speak_of_the_order(self) -> None:
        for options, told in (
                ("", "ALL 5,2:4,6,1"), ("ALL", "ALL 5,2:4,6,1"), ("MIN MAX COUNT", "MIN 5 MAX 1 COUNT 6"),
                ("PARTIAL 1:3", "PARTIAL (1:3 5,2:3)"), ("PARTIAL -1:-2", "PARTIAL (-1:-2 6,1)"),
                ("PARTIAL 9:7", "PARTIAL (9:7 NIL)")):
            self.assertEqual(self.esort(options), told)
        self.assertEqual(self.esort("ALL", criteria="(REVERSE SUBJECT)"), "ALL 1,6,4,3,2,5")
        self.assertEqual(self.esort("MIN ALL COUNT", "UTF-8 SEEN"), "COUNT 0")

    def test_the_example_of_3_3(self) -> None:
        self.elsewhere("+", [4], "$Junk")
        self.send("n NOOP")
        self.dialogue("""
            C: E01 UID SORT RETURN () (REVERSE DATE) UTF-8 UNDELETED UNKEYWORD $Junk
            S: * ESEARCH (TAG "E01") UID ALL 1:3,5:6
            S: E01 OK UID SORT completed
        """)

    def test_save_keeps_what_is_told(self) -> None:
        for options, saved in (("SAVE", "1 2 3 4 5 6"), ("SAVE MIN", "5"), ("SAVE MIN MAX", "1 5"),
                               ("SAVE PARTIAL 1:2", "2 5"), ("SAVE COUNT", "1 2 3 4 5 6")):
            client = self.client()
            client.send(f"q SORT RETURN ({options}) (SUBJECT) UTF-8 ALL\r\n".encode())
            self.assertIn(b"q OK SORT completed", client.received())
            self.assertEqual(self.ask("$"), saved, options)
            self.assertEqual(self.sort("(ARRIVAL)", "UTF-8 $"), saved)

    def test_a_failure_empties_what_was_saved(self) -> None:
        self.client().send(b"q SORT RETURN (SAVE) (SUBJECT) UTF-8 ALL\r\n")
        self.client().received()
        account = self.client().protocol.session.account

        def fetch(*args: object) -> object:
            raise Unavailable("the disk is gone")
        self.patch(account, "fetch", fetch)
        self.client().send(b"q SORT RETURN (SAVE) (SIZE) UTF-8 ALL\r\n")
        self.assertTrue(self.client().received().startswith(b"q NO "))
        self.assertEqual(self.ask("$"), "")


class MemoryTests(SortCase):
    def test_only_the_last_mailbox_that_nobody_has_selected_keeps_its_keys(self) -> None:
        self.put(message(Subject="b"), message(Subject="a"))
        self.select()
        self.assertEqual(self.sort("(SUBJECT)"), "2 1")
        inbox = self.client().protocol.session.selected.image
        self.send("c CREATE x", "c CREATE y", "s SELECT x")
        self.assertEqual(list(inbox.sortkeys._known), ["subject"])
        self.send("s SELECT y", "s SELECT x")
        self.assertEqual(list(inbox.sortkeys._known), [])
        self.select()
        self.assertEqual(self.sort("(SUBJECT)"), "2 1")

    def test_an_erased_message_is_sorted_for_who_was_not_told(self) -> None:
        self.put(message(Subject="b"), message(Subject="a"), message(Subject="c"))
        self.select()
        self.elsewhere("expunge", [2])
        account = self.account()
        account.erase(account.changes(account.mailbox("INBOX").id, 0).modseq)
        self.assertEqual(len(self.sort("(SUBJECT)").split()), 3)
