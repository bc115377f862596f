"""NOTIFY where several things happen at once: threads, lost connections, other processes, many sessions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from time import perf_counter

from moximap.identity.authenticator import Authenticator
from moximap.imap.protocol import IMAPFactory
from moximap.imap.site import Limits, Site
from moximap.store.bell import Bell
from moximap.store.interfaces import NewMessage
from moximap.store.threads import DirectPool
from moximap.values import Listing
from tests.dialogue import HELLO, Client
from tests.test_commands_notify import NotifyCase
from tests.test_protocol import HeldCase

EVERYTHING = ("SET (SELECTED (MessageNew (PREVIEW) MessageExpunge FlagChange))"
              " (PERSONAL (MailboxName MessageNew MessageExpunge))")


class RaceTests(HeldCase, NotifyCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(2)
        self.select()
        self.notify(EVERYTHING)

    def foreign(self, mailbox: str) -> None:
        """Another process delivers."""
        with closing(self.directory.open("ada")) as account:
            account.append(mailbox, [NewMessage(HELLO)])
        self.site.accounts.bell("ada")

    def test_what_happens_while_a_command_runs_is_told_at_its_end(self) -> None:
        self.pool.held = True
        self.client().send(b"a FETCH 1 PREVIEW\r\n")
        self.client().send(b"b FETCH 1:2 (UID BODYSTRUCTURE ENVELOPE PREVIEW)\r\n")
        self.foreign("Junk")
        self.silent()
        self.crank()
        lines = self.client().received().split(b"\r\n")
        kinds = [b" ".join(line.split()[:3]) if line.startswith(b"*") else line[:4] for line in lines]
        self.assertEqual(kinds, [b"* 1 FETCH", b"* STATUS Junk", b"a OK", b"* 1 FETCH", b"* 2 FETCH", b"b OK", b""])

    def test_a_command_that_comes_while_changes_are_told_waits_for_their_end(self) -> None:
        self.pool.held = True
        self.foreign("INBOX")
        self.foreign("Junk")
        self.clock.advance(0)
        self.assertTrue(self.pool.waiting)
        self.client().send(b"a SELECT Junk\r\nb NOOP\r\n")
        self.assertEqual(self.client().received(), b"* 3 EXISTS\r\n")
        self.crank()
        self.clock.advance(0)
        got = self.client().received()
        order = [got.index(what) for what in (b"* 3 FETCH (UID 3 PREVIEW", b"* STATUS Junk (UIDNEXT 2", b"[CLOSED]",
                                              b"* 1 EXISTS", b"a OK", b"b OK")]
        self.assertEqual(order, sorted(order))

    def test_what_happens_while_changes_are_told_is_told_after_them(self) -> None:
        self.pool.held = True
        self.foreign("Junk")
        self.clock.advance(0)
        self.foreign("Junk")
        self.foreign("INBOX")
        self.crank()
        self.clock.advance(0)
        self.dialogue("""
            S: * STATUS Junk (UIDNEXT 3 MESSAGES 2 UNSEEN 2)
            S: * 3 EXISTS
            S: * 3 FETCH (UID 3 PREVIEW {*})
        """)

    def test_a_connection_that_is_lost_while_changes_are_told_leaves_nothing_behind(self) -> None:
        client = self.client()
        room = self.room
        for mailbox in ("INBOX", "Junk"):
            self.pool.held = True
            self.foreign(mailbox)
            self.clock.advance(0)
            self.assertTrue(self.pool.waiting)
            if mailbox == "Junk":
                client.lose()
                self.assertIsNotNone(client.protocol.session.room)
            self.crank()
            self.clock.advance(0)
        self.assertIsNone(client.protocol.session.room)
        self.assertEqual((room.users, room._listeners, room.readers), (0, {}, set()))

    def test_a_connection_that_is_lost_before_leaves_no_timer(self) -> None:
        client, room = self.client(), self.room
        self.foreign("Junk")
        client.lose()
        self.clock.advance(0)
        self.assertEqual(room._listeners, {})
        self.assertEqual(client.received(), b"")

    def test_a_dismissal_while_changes_are_told_is_the_last_word(self) -> None:
        self.pool.held = True
        self.foreign("Junk")
        self.clock.advance(0)
        self.client().protocol.dismiss("stopping")
        self.crank()
        self.clock.advance(0)
        self.assertEqual(self.client().received(), b"* BYE stopping\r\n")

    def test_notify_none_ends_what_has_rung_already(self) -> None:
        self.foreign("Junk")
        self.client().send(b"a NOTIFY NONE\r\n")
        self.foreign("Junk")
        self.dialogue("S: a OK NOTIFY completed")

    def test_logging_out_ends_it(self) -> None:
        self.client().send(b"a LOGOUT\r\n")
        self.foreign("Junk")
        self.dialogue("S: * BYE {*}\nS: a OK {*}")


class TwoProcessesTests(NotifyCase):
    """Two sites, each with its bell, as two workers have them."""

    def site_with_bell(self) -> tuple[Site, Callable[[], None]]:
        site = Site(self.directory, Authenticator(self.directory), DirectPool(), self.clock, plaintext_login=True)
        self.addCleanup(lambda: [store.close() for store in site.accounts.close_all()])
        bell = Bell(self.data / "bell")
        self.addCleanup(bell.close)

        def drain() -> None:
            for account, modseq in bell.drain() or ():
                site.accounts.bell(account, modseq)

        site.listen_to_bells, site.accounts.others = drain, bell
        return site, drain

    def test_each_hears_of_the_other(self) -> None:
        clients, drains = {}, []
        for number in ("1", "2"):
            site, drain = self.site_with_bell()
            drains.append(drain)
            clients[number] = self.clients[number] = Client(IMAPFactory(site))
            self.addCleanup(clients[number].lose)
            clients[number].login("ada")
            self.notify(EVERYTHING, number)
        clients["1"].send(b"a CREATE New\r\n")
        clients["1"].received()
        drains[1]()                                # as the reactor does when the socket is readable
        self.dialogue("S2: * LIST (\\HasNoChildren \\Subscribed) \"/\" New")
        clients["2"].send(b"a APPEND New {%d+}\r\n%b\r\n" % (len(HELLO), HELLO))
        clients["2"].received()
        drains[0]()
        self.dialogue("S1: * STATUS New (UIDNEXT 2 MESSAGES 1 UNSEEN 1)")
        clients["1"].send(b"b SELECT New\r\n")
        clients["1"].received()
        clients["2"].send(b"b APPEND New {%d+}\r\n%b\r\n" % (len(HELLO), HELLO))
        clients["2"].received()
        drains[0]()
        self.dialogue("S1: * 2 EXISTS\nS1: * 2 FETCH (UID 2 PREVIEW {*})")


class PauseTests(NotifyCase):
    pause = 0.05

    def test_many_changes_elsewhere_are_told_as_few(self) -> None:
        self.notify(EVERYTHING)
        self.deliver("Junk")
        self.dialogue("S: * STATUS Junk (UIDNEXT 2 MESSAGES 1 UNSEEN 1)")
        for _ in range(10):
            self.deliver("Junk")
            self.silent()
        self.clock.advance(0.05)
        self.dialogue("S: * STATUS Junk (UIDNEXT 12 MESSAGES 11 UNSEEN 11)")

    def test_the_selected_mailbox_alone_needs_no_pause(self) -> None:
        self.select()
        self.notify("SET (SELECTED (MessageNew MessageExpunge))")
        self.deliver()
        self.dialogue("S: * 1 EXISTS")
        self.deliver()
        self.dialogue("S: * 2 EXISTS")


class ManyTests(NotifyCase):
    limits = Limits(connections_per_account=300)

    def test_200_sessions_over_500_mailboxes_are_told_once_each(self) -> None:
        with closing(self.directory.open("ada")) as account:
            for number in range(494):
                account.create(f"M{number}", (), False)
        for number in range(200):
            self.notify("SET (PERSONAL (MailboxName MessageNew MessageExpunge FlagChange))", str(number))
        self.client()
        readings: list[Listing] = []
        read = self.room.store.mailboxes

        def counted() -> Listing:
            readings.append(read())
            return readings[-1]

        self.patch(self.room.store, "mailboxes", counted)
        self.deliver("M7")
        start = perf_counter()
        self.clock.advance(0)
        took = perf_counter() - start
        for number in range(200):
            self.assertEqual(self.client(str(number)).received(),
                             b"* STATUS M7 (UIDNEXT 2 MESSAGES 1 UNSEEN 1)\r\n")
        self.assertEqual(len(readings), 1)
        self.assertLess(took, 1.0)
        held = {id(c.protocol.session.policy._told.listing)            # type: ignore[attr-defined]
                for n, c in self.clients.items() if n}
        self.assertEqual(len(held), 1)
