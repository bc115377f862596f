"""kill -9 under load, again and again on the same data: what was acknowledged must be there, once.

    python -m tests.crashing --rounds 200 --seed 1

Workers write through sockets and note what was answered OK.  Then the server is killed, another one
is started, and IMAP and the store's check must agree with the notes.  A command that was in flight
may have happened or not, but wholly; of commands sent together, only the first ones.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import attrs

from moximap.store.directory import Directory
from tests import notes, server
from tests.notes import Action, Notes, Place
from tests.wire import Ended, Wire

USER, PASSWORD = "ada", "secret word"
SHARED = ("INBOX", "Archive")
WORKERS = 4
#: Messages of one worker above which it rather expunges.
PLENTY = 40
#: What usually waits for seconds or megabytes is done at once, so that kills meet it too.
EAGER = """
import sys
from moximap.store import checkpointing, housework, opened
housework.ERASE_DELAY, opened.SYNC_DELAY, checkpointing.COPY = 0.03, 0.01, 100
housework.ERASE_BATCH = housework.LARGEST_BATCH = 10
housework.BUSY_PAUSE = (0.01, 1)
from twisted.scripts.twistd import run
sys.argv[0] = "twistd"
run()
"""
_FETCHED = re.compile(rb"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) BODY\[\] \{\d+\}\r\n")


class Worker:
    """One client: it changes only messages of its own, which are in mailboxes that it shares."""

    def __init__(self, name: str, seed: str) -> None:
        self.name = name
        self.own = f"Own-{name}"
        self.notes = Notes()
        self.flying: list[Action] = []
        self.acknowledged: Counter[str] = Counter()
        self.refused: list[str] = []
        self._random = random.Random(seed)
        self._made = 0

    def work(self, port: int, ready: Event) -> None:
        """Send commands until the server is gone."""
        self.flying = []
        try:
            with closing(Wire(port)) as wire:
                wire.login(USER, PASSWORD)
                ready.set()
                while not self.refused:
                    self._some(wire)
        except Ended:
            pass
        except AssertionError as error:
            self.refused.append(repr(error))

    def _some(self, wire: Wire) -> None:
        """A few commands at once, and their answers."""
        mailbox = self._random.choice([*SHARED, self.own])
        wire.must(b"SELECT " + mailbox.encode())
        guess = self.notes
        for _ in range(self._random.choice((1, 1, 2, 4))):
            action = self._choose(mailbox, guess)
            guess = action.guessed(guess)
            self.flying.append(action)
        wire.send(b"".join(b"t%d %b\r\n" % (i, action.line()) for i, action in enumerate(self.flying)))
        for i in range(len(self.flying)):
            untagged, tagged = wire.answer(b"t%d" % i)
            if not tagged.startswith(b"t%d OK" % i):
                self.refused.append(f"{self.flying[0]} was answered {tagged!r}")
                return
            action = self.flying.pop(0)
            self.notes = action.acknowledged(self.notes, b"".join([*untagged, tagged]))
            self.acknowledged[type(action).__name__.upper()] += 1

    def _choose(self, mailbox: str, guess: Notes) -> Action:
        rand = self._random
        here = sorted(uid for place, uid in guess.known if place == mailbox)
        if not here or len(guess.known) < PLENTY and rand.random() < 0.3:
            keys = tuple(self._key() for _ in range(rand.choice((1, 1, 1, 3))))
            return notes.Append(rand.choice([mailbox, *SHARED]), keys, self._flags())
        uids = tuple(sorted(rand.sample(here, min(len(here), rand.choice((1, 1, 2, 5))))))
        target = rand.choice([name for name in (*SHARED, self.own) if name != mailbox])
        kinds = ["store", "store", "move", "expunge"] + ["copy"] * (len(guess.known) < PLENTY)
        kind = rand.choice(kinds)
        if kind == "store":
            deleting = len(guess.known) >= PLENTY or rand.random() < 0.4
            flags = frozenset(["\\Deleted"]) if deleting else self._flags()
            return notes.Store(mailbox, uids, "+" if deleting else rand.choice(("+", "-", "")), flags)
        if kind == "expunge":
            return notes.Expunge(mailbox, None if mailbox == self.own else tuple(here))
        return (notes.Move if kind == "move" else notes.Copy)(mailbox, uids, target)

    def _key(self) -> str:
        """The key of a message that was never there."""
        self._made += 1
        return f"{self.name}-{self._made}-{self._random.choice(notes.SIZES)}"

    def _flags(self) -> frozenset[str]:
        return frozenset(self._random.sample(notes.FLAGS, self._random.randrange(4)))


@attrs.define
class Result:
    """What a run came to."""

    rounds: int = 0
    acknowledged: Counter[str] = attrs.field(factory=Counter)
    in_flight: int = 0
    in_flight_done: int = 0
    problems: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.acknowledged.items()))
        return (f"{self.rounds} kills; {self.acknowledged.total()} commands acknowledged ({kinds}); "
                f"{self.in_flight} in flight, of which {self.in_flight_done} had happened; "
                f"{len(self.problems)} problems")


class Crashing:
    """The runner: one data directory, as many kills as wanted."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.result = Result()
        self._directory = directory
        self._data = directory / "data"
        self._random = random.Random(seed)
        self._workers = [Worker(f"w{i}", f"{seed}-{i}") for i in range(WORKERS)]
        self._lowest: dict[str, tuple[int, int]] = {}
        self._child: server.Child | None = None

    def run(self, rounds: int) -> Result:
        """Kill so many times; stop at the first round with problems, while its data can be looked at."""
        server.add_account(self._data, USER, PASSWORD)
        try:
            port = self._start()
            with closing(Wire(port)) as wire:
                wire.login(USER, PASSWORD)
                for worker in self._workers:
                    wire.must(b"CREATE " + worker.own.encode())
            for _ in range(rounds):
                self._load(port)
                port = self._start()
                try:
                    self._verify(port)
                except (AssertionError, Ended) as error:
                    self._problem([repr(error)])
                self.result.rounds += 1
                if self.result.problems:
                    break
            self._end(kill=False)
            self._problem(server.moximap_command(self._data, "check").decode().splitlines())
        finally:
            if self._child is not None:
                self._child.stop()
        return self.result

    def _problem(self, texts: list[str]) -> None:
        self.result.problems += [f"round {self.result.rounds}: {text}" for text in texts]

    def _start(self) -> int:
        self._child = server.Child.start(
            sys.executable, "-c", EAGER, "--nodaemon", "--pidfile=", "moximap", "--data", self._data,
            "--plaintext-login", *server.listen("imap"), directory=self._directory)
        self._child.wait_until(lambda lines: bool(server.ports_in(lines)))
        return server.ports_in(self._child.lines)["imap"]

    def _end(self, kill: bool) -> None:
        child, self._child = self._child, None
        assert child is not None
        if kill:
            child.process.kill()
        child.stop()
        if "Traceback" in child.said or "SERVERBUG" in child.said:
            self._problem([child.said])

    def _load(self, port: int) -> None:
        """Let the workers write for a moment, and kill the server in the midst of it."""
        ready = Event()
        threads = [Thread(target=worker.work, args=(port, ready), daemon=True) for worker in self._workers]
        for thread in threads:
            thread.start()
        if self._random.random() < 0.8:            # else it is killed while it opens the account
            ready.wait(server.PROGRAM_SECONDS)
        Event().wait(self._random.uniform(0.02, 0.4))
        self._end(kill=True)
        for thread in threads:
            thread.join(server.PROGRAM_SECONDS)
        for worker in self._workers:
            self._problem(worker.refused)
            self.result.acknowledged += worker.acknowledged
            worker.acknowledged.clear()

    # what must hold

    def _verify(self, port: int) -> None:
        found: dict[str, dict[Place, notes.Message]] = {worker.name: {} for worker in self._workers}
        with closing(Wire(port)) as wire:
            wire.login(USER, PASSWORD)
            for mailbox in (*SHARED, *(worker.own for worker in self._workers)):
                for uid, message in self._read(wire, mailbox):
                    found[message.key.partition("-")[0]][mailbox, uid] = message
        for worker in self._workers:
            self._compare(worker, found[worker.name])
        with closing(Directory(self._data)) as directory, closing(directory.open(USER)) as account:
            self._problem(list(account.check()))

    def _read(self, wire: Wire, mailbox: str) -> list[tuple[int, notes.Message]]:
        said = b"".join(wire.must(b"SELECT " + mailbox.encode()))
        self._numbers(mailbox, *(int(re.search(rb"\[%b (\d+)\]" % name, said)[1])  # type: ignore[index]
                                 for name in (b"UIDVALIDITY", b"UIDNEXT")))
        out = []
        for response in wire.must(b"UID FETCH 1:* (UID FLAGS BODY.PEEK[])"):
            fetched = _FETCHED.match(response)
            if fetched is None:
                self._problem([f"{mailbox}: unexpected answer {response[:200]!r}"])
                continue
            key = notes.key_of(response[fetched.end():-3])
            if key is None:
                self._problem([f"{mailbox} {int(fetched[1])}: not a message that was sent"])
            else:
                flags = frozenset(fetched[2].decode().split())
                out.append((int(fetched[1]), notes.Message(key, flags)))
        return out

    def _numbers(self, mailbox: str, uidvalidity: int, uidnext: int) -> None:
        """UIDVALIDITY stays, UIDNEXT never goes back, and no UID that was told is given out again."""
        before = self._lowest.get(mailbox, (uidvalidity, 1))
        told = [uid + 1 for worker in self._workers for place, uid in worker.notes.told if place == mailbox]
        if uidvalidity != before[0] or uidnext < max([before[1], *told]):
            self._problem([f"{mailbox} has UIDVALIDITY {uidvalidity} and UIDNEXT {uidnext}, was {before}"])
        self._lowest[mailbox] = uidvalidity, uidnext

    def _compare(self, worker: Worker, found: dict[Place, notes.Message]) -> None:
        """Some first ones of the commands in flight happened, and nothing else."""
        guess, happened = worker.notes, 0
        while not guess.agrees(found) and happened < len(worker.flying):
            guess = worker.flying[happened].guessed(guess)
            happened += 1
        if not guess.agrees(found):
            self._problem([f"{worker.name}: {worker.notes.difference(found)}; in flight: {worker.flying}"])
        self.result.in_flight += len(worker.flying)
        self.result.in_flight_done += happened
        worker.notes = Notes(dict(found))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="moximap-crashing-"))
    result = Crashing(directory, given.seed).run(given.rounds)
    sys.stdout.write("\n".join([str(result), *result.problems]) + "\n")
    if result.problems:
        sys.stdout.write(f"the data is left in {directory}\n")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
