"""What logins cost under attack: `python -m benchmarks.identity` in a checkout.

A server on loopback, where nothing is slowed down: each figure is of the worst that brakes would prevent.
Clients that hammer are processes of their own.  The exit code is 0 if all that is promised holds.
"""

from __future__ import annotations

import argparse
import base64
import math
import multiprocessing
import os
import secrets
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.servers import PASSWORD, ROOT, moximap

CODE = "from moximap.cli.main import main; main()"
#: What is promised: seconds that ten attackers may add to a login, and until a revoked key's session ends.
ADDED, REVOKED = 0.1, 1.0
REFUSED = b"a NO [AUTHENTICATIONFAILED]"


def command(data: Path, *arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run([sys.executable, "-c", CODE, "--data", data, *arguments], input=given, check=True,
                          capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)}).stdout


class Line:
    """A connection that is asked line by line."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.file.readline()

    def ask(self, text: bytes) -> bytes:
        self.socket.sendall(text + b"\r\n")
        return self.file.readline()

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def plain(login: str, password: str) -> bytes:
    return b"a AUTHENTICATE PLAIN " + base64.b64encode(f"\0{login}\0{password}".encode())


def hammer(port: int, ready: Any, stop: Any, tried: Any) -> None:
    """Wrong passwords on one connection after the other, as fast as answers come."""
    count = 0
    ready.release()
    while not stop.is_set():
        line = Line(port)
        for _ in range(20):
            guess_plain(line, "u0")
            count += 1
        line.close()
    with tried.get_lock():
        tried.value += count


def logins(port: int, count: int, login: Callable[[Line], None]) -> list[float]:
    """Seconds from before the connection to the OK."""
    spent = []
    for _ in range(count):
        began = time.perf_counter()
        line = Line(port)
        login(line)
        spent.append(time.perf_counter() - began)
        line.close()
        time.sleep(0.02)
    return spent


def by_password(line: Line) -> None:
    assert line.ask(plain("u0", PASSWORD)).startswith(b"a OK"), "the right password was refused"


def beside_attackers(port: int, attackers: int, count: int) -> tuple[list[float], float]:
    """The good client's logins, and how many passwords a second were tried meanwhile."""
    context = multiprocessing.get_context("fork")
    ready, stop, tried = context.Semaphore(0), context.Event(), context.Value("l", 0)
    children = [context.Process(target=hammer, args=(port, ready, stop, tried)) for _ in range(attackers)]
    for child in children:
        child.start()
    for _ in children:
        ready.acquire()
    time.sleep(0.5)
    began = time.perf_counter()
    spent = logins(port, count, by_password)
    seconds = time.perf_counter() - began + 0.5
    stop.set()
    for child in children:
        child.join()
    return spent, tried.value / seconds


def row(name: str, spent: list[float]) -> None:
    ordered = sorted(spent)
    print(f"| {name} | {len(ordered)} | {1000 * statistics.median(ordered):.2f} |"
          f" {1000 * ordered[int(0.99 * (len(ordered) - 1))]:.2f} | {1000 * ordered[-1]:.2f} |", flush=True)


def mann_whitney(first: list[float], second: list[float]) -> float:
    """The two-sided p-value that both come from one distribution, by the normal approximation."""
    n, m = len(first), len(second)
    ranked = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    ranks = sum(rank for rank, (_, which) in enumerate(ranked, 1) if which == 0)
    u = ranks - n * (n + 1) / 2
    return math.erfc(abs(u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12) / math.sqrt(2))


def guess_plain(line: Line, login: str) -> None:
    assert line.ask(plain(login, secrets.token_hex(8))).startswith(REFUSED)


def guess_scram(line: Line, login: str) -> None:
    """Both messages of SCRAM, with a proof that is none."""
    first = base64.b64encode(f"n,,n={login},r=abcdefgh".encode())
    challenge = base64.b64decode(line.ask(b"a AUTHENTICATE SCRAM-SHA-256 " + first)[2:]).decode()
    last = f"c=biws,{challenge.split(',')[0]},p={base64.b64encode(secrets.token_bytes(32)).decode()}"
    assert line.ask(base64.b64encode(last.encode())).startswith(REFUSED)


def guess_login(line: Line, login: str) -> None:
    assert line.ask(f"a LOGIN {login} {secrets.token_hex(8)}".encode()).startswith(REFUSED)


