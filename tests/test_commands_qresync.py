"""The pairs of sequence numbers and UIDs that a client may bring along to SELECT (RFC 7162 3.2.5.2)."""

from __future__ import annotations

import re

from tests.dialogue import DialogueCase


class MatchTests(DialogueCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(4)
        self.client().send(b"e ENABLE QRESYNC\r\ns SELECT INBOX\r\nt STORE 2 +FLAGS.SILENT (\\Deleted)\r\nu EXPUNGE\r\n")
        found = re.search(rb"UIDVALIDITY (\d+)", self.client().received())
        assert found is not None
        self.validity = int(found[1])

    def vanished(self, match: str) -> list[bytes]:
        self.client().send(b"a SELECT INBOX (QRESYNC (%d 1 1:9 (%b)))\r\n" % (self.validity, match.encode()))
        received = self.client().received()
        self.assertIn(b"a OK", received)
        return re.findall(rb"VANISHED \(EARLIER\) (\S+)", received)

    def test_what_is_gone_below_a_pair_that_holds_is_known(self) -> None:
        self.assertEqual(self.vanished("1,3 1,4"), [])
        self.assertEqual(self.vanished("1:2 1,3"), [])

    def test_what_is_gone_above_the_last_pair_that_holds_is_told(self) -> None:
        self.assertEqual(self.vanished("1 1"), [b"2"])
        self.assertEqual(self.vanished("1:4 1:4"), [b"2"])

    def test_pairs_behind_the_last_message_cost_nothing(self) -> None:
        """Four billion of them took minutes, in which nobody was served."""
        self.assertEqual(self.vanished("1:4294967295 1:4294967295"), [b"2"])
