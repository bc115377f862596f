"""Workloads: APPEND."""

from __future__ import annotations

import re
from collections.abc import Iterator

from benchmarks.bench import PROCESSES, Bench, Figures, Once, Workload, in_processes, rate
from benchmarks.client import Client, append, expect, together

PARALLEL = range(10, 18)


def commands(bench: Bench, count: int) -> list[bytes]:
    mail = bench.mail
    return [append("Added", "()", mail.date(n), mail.message(n, 4096)) for n in range(count)]


def small(bench: Bench) -> Once:
    client, todo = bench.server.client(1), commands(bench, bench.sizes.appends)

    def once() -> Figures:
        client.fresh("Added")
        found = rate("append-4k", len(todo), lambda: [client.ask(command) for command in todo])
        expect(client.count("Added") == len(todo), "messages are missing")
        client.drop("Added")
        return found
    return once


def parallel(bench: Bench) -> Once:
    """Eight clients on eight accounts."""
    todo = commands(bench, max(1, bench.sizes.appends // len(PARALLEL)))

    def script() -> Iterator[tuple[str, bytes]]:
        for command in todo:
            yield "append", command

    def prepare(number: int) -> list[Client]:
        return [bench.server.client(user) for user in PARALLEL[number::PROCESSES]]

    def work(clients: list[Client]) -> None:
        together(clients, [script() for _ in clients])

    def once() -> Figures:
        clients = [bench.server.client(user) for user in PARALLEL]
        for client in clients:
            client.fresh("Added")
        seconds, _ = in_processes(prepare, work)
        for client in clients:
            expect(client.count("Added") == len(todo), "messages are missing")
            client.drop("Added")
            client.close()
        return {"append-4k-par8": len(todo) * len(PARALLEL) / seconds}
    return once


def large(bench: Bench) -> Once:
    client, size, mail = bench.server.client(1), bench.sizes.large, bench.mail
    numbers = range(bench.sizes.large_appends)
    todo = [append("Large", "()", mail.date(n), mail.large(n, size)) for n in numbers]

    def once() -> Figures:
        client.fresh("Large")
        found = rate("append-1m", len(todo), lambda: [client.ask(command) for command in todo])
        client.ask(b"SELECT Large")
        sizes = re.findall(rb"RFC822.SIZE (\d+)", client.ask(b"FETCH 1:* (RFC822.SIZE)").text())
        expect(sizes == [b"%d" % size] * len(todo), "sizes differ")
        client.ask(b"SELECT INBOX")
        client.drop("Large")
        return found
    return once


WORKLOADS = [Workload("append-4k", {"append-4k": "/s"}, small, (1,)),
             Workload("append-4k-par8", {"append-4k-par8": "/s"}, parallel, tuple(PARALLEL)),
             Workload("append-1m", {"append-1m": "/s"}, large, (1,))]
