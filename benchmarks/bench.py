"""What workloads are made of: a server under test, rows of the table, clients in processes of their own."""

from __future__ import annotations

import os
import pickle
import random
import re
import traceback
from array import array
from collections.abc import Callable
from functools import cached_property
from time import monotonic
from typing import Any, Final, TypeVar

import attrs

from benchmarks.client import Answer, Client, append_many, expect
from benchmarks.mail import Mail
from benchmarks.servers import Running

#: Figures by name.
Figures = dict[str, float]
_T = TypeVar("_T")
#: Processes of clients in workloads with several.
PROCESSES: Final = 2


@attrs.frozen
class Sizes:
    """How much of everything."""

    messages: int = 50000                # in the big mailbox
    appends: int = 2000
    large_appends: int = 100
    large: int = 1_000_000               # octets
    logins: int = 200
    rounds: int = 2000                   # of fetch-one and store-one
    noops: int = 4000
    mixed: int = 500                     # messages in each of the 16 mailboxes
    mixed_seconds: float = 10.0
    idlers: int = 500
    idle_accounts: int = 50
    told: int = 100                      # connections that wait for mail, 10 on each account
    idle_appends: int = 20
    mailboxes: int = 1000


@attrs.define(slots=False)
class Bench:
    """One server under test."""

    server: Running
    mail: Mail
    sizes: Sizes

    @cached_property
    def big(self) -> Client:
        """A client of u0 that has the big mailbox selected."""
        client = self.server.client()
        expect(client.ask(b"SELECT Big").exists() == self.sizes.messages, "EXISTS of Big")
        return client

    @cached_property
    def uids(self) -> array[int]:
        """Of the big mailbox."""
        found = array("I", map(int, re.findall(rb"UID (\d+)", self.big.ask(b"FETCH 1:* (UID)").text())))
        expect(len(found) == self.sizes.messages, "UIDs are missing")
        return found

    def offers(self, capability: bytes) -> bool:
        return not capability or capability in self.capabilities

    @cached_property
    def capabilities(self) -> list[bytes]:
        client = self.server.client()
        words = client.ask(b"CAPABILITY").text().split()
        client.close()
        return words

    def forget(self) -> None:
        """The server was started anew, or an answer was wrong."""
        if "big" in self.__dict__:
            self.big.close()
            del self.big


#: One turn of a workload.
Once = Callable[[], Figures]


@attrs.frozen
class Workload:
    """``units``: of its figures, by name.  ``users``: whom it writes to, so that the index has to follow.

    ``warm``: a first turn does not count.  ``borrows``: its figures of another server are those of
    other workloads.  ``needs``: a capability.
    """

    name: str
    units: dict[str, str]
    prepare: Callable[[Bench], Once]
    users: tuple[int, ...] = ()
    warm: bool = True
    borrows: dict[str, str] = attrs.field(factory=dict)
    needs: bytes = b""


def rate(name: str, count: int, work: Callable[[], Any]) -> Figures:
    """How many a second."""
    start = monotonic()
    work()
    return {name: count / (monotonic() - start)}


def milliseconds(client: Client, name: str, command: bytes, check: Callable[[Answer], None]) -> Figures:
    """The time of one command; it is checked afterwards."""
    spent, answer = client.timed(command)
    check(answer)
    return {name: spent}


def fill(mail: Mail, count: int, targets: list[tuple[Client, str]], batch: int = 100) -> None:
    """Append the first messages to mailboxes."""
    for start in range(0, count, batch):
        numbers = range(start, min(count, start + batch))
        messages = [(mail.flags(n), mail.date(n), mail.message(n)) for n in numbers]
        for client, mailbox in targets:
            client.ask(append_many(mailbox, messages))


def in_processes(prepare: Callable[[int], _T], work: Callable[[_T], Any], count: int = PROCESSES) -> \
        tuple[float, list[Any]]:
    """Run ``work`` in several processes at once: seconds from the first start to the last end, results."""
    gate, opener = os.pipe()
    children = [_fork(number, prepare, work, gate, opener) for number in range(count)]
    for _, ready, _ in children:
        os.read(ready, 1)
        os.close(ready)
    os.close(gate)
    os.close(opener)
    results = []
    for pid, _, pipe in children:
        with os.fdopen(pipe, "rb") as stream:
            results.append(pickle.loads(stream.read()))
        os.waitpid(pid, 0)
    for *_, error in results:
        expect(error is None, str(error))
    return max(end for _, end, _, _ in results) - min(start for start, *_ in results), \
        [result for _, _, result, _ in results]


def _fork(number: int, prepare: Callable[[int], _T], work: Callable[[_T], Any], gate: int, opener: int) -> \
        tuple[int, int, int]:
    """A child's process id, a pipe on which it says that it is ready, and one for what it has to tell."""
    ready, say_ready = os.pipe()
    result, say_result = os.pipe()
    pid = os.fork()
    if pid:
        os.close(say_ready)
        os.close(say_result)
        return pid, ready, result
    told: tuple[float, float, Any, str | None] = 0.0, 0.0, None, "the process did not get ready"
    try:
        os.close(opener)
        random.seed()
        prepared = prepare(number)
        os.write(say_ready, b"1")
        os.read(gate, 1)                            # until the parent closes it
        start = monotonic()
        done = work(prepared)
        told = start, monotonic(), done, None
    except BaseException:
        told = 0.0, 0.0, None, traceback.format_exc(limit=-3)
    finally:
        with os.fdopen(say_result, "wb") as stream:
            pickle.dump(told, stream)
        os._exit(0)
