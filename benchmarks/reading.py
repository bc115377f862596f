"""Workloads on the big mailbox that only read: SELECT, FETCH, SEARCH."""

from __future__ import annotations

import hashlib
import random
import re
import statistics
import time
from collections.abc import Callable

from benchmarks.bench import Bench, Figures, Once, Workload, milliseconds, rate
from benchmarks.client import Answer, expect
from benchmarks.mail import BODY_WORD, SUBJECT_WORD, TEXT_WORD, Mail

#: SELECT is short: the median of so many is one figure.
SELECTS = 5
HEADER = b"(UID BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE MESSAGE-ID REFERENCES)])"


def select(bench: Bench) -> Once:
    """Again and again, in a session that has had it selected before."""
    def once() -> Figures:
        spent = []
        for _ in range(SELECTS):
            bench.big.ask(b"SELECT INBOX")
            milli, answer = bench.big.timed(b"SELECT Big")
            expect(answer.exists() == bench.sizes.messages, "EXISTS")
            spent.append(milli)
        return {"select": statistics.median(spent)}
    return once


def select_fresh(bench: Bench) -> Once:
    """The first SELECT of a new session."""
    def once() -> Figures:
        spent = []
        for _ in range(SELECTS):
            client = bench.server.client()
            milli, answer = client.timed(b"SELECT Big")
            expect(answer.exists() == bench.sizes.messages, "EXISTS")
            spent.append(milli)
            client.log_out()
        return {"select-fresh": statistics.median(spent)}
    return once


def fetch(name: str, command: bytes, check: Callable[[Bench, Answer], None]) -> Workload:
    def prepare(bench: Bench) -> Once:
        text = command.replace(b"COUNT", b"%d" % some(bench))
        return lambda: milliseconds(bench.big, name, text, lambda answer: check(bench, answer))
    return Workload(name, {name: "ms"}, prepare)


def some(bench: Bench) -> int:
    return min(1000, bench.sizes.messages)


def check_flags(bench: Bench, answer: Answer) -> None:
    text, count = answer.text(), bench.sizes.messages
    expect(text.count(b" FETCH (") == count == text.count(b"FLAGS ("), "FETCH responses are missing")
    expect(text.count(b"\\Seen") == sum(map(Mail.seen, range(count))), "\\Seen")
    expect(list(map(int, re.findall(rb"UID (\d+)", text))) == list(bench.uids), "UIDs")


def check_envelopes(bench: Bench, answer: Answer) -> None:
    text, count = answer.text(), bench.sizes.messages
    for item in (b" FETCH (", b"ENVELOPE (", b"BODYSTRUCTURE (", b'INTERNALDATE "', b"FLAGS ("):
        expect(text.count(item) == count, f"{item!r} is missing")
    expect(text.lower().count(b'"alternative"') == count, "BODYSTRUCTURE")
    sizes = list(map(int, re.findall(rb"RFC822\.SIZE (\d+)", text)))
    picked = [n * 7919 % count for n in range(20)]
    expect(len(sizes) == count and all(sizes[n] == len(bench.mail.message(n)) for n in picked), "RFC822.SIZE")


