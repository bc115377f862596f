"""When the reactor stays awake for the next command, and that it sleeps otherwise."""

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from moximap.net import listeners
from moximap.net.busypoll import AWAKE, REST, TURN, BusyPoll, can_poll
from moximap.net.listeners import Listen, Listeners


class Turning(Clock):
    """What is due is called once in a turn, as by a reactor, and not again and again."""

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call.called = 1
            call.func(*call.args, **call.kw)


class BusyPollTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.time = 1000.0
        self.reactor = Turning()
        self.poll = BusyPoll(self.reactor, lambda: self.time)

    def serve(self, after: float, takes: float = 20e-6) -> None:
        """Somebody has sent something, and is answered."""
        self.time += after
        self.poll.during(lambda: self.pass_by(takes), self.poll.latest)
        self.assertEqual(self.poll.latest, self.time)

    def pass_by(self, seconds: float) -> None:
        self.time += seconds

    def stays(self) -> bool:
        """Whether the reactor would wait for no event."""
        return bool(self.reactor.getDelayedCalls())

    def pass_time(self, seconds: float) -> int:
        """Turns of the reactor until it sleeps, or that long, of 10 µs each."""
        end, turns = self.time + seconds, 0
        while self.stays() and self.time < end:
            self.time += 10e-6
            self.reactor.turn()
            turns += 1
        return turns

    def test_after_a_first_command_it_sleeps(self) -> None:
        self.serve(5)
        self.assertFalse(self.stays())

    def test_after_one_that_came_soon_it_stays_awake_for_the_next(self) -> None:
        self.serve(5)
        self.serve(AWAKE / 2)
        self.assertTrue(self.stays())
        self.pass_time(AWAKE / 2)
        self.assertTrue(self.stays())
        self.serve(0)
        self.pass_time(AWAKE / 2)
        self.assertTrue(self.stays())

    def test_it_waits_no_longer_than_that(self) -> None:
        self.serve(5)
        self.serve(AWAKE / 2)
        self.assertIn(self.pass_time(1) - round(AWAKE / 10e-6), (0, 1))       # binary fractions
        self.assertFalse(self.stays())

    def test_what_others_are_asked_meanwhile_does_not_count(self) -> None:
        mine = self.time
        for _ in range(5):
            self.serve(AWAKE / 2)
        self.pass_time(1)
        self.poll.during(lambda: None, mine)
        self.assertFalse(self.stays())

    def test_a_connection_may_come_soon_after_anything(self) -> None:
        self.serve(5)
        self.time += AWAKE / 2
        self.assertEqual(self.poll.during(lambda: "accepted"), "accepted")
        self.assertTrue(self.stays())

    def test_who_did_not_come_in_time_is_not_waited_for_again(self) -> None:
        self.serve(5)
        self.serve(AWAKE / 2)
        self.pass_time(1)
        for _ in range(3):
            self.serve(AWAKE * 1.5)
            self.assertFalse(self.stays())
        self.serve(AWAKE / 2)
        self.assertTrue(self.stays())

    def test_how_long_an_answer_takes_does_not_matter(self) -> None:
        self.serve(5)
        self.serve(AWAKE / 2, takes=1)
        self.assertTrue(self.stays())

    def test_commands_that_come_together_have_one_turn_among_them(self) -> None:
        for _ in range(20):
            self.serve(1e-6)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)

    def test_who_is_taken_off_the_processor_does_without_for_a_while(self) -> None:
        for found in (self.reactor.turn, lambda: self.serve(0)):
            self.serve(5)
            self.serve(AWAKE / 2)
            self.assertTrue(self.stays())
            self.time += TURN * 1.5
            found()
            self.reactor.turn()
            self.assertFalse(self.stays())
            self.serve(1e-6)
            self.serve(1e-6)
            self.assertFalse(self.stays())
            self.time += REST
            self.serve(1e-6)
            self.serve(1e-6)
            self.assertTrue(self.stays())
            self.pass_time(1)

    def test_one_that_was_stopped_leaves_nothing_and_begins_nothing(self) -> None:
        self.serve(5)
        self.serve(AWAKE / 2)
        self.poll.stop()
        self.assertFalse(self.stays())
        self.serve(AWAKE / 2)
        self.assertFalse(self.stays())
        self.poll.stop()
        self.poll.start()
        self.serve(AWAKE / 2)
        self.assertTrue(self.stays())

    def test_with_one_processor_the_client_needs_it(self) -> None:
        self.patch(os, "sched_getaffinity", lambda pid: {3})
        self.assertFalse(can_poll())
        self.patch(os, "sched_getaffinity", lambda pid: {3, 5})
        self.assertTrue(can_poll())


class ListeningTests(TestCase):
    async def test_listeners_tell_of_what_is_read_and_stop_it_when_they_stop(self) -> None:
        from twisted.internet import reactor
        told: list[str] = []
        over: Deferred[None] = Deferred()

        class Noting(BusyPoll):
            def start(self) -> None:
                told.append("start")

            def during(self, read: Any, before: float = 0.0) -> Any:
                told.append("came")
                try:
                    return read()
                finally:
                    told.append("served")

            def stop(self) -> None:
                told.append("stop")

        class Reader(Protocol):
            def dataReceived(self, data: bytes) -> None:
                told.append(data.decode())

            def connectionLost(self, reason: object = None) -> None:
                over.callback(None)

        class Writer(Protocol):
            def connectionMade(self) -> None:
                self.transport.write(b"hello")  # type: ignore[union-attr]
                self.transport.loseConnection()  # type: ignore[union-attr]

        self.patch(listeners, "BusyPoll", Noting)
        self.patch(listeners, "can_poll", lambda: True)
        listen, ports = Listen("imap", "tcp:0:interface=127.0.0.1"), list[Any]()
        service = Listeners(reactor, [listen], {str(listen): Factory.forProtocol(Reader)}, ports.extend)
        service.startService()
        address = ports[0].getHost()
        await TCP4ClientEndpoint(reactor, address.host, address.port).connect(Factory.forProtocol(Writer))
        await over
        await service.stopService()
        self.assertEqual(told[:6], ["start", "came", "served", "came", "hello", "served"])
        self.assertEqual(told[-1], "stop")

    def test_where_there_is_one_processor_nothing_is_told(self) -> None:
        self.patch(listeners, "can_poll", lambda: False)
        self.assertIsNone(Listeners(Clock(), [], {})._poll)
