"""What the model test found once, as dialogues (RFC 9051, RFC 7162): none of it comes back."""

from __future__ import annotations

from moximap.imap.commands import fetch
from moximap.imap.site import Site
from moximap.store import opened
from moximap.values import NumSet
from tests.dialogue import HELLO, DialogueCase
from tests.model_races import Jobs

LONG = HELLO + b"0123456789abcdef\r\n" * 40000


class FoundTests(DialogueCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(3)
        self.elsewhere = self.account()
        self.inbox = self.elsewhere.mailbox("INBOX").id
        self.site.listen_to_bells = lambda: self.site.accounts.bell("ada")

    def ask(self, text: str, client: str = "") -> str:
        self.client(client).send(f"x {text}\r\n".encode())
        return self.client(client).received().decode()

    def test_a_store_that_changes_nothing_says_highestmodseq_while_an_expunge_is_held_back(self) -> None:
        self.ask("ENABLE CONDSTORE")
        self.ask("SELECT INBOX")
        self.elsewhere.move(self.inbox, NumSet.of([1]), "INBOX")
        told = self.ask("UID FETCH 4 FLAGS")
        self.assertIn("[HIGHESTMODSEQ 2]", told)
        told = self.ask("UID STORE 4 -FLAGS (two)")
        self.assertIn("(UID 4 FLAGS () MODSEQ (3))", told)
        self.assertIn("[HIGHESTMODSEQ 2]", told)

    def test_a_fetch_shows_what_another_process_was_answered_where_changes_of_flags_are_not_told(self) -> None:
        self.ask("NOTIFY SET (SELECTED (MessageNew MessageExpunge))")
        self.ask("SELECT INBOX")
        for flag, asked in (("\\Flagged", ""), ("\\Seen", " (CHANGEDSINCE 1)")):
            self.elsewhere.store(self.inbox, NumSet.of([2]), "=", [flag])
            self.assertIn(f"FLAGS ({flag})", self.ask(f"FETCH 1:3 (FLAGS){asked}"))

    def test_close_expunges_what_another_process_marked_deleted(self) -> None:
        self.ask("SELECT INBOX")
        self.elsewhere.store(self.inbox, NumSet.of([2]), "+", ["\\Deleted"])
        self.assertEqual(self.ask("CLOSE"), "x OK CLOSE completed\r\n")
        self.assertEqual(list(self.elsewhere.open("INBOX").changes.uids), [1, 3])

    def test_close_of_a_removed_mailbox_is_ok(self) -> None:
        self.ask("CREATE gone")
        self.fill(1, "gone", flags=["\\Deleted"])
        self.ask("SELECT gone")
        self.ask("DELETE gone", "2")
        self.assertEqual(self.ask("CLOSE"), "x OK CLOSE completed\r\n")

    def test_what_another_process_expunged_is_erased_once_this_one_has_told_it(self) -> None:
        self.ask("SELECT INBOX")
        self.clock.advance(25)
        self.elsewhere.store(self.inbox, NumSet.of([1, 2, 3]), "+", ["\\Deleted"])
        modseq = self.elsewhere.expunge(self.inbox).modseq
        self.elsewhere.set_floor(modseq)
        self.site.accounts.bell("ada", modseq)
        self.clock.advance(25)
        self.assertEqual(self.ask("FETCH 1:3 BODY.PEEK[]").count("Hello, Bob."), 3)
        self.ask("NOOP")
        self.clock.advance(25)
        self.assertEqual(list(self.elsewhere.fetch(self.inbox, NumSet(((1, 9),)), ["uid"])), [])

    def test_fetch_from_a_removed_mailbox_is_ok_even_if_it_would_set_seen(self) -> None:
        self.ask("CREATE gone")
        self.fill(1, "gone")
        self.ask("SELECT gone")
        self.ask("DELETE gone", "2")
        self.assertRegex(self.ask("FETCH 1 BODY[TEXT]"), r"(?s)Hello, Bob.*x OK \[EXPUNGEISSUED\]")

    def test_a_long_fetch_goes_on_behind_a_message_that_is_gone(self) -> None:
        self.patch(fetch, "BATCH", 2)
        self.ask("SELECT INBOX")
        self.ask("SELECT INBOX", "2")
        self.ask("MOVE 3 Trash", "2")
        told = self.ask("FETCH 1:3 FLAGS")
        self.assertEqual(told.count("FETCH ("), 3)
        self.assertIn("x OK [EXPUNGEISSUED]", told)


class FoundRaceTests(DialogueCase):
    def make_site(self) -> Site:
        site = super().make_site()
        self.pool = Jobs()
        return Site(site.directory, site.authenticator, self.pool, self.clock)

    def test_what_is_written_while_the_mailbox_is_being_opened_is_told(self) -> None:
        self.fill(1)
        for name in "12":
            self.client(name)
        self.pool.held = True
        self.client("1").send(b"a SELECT INBOX\r\n")
        self.client("2").send(b"a APPEND INBOX {1+}\r\nx\r\n")
        for job in self.pool.waiting:
            job.run()
        self.pool.waiting.reverse()
        self.pool.settle()
        self.assertIn(b"* 1 EXISTS", self.client("1").received())
        self.pool.held = False
        self.client("1").send(b"b NOOP\r\n")
        self.assertEqual(self.client("1").received(), b"* 2 EXISTS\r\nb OK NOOP completed\r\n")

    def test_two_who_open_a_mailbox_at_once_see_no_message_that_is_gone(self) -> None:
        self.fill(2, flags=["\\Deleted"])
        for name in "12":
            self.client(name)
        self.pool.held = True
        elsewhere = self.account()
        for name in "12":
            self.client(name).send(b"a SELECT INBOX\r\n")
            self.pool.waiting[-1].run()
            elsewhere.expunge(elsewhere.mailbox("INBOX").id, NumSet.of([1]))
        self.pool.settle()
        self.assertIn(b"* 2 EXISTS", self.client("1").received())
        self.assertIn(b"* 1 EXISTS", self.client("2").received())
        self.pool.held = False
        self.client("1").send(b"b NOOP\r\n")
        self.assertEqual(self.client("1").received(), b"* 1 EXPUNGE\r\nb OK NOOP completed\r\n")

    def test_a_mailbox_that_is_opened_while_it_is_forgotten_has_one_image(self) -> None:
        self.patch(opened, "SPARE_IMAGES", 1)
        for name in "123":
            self.client(name)
        self.client("1").send(b"a SELECT INBOX\r\nb SELECT Trash\r\n")
        self.pool.held = True
        self.client("2").send(b"a SELECT INBOX\r\n")
        self.pool.waiting[0].run()
        self.client("1").send(b"c UNSELECT\r\n")
        self.client("3").send(b"a SELECT INBOX\r\n")
        self.pool.waiting[1].run()
        second, third = self.pool.waiting
        self.pool.waiting = []
        second.deferred.callback(second.result)          # what it builds on is gone: it asks again
        third.deferred.callback(third.result)
        self.pool.settle()
        self.pool.held = False
        for name in "23":
            self.client(name).received()
        self.client("3").send(b"c APPEND INBOX {1+}\r\nx\r\n")
        self.assertIn(b"* 1 EXISTS", self.client("3").received())
        self.client("2").send(b"c NOOP\r\n")
        self.assertIn(b"* 1 EXISTS", self.client("2").received())

    def test_what_was_told_as_seen_is_seen_even_if_the_client_went_away(self) -> None:
        self.fill(1, content=LONG)
        client = self.client("1")
        client.send(b"a SELECT INBOX\r\n")
        client.received()
        client.transport.producer.pauseProducing()
        client.send(b"b FETCH 1 BODY[]\r\n")
        self.assertIn(b"FLAGS (\\Seen)", client.received())
        client.lose()
        self.client("2").send(b"a SELECT INBOX\r\nb FETCH 1 FLAGS\r\n")
        self.assertIn(b"FLAGS (\\Seen)", self.client("2").received())
