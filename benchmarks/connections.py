"""Workloads: connect, log in, log out."""

from __future__ import annotations

from benchmarks.bench import Bench, Figures, Once, Workload, in_processes

USERS = 10


def login(name: str, tls: bool, clients: int) -> Workload:
    def prepare(bench: Bench) -> Once:
        each = max(1, bench.sizes.logins // clients)

        def work(number: int) -> None:
            for turn in range(each):
                bench.server.client((number * 7 + turn) % USERS, tls).log_out()

        def once() -> Figures:
            seconds, _ = in_processes(lambda number: number, work, clients)
            return {name: clients * each / seconds}
        return once
    return Workload(name, {name: "/s"}, prepare)


WORKLOADS = [login("login", False, 1), login("login-par4", False, 4),
             login("login-tls", True, 1), login("login-tls-par4", True, 4)]
