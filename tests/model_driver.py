"""Runs of the model: a run is a list of steps, and a step means something in every state.

So runs can be drawn by hypothesis or by a seed, cut down, and kept.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from unittest import mock

from moximap.imap.commands.notify_policy import PAUSE
from tests.model_command import Command
from tests.model_moves import Moves
from tests.model_ways import PLAIN, Ways
from tests.model_world import Member, World

#: verb, client, and a seed for whatever the verb leaves open.
Step = tuple[str, int, int]

#: Verbs; those that stand here more often come more often.
VERBS = ("select", "select", "learn", "learn", "fetch", "fetch", "changes", "search", "store", "store", "store",
         "store", "append", "append", "append", "copy", "copy", "expunge", "expunge", "leave", "mailboxes",
         "noop", "noop", "noop", "idle", "enable", "lose", "lose", "time", "time", "look")
ANYWHERE = ("select", "append", "mailboxes", "noop", "idle", "enable")
CUT = 0.06

#: Limits made so small that a short run passes them.
_SMALL = {"store.image.JOURNAL_ENTRIES": 5, "store.image.JOURNAL_ROWS": 30, "store.opened.SPARE_IMAGES": 1,
          "store.transaction.BRIDGE": 2, "store.transaction.FEW": 1, "store.erasing.KEPT_LOG": 4,
          "store.erasing.STEP": 3, "store.housework.ERASE_BATCH": 3, "store.housework.LARGEST_BATCH": 3,
          "imap.fetching.PIECE": 150, "imap.commands.fetch.BATCH": 3, "imap.commands.store.FEW": 2,
          "imap.commands.store.MOST_DRAWN": 4, "imap.view._AT_ONCE": 3}


def small(stack: ExitStack) -> None:
    for name, value in _SMALL.items():
        stack.enter_context(mock.patch(f"moximap.{name}", value))


class Run:
    """What all runs have."""

    def __init__(self, world: World) -> None:
        self.world = world

    def beginnings(self, member: Member, rng: random.Random, chance: float) -> list[Command]:
        """What a client says before anything else, each time that it connects."""
        moves, names = Moves(self.world, member, rng), []
        if not moves.listener.numbers:
            names.append("UIDONLY")
        if rng.random() < chance:
            names.append(rng.choice(("QRESYNC", "QRESYNC", "CONDSTORE")))
        enable = [Command("ENABLE " + " ".join(names))] if names else []
        return [*enable, *([moves.notify()] if self.world.ways.notify and rng.random() < 0.7 else [])]

    def step(self, verb: str, number: int, seed: int) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.world.close()


class Orderly(Run):
    """One command after the other, each answered at once: everything can be predicted."""

    def __init__(self, ways: Ways = PLAIN) -> None:
        super().__init__(World(predicts=True, ways=ways))

    def step(self, verb: str, number: int, seed: int) -> None:
        rng = random.Random(seed)
        member = self.world.members[number]
        if member.client is None:
            self.world.connect(member, rng)
            for command in self.beginnings(member, rng, 0.6):
                if member.client is not None:
                    self._say(member, command, rng)
        elif verb == "lose":
            self.world.note(member, "goes away")
            self.world.lose(member)
        elif verb == "time":
            self.world.note(None, "time passes")
            for seconds in rng.choice(((1,), (25,), (25, 25))):
                self.turn(rng)
                self.world.clock.advance(seconds)
                self.listen(rng)
        else:
            self._command(verb, member, rng)
        if rng.random() < 0.6:
            self.turn(rng)
        self.world.settled()
        self.world.check_caches(self.world.members)

    def _command(self, verb: str, member: Member, rng: random.Random) -> None:
        listener = member.listener
        assert listener is not None
        if listener.idling:
            if verb in ("idle", "noop", "select"):
                self._say(member, None, rng)
            return
        if verb == "look":
            verb = "noop"
        elif verb not in ANYWHERE and listener.box is None:
            verb = "select"
        command = getattr(Moves(self.world, member, rng), verb)()
        if command is not None:
            self._say(member, command, rng)

    def _say(self, member: Member, command: Command | None, rng: random.Random) -> None:
        """``command`` None: DONE."""
        world, listener = self.world, member.listener
        assert listener is not None and member.client is not None
        member.sent += 1
        running = command or listener.command or Command("")
        text = b"DONE\r\n" if command is None else b"c%d %b\r\n" % (member.sent, command.text.encode())
        if running.literal is not None:
            text += running.literal + b"\r\n"
        world.note(member, "DONE" if command is None else command.text)
        before = world.counts()
        status = running.effect()
        member.client.send(text)
        world.observe()
        world.owe(member, before)
        if command is not None:
            listener.say(command)
        heard = world.read(member, rng, CUT)
        if member.client is None:
            return
        if listener.command is not None:
            assert running.kind == "idle" and heard[-1].tag == "+", f"no answer: {running.text}"
            return
        assert heard[-1].word == status, f"{heard[-1]}: the model says {status}"
        running.verify(heard)
        if running.kind != "search":
            world.quiet(member, exact=running.kind in ("other", "idle"))

    def turn(self, rng: random.Random) -> None:
        """The reactor turns: bells are heard, and who idles is told."""
        for process in self.world.processes:
            process.doorbell.listen()
        for _ in range(2):
            self.world.clock.advance(0)
        self.listen(rng)
        if self.world.ways.notify:
            self.world.clock.advance(PAUSE)
            self.listen(rng)
        for member in self.world.members:
            if member.listener is not None and (member.listener.idling or member.notified):
                notified = member.listener.notified
                self.world.quiet(member, exact=notified is None or not notified.delayed)
                owed = member.owed - {self.world.name_of(member.listener.box)}
                assert not owed, f"nothing was told of {owed}"
        self.world.established = set(self.world.account.boxes.values())

    def listen(self, rng: random.Random) -> None:
        """Who idles or has NOTIFY reads; the others have nothing to read."""
        for member in self.world.members:
            if member.client is None or member.listener is None:
                continue
            if member.listener.idling or member.notified:
                self.world.read(member, rng, CUT)
            else:
                assert member.client.received() == b"", "told between commands"

    def finish(self) -> None:
        """In the end everybody comes back, and is up to date."""
        for verb in ("idle", "select", "learn", "noop"):
            for member in self.world.members:
                self.step(verb, member.number, member.number)


def play(steps: Iterable[Step], kind: Callable[[], Run] = Orderly) -> None:
    """A whole run; a failure's message has all that was said."""
    with ExitStack() as stack:
        small(stack)
        run = kind()
        stack.callback(run.close)
        try:
            for verb, number, seed in steps:
                run.step(verb, number, seed)
            run.finish()
        except Exception as error:
            said = "\n".join(run.world.trace[-80:])
            raise AssertionError(f"{type(error).__name__}: {error}\n{said}") from error


def draw(seed: int, steps: int) -> list[Step]:
    """The run of a seed."""
    rng = random.Random(seed)
    return [(rng.choice(VERBS), rng.randrange(3), rng.randrange(1 << 30)) for _ in range(steps)]
