"""One connection: lines, literals, timeouts, back-pressure and limits (docs/contract.md, clients 22, 25, 26, 29, 31)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.python.failure import Failure

from moximap.imap.site import Limits, Site
from moximap.store.threads import DirectPool
from tests.dialogue import HELLO, Client, DialogueCase


def spooled(data: Path) -> list[Path]:
    """Files that receiving has left."""
    return list((data / "accounts" / "ada" / "tmp").iterdir())


class LineTests(DialogueCase):
    def test_client_22_empty_lines_before_a_tag_are_ignored(self) -> None:
        self.client().send(b"\r\n\r\nB41 NOOP\r\n")
        self.assertEqual(self.client().received(), b"B41 OK NOOP completed\r\n")

    def test_a_bare_line_feed_ends_a_line_too(self) -> None:
        self.client().send(b"a NOOP\nb NOOP\n")
        self.assertEqual(self.client().received(), b"a OK NOOP completed\r\nb OK NOOP completed\r\n")

    def test_pipelined_commands_are_answered_in_order(self) -> None:
        self.client().send(b"".join(b"t%d NOOP\r\n" % i for i in range(2000)))
        lines = self.client().received().split(b"\r\n")
        self.assertEqual(lines, [b"t%d OK NOOP completed" % i for i in range(2000)] + [b""])

    def test_something_else_than_imap_is_sent_away(self) -> None:
        client = self.client(login=None)
        client.received()
        client.send(b"\x16\x03\x01 hello\r\n")
        self.assertEqual(client.received(), b"* BYE please try again speaking IMAP\r\n")
        self.assertTrue(client.transport.disconnecting)

    def test_a_tagless_line_later_is_only_bad(self) -> None:
        self.dialogue("""
            C: a NOOP
            S: a OK NOOP completed
            C: (
            S: * BAD a command starts with a tag
            C: b XYZZY
            S: b BAD unknown command XYZZY
            C: c UID XYZZY
            S: c BAD unknown command UID XYZZY
            C: d NOOP now
            S: d BAD {*}
        """)

    def test_a_line_without_end_says_bye_once(self) -> None:
        client = self.client()
        for _ in range(200):
            client.send(b"x" * 65536)
        self.assertEqual(client.received(), b"* BYE [TOOBIG] a line is too long\r\n")
        self.assertTrue(client.transport.disconnecting)

    def test_client_31_logout_closes_after_bye_and_ok(self) -> None:
        client = self.client()
        client.send(b"a LOGOUT\r\nb NOOP\r\n")
        self.assertEqual(client.received(), b"* BYE logging out\r\na OK see you\r\n")
        self.assertTrue(client.transport.disconnecting)

    def test_client_29_greeting_and_capability_agree(self) -> None:
        client = Client(self.factory)
        self.addCleanup(client.lose)
        greeting = client.received()
        client.send(b"a CAPABILITY\r\n")
        said = client.received().split(b"\r\n")[0].removeprefix(b"* CAPABILITY ")
        self.assertIn(b"* OK [CAPABILITY " + said + b"]", greeting)
        self.assertIn(b"LITERAL-", said.split())
        self.assertNotIn(b"LITERAL+", said.split())


class LiteralTests(DialogueCase):
    limits = Limits(append=400000, memory=1000, literal=50, literals=80, literal_count=3)

    def test_string_literals_have_limits(self) -> None:
        self.dialogue("""
            C: a SELECT {51}
            S: a BAD [TOOBIG] {*}
            C: b SELECT {5}
            S: + go ahead
            C: INBOX
            S: * FLAGS {*}
            S: * OK [PERMANENTFLAGS {*}
            S: * 0 EXISTS
            S: * 0 RECENT
            S: * OK [UIDVALIDITY {*}
            S: * OK [UIDNEXT 1] {*}
            S: * OK [HIGHESTMODSEQ {*}
            S: * OK [MAILBOXID {*}
            S: b OK [READ-WRITE] {*}
            C: c FETCH 1 BODY[HEADER.FIELDS ({40}
            S: + go ahead
            C: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa {41}
            S: c BAD [TOOBIG] {*}
            C: d NOOP
            S: d OK NOOP completed
        """)

    def test_a_small_useless_literal_is_read_and_thrown_away(self) -> None:
        self.client().send(b"a SELECT {60+}\r\n" + b"x" * 60 + b"\r\nb NOOP\r\n")
        self.assertEqual(self.client().received(),
                         b"a BAD [TOOBIG] the literal is too big\r\nb OK NOOP completed\r\n")

    def test_a_huge_one_that_comes_unasked_ends_the_connection(self) -> None:
        self.client().send(b"a APPEND INBOX {4294967296+}\r\n" + b"x" * 100000)
        self.assertEqual(self.client().received().count(b"* BYE [TOOBIG]"), 1)
        self.assertTrue(self.client().transport.disconnecting)
        self.assertEqual(spooled(self.data), [])

    def test_no_number_is_too_large_to_announce_a_literal(self) -> None:
        """What follows would else be taken for commands."""
        self.client().send(b"a APPEND INBOX {" + b"9" * 5000 + b"+}\r\nb NOOP\r\n")
        self.assertEqual(self.client().received().count(b"* BYE [TOOBIG]"), 1)
        self.client(2).send(b"a APPEND INBOX {" + b"0" * 5000 + b"1+}\r\nx\r\nb NOOP\r\n")
        self.assertRegex(self.client(2).received(), rb"\Aa OK .*\r\nb OK .*\r\n\Z")

    def test_a_huge_one_that_asks_first_is_refused(self) -> None:
        self.dialogue("""
            C: a APPEND INBOX {4294967296}
            S: a NO [TOOBIG] {*}
            C: b APPEND INBOX {99999999999999999999}
            S: b NO [TOOBIG] {*}
            C: c NOOP
            S: c OK NOOP completed
        """)

    def test_a_large_message_is_spooled_and_stored_whole(self) -> None:
        message = HELLO + os.urandom(150000).hex().encode() + b"\r\n"
        self.client().send(b"a APPEND INBOX {%d+}\r\n" % len(message) + message + b"\r\n")
        self.assertRegex(self.client().received(), rb"a OK \[APPENDUID \d+ 1\] appended\r\n")
        self.client().send(b"b SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\n")
        self.assertIn(b"BODY[] {%d}\r\n%b)\r\n" % (len(message), message), self.client().received())
        self.assertEqual(spooled(self.data), [])

    def test_a_spooled_message_goes_when_its_command_fails(self) -> None:
        self.client().send(b"a APPEND Nowhere {200000+}\r\n" + b"x" * 200000 + b"\r\n")
        self.assertIn(b"a NO [TRYCREATE]", self.client().received())
        self.client().send(b"a APPEND INBOX {300000+}\r\n" + b"x" * 300000 + b" oops\r\n")
        self.assertIn(b"a BAD syntax error", self.client().received())
        self.assertEqual(spooled(self.data), [])

    def test_a_spooled_message_goes_when_the_client_goes(self) -> None:
        self.client().send(b"a APPEND INBOX {390000+}\r\n" + b"x" * 300000)
        self.assertEqual(len(spooled(self.data)), 1)
        self.client().lose()
        self.assertEqual(spooled(self.data), [])

    def test_an_empty_literal_is_one(self) -> None:
        self.client().send(b"a SELECT {0+}\r\n\r\nb NOOP\r\n")
        self.assertRegex(self.client().received(), rb"a NO .*\r\nb OK NOOP completed\r\n")

    def test_an_empty_message_is_refused(self) -> None:
        self.client().send(b"a APPEND INBOX {0+}\r\n\r\nb NOOP\r\n")
        self.assertRegex(self.client().received(), rb"a NO .*\r\nb OK NOOP completed\r\n")

    def test_a_literal_before_login_has_limits_too(self) -> None:
        client = self.client(login=None)
        client.received()
        client.send(b"a APPEND INBOX {100}\r\n")
        self.assertEqual(client.received(), b"a BAD log in first\r\n")


class LiteralByteTests(LiteralTests):
    byte_by_byte = True

    def test_a_large_message_is_spooled_and_stored_whole(self) -> None:
        """Too many octets to send one by one."""


class TimeoutTests(DialogueCase):
    limits = Limits(login_timeout=30, idle_timeout=1800, write_timeout=300, login_write_timeout=30)

    def test_a_silent_client_is_sent_away_before_login_soon(self) -> None:
        client = self.client(login=None)
        client.received()
        self.clock.advance(29)
        client.send(b"a NOOP\r\n")
        self.clock.advance(29)
        self.assertFalse(client.transport.disconnecting)
        client.received()
        self.clock.advance(2)
        self.assertEqual(client.received(), b"* BYE inactive for too long\r\n")
        self.assertTrue(client.transport.disconnecting)

    def test_a_silent_client_is_sent_away_after_login_late(self) -> None:
        client = self.client()
        self.clock.pump([60] * 29)
        self.assertFalse(client.transport.disconnecting)
        self.clock.pump([60] * 2)
        self.assertEqual(client.received(), b"* BYE inactive for too long\r\n")

    def test_a_client_that_does_not_read_is_cut_off(self) -> None:
        client = self.client()
        client.transport.producer.pauseProducing()
        self.clock.pump([60] * 4)
        self.assertFalse(client.transport.aborted)
        self.clock.pump([60] * 2)
        self.assertTrue(client.transport.aborted)

    def test_a_connection_that_does_not_close_is_cut_off(self) -> None:
        client = self.client()
        client.send(b"a LOGOUT\r\n")
        self.clock.advance(31)
        self.assertTrue(client.transport.aborted)


class CrowdTests(DialogueCase):
    limits = Limits(connections=3, connections_per_account=2)

    def test_client_25_only_new_connections_are_refused(self) -> None:
        clients = [Client(self.factory) for _ in range(4)]
        for client in clients:
            self.addCleanup(client.lose)
        self.assertTrue(all(c.received().startswith(b"* OK ") for c in clients[:3]))
        self.assertRegex(clients[3].received(), rb"^\* BYE \[UNAVAILABLE\] [^\r]*\r\n$")
        clients[0].send(b"a NOOP\r\n")
        self.assertEqual(clients[0].received(), b"a OK NOOP completed\r\n")

    def test_client_25_an_account_has_a_limit_of_its_own(self) -> None:
        for name in "123":
            self.client(name, login=None).received()
            self.client(name, login=None).send(b"a LOGIN ada secret\r\n")
        self.assertIn(b"a OK", self.client("1").received())
        self.assertIn(b"a OK", self.client("2").received())
        self.assertRegex(self.client("3").received(), rb"^a NO \[LIMIT\] .*\r\n$")
        self.client("1").lose()
        self.client("3").send(b"b LOGIN ada secret\r\n")
        self.assertIn(b"b OK", self.client("3").received())


class HandCranked(DirectPool):
    """A pool whose calls run when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.held = False

    def call(self, function: Any, /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        if not self.held:
            return super().call(function, *args, **kwargs)
        deferred: Deferred[Any] = Deferred()
        self.waiting.append((deferred, function, args, kwargs))
        return deferred

    def crank(self) -> None:
        deferred, function, args, kwargs = self.waiting.pop(0)
        try:
            result = function(*args, **kwargs)
        except Exception:
            result = Failure()
        deferred.callback(result)


class _LongOnes(DirectPool):
    """Quick calls run at once."""

    def __init__(self, pool: HandCranked) -> None:
        self._pool = pool

    def call(self, function: Any, /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        return self._pool.call(function, *args, **kwargs)

    def quick(self, function: Any, /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        return execute(function, *args, **kwargs)


class HeldCase(DialogueCase):
    """Calls of the store wait while ``pool.held`` is set."""

    def make_site(self) -> Site:
        site = super().make_site()
        self.pool = site.pool = HandCranked()
        site.accounts._pool = _LongOnes(self.pool)
        return site

    def crank(self) -> None:
        """Hold no more, and run what waits."""
        self.pool.held = False
        while self.pool.waiting:
            self.pool.crank()


class RaceTests(HeldCase):
    def make_site(self) -> Site:
        site = super().make_site()
        site.accounts._pool = self.pool
        return site

    def test_a_client_that_goes_while_its_command_runs_leaves_nothing_behind(self) -> None:
        self.fill(2)
        client = self.client()
        client.send(b"a SELECT INBOX\r\n")
        client.received()
        self.pool.held = True
        client.send(b"b STORE 1 +FLAGS (\\Deleted)\r\n")
        client.lose()
        self.assertIsNotNone(client.protocol.session.room)
        while self.pool.waiting:
            self.pool.crank()
        self.assertIsNone(client.protocol.session.room)
        self.assertEqual(client.received(), b"")

    def test_what_comes_while_a_command_runs_waits_and_its_amount_is_bounded(self) -> None:
        client = self.client()
        self.pool.held = True
        client.send(b"a STATUS INBOX (MESSAGES)\r\n")
        for _ in range(10):
            client.send(b"x NOOP\r\n" * 1000)
        self.assertEqual(client.transport.producerState, "paused")
        self.assertEqual(client.received(), b"")
        self.pool.crank()
        self.assertEqual(client.transport.producerState, "producing")
        self.assertEqual(client.received().count(b"\r\n"), 2 + 10000)

    def test_writes_of_two_sessions_that_answer_in_the_wrong_order_are_told_right(self) -> None:
        self.fill(2)
        for name in "12":
            self.client(name).send(b"a SELECT INBOX\r\n")
            self.client(name).received()
        self.pool.held = True
        self.client("1").send(b"b STORE 1 +FLAGS (\\Seen)\r\n")
        self.client("2").send(b"b STORE 2 +FLAGS (\\Flagged)\r\n")
        first, second = self.pool.waiting
        self.pool.waiting = []
        results = [job[1](*job[2], **job[3]) for job in (first, second)]
        second[0].callback(results[1])
        while self.pool.waiting:
            self.pool.crank()
        self.assertEqual(self.client("2").received(),
                         b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n* 2 FETCH (UID 2 FLAGS (\\Flagged))\r\n"
                         b"b OK STORE completed\r\n")
        first[0].callback(results[0])
        while self.pool.waiting:
            self.pool.crank()
        self.assertEqual(self.client("1").received(),
                         b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n* 2 FETCH (UID 2 FLAGS (\\Flagged))\r\n"
                         b"b OK STORE completed\r\n")
