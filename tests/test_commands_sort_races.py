"""SORT and THREAD while others change the mailbox, and while the client goes away."""

from __future__ import annotations

from tests.test_commands_sort import SortCase, message
from tests.test_protocol import HeldCase

COMMANDS = {"SORT (SUBJECT) UTF-8 ALL": "* SORT 4 3 2 1", "UID SORT (SUBJECT) UTF-8 ALL": "* SORT 4 3 2 1",
            "SORT RETURN (ALL SAVE) (SUBJECT) UTF-8 ALL": '* ESEARCH (TAG "q") ALL 4,3,2,1',
            "THREAD ORDEREDSUBJECT UTF-8 ALL": "* THREAD (1)(2)(3)(4)",
            "UID THREAD REFERENCES UTF-8 ALL": "* THREAD (1)(2)(3)(4)"}


class RaceTests(HeldCase, SortCase):
    def setUp(self) -> None:
        super().setUp()
        self.put(*[message(n, Subject=subject) for n, subject in enumerate("dcba")])
        self.client("2")

    def test_what_another_expunges_meanwhile_is_in_the_numbers_that_the_client_has(self) -> None:
        for command, told in COMMANDS.items():
            self.select()
            self.pool.held = True
            self.client().send(f"q {command}\r\n".encode())
            self.assertEqual(self.client().received(), b"")
            self.elsewhere("+", [1, 3], "\\Flagged")
            self.crank()
            lines = self.client().received().decode().split("\r\n")
            self.assertEqual(lines[0], told)
            self.assertTrue(lines[-2].startswith("q OK "), lines)
        self.select()
        self.pool.held = True
        self.client().send(b"q SORT (REVERSE SUBJECT) UTF-8 ALL\r\n")
        self.elsewhere("expunge", [2])
        self.crank()
        self.assertEqual(self.client().received(), b"* SORT 1 2 3 4\r\nq OK SORT completed\r\n")

    def test_a_client_that_goes_away_harms_nobody(self) -> None:
        for number, command in enumerate(COMMANDS, 3):
            client = self.client(str(number))
            self.select(str(number))
            self.pool.held = True
            client.send(f"q {command}\r\n".encode())
            client.lose()
            self.crank()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.select()
        self.assertEqual(self.sort("(SUBJECT)"), "4 3 2 1")

    def test_two_at_once_have_the_same_answer(self) -> None:
        self.select()
        self.select("2")
        self.pool.held = True
        for number in ("", "2"):
            self.client(number).send(b"q UID THREAD REFERENCES UTF-8 ALL\r\nr SORT (SUBJECT) UTF-8 2:4\r\n")
        self.crank()
        first, second = self.client().received(), self.client("2").received()
        self.assertEqual(first, second)
        self.assertIn(b"* THREAD (1)(2)(3)(4)\r\n", first)
        self.assertIn(b"* SORT 4 3 2\r\n", first)
