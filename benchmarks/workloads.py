"""What is measured: a workload prepares once, then gives a figure each time; all answers are checked."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from itertools import cycle
from time import perf_counter

import attrs

from benchmarks.client import Client, Wrong, together
from benchmarks.mail import SUBJECT_WORD, TEXT_WORD, Mail
from benchmarks.servers import PASSWORD, Running

Figure = Callable[[], float]


@attrs.define
class Bench:
    """One server under test.  ``size``: messages in the big mailbox."""

    server: Running
    mail: Mail
    size: int

    def client(self, user: int = 0) -> Client:
        return Client(self.server.port, f"u{user}", PASSWORD)

    def big(self) -> Client:
        """A client that has the big mailbox selected, filled where it is not yet."""
        client = self.client()
        try:
            found = re.search(rb"\* (\d+) EXISTS", client.ask(b"SELECT Big"))
        except Wrong:
            found = None
        if found is None or int(found[1]) != self.size:
            client.fresh("Big")
            for number in range(self.size):
                client.append("Big", self.mail.message(number), self.mail.flags(number))
            client.ask(b"SELECT Big")
        return client


def expect(condition: object, what: str) -> None:
    if not condition:
        raise Wrong(what)


def milliseconds(client: Client, command: bytes, check: Callable[[bytes], None]) -> Figure:
    """The time of one command."""
    def once() -> float:
        start = perf_counter()
        answer = client.ask(command)
        spent = perf_counter() - start
        check(answer)
        return spent * 1000
    return once


def rate(count: int, work: Callable[[], None]) -> Figure:
    """How many a second."""
    def once() -> float:
        start = perf_counter()
        work()
        return count / (perf_counter() - start)
    return once


# workloads: name -> (unit, prepare)

def login(bench: Bench) -> Figure:
    def work() -> None:
        for number in range(100):
            bench.client(number % 10).close()
    return rate(100, work)


def append(size: int, count: int) -> Callable[[Bench], Figure]:
    def prepare(bench: Bench) -> Figure:
        client = bench.client(1)
        make = bench.mail.large if size > 100_000 else bench.mail.message
        messages = [make(number, size) for number in range(count)]

        def work() -> None:
            client.fresh("Append")
            for message in messages:
                client.append("Append", message)
            expect(b"MESSAGES %d" % count in client.ask(b"STATUS Append (MESSAGES)"), "messages are missing")
        return rate(count, work)
    return prepare


def select(bench: Bench) -> Figure:
    client = bench.big()
    return milliseconds(client, b"SELECT Big", lambda a: expect(b"* %d EXISTS" % bench.size in a, "EXISTS"))


def fetch(items: bytes, share: float = 1.0) -> Callable[[Bench], Figure]:
    def prepare(bench: Bench) -> Figure:
        client, count = bench.big(), int(bench.size * share)
        return milliseconds(client, b"FETCH 1:%d %b" % (count, items),
                            lambda a: expect(a.count(b" FETCH (") == count, "FETCH responses are missing"))
    return prepare


def fetch_one(bench: Bench) -> Figure:
    client, chance = bench.big(), random.Random(1)
    found = re.findall(rb"UID (\d+)", client.ask(b"FETCH 1:* (UID)"))

    def work() -> None:
        for uid in chance.choices(found, k=500):
            expect(b"BODY[] {" in client.ask(b"UID FETCH %b (BODY.PEEK[])" % uid), "no body")
    return rate(500, work)


def search(program: bytes, hits: Callable[[int], bool]) -> Callable[[Bench], Figure]:
    def prepare(bench: Bench) -> Figure:
        client = bench.big()
        wanted = [str(number + 1).encode() for number in range(bench.size) if hits(number)]

        def check(answer: bytes) -> None:
            line = next(line for line in answer.split(b"\r\n") if line.startswith(b"* SEARCH"))
            expect(line.split()[2:] == wanted, f"{program!r} finds something else")
        return milliseconds(client, b"SEARCH " + program, check)
    return prepare


def store_all(bench: Bench) -> Figure:
    client = bench.big()
    signs = cycle((b"+", b"-"))

    def once() -> float:
        sign = next(signs)
        return milliseconds(client, b"STORE 1:* %bFLAGS.SILENT (\\Flagged)" % sign, lambda a: None)()
    return once


def store_one(bench: Bench) -> Figure:
    client, chance = bench.big(), random.Random(2)

    def work() -> None:
        for turn in range(500):
            number = chance.randint(1, bench.size)
            sign = b"+" if turn % 2 else b"-"
            client.ask(b"STORE %d %bFLAGS (\\Draft)" % (number, sign))
    return rate(500, work)


def copy_move(command: bytes) -> Callable[[Bench], Figure]:
    def prepare(bench: Bench) -> Figure:
        client, count = bench.big(), min(5000, bench.size // 2)

        def once() -> float:
            client.ask(b"SELECT Big")              # Dovecot drops who has a deleted mailbox selected
            for name in ("Copies", "Moved"):
                client.fresh(name)
            spent = milliseconds(client, b"COPY 1:%d Copies" % count, lambda a: None)()
            client.ask(b"SELECT Copies")
            if command == b"COPY":
                return spent
            if command == b"MOVE":
                return milliseconds(client, b"MOVE 1:* Moved", lambda a: expect(
                    b"MESSAGES %d" % count in client.ask(b"STATUS Moved (MESSAGES)"), "not all moved"))()
            client.ask(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
            return milliseconds(client, b"EXPUNGE", lambda a: None)()
        return once
    return prepare


def noop(bench: Bench) -> Figure:
    client = bench.big()
    return rate(2000, lambda: [client.ask(b"NOOP") for _ in range(2000)] and None)


def mixed(bench: Bench) -> Figure:
    """16 clients on 16 accounts, 200 messages each: headers, bodies, flags, new mail, searches."""
    clients = [bench.client(user) for user in range(2, 18)]
    for client in clients:
        client.fresh("Mixed")
        for number in range(200):
            client.append("Mixed", bench.mail.message(number))
        client.ask(b"SELECT Mixed")

    def script(seed: int) -> Iterator[bytes]:
        chance = random.Random(seed)
        message = bench.mail.message(1, 4000)
        for _ in range(200):
            uid, kind = chance.randint(1, 200), chance.random()
            if kind < 0.35:
                yield b"UID FETCH %d (FLAGS ENVELOPE BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)])" % uid
            elif kind < 0.55:
                yield b"UID FETCH %d (BODY.PEEK[])" % uid
            elif kind < 0.75:
                yield b"UID STORE %d %bFLAGS (\\Draft)" % (uid, chance.choice((b"+", b"-")))
            elif kind < 0.85:
                yield b"APPEND Sent {%d+}\r\n%b" % (len(message), message)
            else:
                yield b"UID SEARCH UID %d:*" % uid

    for client in clients:
        try:
            client.ask(b"CREATE Sent")
        except Wrong:
            pass

    def once() -> float:
        start = perf_counter()
        count = together(clients, [script(n) for n in range(len(clients))], lambda answer: None)
        return count / (perf_counter() - start)
    return once


def idle_memory(bench: Bench) -> Figure:
    """KiB of each of 200 connections that idle."""
    def once() -> float:
        before = bench.server.memory()
        clients = [bench.client(number % 20) for number in range(200)]
        for client in clients:
            client.ask(b"SELECT INBOX")
            client.send(b"IDLE")
            client.line()
        spent = bench.server.memory() - before
        for client in clients:
            client.close()
        return spent / len(clients)
    return once


def list_status(bench: Bench) -> Figure:
    client = bench.client(19)
    for number in range(300):
        client.fresh(f"F{number}")
    return milliseconds(client, b'LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN))',
                        lambda a: expect(a.count(b"* STATUS F") == 300, "STATUS responses are missing"))


#: name: unit ("/s": more is better, "ms" and "KiB": less is), and what prepares it.
WORKLOADS: dict[str, tuple[str, Callable[[Bench], Figure]]] = {
    "login": ("/s", login),
    "append-4k": ("/s", append(4000, 500)),
    "append-1m": ("/s", append(1_000_000, 20)),
    "select": ("ms", select),
    "fetch-flags": ("ms", fetch(b"(UID FLAGS)")),
    "fetch-envelope": ("ms", fetch(b"(UID ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)")),
    "fetch-headers": ("ms", fetch(b"(UID BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)])", 0.1)),
    "fetch-bodies": ("ms", fetch(b"(UID BODY.PEEK[])", 0.1)),
    "fetch-one": ("/s", fetch_one),
    "search-unseen": ("ms", search(b"UNSEEN", lambda n: not Mail.seen(n))),
    "search-subject": ("ms", search(b"SUBJECT " + SUBJECT_WORD.encode(), Mail.in_subject)),
    "search-body": ("ms", search(b"BODY " + TEXT_WORD.encode(), Mail.in_text)),
    "store-all": ("ms", store_all),
    "store-one": ("/s", store_one),
    "copy-5000": ("ms", copy_move(b"COPY")),
    "move-5000": ("ms", copy_move(b"MOVE")),
    "expunge-5000": ("ms", copy_move(b"EXPUNGE")),
    "noop": ("/s", noop),
    "mixed": ("/s", mixed),
    "idle-memory": ("KiB", idle_memory),
    "list-status": ("ms", list_status),
}
