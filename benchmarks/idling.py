"""Workloads: many connections in IDLE, what they cost and when they hear; LIST with STATUS."""

from __future__ import annotations

import re
import time
from selectors import EVENT_READ, DefaultSelector

from benchmarks.bench import Bench, Figures, Once, Workload, milliseconds
from benchmarks.client import Answer, Client, append, expect
from benchmarks.parallel import percentile

FIRST, LISTED = 50, 5                 # users
#: Seconds after which a server has taken in that connections came or went.
REST = 1.0


def idler(bench: Bench, user: int) -> Client:
    client = bench.server.client(user)
    client.ask(b"SELECT INBOX")
    client.send(b"IDLE")
    while (line := client.line()).startswith(b"*"):
        pass
    expect(line.startswith(b"+"), f"IDLE: {line!r}")
    return client


def heard(sender: Client, command: bytes, idlers: list[Client]) -> float:
    """Milliseconds from an APPEND until the last of those who wait for it has EXISTS."""
    selector = DefaultSelector()
    for client in idlers:
        selector.register(client.socket, EVENT_READ, client)
    start = last = time.perf_counter()
    sender.send(command)
    selector.register(sender.socket, EVENT_READ)
    while selector.get_map():
        ready = selector.select(45)
        expect(ready, f"no EXISTS for {len(selector.get_map())} after 45 s")
        for key, _ in ready:
            client = key.data or sender
            client.receive()
            if key.data is None and sender.answer() is not None:
                selector.unregister(sender.socket)
            elif key.data is not None and re.search(rb"\r\n\* \d+ EXISTS\r\n", client._buffer):
                last = time.perf_counter()
                selector.unregister(client.socket)
                client._buffer = client._buffer[client._buffer.rindex(b"\r\n"):]
    selector.close()
    return (last - start) * 1000


def idle(bench: Bench) -> Once:
    sizes = bench.sizes
    present = [bench.server.client(FIRST + number) for number in range(sizes.idle_accounts)]
    for client in present:                 # they stay: an open account is no part of a connection
        client.ask(b"SELECT INBOX")
    time.sleep(REST)
    before = bench.server.memory()         # once: processes and memory that are kept for the next are no gain

    def once() -> Figures:
        idlers = [idler(bench, FIRST + number % sizes.idle_accounts) for number in range(sizes.idlers)]
        time.sleep(REST)
        memory, cpu = bench.server.memory() - before, bench.server.cpu()
        time.sleep(2 * REST)
        cpu = bench.server.cpu() - cpu
        for client in idlers:
            client.close()
        return {"idle-mem": memory / sizes.idlers, "idle-cpu": 100 * cpu / (2 * REST)}
    return once


def notify(bench: Bench) -> Once:
    """The APPEND until the last of ten on the same account knows.  No more than the system lets a Dovecot
    watch: with more than its inotify instances (usually 128) it looks every half minute."""
    sizes, mail = bench.sizes, bench.mail
    users = range(FIRST, FIRST + max(1, sizes.told // 10))
    command = append("INBOX", "()", mail.date(1), mail.message(1, 2048))

    def once() -> Figures:
        senders = [bench.server.client(user) for user in users]
        idlers = [[idler(bench, user) for _ in range(10)] for user in users]
        spent = [heard(senders[turn % len(users)], command, idlers[turn % len(users)])
                 for turn in range(sizes.idle_appends)]
        for client in [*senders, *sum(idlers, [])]:
            client.close()
        return {"idle-notify": percentile(spent, 50), "idle-notify p99": percentile(spent, 99)}
    return once


def list_status(bench: Bench) -> Once:
    client, count, mail = bench.server.client(LISTED), bench.sizes.mailboxes, bench.mail
    have = len(re.findall(rb'\* LIST [^\r]*"?F\d{4}"?\r\n', client.ask(b'LIST "" "F*"').octets))
    for number in range(have, count):
        client.ask(f"CREATE F{number:04}".encode())
        client.ask(append(f"F{number:04}", "(\\Seen)" if number % 2 else "()", mail.date(number),
                          mail.message(number, 2048)))

    def check(answer: Answer) -> None:
        text = answer.text()
        told = dict(re.findall(rb'\r\n\* STATUS "?F(\d{4})"? \(([^)]*)\)', text))
        expect(len(told) == count and text.count(b"\r\n* LIST") >= count, "responses are missing")
        for number in range(count):
            words = told[b"%04d" % number].split()
            expect(dict(zip(words[::2], words[1::2], strict=True)) == {
                b"MESSAGES": b"1", b"UNSEEN": b"0" if number % 2 else b"1"}, f"STATUS of {number}")
    command = b'LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN))'
    return lambda: milliseconds(client, "list-status", command, check)


WORKLOADS = [
    Workload("idle-notify", {"idle-notify": "ms", "idle-notify p99": "ms"}, notify,
             tuple(range(FIRST, FIRST + 50)), warm=False),
    Workload("idle-mem", {"idle-mem": "KiB", "idle-cpu": "%"}, idle, warm=False),
    Workload("list-status", {"list-status": "ms"}, list_status)]
