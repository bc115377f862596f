"""Workloads on the big mailbox that change it: STORE, COPY, MOVE, EXPUNGE."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from benchmarks.bench import Bench, Figures, Once, Workload, milliseconds, rate
from benchmarks.client import Answer, expect
from benchmarks.mail import Mail


def restore(bench: Bench) -> None:
    """The flags of the big mailbox as they were filled in."""
    bench.big.ask(b"STORE 1:* +FLAGS.SILENT (\\Seen)")
    unseen = [str(n + 1) for n in range(bench.sizes.messages) if not Mail.seen(n)]
    for start in range(0, len(unseen), 800):
        bench.big.ask(f"STORE {','.join(unseen[start:start + 800])} -FLAGS.SILENT (\\Seen)".encode())


def store_all(bench: Bench) -> Once:
    count = bench.sizes.messages

    def check(seen: int) -> Callable[[Answer], None]:
        def judge(answer: Answer) -> None:
            expect(answer.fetches() == count, "FETCH responses are missing")
            expect(answer.text().count(b"\\Seen") == seen, "\\Seen")
        return judge

    def once() -> Figures:
        bench.big.ask(b"STORE 1:* -FLAGS.SILENT (\\Seen)")
        found = milliseconds(bench.big, "store-all+seen", b"STORE 1:* +FLAGS (\\Seen)", check(count))
        found |= milliseconds(bench.big, "store-all-seen", b"STORE 1:* -FLAGS (\\Seen)", check(0))
        restore(bench)
        return found
    return once


def store_one(bench: Bench) -> Once:
    chance = random.Random(2)

    def once() -> Figures:
        picked = [chance.randint(1, bench.sizes.messages) for _ in range(bench.sizes.rounds // 2)]
        answers: list[tuple[int, Answer, Answer]] = []

        def work() -> None:
            for number in picked:
                answers.append((number, bench.big.ask(b"STORE %d +FLAGS (\\Draft)" % number),
                                bench.big.ask(b"STORE %d -FLAGS (\\Draft)" % number)))
        found = rate("store-one", 2 * len(picked), work)
        for number, plus, minus in answers:
            line = b"* %d FETCH (" % number
            expect(line in plus.octets and line in minus.octets, f"FETCH of {number} is missing")
            expect(b"\\Draft" in plus.octets and b"\\Draft" not in minus.octets, f"flags of {number}")
        return found
    return once


def moved(bench: Bench) -> Once:
    """COPY 5,000 messages elsewhere, MOVE them back, EXPUNGE them."""
    size = bench.sizes.messages
    count, client = min(5000, size // 2), bench.server.client()
    names = [f"{kind}-5000" for kind in ("copy", "move", "expunge")]

    def gone(answer: Answer) -> None:
        found = re.findall(rb"\r\n\* \d+ EXPUNGE", answer.text())
        expect(len(found) == count, "EXPUNGE responses are missing")

    def once() -> Figures:
        client.fresh("Other")
        client.ask(b"SELECT Big")
        found = milliseconds(client, names[0], b"COPY 1:%d Other" % count, lambda answer: None)
        expect(client.ask(b"SELECT Other").exists() == count, "not all were copied")
        found |= milliseconds(client, names[1], b"MOVE 1:%d Big" % count, gone)
        expect(client.ask(b"SELECT Big").exists() == size + count, "not all were moved")
        client.ask(b"STORE %d:%d +FLAGS.SILENT (\\Deleted)" % (size + 1, size + count))
        found |= milliseconds(client, names[2], b"EXPUNGE", gone)
        expect(client.ask(b"SELECT Big").exists() == size, "not all were expunged")
        client.ask(b"SELECT INBOX")
        return found
    bench.big.ask(b"SELECT INBOX")                  # this one would have to be told of it all

    def and_back() -> Figures:
        try:
            return once()
        finally:
            bench.forget()
    return and_back


WORKLOADS = [
    Workload("store-all", {"store-all+seen": "ms", "store-all-seen": "ms"}, store_all),
    Workload("store-one", {"store-one": "/s"}, store_one),
    Workload("copy-move-expunge", {"copy-5000": "ms", "move-5000": "ms", "expunge-5000": "ms"}, moved, (0,))]
