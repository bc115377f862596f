"""IDLE (RFC 9051 6.3.13, RFC 2177)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from moximap.identity.authenticator import Authenticator
from moximap.imap.dialect import standard
from moximap.imap.site import Site
from moximap.store.errors import Unavailable
from moximap.store.interfaces import NewMessage
from moximap.store.opened import OpenAccount
from moximap.store.threads import DirectPool
from moximap.values import NumSet
from tests.dialogue import HELLO, Client, DialogueCase


class IdleCase(DialogueCase):
    """``select`` has a client select INBOX with three messages."""

    def select(self, number: str = "") -> Client:
        client = self.client(number)
        client.send(b"s SELECT INBOX\r\n")
        client.received()
        return client

    @property
    def room(self) -> OpenAccount:
        """The account as sessions of this process share it."""
        room = self.client().protocol.session.room
        assert room is not None
        return room

    def append(self, count: int = 1) -> None:
        """New mail, by this process."""
        self.room.write(self.room.store.append, "INBOX", [NewMessage(HELLO)] * count)

    def expunge(self, uid: int) -> None:
        """Another client expunges, in this process."""
        view = self.client().protocol.session.selected
        self.room.write(self.room.store.store, view.mailbox.id, NumSet.of([uid]), "+", ["\\Deleted"])
        self.room.write(self.room.store.expunge, view.mailbox.id, NumSet.of([uid]))


class IdleTests(IdleCase):
    def test_the_example(self) -> None:
        """RFC 9051 6.3.13: what is pending comes before the continuation."""
        self.fill(3)
        self.select()
        self.dialogue("""
            C: A002 IDLE
            S: + idling
        """)
        self.append()
        self.dialogue("""
            S: * 4 EXISTS
            C: DONE
            S: A002 OK IDLE completed
        """)
        self.expunge(2)
        self.dialogue("""
            C: A004 IDLE
            S: * 2 EXPUNGE
            S: + idling
        """)
        self.expunge(3)
        self.dialogue("S: * 2 EXPUNGE")
        self.append()
        self.dialogue("""
            S: * 3 EXISTS
            C: DONE
            S: A004 OK IDLE completed
            C: a NOOP
            S: a OK NOOP completed
        """)

    def test_flags_are_told_with_their_uid(self) -> None:
        """RFC 9051 6.3.13; new keywords are announced first."""
        self.fill(3)
        self.select()
        self.expunge(1)
        self.dialogue("""
            C: a IDLE
            S: * 1 EXPUNGE
            S: + idling
        """)
        mailbox = self.client().protocol.session.selected.mailbox
        self.room.write(self.room.store.store, mailbox.id, NumSet.of([3]), "+", ["\\Seen", "later"])
        self.dialogue(r"""
            S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft later)
            S: * 2 FETCH (UID 3 FLAGS (\Seen later))
            C: DONE
            S: a OK IDLE completed
        """)

    def test_changes_of_another_session(self) -> None:
        """Client 27 by IDLE; each client hears what it does not know."""
        self.fill(3)
        self.select("1")
        self.select("2")
        self.dialogue(r"""
            C1: a IDLE
            S1: + idling
            C2: b RENAME INBOX elsewhere
            S2: * 3 EXPUNGE
            S2: * 2 EXPUNGE
            S2: * 1 EXPUNGE
            S2: b OK RENAME completed
            S1: * 3 EXPUNGE
            S1: * 2 EXPUNGE
            S1: * 1 EXPUNGE
            C1: DONE
            S1: a OK IDLE completed
        """)

    def test_changes_of_another_process(self) -> None:
        self.fill(3)
        self.select()
        other = self.account()
        self.dialogue("""
            C: a IDLE
            S: + idling
        """)
        other.append("INBOX", [NewMessage(HELLO)])
        self.dialogue("")
        self.site.accounts.bell("ada")
        self.dialogue("""
            S: * 4 EXISTS
            C: DONE
            S: a OK IDLE completed
        """)

    def test_a_burst_is_told_once(self) -> None:
        self.select()
        self.dialogue("C: a IDLE\nS: + idling")
        readings: list[int] = []
        self.site.listen_to_bells = lambda: readings.append(1)
        for _ in range(5):
            self.append(2)
        self.assertEqual(self.client().received(), b"")
        self.dialogue("S: * 10 EXISTS")
        self.assertEqual(readings, [1])

    def test_what_the_end_finds_is_told_before_the_ok(self) -> None:
        self.select()
        self.dialogue("C: a IDLE\nS: + idling")
        self.append()
        self.client().send(b"DONE\r\n")
        self.assertEqual(self.client().received(), b"* 1 EXISTS\r\na OK IDLE completed\r\n")
        self.dialogue("")

    def test_other_mailboxes_are_not_told_of(self) -> None:
        self.select()
        self.dialogue("C: a IDLE\nS: + idling")
        self.room.write(self.room.store.append, "Junk", [NewMessage(HELLO)])
        self.dialogue("C: DONE\nS: a OK IDLE completed")

    def test_without_a_mailbox(self) -> None:
        self.dialogue("C: a IDLE\nS: + idling")
        self.append()
        self.dialogue("""
            C: DONE
            S: a OK IDLE completed
        """)

    def test_done_in_any_case_and_empty_lines(self) -> None:
        """Client 22: iOS sends empty lines before its lines."""
        client = self.select()
        client.send(b"a IDLE\r\n\r\n\r\nDone \r\n")
        self.assertEqual(client.received(), b"+ idling\r\na OK IDLE completed\r\n")

    def test_commands_may_follow_at_once(self) -> None:
        client = self.select()
        client.send(b"a IDLE\r\nDONE\r\nb NOOP\r\nc IDLE\r\nDONE\r\nd NOOP\r\n")
        self.assertEqual(client.received(),
                         b"+ idling\r\na OK IDLE completed\r\nb OK NOOP completed\r\n"
                         b"+ idling\r\nc OK IDLE completed\r\nd OK NOOP completed\r\n")

    def test_anything_but_done_ends_the_connection(self) -> None:
        """Rule 66; client 26: one BYE, then the end, and none before that."""
        for line in (b"b NOOP", b"DONE x", b"b DONE", b"x {3}", b"+"):
            self.clients.clear()
            client = self.select()
            client.send(b"a IDLE\r\n")
            self.assertEqual(client.received(), b"+ idling\r\n")
            client.send(line + b"\r\nDONE\r\nc NOOP\r\n")
            self.assertEqual(client.received(), b"* BYE DONE is all that may be said while idling\r\n")
            self.assertTrue(client.transport.disconnecting)
            client.lose()

    def test_silence_ends_the_connection(self) -> None:
        """Rule 66: after 30 minutes; clients begin anew every 29."""
        client = self.select()
        client.send(b"a IDLE\r\n")
        self.clock.pump([60] * 29)
        self.assertEqual(client.received(), b"+ idling\r\n")
        client.send(b"DONE\r\nb IDLE\r\n")
        self.clock.pump([60] * 29)
        self.assertEqual(client.received(), b"a OK IDLE completed\r\n+ idling\r\n")
        self.clock.pump([60] * 2)
        self.assertEqual(client.received(), b"* BYE inactive for too long\r\n")
        self.assertTrue(client.transport.disconnecting)
        self.client("2")
        self.clients.pop("")
        client.lose()

    def test_bad_syntax(self) -> None:
        self.dialogue("""
            C: a IDLE now
            S: a BAD {*}
            C: b NOOP
            S: b OK NOOP completed
        """)

    def test_login_comes_first(self) -> None:
        self.dialogue("""
            S: * OK {*}
            C: a IDLE
            S: a BAD log in first
        """, login=None)

    def test_announced(self) -> None:
        self.assertIn(b"IDLE", standard().capabilities(self.client().protocol.session).split())


class EndsTests(IdleCase):
    """Nothing is left behind when an idling connection ends, however it does."""

    def listeners(self) -> int:
        return len(self.client("2").protocol.session.room._listeners)  # type: ignore[union-attr]

    def idle(self) -> Client:
        client = self.select()
        client.send(b"a IDLE\r\n")
        self.assertEqual(self.listeners(), 1)
        client.received()
        return client

    def test_done(self) -> None:
        self.idle().send(b"DONE\r\n")
        self.assertEqual(self.listeners(), 0)

    def test_a_wrong_line(self) -> None:
        self.idle().send(b"b NOOP\r\n")
        self.assertEqual(self.listeners(), 0)

    def test_the_connection_is_lost(self) -> None:
        client = self.idle()
        self.append()                        # and a change is on its way
        client.lose()
        self.clock.advance(0)
        self.assertEqual(self.listeners(), 0)
        self.assertEqual(client.received(), b"")
        self.assertIsNone(client.protocol.session.room)

    def append(self, count: int = 1) -> None:
        room = self.client("2").protocol.session.room
        assert room is not None
        room.write(room.store.append, "INBOX", [NewMessage(HELLO)] * count)


class Gate(DirectPool):
    """A pool that can hold its calls back."""

    def __init__(self) -> None:
        self.held: list[Callable[[], None]] | None = None

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        if self.held is None:
            return super().call(function, *args, **kwargs)
        later: Deferred[Any] = Deferred()
        self.held.append(lambda: later.callback(None))
        return later.addCallback(lambda _: function(*args, **kwargs))


class RaceTests(IdleCase):
    def make_site(self) -> Site:
        self.gate = Gate()
        return Site(self.directory, Authenticator(self.directory), self.gate, self.clock)

    def idle(self) -> Client:
        self.account_ = self.account()
        client = self.select()
        client.send(b"a IDLE\r\n")
        self.assertEqual(client.received(), b"+ idling\r\n")
        self.gate.held = []
        return client

    def change(self) -> None:
        self.account_.append("INBOX", [NewMessage(HELLO)])
        self.site.accounts.bell("ada")
        self.clock.advance(0)

    def release(self) -> None:
        assert self.gate.held
        self.gate.held.pop(0)()
        self.clock.advance(0)

    def test_a_bell_while_changes_are_read_makes_it_read_again(self) -> None:
        client = self.idle()
        self.change()
        self.change()
        self.change()
        assert self.gate.held is not None
        self.assertEqual(len(self.gate.held), 1)          # one reading at a time
        while self.gate.held:
            self.release()
        self.assertTrue(client.received().endswith(b"* 3 EXISTS\r\n"))
        client.send(b"DONE\r\n")
        self.assertEqual(client.received(), b"a OK IDLE completed\r\n")

    def test_done_while_changes_are_read(self) -> None:
        client = self.idle()
        self.change()
        client.send(b"DONE\r\nb NOOP\r\n")
        self.assertEqual(client.received(), b"")
        self.release()
        self.assertEqual(client.received(), b"* 1 EXISTS\r\na OK IDLE completed\r\nb OK NOOP completed\r\n")

    def test_the_connection_is_lost_while_changes_are_read(self) -> None:
        client = self.idle()
        self.change()
        client.lose()
        self.release()
        self.assertEqual(client.received(), b"")
        self.assertIsNone(client.protocol.session.room)

    def test_a_failure_is_logged_and_ends_the_connection(self) -> None:
        client = self.idle()
        self.patch(self.room.store, "changes", self.fail_)
        self.change()
        self.release()
        self.assertEqual(client.received(), b"* BYE [UNAVAILABLE] the mailbox cannot be watched now\r\n")
        self.assertTrue(client.transport.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(Unavailable)), 1)
        client.send(b"DONE\r\n")
        self.assertEqual(client.received(), b"")

    def fail_(self, *args: object) -> None:
        raise Unavailable("the account is locked")

    def test_a_client_that_reads_nothing_is_told_once(self) -> None:
        client = self.idle()
        self.gate.held = None
        client.protocol._outlet.pauseProducing()
        for _ in range(3):
            self.change()
        self.assertEqual(client.received(), b"")
        client.protocol._outlet.resumeProducing()
        self.assertEqual(client.received(), b"* 3 EXISTS\r\n")


class IdleByteByByteTests(IdleTests):
    byte_by_byte = True
