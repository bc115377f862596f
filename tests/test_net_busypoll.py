"""When the reactor stays awake for the next command, and that it sleeps otherwise."""

import os
import select
import socket
from select import EPOLLHUP, EPOLLIN, EPOLLOUT
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from moximap.net import listeners
from moximap.net.busypoll import AWAKE, REST, TAKEN, TURN, BusyPoll, can_poll
from moximap.net.listeners import Listen, Listeners


MINE = (5, EPOLLIN)
OTHER = (6, EPOLLIN)


class BusyPollTests(SynchronousTestCase):
    """A clock that each look for events moves by a microsecond, and events that come when they are said to."""

    def setUp(self) -> None:
        self.time = 1000.0
        self.events: list[list[tuple[int, int]]] = []
        self.looks = 0
        self.slow = 1e-6
        self.due: float | None = None
        reactor = SimpleNamespace(_poller=SimpleNamespace(poll=self.look), timeout=lambda: self.due)
        self.poll = BusyPoll(reactor, lambda: self.time)
        self.reads = 0
        self.takes = 20e-6

    def look(self, timeout: float, most: int) -> list[tuple[int, int]]:
        self.assertEqual((timeout, most), (0, 2))
        self.looks += 1
        self.time += self.slow
        return self.events.pop(0) if self.events else []

    def read(self) -> str | None:
        self.reads += 1
        self.time += self.takes
        return None

    def serve(self, after: float, *events: list[tuple[int, int]], read: Any = None) -> tuple[int, int]:
        """Somebody has sent something, and is answered, and these things happen then: how often it was read,
        and looked for events."""
        self.time += after
        self.events = list(events)
        self.reads = self.looks = 0
        self.poll.during(read or self.read, self.poll.latest, lambda: 5)
        return self.reads, self.looks

    def soon(self, *events: list[tuple[int, int]]) -> tuple[int, int]:
        return self.serve(AWAKE / 2, *events)

    def test_after_a_first_command_it_sleeps(self) -> None:
        self.assertEqual(self.serve(5), (1, 0))

    def test_after_one_that_came_soon_it_stays_awake_for_the_next_but_no_longer(self) -> None:
        self.serve(5)
        reads, looks = self.soon()
        self.assertEqual(reads, 1)
        self.assertIn(looks - round(AWAKE / self.slow), (0, 1, 2))
        self.serve(5)
        self.assertEqual(self.soon([], [], [OTHER]), (1, 3))

    def test_who_asks_again_at_once_is_read_at_once(self) -> None:
        self.serve(5)
        self.assertEqual(self.soon([MINE], [], [MINE], [OTHER]), (3, 4))
        self.assertAlmostEqual(self.poll.latest, self.time - self.slow)

    def test_anything_else_is_the_reactors(self) -> None:
        for events in ([OTHER], [(5, EPOLLIN | EPOLLHUP)], [(5, EPOLLOUT)]):
            self.serve(5)
            self.assertEqual(self.soon(events), (1, 1))
            self.assertNotEqual(self.soon(), (1, 0))

    def test_while_many_are_served_it_is_not_looked_for_more(self) -> None:
        self.serve(5)
        self.assertEqual(self.soon([MINE, OTHER]), (1, 1))
        self.assertEqual(self.soon(), (1, 0))
        self.serve(REST)
        self.assertEqual(self.soon([MINE], [OTHER]), (2, 2))

    def test_one_connection_does_not_keep_the_reactor_from_its_own_calls(self) -> None:
        self.serve(5)
        reads, _ = self.soon(*[[MINE]] * 1000)
        self.assertIn(reads - round(TURN / (self.takes + self.slow)), (0, 1, 2))

    def test_where_such_calls_are_due_nothing_is_waited_for(self) -> None:
        self.serve(5)
        self.due = 0
        self.assertEqual(self.soon(), (1, 1))
        self.assertEqual(self.soon([MINE]), (2, 2))
        self.due = 1.5
        self.assertEqual(self.soon([], [OTHER]), (1, 2))

    def test_one_that_ends_is_read_no_more(self) -> None:
        self.serve(5)
        self.time += AWAKE / 2
        self.events = [[MINE]]
        self.assertEqual(self.poll.during(lambda: "lost", self.poll.latest, lambda: 5), "lost")
        self.assertEqual(self.events, [[MINE]])
        closed = iter([5])
        self.time += AWAKE / 2
        self.reads, self.events = 0, [[MINE], [MINE]]
        self.assertIsNone(self.poll.during(self.read, self.poll.latest, lambda: next(closed, -1)))
        self.assertEqual(self.reads, 2)

    def test_an_error_is_passed_on(self) -> None:
        self.serve(5)
        with self.assertRaises(ZeroDivisionError):
            self.serve(AWAKE / 2, [MINE], read=lambda: 1 // 0)
        self.assertEqual(self.poll.latest, self.time)
        self.assertEqual(self.events, [[MINE]])

    def test_what_others_are_asked_meanwhile_does_not_count(self) -> None:
        mine = self.time
        for _ in range(5):
            self.soon([OTHER])
        self.time += AWAKE
        self.looks = 0
        self.poll.during(self.read, mine)
        self.assertEqual(self.looks, 0)

    def test_a_connection_may_come_soon_after_anything(self) -> None:
        self.serve(5)
        self.time += AWAKE / 2
        self.looks = 0
        self.assertIsNone(self.poll.during(self.read))
        self.assertGreater(self.looks, 10)

    def test_who_did_not_come_in_time_is_not_waited_for_again(self) -> None:
        self.serve(5)
        self.soon()
        for _ in range(3):
            self.assertEqual(self.serve(AWAKE * 1.5), (1, 0))
        self.assertEqual(self.soon([OTHER]), (1, 1))

    def test_how_long_an_answer_takes_does_not_matter(self) -> None:
        self.serve(5)
        self.takes = 1.0
        self.assertEqual(self.soon([OTHER]), (1, 1))

    def test_who_is_taken_off_the_processor_does_without_for_a_while(self) -> None:
        self.serve(5)
        self.slow = TAKEN * 1.5
        self.assertEqual(self.soon(), (1, 1))
        self.slow = 1e-6
        self.assertEqual(self.soon(), (1, 0))
        self.assertEqual(self.soon(), (1, 0))
        self.serve(REST)
        self.assertEqual(self.soon([OTHER]), (1, 1))

    def test_what_comes_late_to_one_that_was_off_the_processor_is_served_all_the_same(self) -> None:
        self.serve(5)
        self.slow = TAKEN * 1.5
        self.assertEqual(self.soon([MINE]), (2, 2))

    def test_one_that_was_stopped_looks_no_more(self) -> None:
        self.serve(5)
        self.poll.stop()
        self.assertEqual(self.soon([MINE]), (1, 0))
        self.poll.start()
        self.assertEqual(self.soon([MINE], [OTHER]), (2, 2))

    def test_with_one_processor_the_client_needs_it(self) -> None:
        from twisted.internet import reactor
        self.patch(os, "sched_getaffinity", lambda pid: {3})
        self.assertFalse(can_poll(reactor))
        self.patch(os, "sched_getaffinity", lambda pid: {3, 5})
        self.assertTrue(can_poll(reactor))

    def test_a_reactor_that_waits_otherwise_is_left_as_it_is(self) -> None:
        self.patch(os, "sched_getaffinity", lambda pid: {3, 5})
        self.assertFalse(can_poll(Clock()))
        self.assertFalse(can_poll(SimpleNamespace(_poller=select.poll())))


class ListeningTests(TestCase):
    async def test_listeners_tell_of_what_is_read_and_stop_it_when_they_stop(self) -> None:
        from twisted.internet import reactor
        told: list[str] = []
        over: Deferred[None] = Deferred()

        class Noting(BusyPoll):
            def start(self) -> None:
                told.append("start")

            def during(self, read: Any, before: float = 0.0, fileno: Any = None) -> Any:
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
        self.patch(listeners, "can_poll", lambda reactor: True)
        listen, ports = Listen("imap", "tcp:0:interface=127.0.0.1"), list[Any]()
        service = Listeners(reactor, [listen], {str(listen): Factory.forProtocol(Reader)}, ports.extend)
        service.startService()
        address = ports[0].getHost()
        await TCP4ClientEndpoint(reactor, address.host, address.port).connect(Factory.forProtocol(Writer))
        await over
        await service.stopService()
        self.assertEqual(told[:6], ["start", "came", "served", "came", "hello", "served"])
        self.assertEqual(told[-1], "stop")

    async def test_who_asks_again_and_again_is_answered_and_so_are_others(self) -> None:
        from twisted.internet import reactor
        received: list[bytes] = []

        class Echo(Protocol):
            def dataReceived(self, data: bytes) -> None:
                received.append(data)
                self.transport.write(data)  # type: ignore[union-attr]

        def ask(port: int) -> list[bytes]:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                answers = []
                for number in range(200):
                    connection.sendall(b"%d" % number)
                    answers.append(connection.recv(100))
                return answers

        self.patch(listeners, "can_poll", lambda reactor: True)
        listen, ports = Listen("imap", "tcp:0:interface=127.0.0.1"), list[Any]()
        service = Listeners(reactor, [listen], {str(listen): Factory.forProtocol(Echo)}, ports.extend)
        service.startService()
        clients = [deferToThread(ask, ports[0].getHost().port) for _ in range(2)]
        for client in clients:
            self.assertEqual(await client, [b"%d" % number for number in range(200)])
        await service.stopService()
        self.assertEqual(len(received), 400)

    def test_where_there_is_one_processor_nothing_is_told(self) -> None:
        self.patch(listeners, "can_poll", lambda reactor: False)
        self.assertIsNone(Listeners(Clock(), [], {})._poll)