def check_headers(bench: Bench, answer: Answer) -> None:
    heads = answer.literals()
    expect(len(heads) == some(bench) == answer.fetches(), "FETCH responses are missing")
    for number in (0, 1, len(heads) // 2, len(heads) - 1):
        head = b"\r\n" + heads[number].lower()
        for field in (b"from", b"to", b"subject", b"date", b"message-id"):
            expect(b"\r\n%b:" % field in head, f"{field!r} of {number}")
        expect((b"references:" in head) == (number % 4 != 0), f"References of {number}")
        expect(b"received:" not in head, f"Received of {number}")


def bodies(bench: Bench) -> Once:
    count = some(bench)
    expected = hashlib.sha1(b"".join(map(bench.mail.message, range(count)))).digest()

    def check(answer: Answer) -> None:
        found = hashlib.sha1(b"".join(answer.literals())).digest()
        expect(found == expected, "other octets than were appended")
    command = b"FETCH 1:%d (UID BODY.PEEK[])" % count
    return lambda: milliseconds(bench.big, "fetch-body-1000", command, check)


def fetch_one(bench: Bench) -> Once:
    chance, rounds = random.Random(1), bench.sizes.rounds

    def once() -> Figures:
        picked = chance.choices(range(bench.sizes.messages), k=rounds)
        todo = [b"UID FETCH %d (BODY.PEEK[])" % bench.uids[n] for n in picked]
        answers: list[Answer] = []
        found = rate("fetch-one", rounds, lambda: answers.extend(map(bench.big.ask, todo)))
        for number, answer in zip(picked, answers, strict=True):
            expect(answer.literals() == [bench.mail.message(number)], f"message {number}")
        return found
    return once


def half(count: int) -> str:
    """A date in the middle of the mailbox, as SEARCH takes it."""
    return time.strftime("%d-%b-%Y", time.gmtime(Mail.when(count // 2))).lstrip("0")


def since_half(count: int, number: int) -> bool:
    return Mail.when(number) // 86400 >= Mail.when(count // 2) // 86400


Hits = Callable[[int, int], bool]
#: What is searched, and whether a mailbox of so many messages has a hit at a number.
SEARCHES: dict[str, tuple[Callable[[int], str], Hits]] = {
    "search-unseen": (lambda count: "UNSEEN", lambda count, n: not Mail.seen(n)),
    "search-subject": (lambda count: f"SUBJECT {SUBJECT_WORD}", lambda count, n: Mail.in_subject(n)),
    "search-body": (lambda count: f"BODY {BODY_WORD}", lambda count, n: Mail.in_body(n)),
    "search-text": (lambda count: f"TEXT {TEXT_WORD}", lambda count, n: Mail.in_text(n)),
    "search-from-since": (lambda count: f'FROM "p037." SINCE {half(count)}',
                          lambda count, n: Mail.sender(n) == 37 and since_half(count, n))}

#: Where a turn to warm up would take long.
SLOW = ("search-body", "search-text")


def search(name: str, suffix: str = "") -> Workload:
    program, hits = SEARCHES[name]

    def prepare(bench: Bench) -> Once:
        count = bench.sizes.messages
        wanted = [n + 1 for n in range(count) if hits(count, n)]

        def check(answer: Answer) -> None:
            expect(answer.numbers() == wanted, f"{program(count)} finds something else")
        command = f"SEARCH {program(count)}".encode()
        return lambda: milliseconds(bench.big, name + suffix, command, check)
    return Workload(name + suffix, {name + suffix: "ms"}, prepare, warm=name not in SLOW,
                    borrows={name + suffix: name} if suffix else {})


def ordered(name: str, command: bytes, response: bytes,
            check: Callable[[int, list[int]], bool]) -> Workload:
    """SORT and THREAD, where the server has them."""
    needs = b"SORT" if response == b"* SORT" else b"THREAD=REFERENCES"

    def prepare(bench: Bench) -> Once:
        def judge(answer: Answer) -> None:
            lines = [line for line in answer.text().split(b"\r\n") if line.startswith(response)]
            expect(len(lines) == 1, "the response is missing")
            found = list(map(int, re.findall(rb"\d+", lines[0])))
            expect(sorted(found) == list(range(1, bench.sizes.messages + 1)), "not every message")
            expect(check(bench.sizes.messages, found), "the order")
        return lambda: milliseconds(bench.big, name, command, judge)
    return Workload(name, {name: "ms"}, prepare, needs=needs)


WORKLOADS = [
    Workload("select", {"select": "ms"}, select),
    Workload("select-fresh", {"select-fresh": "ms"}, select_fresh),
    fetch("fetch-flags", b"FETCH 1:* (UID FLAGS)", check_flags),
    fetch("fetch-env", b"FETCH 1:* (UID FLAGS ENVELOPE INTERNALDATE RFC822.SIZE BODYSTRUCTURE)",
          check_envelopes),
    fetch("fetch-hdr-1000", b"FETCH 1:COUNT " + HEADER, check_headers),
    Workload("fetch-body-1000", {"fetch-body-1000": "ms"}, bodies),
    Workload("fetch-one", {"fetch-one": "/s"}, fetch_one),
    *[search(name) for name in SEARCHES],
    ordered("sort-revdate", b"SORT (REVERSE DATE) UTF-8 ALL", b"* SORT",
            lambda count, found: found == list(range(count, 0, -1))),
    ordered("sort-subject", b"SORT (SUBJECT) UTF-8 ALL", b"* SORT", lambda count, found: True),
    ordered("thread-refs", b"THREAD REFERENCES UTF-8 ALL", b"* THREAD",
            lambda count, found: abs(found.index(1) - found.index(min(4, count))) < 4)]
#: The same, of a server whose index is empty.
UNINDEXED = [search(name, "-unindexed") for name in SEARCHES if name != "search-unseen"]
