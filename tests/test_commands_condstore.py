"""CONDSTORE and QRESYNC (RFC 7162), rules 36, 53, 54, 95, 96 and clients 8, 9, 10 of docs/contract.md."""

from __future__ import annotations

import re

from moximap.values import NumSet
from moximap.imap.commands.qresync import vanished
from tests.dialogue import DialogueCase


class CondstoreCase(DialogueCase):
    count = 4

    def setUp(self) -> None:
        super().setUp()
        self.fill(self.count)

    def ask(self, command: str, number: str = "") -> str:
        self.client(number).send(b"x " + command.encode() + b"\r\n")
        return self.client(number).received().decode()

    def open(self, number: str = "", parameters: str = "") -> tuple[int, int]:
        """SELECT INBOX; gives its UIDVALIDITY and HIGHESTMODSEQ."""
        answer = self.ask("SELECT INBOX" + parameters, number)
        self.assertIn("\r\nx OK ", answer)
        found = re.search(r"UIDVALIDITY (\d+)", answer), re.search(r"HIGHESTMODSEQ (\d+)", answer)
        assert found[0] and found[1]
        return int(found[0][1]), int(found[1][1])


class CondstoreTests(CondstoreCase):
    def test_client_9_highestmodseq_is_never_zero(self) -> None:
        self.assertIn("[HIGHESTMODSEQ 1]", self.ask("SELECT Trash"))
        self.assertRegex(self.ask("STATUS Trash (HIGHESTMODSEQ)"), r"STATUS Trash \(HIGHESTMODSEQ [1-9]\d*\)")

    def test_once_enabled_every_change_has_its_modseq(self) -> None:
        self.open()
        self.open("2", " (CONDSTORE)")
        self.dialogue("""
            C2: a STORE 1 +FLAGS (\\Seen)
            S2: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ ({m}))
            S2: a OK STORE completed
            C2: b STORE 2 +FLAGS.SILENT (\\Seen)
            S2: * 2 FETCH (UID 2 MODSEQ ({n}))
            S2: b OK STORE completed
            C: a NOOP
            S: * 1 FETCH (UID 1 FLAGS (\\Seen))
            S: * 2 FETCH (UID 2 FLAGS (\\Seen))
            S: a OK NOOP completed
            C: b FETCH 1 (MODSEQ)
            S: * OK [HIGHESTMODSEQ {n}] CONDSTORE is enabled
            S: * 1 FETCH (UID 1 MODSEQ ({m}))
            S: b OK FETCH completed
            C: c STORE 1 +FLAGS (\\Seen)
            S: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ ({m}))
            S: c OK STORE completed
        """)

    def test_changedsince_narrows_and_zero_is_let_through(self) -> None:
        self.open("", " (CONDSTORE)")
        self.ask("STORE 2 +FLAGS (\\Flagged)")
        _, highest = self.open()
        answer = self.ask(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {highest - 1})")
        self.assertEqual(answer, f"* 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ ({highest}))\r\n"
                                 "x OK UID FETCH completed\r\n")
        self.assertEqual(self.ask("FETCH 1:* FLAGS (CHANGEDSINCE 0)").count("FETCH (UID"), 4)
        self.assertEqual(self.ask(f"FETCH 1:* FLAGS (CHANGEDSINCE {highest})"), "x OK FETCH completed\r\n")
        self.assertRegex(self.ask("FETCH 1 FLAGS (XYZ 1)"), "^x BAD unknown FETCH modifier XYZ")

    def test_unchangedsince_is_judged_message_by_message(self) -> None:
        _, before = self.open()
        self.ask("STORE 2 +FLAGS (\\Flagged)")
        self.bound = {"b": str(before)}
        self.dialogue("""
            C: a UID STORE 1:3 (UNCHANGEDSINCE {b}) +FLAGS.SILENT (\\Seen)
            S: * OK [HIGHESTMODSEQ {h}] CONDSTORE is enabled
            S: * 1 FETCH (UID 1 MODSEQ ({m}))
            S: * 3 FETCH (UID 3 MODSEQ ({m}))
            S: * 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ ({h}))
            S: a OK [MODIFIED 2] some messages were changed by others
            C: b STORE 4 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)
            S: * 4 FETCH (UID 4 FLAGS () MODSEQ ({b}))
            S: b OK [MODIFIED 4] some messages were changed by others
            C: c STORE 1 (UNCHANGEDSINCE {m}) +FLAGS.SILENT (\\Seen)
            S: * 1 FETCH (UID 1 MODSEQ ({m}))
            S: c OK STORE completed
            C: d STORE 1 (SINCE 1) +FLAGS (\\Seen)
            S: d BAD unknown STORE modifier SINCE
        """)

    def test_search_for_a_modseq_tells_the_highest(self) -> None:
        self.open()
        self.ask("STORE 2 +FLAGS (\\Flagged)")
        _, highest = self.open()
        self.assertIn(f"* SEARCH 2 (MODSEQ {highest})\r\n", self.ask(f"SEARCH MODSEQ {highest}"))
        self.assertIn(f"* SEARCH 2 (MODSEQ {highest})\r\n",
                      self.ask(f'SEARCH MODSEQ "/flags/\\\\Seen" all {highest}'))
        self.assertIn(f"* ESEARCH (TAG \"x\") UID ALL 2 MODSEQ {highest}\r\n",
                      self.ask(f"UID SEARCH RETURN (ALL) MODSEQ {highest}"))
        self.assertIn("* SEARCH\r\n", self.ask(f"SEARCH MODSEQ {highest + 1}"))

    def test_a_held_back_expunge_is_not_skipped_by_a_client_that_resumes(self) -> None:
        """The log's rule 4: HIGHESTMODSEQ is told where a higher MODSEQ was shown."""
        self.open("1", " (CONDSTORE)")
        self.open("2")
        self.ask("STORE 1 +FLAGS.SILENT (\\Deleted)", "2")
        self.ask("NOOP", "1")
        self.ask("EXPUNGE", "2")
        self.ask("STORE 2 +FLAGS (\\Seen)", "2")
        self.dialogue("""
            C1: a FETCH 2 (UID)
            S1: * 2 FETCH (UID 2)
            S1: * 3 FETCH (UID 3 FLAGS (\\Seen) MODSEQ ({m}))
            S1: a OK [HIGHESTMODSEQ {before}] FETCH completed
            C1: b NOOP
            S1: * 1 EXPUNGE
            S1: b OK [HIGHESTMODSEQ {m}] NOOP completed
        """)
        self.assertLess(int(self.bound["before"]), int(self.bound["m"]))


