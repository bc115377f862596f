"""The sweeps: what is measured at each size.  Each has servers of its own, whose memory begins at nothing."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from benchmarks.bench import fill
from benchmarks.client import Answer, Client, append, expect
from benchmarks.idling import REST
from benchmarks.mail import BODY_WORD, Mail
from benchmarks.servers import Running, moximap

#: Figures by name, by size.
Points = dict[int, dict[str, float]]
#: Messages that are appended; the rest of a large mailbox are copies of them.
DISTINCT = 10_000
#: What is short is measured so often, and what is of one message among many.
TIMES, MANY = 15, 300
SELECTED = 50_000
MEBI = 1024
#: Connections of one account, and seconds after which a server has forgotten that they logged in.
SHARE, LOGIN_SECONDS = 100, 32.0


@contextmanager
def serving(home: Path, users: int = 1, workers: int = 1) -> Iterator[Running]:
    home.mkdir(exist_ok=True)
    server = moximap(home, workers, users)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def median(measure: Callable[[int], float], times: int = TIMES) -> float:
    return statistics.median([measure(turn) for turn in range(times)])


def asked(client: Client, command: bytes, times: int = TIMES,
          check: Callable[[Answer], object] = lambda answer: True) -> float:
    """The median of milliseconds; ``{}`` in the command is the number of the turn."""
    def once(turn: int) -> float:
        spent, answer = client.timed(command.replace(b"{}", b"%d" % turn))
        expect(check(answer), repr(command))
        return spent
    return median(once, times)


def grow(client: Client, size: int) -> None:
    """Fill Big: distinct messages first, then copies of them."""
    mail = Mail()
    client.fresh("Big")
    fill(mail, min(size, DISTINCT), [(client, "Big")])
    have = client.ask(b"SELECT Big").exists() or 0
    while have < size:
        more = min(have, size - have, 100_000)
        client.ask(b"COPY 1:%d Big" % more)
        have += more
    expect(client.count("Big") == size, "MESSAGES after COPY")
    client.ask(b"CREATE Copies")


def forget_pages(home: Path) -> None:
    """Let the system drop the files of an account from its cache."""
    for path in home.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def messages(home: Path, sizes: list[int]) -> Points:
    """SELECT of a server that was just started, then the rest."""
    points: Points = {}
    for size in sizes:
        place = home / str(size)
        with serving(place) as server:
            grow(server.client(), size)
            server.settle(["u0"])
        cold = []
        for _ in range(3):
            with serving(place) as server:
                server.stop()
                forget_pages(place / "data")
                server.start()
                cold.append(_cold(server, size))
        with serving(place) as server:
            points[size] = {"SELECT, cold, ms": statistics.median(cold), **_of_mailbox(server, size)}
    return points


def _cold(server: Running, size: int) -> float:
    spent, answer = server.client().timed(b"SELECT Big")
    expect(answer.exists() == size, "EXISTS")
    return spent


def _of_mailbox(server: Running, size: int) -> dict[str, float]:
    """A warm server; memory before and after."""
    client, empty = server.client(), server.memory()
    client.ask(b"SELECT Big")
    found = {"memory of the selected mailbox, MiB": (server.memory() - empty) / MEBI}

    def all_there(answer: Answer) -> bool:
        return answer.fetches() == size

    found["SELECT, warm, ms"] = asked(client, b"SELECT Big", check=lambda answer: answer.exists() == size)
    found["FETCH of one, ms"] = median(lambda turn: client.timed(
        b"FETCH %d (BODY.PEEK[])" % (turn * 7919 % size + 1))[0], MANY)
    found["FETCH ENVELOPE of one, ms"] = median(lambda turn: client.timed(
        b"FETCH %d (ENVELOPE)" % (turn * 7907 % size + 1))[0], MANY)
    found["STORE of one, ms"] = median(lambda turn: client.timed(
        b"STORE %d +FLAGS (\\Draft)" % (turn * 7919 % size + 1))[0], MANY)
    found["UID SEARCH of 50 UIDs, ms"] = asked(client, b"UID SEARCH UID 100:149")
    found["APPEND, ms"] = asked(client, small("Big"))
    client.ask(b"STORE %d:* +FLAGS.SILENT (\\Deleted)" % (size + 1))
    client.ask(b"EXPUNGE")
    found["COPY of 1,000, ms"] = asked(client, b"COPY 1:1000 Copies", 5)
    found["STATUS, ms"] = asked(client, b"STATUS Big (MESSAGES UNSEEN)")
    found["UID SEARCH UNSEEN, ms"] = asked(client, b"UID SEARCH UNSEEN", 5)
    found["UID SEARCH BODY, ms"] = asked(client, b"UID SEARCH BODY " + BODY_WORD.encode(), 3)
    found["FETCH FLAGS of all, ms"] = asked(client, b"FETCH 1:* (UID FLAGS)", 3, all_there)
    found["FETCH ENVELOPE of all, ms"] = asked(client, b"FETCH 1:* (UID ENVELOPE)", 3, all_there)
    found["STORE of all, ms"] = median(lambda turn: client.timed(
        b"STORE 1:* %bFLAGS (\\Flagged)" % (b"-" if turn % 2 else b"+"))[0], 4)
    found["memory after all this, MiB"] = (server.memory() - empty) / MEBI
    return found


def small(mailbox: str) -> bytes:
    return append(mailbox, "()", Mail().date(1), b"A: b\r\n\r\n")


def mailboxes(home: Path, sizes: list[int]) -> Points:
    points: Points = {}
    for size in sizes:
        with serving(home / str(size)) as server:
            points[size] = _of_mailboxes(server, server.client(), size)
    return points


def _of_mailboxes(server: Running, client: Client, size: int) -> dict[str, float]:
    made = [client.timed(b"CREATE F%04d" % number)[0] for number in range(size)]
    for number in range(size):
        client.ask(small(f"F{number:04}"))

    def check(answer: Answer) -> bool:
        return len(re.findall(rb'\* STATUS "?F\d{4}"? \(MESSAGES 1 UNSEEN 1\)', answer.text())) == size

    status = b'LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN))'
    return {
        "CREATE, ms": statistics.median(made), "LIST, ms": asked(client, b'LIST "" "*"'),
        "LIST with STATUS, ms": asked(client, status, check=check),
        "STATUS of one, ms": asked(client, b"STATUS F0000 (MESSAGES UNSEEN)"),
        "SELECT of one, ms": asked(client, b"SELECT F0000"),
        "APPEND, ms": asked(client, small("INBOX")), "memory of the server, MiB": server.memory() / MEBI}


def connections(home: Path, sizes: list[int]) -> Points:
    """In IDLE, SHARE on each account: memory, the processor, another's NOOP meanwhile."""
    users = max(1, -(-max(sizes) // SHARE))
    points: Points = {}
    with serving(home / "idle", users, workers=2) as server:
        idlers: list[Client] = []
        empty = server.memory()
        for size in sizes:
            start = time.monotonic()
            while len(idlers) < size:
                idlers.append(_idler(server, len(idlers) // SHARE))
            opened = time.monotonic() - start
            points[size] = {"memory of each, KiB": (server.memory() - empty) / size}
            if size == max(sizes):
                points[size]["logins, SELECT and IDLE a second"] = size / opened
            time.sleep(LOGIN_SECONDS)
            server.settle()
            cpu = server.cpu()
            time.sleep(5 * REST)
            points[size]["processor, %"] = 100 * (server.cpu() - cpu) / (5 * REST)
            client = server.client()
            client.ask(b"SELECT INBOX")
            points[size]["NOOP of another, ms"] = asked(client, b"NOOP", 200)
            client.log_out()
            heard = [_told(server, 0, idlers[:SHARE]) for _ in range(5)]
            points[size][f"APPEND until {SHARE} know, ms"] = statistics.median(heard)
        for each in idlers:
            each.close()
    return points


def _idler(server: Running, user: int) -> Client:
    client = server.client(user)
    client.ask(b"SELECT INBOX")
    client.send(b"IDLE")
    while (line := client.line()).startswith(b"*"):
        pass
    expect(line.startswith(b"+"), "IDLE")
    return client


def _told(server: Running, user: int, idlers: list[Client]) -> float:
    """Milliseconds from an APPEND until the last idler of the account has been told."""
    sender = server.client(user)
    start = time.perf_counter()
    sender.send(small("INBOX"))
    for client in idlers:
        while not client.line().endswith(b"EXISTS"):
            pass
    spent = (time.perf_counter() - start) * 1000
    while sender.answer() is None:
        sender.receive()
    sender.log_out()
    return spent


def octets(home: Path, sizes: list[int]) -> Points:
    """A message of so many octets."""
    points: Points = {}
    for size in sizes:
        with serving(home / str(size)) as server:
            points[size] = _of_message(server, server.client(), size)
    return points


def _of_message(server: Running, client: Client, size: int) -> dict[str, float]:
    """Memory: the most of its own that the server was seen with; pages of mapped files are the system's."""
    times = 3 if size > 1_000_000 else TIMES
    client.ask(b"CREATE Large")
    command = append("Large", "()", Mail().date(1), Mail.large(1, size))

    def whole(answer: Answer) -> bool:
        return len(answer.literals()[0]) == size

    before = _own(server)
    with seen(lambda: _own(server)) as values:
        found = {"APPEND, ms": asked(client, command, times)}
        client.ask(b"SELECT Large")
        found["FETCH of all of it, ms"] = asked(client, b"FETCH 1 (BODY.PEEK[])", times, whole)
        found["FETCH of its first 1,000 octets, ms"] = asked(client, b"FETCH 1 (BODY.PEEK[]<0.1000>)")
        found["FETCH BODYSTRUCTURE, ms"] = asked(client, b"FETCH 1 (BODYSTRUCTURE)")
        found["COPY, ms"] = asked(client, b"COPY 1 Large")
    return found | {"most memory, MiB more": max(0, max(values) - before) / MEBI}


def _own(server: Running) -> int:
    """KiB of memory of its first process that are in no file."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(re.findall(r"RssAnon:\s+(\d+)", status)[0])


@contextmanager
def seen(look: Callable[[], int]) -> Iterator[list[int]]:
    """What ``look`` gives meanwhile, every few milliseconds."""
    values, done = [look()], Event()

    def watch() -> None:
        while not done.wait(0.003):
            values.append(look())

    thread = Thread(target=watch)
    thread.start()
    try:
        yield values
    finally:
        done.set()
        thread.join()


def sessions(home: Path, sizes: list[int]) -> Points:
    """So many sessions that have the same SELECTED messages selected, beside an idle server."""
    points: Points = {}
    with serving(home / "selected", workers=2) as server:
        client = server.client()
        grow(client, SELECTED)
        client.log_out()
        server.settle(["u0"])
    for size in sizes:
        with serving(home / "selected", workers=2) as server:
            server.settle(["u0"])
            idle, clients = server.memory(), []
            for _ in range(size):
                clients.append(server.client())
                expect(clients[-1].ask(b"SELECT Big").exists() == SELECTED, "EXISTS")
            selected = server.memory() - idle
            for each in clients:
                expect(each.ask(b"FETCH 1:* (UID FLAGS)").fetches() == SELECTED, "FETCH")
            points[size] = {"memory more than idle, MiB": selected / MEBI,
                            "after FETCH FLAGS of all by each, MiB": (server.memory() - idle) / MEBI}
            for each in clients:
                each.close()
    return points
