"""Many sets of messages in one search: what they come to is limited, as they are joined while nobody else is served."""

from __future__ import annotations

from moximap.imap.commands import search_finding
from moximap.config import Config, of_site
from moximap.store.interfaces import NewMessage
from tests.dialogue import Client, DialogueCase
from tests.test_protocol import HeldCase


class SetTests(DialogueCase):
    """Every other message is gone, so that each set of all the others is one of six ranges."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(search_finding, "MOST_RANGES", 60)
        self.fill(12)
        self.client().send(b"s SELECT INBOX\r\nt STORE 2,4,6,8,10,12 +FLAGS.SILENT (\\Deleted)\r\nu EXPUNGE\r\n"
                           b"v SEARCH RETURN (SAVE) ALL\r\n")
        self.assertIn(b"v OK", self.client().received())

    def test_a_few_sets_may_be_of_any_size(self) -> None:
        self.patch(search_finding, "MOST_RANGES", 0)
        for key in ("$", "1:*", "NOT $"):
            self.dialogue(f"""
                C: a SEARCH RETURN (COUNT) {" ".join([key] * 10)}
                S: * ESEARCH (TAG "a") COUNT {{*}}
                S: a OK {{*}}
            """)

    def test_many_may_not_be_large_all_together(self) -> None:
        for key in ("$", "1:*", "NOT $", "OR $ SEEN", "(1:* ALL)"):
            for command in ("SEARCH", "SORT (DATE) UTF-8", "ESEARCH IN (selected)"):
                self.dialogue(f"""
                    C: a {command} {" ".join([key] * 11)}
                    S: a NO [LIMIT] {{*}}
                """)

    def test_many_small_ones_are_as_before(self) -> None:
        self.dialogue(f"""
            C: a SEARCH {" ".join(["1 UID 1"] * 30)}
            S: * SEARCH 1
            S: a OK {{*}}
        """)

    def test_of_other_mailboxes_no_more_is_asked(self) -> None:
        self.client().send(b"w UNSELECT\r\n")
        self.client().received()
        self.dialogue(f"""
            C: a ESEARCH IN (mailboxes INBOX) {" ".join(["1:*"] * 11)}
            S: a NO [LIMIT] {{*}}
            C: b ESEARCH IN (mailboxes INBOX) {" ".join(["1:*"] * 10)}
            S: * ESEARCH (TAG "b" MAILBOX INBOX UIDVALIDITY {{v}}) UID ALL 1,3,5,7,9,11
            S: b OK {{*}}
        """)


class TurnTests(HeldCase):
    """Searches that read messages leave threads to others."""

    def searching(self, number: str, login: str) -> Client:
        client = self.client(number, login)
        client.send(b"s SELECT INBOX\r\n")
        client.received()
        self.pool.held = True
        client.send(b"a SEARCH TEXT hello\r\n")
        self.pool.held = False
        return client

    def cranked(self) -> int:
        """Run what waits; how many calls that were."""
        count = 0
        self.pool.held = True
        while self.pool.waiting:
            self.pool.crank()
            count += 1
        self.pool.held = False
        return count

    def test_no_more_than_so_many_run_at_once_and_all_are_answered(self) -> None:
        self.fill(2)
        self.site.searching.limit = self.site.searching.tokens = 4
        clients = [self.searching(name, "ada") for name in "1234"]
        self.assertEqual(len(self.pool.waiting), 2)            # half of all, for one account
        clients[0].lose()
        self.crank()
        for client in clients[1:]:
            self.clock.advance(0)
            self.assertIn(b"a OK", client.received())
        self.assertEqual(self.site.searching.tokens, 4)

    def test_whose_client_went_away_before_its_turn_is_not_begun(self) -> None:
        self.fill(2)
        clients = [self.searching(name, "ada") for name in "123456"]
        for client in clients[3:]:
            client.lose()
        self.assertEqual(self.cranked(), 3)
        self.clock.advance(0)
        self.assertEqual(self.site.searching.tokens, 6)
        self.searching("7", "ada")
        self.crank()
        self.assertIn(b"a OK", self.client("7").received())

    def test_others_need_not_wait_for_one_with_many(self) -> None:
        bob = self.directory.open("bob")
        bob.append("INBOX", [NewMessage(b"\r\nhello")])
        bob.close()
        self.fill(2)
        self.site.searching.limit = self.site.searching.tokens = 4
        for name in "12345":
            self.searching(name, "ada")
        self.searching("6", "bob")
        self.assertEqual(len(self.pool.waiting), 3)
        self.crank()
        self.assertIn(b"a OK", self.client("6").received())

    def test_two_threads_are_for_others(self) -> None:
        self.assertEqual([of_site(Config(threads=n))["searches"] for n in (1, 2, 3, 8)], [1, 1, 1, 6])
