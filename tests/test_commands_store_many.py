"""STORE of more messages than are changed at once: responses are made while the rows are written."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

from twisted.internet.defer import Deferred

from moximap.imap import intake, view
from moximap.imap.commands import store
from moximap.imap.view import View
from moximap.store.errors import Unavailable
from moximap.store.threads import DirectPool
from tests.dialogue import DialogueCase

COUNT = 12
SEEN = "\n".join(f"S: * {n} FETCH (UID {n} FLAGS (\\Seen))" for n in range(1, COUNT + 1))


class LatePool(DirectPool):
    """What a call asks for meanwhile is done after it."""

    def __init__(self) -> None:
        self.late: list[Callable[[], None]] = []

    def soon(self, function: Callable[[], None]) -> None:
        self.late.append(function)


class ManyTests(DialogueCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(COUNT)
        client = self.client()
        client.send(b"s SELECT INBOX\r\n")
        self.assertIn(b"s OK", client.received())

    def rendered(self, script: str) -> int:
        """How often messages were rendered in a dialogue."""
        with mock.patch.object(View, "fetches", autospec=True, side_effect=View.fetches) as fetches:
            self.dialogue(script)
        return fetches.call_count

    def test_they_are_rendered_once(self) -> None:
        self.assertEqual(self.rendered(f"C: a STORE 1:* +FLAGS (\\Seen)\n{SEEN}\nS: a OK {{*}}"), 1)

    def test_nothing_is_rendered_where_nothing_is_told(self) -> None:
        self.assertEqual(self.rendered("C: a STORE 1:* +FLAGS.SILENT (\\Seen)\nS: a OK {*}"), 0)

    def test_it_may_come_too_late(self) -> None:
        pool = self.site.pool = LatePool()
        script = f"C: a STORE 1:* +FLAGS (\\Seen)\n{SEEN}\nS: a OK {{*}}"
        self.assertEqual(self.rendered(script), 1)
        with mock.patch.object(View, "fetches") as fetches:
            for function in pool.late:
                function()
        fetches.assert_not_called()

    def test_it_is_not_told_where_the_store_fails(self) -> None:
        with mock.patch("moximap.store.storing._update", side_effect=Unavailable("gone")):
            self.dialogue("C: a STORE 1:* +FLAGS (\\Seen)\nS: a NO [UNAVAILABLE] {*}")
        self.dialogue("C: b FETCH 1 FLAGS\nS: * 1 FETCH (UID 1 FLAGS ())\nS: b OK {*}")

    def test_those_that_stay_are_told_behind_those_that_change(self) -> None:
        self.dialogue("C: a STORE 2 +FLAGS.SILENT (\\Seen)\nS: a OK {*}")
        lines = SEEN.split("\n")
        changed = "\n".join([lines[0], *lines[2:]])
        self.dialogue(f"C: b STORE 1:* +FLAGS (\\Seen)\n{changed}\n{lines[1]}\nS: b OK {{*}}")

    def test_very_many_are_rendered_in_pieces(self) -> None:
        self.patch(view, "_AT_ONCE", 5)
        self.dialogue(f"C: a STORE 1:* +FLAGS (\\Seen)\n{SEEN}\nS: a OK {{*}}")

    def test_who_does_not_read_gets_one_piece_and_the_rest_is_not_made_yet(self) -> None:
        self.patch(view, "_AT_ONCE", 5)
        self.patch(store, "MOST_DRAWN", COUNT - 1)
        client = self.client()
        client.send(b"s SELECT INBOX\r\n")
        client.received()
        outlet = client.protocol._outlet
        outlet.pauseProducing()
        client.send(b"a STORE 1:* +FLAGS (\\Seen)\r\n")
        first = client.received()
        self.assertEqual(first.count(b" FETCH ("), 5)
        self.assertNotIn(b"a OK", first)
        outlet.resumeProducing()
        rest = client.received()
        self.assertEqual((first + rest).count(b" FETCH ("), COUNT)
        self.assertTrue(rest.rstrip().splitlines()[-1].startswith(b"a OK"))

    def test_nothing_is_told_behind_a_bye(self) -> None:
        self.patch(view, "_AT_ONCE", 5)
        self.patch(store, "MOST_DRAWN", 0)
        self.patch(intake, "TURN", -1)                    # after each piece others are let in
        others: list[Deferred[None]] = []
        self.patch(intake.Intake, "_others", lambda protocol: [others.append(Deferred()), others[-1]][1])

        def let(turns: int) -> None:
            for _ in range(turns):
                if others:
                    others.pop(0).callback(None)

        for change in (b"+FLAGS (\\Seen)", b"(UNCHANGEDSINCE 1000) +FLAGS (\\Flagged)"):
            client = self.client(change.decode())
            client.send(b"s SELECT INBOX\r\n")
            let(9)
            client.received()
            client.send(b"a STORE 1:* %b\r\n" % change)
            let(1)
            client.protocol.dismiss("shutting down")
            told = client.received()
            self.assertLess(told.count(b" FETCH ("), COUNT)
            self.assertTrue(told.endswith(b"* BYE shutting down\r\n"), told)
            let(99)
            self.assertEqual(client.received(), b"")
            self.assertTrue(client.transport.disconnecting)

    def test_names_of_new_keywords_are_known_when_they_are_told(self) -> None:
        told = SEEN.replace("\\Seen", "new")
        self.dialogue(f"C: a STORE 1:* FLAGS (new)\nS: * FLAGS {{*}}\n{told}\nS: a OK {{*}}")

    def test_with_modseqs(self) -> None:
        lines = "\n".join(line[:-1] + " MODSEQ ({m}))" for line in SEEN.split("\n"))
        self.dialogue(f"C: a ENABLE CONDSTORE\nS: * OK {{*}}\nS: * ENABLED CONDSTORE\nS: a OK {{*}}\n"
                      f"C: b STORE 1:* +FLAGS (\\Seen)\n{lines}\nS: b OK {{*}}")
