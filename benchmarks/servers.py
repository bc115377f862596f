"""The servers that are compared: moximap from this checkout, and Debian's Dovecot, each with a directory of
its own, on loopback, with the same certificate."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import attrs

from benchmarks.client import Client
from benchmarks.indexed import waiting
from moximap.testing import end

ROOT = Path(__file__).resolve().parent.parent
USERS = 100
PASSWORD = "benchmark"
START_SECONDS, STOP_SECONDS, SETTLE_SECONDS = 60.0, 60.0, 60.0
_TICKS = os.sysconf("SC_CLK_TCK")

LIMITS = """
[limits]
connections = 20000
connections_per_account = 1000
new_connections = 100000
early_connections = 1000
"""

DOVECOT = """
base_dir = {home}/run
state_dir = {home}/state
instance_name = benchmark-{port}
protocols = imap
listen = 127.0.0.1
log_path = {home}/log
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
mail_location = sdbox:~/mail
mail_fsync = optimized
first_valid_uid = 1
mail_max_userip_connections = 2000
default_vsz_limit = 1G
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {home}/users
}}
userdb {{
  driver = passwd-file
  args = {home}/users
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
  service_count = 0
  process_min_avail = 2
  process_limit = 1000
}}
service imap {{
  service_count = 256
  process_min_avail = 4
  process_limit = 2000
}}
service anvil {{
  client_limit = 5000
}}
service auth {{
  client_limit = 8000
}}
"""


@attrs.define
class Running:
    """A server.  ``behind``: of some users, how many messages its search index lacks.

    ``launch`` starts it, and again after ``stop``.
    """

    name: str
    port: int
    tls_port: int
    fsync: str
    launch: Callable[[], int]
    end: Callable[[int], None]
    behind: Callable[[Iterable[str]], int] = lambda users: 0
    pid: int = 0
    started: list[int] = attrs.field(factory=list)

    def start(self) -> None:
        self.pid = self.launch()
        wait_for(self.port)

    def stop(self) -> None:
        """End it and wait until it has; a second time does nothing."""
        pid, self.pid = self.pid, 0
        if pid:
            self.end(pid)

    def client(self, user: int = 0, tls: bool = False) -> Client:
        return Client(self.tls_port if tls else self.port, f"u{user}", PASSWORD, tls)

    def processes(self) -> list[int]:
        """The first process and all below it."""
        found, todo = [], [self.pid]
        while todo:
            pid = todo.pop()
            try:
                todo += [int(child) for task in Path(f"/proc/{pid}/task").iterdir()
                         for child in (task / "children").read_text().split()]
            except OSError:
                continue                              # it has ended meanwhile
            found.append(pid)
        return found

    def memory(self) -> int:
        """PSS of all processes, in KiB."""
        total = 0
        for pid in self.processes():
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        return total

    def cpu(self) -> float:
        """Seconds of processor time that its processes have used."""
        total = 0
        for pid in self.processes():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            total += int(fields[11]) + int(fields[12])
        return total / _TICKS

    def settle(self, users: Iterable[str] = ()) -> bool:
        """Wait until it has nothing left to do: the index complete, no processor used.  False: it has not."""
        limit = time.monotonic() + SETTLE_SECONDS
        names = list(users)
        while self.behind(names):
            if time.monotonic() > limit:
                return False
            time.sleep(0.2)
        before, now = -1.0, self.cpu()
        while now - before > 1.5 / _TICKS:
            if time.monotonic() > limit:
                return False
            time.sleep(0.1)
            before, now = now, self.cpu()
        return True


def end_in_order() -> None:
    """SIGTERM ends us as Ctrl-C does: the servers are stopped."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    """Until a server greets there."""
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                if connection.recv(100).startswith(b"* OK"):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"no server greets on port {port}")


def certificate(home: Path) -> tuple[Path, Path]:
    """A self-signed certificate (P-256) and its key, for both servers."""
    from moximap.net.certificates import self_signed
    files = home / "certificate.pem", home / "key.pem"
    for path, data in zip(files, self_signed(["localhost"]), strict=True):
        path.write_bytes(data)
    return files


def moximap(home: Path, workers: int, users: int = USERS, watch: Path | None = None,
            settings: str = LIMITS) -> Running:
    """moximap in ``home``, not started yet.  ``watch``: a directory for the records of the watchdog."""
    from moximap.identity.passwords import make_verifiers
    from moximap.store.directory import Directory
    data, port, tls_port = home / "data", free_port(), free_port()
    if not data.exists():
        directory, verifiers = Directory(data), make_verifiers(PASSWORD)
        for number in range(users):
            directory.add(f"u{number}", verifiers)
        directory.close()
    (home / "moximap.toml").write_text(settings)
    chain, key = certificate(home)
    program = ["-m", "benchmarks.watchdog", str(watch)] if watch else \
        ["-c", "from twisted.scripts.twistd import run; run()"]
    command = [sys.executable, *program, "--nodaemon", "--pidfile=", "moximap", "--data", str(data),
               "--config", str(home / "moximap.toml"), "--plaintext-login", "--workers", str(workers),
               "--tls-cert", str(chain), "--tls-key", str(key),
               "--listen", f"imap=tcp:{port}:interface=127.0.0.1:backlog=1000",
               "--listen", f"imaps=tcp:{tls_port}:interface=127.0.0.1:backlog=1000"]
    started = _Child(command, home)
    fsync = ("synchronous=FULL for what adds, moves or removes mail: an fsync for each commit;"
             " flags within a second")
    return Running("moximap", port, tls_port, fsync, started.launch, started.end,
                   lambda users: sum(waiting(data, user) for user in users))


class _Child:
    """A process of our own."""

    def __init__(self, command: Sequence[str], home: Path) -> None:
        self._command, self._home = command, home
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> int:
        with (self._home / "moximap.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self._home,
                                             stdin=subprocess.DEVNULL,
                                             env=os.environ | {"PYTHONPATH": str(ROOT)})
        return self._process.pid

    def end(self, pid: int) -> None:
        assert self._process is not None
        end(self._process, STOP_SECONDS)


def dovecot(home: Path) -> Running | None:
    """Dovecot with re-used login processes, not started yet; None where it cannot be."""
    if shutil.which("dovecot") is None or os.geteuid() != 0:
        return None
    port, tls_port, owner = free_port(), free_port(), pwd.getpwnam("nobody")
    (home / "mail").mkdir()
    os.chown(home / "mail", owner.pw_uid, owner.pw_gid)
    for folder in (home, home.parent):
        folder.chmod(0o755)
    (home / "users").write_text("".join(
        f"u{n}:{{PLAIN}}{PASSWORD}:{owner.pw_uid}:{owner.pw_gid}::{home}/mail/u{n}::\n"
        for n in range(USERS)))
    chain, key = certificate(home)
    configuration = home / "dovecot.conf"
    configuration.write_text(
        DOVECOT.format(home=home, port=port, tls_port=tls_port, certificate=chain, key=key))

    def launch() -> int:
        subprocess.run(["dovecot", "-c", configuration], check=True)
        wait_for(port)
        return int((home / "run" / "master.pid").read_text())

    def end(pid: int) -> None:
        subprocess.run(["doveadm", "-c", configuration, "stop"], check=False)
        limit = time.monotonic() + STOP_SECONDS
        while Path(f"/proc/{pid}").exists() and time.monotonic() < limit:
            time.sleep(0.05)

    return Running("Dovecot", port, tls_port, "mail_fsync=optimized, its default", launch, end)
