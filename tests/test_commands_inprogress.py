"""INPROGRESS (RFC 9585), CONTRACT 88, client 35."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from moximap.imap.commands import store
from moximap.imap.dialect import standard
from moximap.imap.waiting import Progress, Waiting
from moximap.store.threads import DirectPool
from tests.dialogue import Client, DialogueCase

TELL = "still working"


class SlowPool(DirectPool):
    """A pool whose long calls take ``seconds`` of a clock, for each message that they look at or at all."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.slow: dict[str, float] = {}

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        seconds = self.slow.get(function.__name__, 0.0)
        if not seconds:
            return super().call(function, *args, **kwargs)
        if function.__name__ == "search" and args[-1] is not None:
            *others, looked = args

            def counted(uid: int) -> None:
                self.clock.advance(seconds)
                looked(uid)
            return super().call(function, *others, counted, **kwargs)
        result: Deferred[Any] = Deferred()
        self.clock.callLater(seconds, lambda: super(SlowPool, self).call(
            function, *args, **kwargs).addCallbacks(result.callback, result.errback))
        return result


class InProgressTests(DialogueCase):
    def setUp(self) -> None:
        super().setUp()
        self.pool = self.site.pool = SlowPool(self.clock)
        self.site.accounts._pool = self.pool
        self.fill(8)

    def select(self) -> Client:
        client = self.client()
        client.send(b"s SELECT INBOX\r\n")
        self.assertIn(b"s OK", client.received())
        return client

    def timers(self) -> list[object]:
        return [call for call in self.clock.getDelayedCalls()
                if isinstance(getattr(call.func, "__self__", None), Waiting)]

    def test_a_long_search(self) -> None:
        """CONTRACT 88: every ten seconds, with what is done of all messages."""
        self.select()
        self.pool.slow = {"search": 6.0}
        self.dialogue(f"""
            C: tag SEARCH TEXT "Bob"
            S: * OK [INPROGRESS ("tag" 0 8)] {TELL}
            S: * OK [INPROGRESS ("tag" 2 8)] {TELL}
            S: * OK [INPROGRESS ("tag" 4 8)] {TELL}
            S: * OK [INPROGRESS ("tag" 6 8)] {TELL}
            S: * SEARCH 1 2 3 4 5 6 7 8
            S: tag OK SEARCH completed
        """)

    def test_a_search_of_less_than_ten_seconds(self) -> None:
        self.select()
        self.pool.slow = {"search": 1.2}
        self.dialogue("""
            C: tag SEARCH TEXT "nobody"
            S: * SEARCH
            S: tag OK SEARCH completed
        """)
        self.clock.advance(60)
        self.dialogue("")

    def test_ten_seconds_are_counted_for_each_command(self) -> None:
        """One timer serves them all, and none of them is told too early."""
        self.select()
        self.pool.slow = {"search": 1.2}
        for _ in range(5):
            self.dialogue("""
                C: tag SEARCH TEXT "nobody"
                S: * SEARCH
                S: tag OK SEARCH completed
            """)
        self.assertEqual(len(self.timers()), 1)

    def test_a_tag_that_no_code_can_hold(self) -> None:
        """CONTRACT 88: NIL where it has a "]"."""
        self.select()
        self.pool.slow = {"search": 2.0}
        self.dialogue(f"""
            C: [x] UID SEARCH TEXT "Bob"
            S: * OK [INPROGRESS (NIL 3 8)] {TELL}
            S: * SEARCH 1 2 3 4 5 6 7 8
            S: [x] OK UID SEARCH completed
        """)

    def test_commands_whose_end_nobody_knows(self) -> None:
        """STORE, COPY and MOVE are one transaction each: NIL."""
        self.patch(store, "FEW", 0)
        for command, name in (("STORE 1:8 +FLAGS.SILENT (\\Seen)", "store"), ("COPY 1 Sent", "copy"),
                              ("MOVE 1 Sent", "move")):
            client = self.select()
            self.pool.slow = {name: 25.0}
            client.send(b"a " + command.encode() + b"\r\n")
            self.dialogue("")
            self.clock.advance(10)
            self.dialogue(f'S: * OK [INPROGRESS ("a" NIL NIL)] {TELL}')
            self.clock.advance(10)
            self.dialogue(f'S: * OK [INPROGRESS ("a" NIL NIL)] {TELL}')
            self.pool.slow = {}
            self.clock.advance(5)
            self.assertIn(b"\r\na OK", b"\r\n" + client.received())

    def test_fetch(self) -> None:
        """How many messages were sent, and only between whole responses."""
        self.fill(64)
        client = self.select()
        self.pool.slow = {"render": 12.0}
        client.send(b"a FETCH 1:72 BODY.PEEK[]\r\n")
        self.clock.advance(10)
        self.dialogue(f'S: * OK [INPROGRESS ("a" 0 72)] {TELL}')
        self.clock.advance(2)
        self.assertTrue(client.received().endswith(b"a OK FETCH completed\r\n"))

    def test_nothing_is_told_inside_a_response(self) -> None:
        """The rest of a message that is rendered in pieces is waited for in silence."""
        body = b"Subject: x\r\n\r\n" + b"y" * 100_000
        self.fill(content=body)
        client = self.select()
        self.pool.slow = {"render": 12.0}
        client.send(b"a UID FETCH 1:9 (BODY.PEEK[] BODY.PEEK[TEXT] BODY.PEEK[1] BODY.PEEK[]<1.99999>)\r\n")
        said = b""
        for _ in range(10):
            self.clock.advance(6)
            said += client.received()
        self.assertTrue(said.endswith(b"a OK UID FETCH completed\r\n"))
        whole = said.index(b"* 9 FETCH")
        self.assertIn(b"INPROGRESS", said[:whole])
        self.assertNotIn(b"INPROGRESS", said[whole:])

    def test_a_connection_that_is_lost_leaves_no_timer(self) -> None:
        client = self.select()
        self.pool.slow = {"store": 25.0}
        client.send(b"a STORE 1 +FLAGS (\\Seen)\r\n")
        client.lose()
        self.clock.advance(60)
        self.assertEqual(self.timers(), [])

    def test_announced(self) -> None:
        self.assertIn(b"INPROGRESS", standard().capabilities(self.client().protocol.session).split())


class ProgressTests(DialogueCase):
    """RFC 9585: done never falls, and stays below the goal until the end."""

    def test_done(self) -> None:
        progress = Progress(10)
        for reached, done in ((0, 0), (3, 3), (2, 3), (9, 9), (10, 9), (99, 9)):
            progress.reached(reached)
            self.assertEqual(progress.done, done)
        self.assertEqual(Progress(0).done, 0)

    def test_parts(self) -> None:
        progress = Progress(30)
        first = progress.part(10, 101)
        first(50)
        self.assertEqual(progress.done, 4)
        first(100)
        progress.reached(10)
        second = progress.part(20, 21)
        second(1)
        self.assertEqual(progress.done, 10)
        second(20)
        self.assertEqual(progress.done, 29)
