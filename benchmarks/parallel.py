"""Workloads: NOOP, and a mix of everything by 16 clients on 16 accounts."""

from __future__ import annotations

import random
import re
from collections.abc import Generator
from time import monotonic

import attrs

from benchmarks.bench import PROCESSES, Bench, Figures, Once, Workload, fill, in_processes, rate
from benchmarks.client import Answer, Client, append, expect, together

NOOP, MIXED = range(10, 26), range(30, 46)


def noop(bench: Bench) -> Once:
    client, count = bench.server.client(2), bench.sizes.noops
    client.ask(b"SELECT INBOX")
    return lambda: rate("noop", count, lambda: [client.ask(b"NOOP") for _ in range(count)])


def noop_parallel(bench: Bench) -> Once:
    each = max(1, bench.sizes.noops // 4)

    def prepare(number: int) -> list[Client]:
        clients = [bench.server.client(user) for user in NOOP[number::PROCESSES]]
        for client in clients:
            client.ask(b"SELECT INBOX")
        return clients

    def work(clients: list[Client]) -> None:
        together(clients, [_noops(each) for _ in clients])

    def once() -> Figures:
        seconds, _ = in_processes(prepare, work)
        return {"noop-par16": each * len(NOOP) / seconds}
    return once


def _noops(count: int) -> Generator[tuple[str, bytes], Answer, None]:
    for _ in range(count):
        yield "noop", b"NOOP"


@attrs.frozen
class Mixture:
    """What one client does: 30 % headers, 20 % bodies, 20 % flags, 10 % new messages, 10 % searches,
    5 % SELECT, 5 % STATUS; every answer is checked."""

    user: int
    uids: list[int]
    sizes: list[int]
    added: list[bytes]
    seconds: float

    def script(self) -> Generator[tuple[str, bytes], Answer, None]:
        chance, end, added = random.Random(self.user), monotonic() + self.seconds, 0
        while monotonic() < end:
            kind, place = chance.random() * 100, chance.randrange(len(self.uids))
            uid = self.uids[place]
            if kind < 30:
                answer = yield "headers", (b"UID FETCH %d (FLAGS ENVELOPE BODY.PEEK[HEADER.FIELDS"
                                           b" (FROM TO SUBJECT DATE)])" % uid)
                expect(b"ENVELOPE (" in answer.octets and len(answer.spans) >= 1, f"headers of {uid}")
            elif kind < 50:
                answer = yield "body", b"UID FETCH %d (BODY.PEEK[])" % uid
                expect([end - start for start, end in answer.spans] == [self.sizes[place]], f"body of {uid}")
            elif kind < 70:
                plus = chance.random() < 0.5
                answer = yield "store", b"UID STORE %d %bFLAGS (\\Draft)" % (uid, b"+" if plus else b"-")
                # a server may leave the FETCH out where nothing changed
                told = answer.octets
                expect(b" FETCH (" not in told or (b"\\Draft" in told) == plus, f"flags of {uid}")
            elif kind < 80:
                yield "append", chance.choice(self.added)
                added += 1
            elif kind < 90:
                upto = min(len(self.uids) - 1, place + 50)
                answer = yield "search", b"UID SEARCH UID %d:%d" % (uid, self.uids[upto])
                expect(answer.numbers() == self.uids[place:upto + 1], f"search from {uid}")
            elif kind < 95:
                answer = yield "select", b"SELECT INBOX"
                expect(answer.exists() == len(self.uids), "EXISTS")
            else:
                answer = yield "status", b"STATUS Mixed (MESSAGES UIDNEXT UNSEEN)"
                expect(b"MESSAGES %d" % added in answer.octets, "STATUS")


def fill_mixed(bench: Bench) -> None:
    """The same messages in 16 INBOXes."""
    count = bench.sizes.mixed
    clients = [bench.server.client(user) for user in MIXED]
    if all(client.ask(b"SELECT INBOX").exists() != count for client in clients):
        fill(bench.mail, count, [(client, "INBOX") for client in clients])
    for client in clients:
        expect(client.ask(b"SELECT INBOX").exists() == count, "EXISTS of INBOX")
        client.close()


def mix(bench: Bench, seconds: float) -> tuple[float, list[tuple[str, float]]]:
    """Seconds, and each command's kind and seconds."""
    count = bench.sizes.mixed
    sizes = [len(bench.mail.message(n)) for n in range(count)]
    added = [append("Mixed", "(\\Seen)", bench.mail.date(n), bench.mail.message(n, 4096)) for n in range(64)]

    def prepare(number: int) -> list[tuple[Client, Mixture]]:
        found = []
        for user in MIXED[number::PROCESSES]:
            client = bench.server.client(user)
            client.fresh("Mixed")
            expect(client.ask(b"SELECT INBOX").exists() == count, "EXISTS of INBOX")
            uids = list(map(int, re.findall(rb"UID (\d+)", client.ask(b"FETCH 1:* (UID)").text())))
            found.append((client, Mixture(user, uids, sizes, added, seconds)))
        return found

    def work(pairs: list[tuple[Client, Mixture]]) -> list[tuple[str, float]]:
        return together([client for client, _ in pairs], [mixture.script() for _, mixture in pairs])

    spent, results = in_processes(prepare, work)
    return spent, [each for result in results for each in result]


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]


def mixed(bench: Bench) -> Once:
    fill_mixed(bench)

    def once() -> Figures:
        spent, commands = mix(bench, bench.sizes.mixed_seconds)
        each = [seconds * 1000 for _, seconds in commands]
        return {"mixed": len(each) / spent,
                "mixed p50": percentile(each, 50), "mixed p99": percentile(each, 99)}
    return once


WORKLOADS = [Workload("noop", {"noop": "/s"}, noop),
             Workload("noop-par16", {"noop-par16": "/s"}, noop_parallel),
             Workload("mixed", {"mixed": "/s", "mixed p50": "ms", "mixed p99": "ms"}, mixed,
                      tuple(MIXED), warm=False)]