class QresyncTests(CondstoreCase):
    count = 9

    def resync(self, parameters: str, number: str = "") -> str:
        answer = self.ask(f"SELECT INBOX (QRESYNC ({parameters}))", number)
        return answer[answer.index("* OK [HIGHESTMODSEQ"):]

    def test_qresync_wants_to_be_enabled(self) -> None:
        self.assertRegex(self.ask("SELECT INBOX (QRESYNC (1 1))"), "^x BAD QRESYNC is not enabled")
        self.assertRegex(self.ask("CLOSE"), "^x BAD no mailbox is selected")

    def test_what_happened_is_told_in_select(self) -> None:
        validity, before = self.open("2")
        self.ask("STORE 2:4,7 +FLAGS.SILENT (\\Deleted)", "2")
        self.ask("EXPUNGE", "2")
        self.ask("STORE 2 +FLAGS (\\Flagged)", "2")
        self.ask("ENABLE QRESYNC")
        for known in ("", " 1:9", " 1:*"):
            answer = self.resync(f"{validity} {before}{known}")
            self.assertRegex(answer, r"^\* OK \[HIGHESTMODSEQ (\d+)\] highest modseq\r\n"
                                     r"\* OK \[MAILBOXID \(F\d+\)\] of this mailbox\r\n"
                                     r"\* VANISHED \(EARLIER\) 2:4,7\r\n"
                                     r"\* 2 FETCH \(UID 5 FLAGS \(\\Flagged\) MODSEQ \(\1\)\)\r\n"
                                     r"x OK \[READ-WRITE\] ")
        self.assertIn("VANISHED (EARLIER) 3:4\r\n* 2 FETCH", self.resync(f"{validity} {before} 3:6"))
        self.assertNotIn("VANISHED", self.resync(f"{validity + 1} {before} 1:9"))
        self.assertNotIn("VANISHED", self.resync(f"{validity} 999999 1:9"))

    def test_match_data_spares_what_the_client_knows(self) -> None:
        validity, before = self.open("2")
        self.ask("STORE 2:4,7 +FLAGS.SILENT (\\Deleted)", "2")
        self.ask("EXPUNGE", "2")
        self.ask("ENABLE QRESYNC")
        self.assertIn("VANISHED (EARLIER) 7\r\n", self.resync(f"{validity} {before} 1:9 (1:3 1,5,6)"))
        self.assertIn("VANISHED (EARLIER) 2:4,7\r\n", self.resync(f"{validity} {before} 1:9 (1:2 1,4)"))
        self.assertIn("VANISHED (EARLIER) 7\r\n", self.resync(f"{validity} {before} (2 5)"))
        for bad in ("1:9 (1:3 1)", "1:9 (3,1 1,5)", "1:9 (* 9)", "1:9 (1:2 1:2", "0 1"):
            self.assertRegex(self.ask(f"SELECT INBOX (QRESYNC ({validity} {before} {bad}))"), "^x BAD ", bad)

    def test_client_10_any_parameters_in_any_order(self) -> None:
        validity, before = self.open("2")
        self.ask("ENABLE QRESYNC")
        for parameters in (f"CONDSTORE QRESYNC ({validity} {before})", f"QRESYNC ({validity} {before}) CONDSTORE",
                           "CONDSTORE"):
            self.assertIn("x OK [READ-WRITE]", self.ask(f"SELECT INBOX ({parameters})"), parameters)
        self.assertRegex(self.ask("SELECT INBOX (CONDSTORE XYZ)"), "^x BAD unknown SELECT parameter XYZ")

    def test_expunges_are_vanished_and_the_ok_says_up_to_where(self) -> None:
        self.ask("ENABLE QRESYNC")
        self.open()
        self.open("2")
        self.dialogue("""
            C: a STORE 2:4,7 +FLAGS.SILENT (\\Deleted)
            S: * 2 FETCH (UID 2 MODSEQ ({m}))
            S: * 3 FETCH (UID 3 MODSEQ ({m}))
            S: * 4 FETCH (UID 4 MODSEQ ({m}))
            S: * 7 FETCH (UID 7 MODSEQ ({m}))
            S: a OK STORE completed
            C: b EXPUNGE
            S: * VANISHED 2:4,7
            S: b OK [HIGHESTMODSEQ {n}] EXPUNGE completed
            C: c UID MOVE 1 Trash
            S: * OK [COPYUID {v} 1 1] moved
            S: * VANISHED 1
            S: c OK [HIGHESTMODSEQ {o}] UID MOVE completed
            C: d CLOSE
            S: d OK CLOSE completed
            C2: a NOOP
            S2: * 7 EXPUNGE
            S2: * 4 EXPUNGE
            S2: * 3 EXPUNGE
            S2: * 2 EXPUNGE
            S2: * 1 EXPUNGE
            S2: a OK NOOP completed
        """)

    def test_new_messages_come_with_their_modseq(self) -> None:
        """The log's rule 5: a client that is cut off there would resume too high."""
        self.ask("ENABLE QRESYNC")
        self.open()
        self.dialogue("""
            C: a APPEND INBOX (\\Seen) {3+}
            C: abc
            S: * 10 EXISTS
            S: * 10 FETCH (UID 10 FLAGS (\\Seen) MODSEQ ({m}))
            S: a OK [APPENDUID {v} 10] appended
        """)

    def test_fetch_vanished_tells_of_uids_that_are_gone(self) -> None:
        _, before = self.open()
        self.ask("STORE 2:4,7 +FLAGS.SILENT (\\Deleted)")
        self.ask("EXPUNGE")
        for bad in ("UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)",):
            self.assertRegex(self.ask(bad), "^x BAD VANISHED wants QRESYNC")
        self.ask("ENABLE QRESYNC")
        self.bound = {"b": str(before)}
        self.dialogue("""
            C: a UID FETCH 3:6 (FLAGS) (CHANGEDSINCE {b} VANISHED)
            S: * VANISHED (EARLIER) 3:4
            S: a OK UID FETCH completed
            C: b UID FETCH 1:* (FLAGS) (VANISHED CHANGEDSINCE {b})
            S: * VANISHED (EARLIER) 2:4,7
            S: b OK UID FETCH completed
            C: c FETCH 1:* (FLAGS) (CHANGEDSINCE {b} VANISHED)
            S: c BAD {*}
            C: d UID FETCH 1:* (FLAGS) (VANISHED)
            S: d BAD {*}
        """)

    def test_client_8_vanished_is_ranges_in_one_line_while_it_is_not_too_long(self) -> None:
        self.assertEqual(list(vanished(NumSet.of([1, 2, 3, 5]), earlier=True)),
                         [b"* VANISHED (EARLIER) 1:3,5\r\n"])
        self.assertEqual(list(vanished(NumSet())), [])
        many = NumSet.of(range(1, 20001, 2))
        lines = list(vanished(many))
        self.assertTrue(all(len(line) <= 8192 for line in lines))
        told = b",".join(line[len(b"* VANISHED "):-2] for line in lines)
        self.assertEqual([int(n) for n in told.split(b",")], list(many))
