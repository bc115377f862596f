"""ESEARCH and SEARCHRES: RETURN, and "$"."""

from __future__ import annotations

from moximap.store.errors import Unavailable
from moximap.store.interfaces import NewMessage
from moximap.values import InternalDate
from tests.test_commands_search import FEB_1994, SearchCase, mail


class ReturnTests(SearchCase):
    """ESEARCH."""

    def test_it_is_announced(self) -> None:
        self.client().send(b"a CAPABILITY\r\n")
        names = self.client().received().split(b"\r\n")[0].split()
        for name in (b"ESEARCH", b"SEARCHRES", b"WITHIN"):
            self.assertIn(name, names)

    def test_examples_of_rfc_4731_3_1(self) -> None:
        self.put(*[NewMessage(mail(sender="smith" if n == 5 else "x@example.org"),
                              ("\\Flagged",) if n in (2, 5, 10, 11) else (), InternalDate(FEB_1994))
                   for n in range(1, 12)])
        self.select()
        self.dialogue("""
            C: A282 SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"
            S: * ESEARCH (TAG "A282") MIN 2 COUNT 3
            S: A282 OK SEARCH completed
            C: A283 SEARCH RETURN () FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"
            S: * ESEARCH (TAG "A283") ALL 2,10:11
            S: A283 OK SEARCH completed
            C: A284 SEARCH RETURN (MIN) FLAGGED
            S: * ESEARCH (TAG "A284") MIN 2
            S: A284 OK SEARCH completed
            C: A285 UID SEARCH RETURN (MIN MAX) 1:5
            S: * ESEARCH (TAG "A285") UID MIN 1 MAX 5
            S: A285 OK UID SEARCH completed
            C: A286 SEARCH RETURN (COUNT) FLAGGED
            S: * ESEARCH (TAG "A286") COUNT 4
            S: A286 OK SEARCH completed
            C: A287 search return (all) larger 100000
            S: * ESEARCH (TAG "A287")
            S: A287 OK SEARCH completed
            C: A288 UID SEARCH RETURN (ALL MIN MAX COUNT) SEEN
            S: * ESEARCH (TAG "A288") UID COUNT 0
            S: A288 OK UID SEARCH completed
            C: A289 SEARCH RETURN (MIN MIN) CHARSET UTF-8 FLAGGED
            S: * ESEARCH (TAG "A289") MIN 2
            S: A289 OK SEARCH completed
        """)

    def test_with_rev2_a_search_without_return_means_all_client_11(self) -> None:
        self.flagged(4, 1, 3, 4)
        self.send("e ENABLE IMAP4rev2")
        self.select()
        self.dialogue("""
            C: 8 UID SEARCH FLAGGED
            S: * ESEARCH (TAG "8") UID ALL 1,3:4
            S: 8 OK UID SEARCH completed
            C: A284 SEARCH TEXT "string not in mailbox"
            S: * ESEARCH (TAG "A284")
            S: A284 OK SEARCH completed
            C: A285 SEARCH RETURN (MIN) UNSEEN
            S: * ESEARCH (TAG "A285") MIN 1
            S: A285 OK SEARCH completed
            C: x]y SEARCH ALL
            S: * ESEARCH (TAG "x]y") ALL 1:4
            S: x]y OK SEARCH completed
        """)