def timing(port: int, count: int, guess: Callable[[Line, str], None]) -> tuple[list[float], list[float]]:
    """Seconds for a known name with a wrong password, and for an unknown one, in turns by chance."""
    line = Line(port)
    spent: dict[str, list[float]] = {"u0": [], "u1": []}
    turns = ["u0", "u1"] * (count + 20)
    secrets.SystemRandom().shuffle(turns)
    for login in turns:
        began = time.perf_counter()
        guess(line, login)
        spent[login].append(time.perf_counter() - began)
    line.close()
    return spent["u0"][20:], spent["u1"][20:]


def revoked(data: Path, tls: int, sessions: int) -> float:
    """Seconds from what `key rm` does until the last of many IDLE sessions, in all workers, has its BYE."""
    from moximap.cli.context import Data
    out = data.parent / "device"
    fingerprint = command(data, "key", "gen", "u0", "device", "--out", str(out)).split()[0].decode()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(out / "device.pem")
    idle = []
    for _ in range(sessions):
        one = context.wrap_socket(socket.create_connection(("127.0.0.1", tls), 60))
        assert one.recv(4096).startswith(b"* PREAUTH")
        one.sendall(b"a IDLE\r\n")
        assert one.recv(4096).startswith(b"+ ")
        idle.append(one)
    here = Data(data)
    with here.directory() as directory:
        began = time.perf_counter()
        directory.keys.remove(fingerprint)
        here.ring_directory()
    for one in idle:
        assert one.recv(4096).startswith(b"* BYE")
        one.close()
    return time.perf_counter() - began


def size(data: Path) -> int:
    return sum(path.stat().st_size for path in data.glob("directory.db*"))


def attempts_are_bounded(home: Path, most: int) -> tuple[int, int, int]:
    """Octets of directory.db after ``most`` failures unlike each other, and after three times as many.

    And how many records there are then.  Written by the code that the server writes them with, in
    batches of 200, each record as long as it may be.
    """
    from moximap.store.attempts import Attempt, Attempts
    from moximap.store.directory import Directory
    directory, sizes = Directory(home), []
    for times in range(3):
        for first in range(times * most, (times + 1) * most, 200):
            directory.attempts.record([
                Attempts(Attempt("-", f"{number:0320}", "192.0.2.1", "192.0.2.2", "TLSv1.3 " + "x" * 300, "",
                                 "imap", "y" * 1000, "plain", "baduser"), 1, float(number), float(number))
                for number in range(first, first + 200)])
        sizes.append(size(home))
    count = len(directory.attempts.of("-"))
    directory.close()
    return sizes[0], sizes[-1], count


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.identity", description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--attackers", type=int, default=10)
    parser.add_argument("--logins", type=int, default=100)
    parser.add_argument("--tries", type=int, default=1000, help="for the timing of each of two names")
    options = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory(prefix="moximap-benchmark-") as folder:
        home = Path(folder)
        server = moximap(home, options.workers, users=1, settings="[limits]\nfailed_logins = 1_000_000\n")
        server.start()
        try:
            print("| login | times | median ms | 99 % ms | worst ms |\n|---|---|---|---|---|")
            alone = logins(server.port, options.logins, by_password)
            row("alone", alone)
            beside, rate = beside_attackers(server.port, options.attackers, options.logins)
            row(f"beside {options.attackers} attackers, {rate:.0f} guesses/s", beside)
            if statistics.median(beside) - statistics.median(alone) > ADDED:
                wrong.append("attackers slow a login down too much")
            for name, guess in (("PLAIN", guess_plain), ("LOGIN", guess_login), ("SCRAM", guess_scram)):
                known, unknown = timing(server.port, options.tries, guess)
                row(f"{name}, wrong password", known)
                row(f"{name}, unknown name", unknown)
                p = mann_whitney(known, unknown)
                print(f"{name}: Mann-Whitney p = {p:.3f}", flush=True)
                if p < 0.001:
                    wrong.append(f"{name} tells unknown names by its time")
            seconds = revoked(home / "data", server.tls_port, 4 * options.workers)
            print(f"revoked: {4 * options.workers} sessions in IDLE heard it {1000 * seconds:.1f} ms later")
            if seconds > REVOKED:
                wrong.append("a revoked key lives on for too long")
            print(f"directory.db with its log: {size(home / 'data') / 1e6:.1f} MB after all this")
        finally:
            server.stop()
        first, last, count = attempts_are_bounded(home / "bounded", 10_000)
        print(f"10,000 failures unlike each other: {first / 1e6:.1f} MB;"
              f" 30,000: {last / 1e6:.1f} MB, {count} records")
        if count > 10_000 or last > 1.2 * first:
            wrong.append("the record of attempts grows")
    print("\n".join(wrong) or "all as promised")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
