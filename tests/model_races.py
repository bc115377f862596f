"""Races: the store's calls of different sessions wait, run and answer in any order.

Nothing is predicted here but what the clients' models demand: what is true is what the observer saw
last, and the rules bind it.
"""

from __future__ import annotations

import random
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from moximap.imap.commands.notify_policy import PAUSE
from moximap.store.threads import DirectPool
from tests.model_driver import ANYWHERE, Run
from tests.model_moves import Moves
from tests.model_ways import PLAIN, Ways
from tests.model_wire import Response, numbers
from tests.model_world import Member, World


@attrs.define(eq=False)
class Job:
    """A call of a blocking function; ``result`` once it has run."""

    deferred: Deferred[Any]
    function: Any
    result: Any = None

    def run(self) -> None:
        try:
            self.result = self.function()
        except Exception:
            self.result = Failure()


class Jobs(DirectPool):
    """A pool whose calls run when the test says so, and answer when it says so.

    ``quickly``: of so many quick calls one is answered at once, 0: none.
    """

    def __init__(self, quickly: int = 0) -> None:
        self.held = False
        self.quickly = quickly
        self._asked = 0
        self.waiting: list[Job] = []
        self.done: list[Job] = []

    def call(self, function: Any, /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        if not self.held:
            return super().call(function, *args, **kwargs)
        job = Job(Deferred(), lambda: function(*args, **kwargs))
        self.waiting.append(job)
        return job.deferred

    def quick(self, function: Any, /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        self._asked += 1
        if self.quickly and self._asked % self.quickly == 0:
            return super().call(function, *args, **kwargs)
        return self.call(function, *args, **kwargs)

    def run(self, rng: random.Random) -> None:
        job = self.waiting.pop(rng.randrange(len(self.waiting)))
        job.run()
        self.done.append(job)

    def settle(self) -> None:
        """All run that have not yet, and answer in the order in which they were called."""
        while self.waiting:
            job = self.waiting.pop(0)
            if job.result is None:
                job.run()
            job.deferred.callback(job.result)

    def answer(self, rng: random.Random) -> None:
        job = self.done.pop(rng.randrange(len(self.done)))
        job.deferred.callback(job.result)


class Racing(Run):
    """Commands of all clients at once."""

    def __init__(self, ways: Ways = PLAIN) -> None:
        super().__init__(World(predicts=False, pools=lambda: Jobs(quickly=3), ways=ways))
        self.answered: dict[int, int] = {}
        self.haste = 0.6

    @property
    def pools(self) -> list[Jobs]:
        return [process.pool for process in self.world.processes if isinstance(process.pool, Jobs)]

    def step(self, verb: str, number: int, seed: int) -> None:
        rng = random.Random(seed)
        member = self.world.members[number]
        if member.client is None:
            self._connect(member, rng)
        elif verb == "lose":
            self.world.note(member, "goes away")
            self.world.lose(member)
        elif verb == "look" or rng.random() < 0.03:
            self.settle(rng)
        elif not member.busy or (member.listener is not None and member.listener.idling):
            self._say(verb, member, rng)
        self.haste = rng.choice((self.haste, self.haste, self.haste, 0.3, 0.6, 0.9))
        self.world.clock.advance(25 if verb == "time" else 0)
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3, 5))):
            self._crank(rng)
        self.world.observe()                   # what was done at once
        self.read(rng)
        self.world.check_caches(self.world.members)

    def _connect(self, member: Member, rng: random.Random) -> None:
        """Logging in is no race of interest, so nothing is held meanwhile."""
        for pool in self.pools:
            pool.held = False
        self.world.connect(member, rng)
        assert member.client is not None and member.listener is not None
        for command in self.beginnings(member, rng, 0.8):
            self.world.note(member, command.text)
            member.listener.say(command)
            member.client.send(b"e %b\r\n" % command.text.encode())
            self.world.read(member, rng, 0)
        for pool in self.pools:
            pool.held = True

    def _say(self, verb: str, member: Member, rng: random.Random) -> None:
        listener = member.listener
        assert listener is not None and member.client is not None
        if listener.idling:
            if verb in ("idle", "noop", "select"):
                self.world.note(member, "DONE")
                listener.idling = False
                member.client.send(b"DONE\r\n")
            return
        if verb == "time" or verb not in ANYWHERE and listener.box is None:
            verb = "select"
        command = getattr(Moves(self.world, member, rng), verb)()
        if command is not None:
            self.world.note(member, command.text)
            member.sent += 1
            member.due = dict(self.answered) if command.text in ("NOOP", "CHECK") else {}
            listener.say(command)
            literal = b"" if command.literal is None else command.literal + b"\r\n"
            member.client.send(b"c%d %b\r\n" % (member.sent, command.text.encode()) + literal)

    def _crank(self, rng: random.Random) -> bool:
        """One thing that waits happens; False where nothing waits."""
        running = [pool for pool in self.pools if pool.waiting]
        answering = [pool for pool in self.pools if pool.done]
        if running and (not answering or rng.random() < self.haste):
            rng.choice(running).run(rng)
        elif answering:
            rng.choice(answering).answer(rng)
        self.world.observe()
        for process in self.world.processes:
            if rng.random() < 0.4:
                process.doorbell.listen()
        return bool(running or answering)

    def read(self, rng: random.Random, cut: float = 0.03) -> None:
        for member in self.world.members:
            if member.client is not None:
                self._heard(member, self.world.read(member, rng, cut))

    def _heard(self, member: Member, responses: list[Response]) -> None:
        """What one client was answered, the next one's NOOP shows, in whichever process."""
        for response in responses:
            if response.code in ("APPENDUID", "COPYUID"):
                validity, *_, uids = response.argument.split()
                self.answered[int(validity)] = max(self.answered.get(int(validity), 0), *numbers(uids), 0)
        listener = member.listener
        if responses and responses[-1].tagged and listener is not None and listener.box is not None:
            last = member.due.get(listener.box.uidvalidity, 0)
            there = [uid for uid in listener.box.messages if uid <= last]
            assert len(listener.entries) >= len(there), f"{there} were there, {len(listener.entries)} are told"

    def settle(self, rng: random.Random) -> None:
        """Everything that waits happens; then who idles, and who asks, knows everything."""
        self.drain(rng)
        for member in self.world.members:
            if member.client is not None and member.listener is not None and not member.busy:
                self._say("noop", member, rng)
                self.drain(rng)
                self.world.quiet(member)
        for member in self.world.members:
            if member.listener is not None and member.listener.idling:
                self.world.quiet(member)

    def drain(self, rng: random.Random) -> None:
        busy = True
        while busy:
            busy = self._crank(rng)
            if not busy:
                for process in self.world.processes:
                    process.doorbell.listen()
                self.world.clock.advance(0)
                self.world.clock.advance(PAUSE)
                busy = any(pool.waiting or pool.done for pool in self.pools)
            self.read(rng, 0)
        self.world.settled()
        for member in self.world.members:
            if member.listener is not None and not member.listener.idling:
                assert member.listener.command is None, f"never answered: {member.listener.command}"

    def finish(self) -> None:
        rng = random.Random(0)
        self.settle(rng)
        for member in self.world.members:
            if member.client is None:
                self._connect(member, rng)
            if member.listener is not None and not member.listener.idling:
                self._say("select", member, rng)
                self.drain(rng)
        self.settle(rng)

    def close(self) -> None:
        for pool in self.pools:
            pool.held = False
            while pool.waiting or pool.done:
                if pool.waiting:
                    pool.run(random.Random(0))
                if pool.done:
                    pool.answer(random.Random(0))
        super().close()