class SaveTests(SearchCase):
    """SEARCHRES: SAVE, and "$"."""

    def setUp(self) -> None:
        super().setUp()
        self.flagged(21, 2, 10, 11, 12, 13, 14, 15, 21)
        self.select()

    def saved(self) -> str:
        return self.ask("$")

    def test_example_10_of_rfc_5182_2_4(self) -> None:
        everything = "2 10 11 12 13 14 15 21"
        for options, told, saved in (
                ("ALL", " ALL 2,10:15,21", ""),
                ("ALL SAVE", " ALL 2,10:15,21", everything),
                ("SAVE MIN", " MIN 2", "2"),
                ("MAX SAVE MIN", " MAX 21 MIN 2", "2 21"),
                ("MAX SAVE", " MAX 21", "21"),
                ("MAX SAVE MIN COUNT", " MAX 21 MIN 2 COUNT 8", everything),
                ("ALL SAVE MIN", " ALL 2,10:15,21 MIN 2", everything),
                ("COUNT SAVE", " COUNT 8", everything)):
            self.dialogue(f"""
                C: a SEARCH RETURN ({options}) SINCE 1-Feb-1994 FLAGGED
                S: * ESEARCH (TAG "a"){told}
                S: a OK SEARCH completed
            """)
            self.assertEqual(self.saved(), saved, options)

    def test_alone_it_tells_nothing_example_1(self) -> None:
        self.dialogue("""
            C: A282 SEARCH RETURN (SAVE) FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"
            S: A282 OK SEARCH completed
        """)
        self.assertEqual(self.saved(), "2 10 11 12 13 14 15 21")

    def test_pipelined_example_2_and_the_last_save_counts_example_9(self) -> None:
        self.client().send(b"H282 SEARCH RETURN (SAVE) KEYWORD $Junk\r\n"
                           b"H283 SEARCH RETURN (SAVE) FLAGGED 1:10\r\nH284 UID SEARCH $\r\n")
        self.dialogue("""
            S: H282 OK SEARCH completed
            S: H283 OK SEARCH completed
            S: * SEARCH 2 10
            S: H284 OK UID SEARCH completed
        """)

    def test_a_result_is_input_to_another_search_examples_3_and_4(self) -> None:
        self.send("a UID SEARCH RETURN (SAVE) FLAGGED")
        self.dialogue("""
            C: A301 UID SEARCH UID $ SMALLER 4096
            S: * SEARCH 2 10 11 12 13 14 15 21
            S: A301 OK UID SEARCH completed
            C: A302 UID SEARCH $ SMALLER 4096
            S: * SEARCH 2 10 11 12 13 14 15 21
            S: A302 OK UID SEARCH completed
            C: P283 SEARCH CHARSET UTF-8 (OR $ 1,17:18) TEXT {8+}
            C: мать
            S: * SEARCH
            S: P283 OK SEARCH completed
            C: P284 SEARCH (OR $ 1,17:18) NOT 3:14
            S: * SEARCH 1 2 15 17 18 21
            S: P284 OK SEARCH completed
            C: P285 SEARCH RETURN (SAVE ALL) NOT $
            S: * ESEARCH (TAG "P285") ALL 1,3:9,16:20
            S: P285 OK SEARCH completed
            C: P286 SEARCH UNFLAGGED NOT $
            S: * SEARCH
            S: P286 OK SEARCH completed
        """)

    def test_a_search_that_is_answered_no_empties_it_example_5(self) -> None:
        self.send("a SEARCH RETURN (SAVE) FLAGGED")
        self.dialogue("""
            C: B283 SEARCH RETURN (SAVE) CHARSET KOI8-R (OR $ 1,3:4) TEXT {4+}
            C: XXXX
            S: B283 NO [BADCHARSET (US-ASCII UTF-8)] there is no such charset here
        """)
        self.assertEqual(self.saved(), "")

    def test_any_failure_of_a_search_with_save_empties_it(self) -> None:
        account = self.client().protocol.session.account
        for error in (Unavailable("no"), RuntimeError("a bug")):
            def fail(*args: object, error: Exception = error) -> None:
                raise error

            self.send("a SEARCH RETURN (SAVE) FLAGGED")
            with_it = self.patch(account, "search", fail)
            self.refused("SEARCH SUBJECT x", "NO")
            self.assertEqual(self.saved(), "2 10 11 12 13 14 15 21")
            self.refused("SEARCH RETURN (MIN SAVE) SUBJECT x", "NO")
            self.assertEqual(self.saved(), "")
            with_it.restore()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_a_search_that_is_bad_or_does_not_save_leaves_it(self) -> None:
        self.send("a SEARCH RETURN (SAVE) FLAGGED 1:2")
        for program in ("SEARCH RETURN (SAVE) FOO", "SEARCH RETURN (SAVE) 99",
                        "SEARCH RETURN (SAVE FOO) ALL"):
            self.refused(program)
        self.refused("SEARCH CHARSET x ALL", "NO")
        self.send("b SEARCH ALL", "b SEARCH RETURN (ALL) ALL")
        self.assertEqual(self.saved(), "2")

    def test_an_empty_result_is_a_valid_set_that_matches_nothing(self) -> None:
        self.send("a SEARCH RETURN (SAVE) SEEN")
        self.assertEqual(self.ask("$"), "")
        self.assertEqual(self.ask("UID $"), "")
        self.assertEqual(self.ask("OR $ 3"), "3")
        self.assertEqual(self.ask("NOT $ 1:2"), "1 2")

    def test_before_any_search_it_is_empty(self) -> None:
        self.assertEqual(self.saved(), "")

    def test_select_empties_it(self) -> None:
        for command in ("SELECT INBOX", "EXAMINE INBOX"):
            self.send("a SEARCH RETURN (SAVE) FLAGGED", f"s {command}")
            self.assertEqual(self.saved(), "")

    def test_expunged_messages_drop_out_rule_90(self) -> None:
        self.send("a SEARCH RETURN (SAVE) FLAGGED")
        self.elsewhere("expunge", [1, 10, 21])
        self.send("n NOOP")
        self.assertEqual(self.saved(), "1 9 10 11 12 13")
        self.dialogue("""
            C: a UID SEARCH $
            S: * SEARCH 2 11 12 13 14 15
            S: a OK UID SEARCH completed
        """)

    def test_it_is_each_connection_s_own(self) -> None:
        self.send("a SEARCH RETURN (SAVE) FLAGGED")
        self.select("2")
        self.dialogue("""
            C2: a SEARCH $
            S2: * SEARCH
            S2: a OK SEARCH completed
        """)


class ReturnTestsByteByByte(ReturnTests):
    byte_by_byte = True


class SaveTestsByteByByte(SaveTests):
    byte_by_byte = True
