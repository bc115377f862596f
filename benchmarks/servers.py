"""The servers that are compared: moximap from this checkout, and Debian's Dovecot."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parent.parent
USERS = 20
PASSWORD = "benchmark"

DOVECOT = """
base_dir = {home}/run
state_dir = {home}/state
instance_name = benchmark-{port}
protocols = imap
listen = 127.0.0.1
log_path = {home}/log
ssl = no
disable_plaintext_auth = no
mail_location = sdbox:~/mail
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
    port = 0
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
    """A server: its name, its port, its first process, and how it is stopped."""

    name: str
    port: int
    pid: int
    stop: list[str]

    def memory(self) -> int:
        """PSS of the process and all below it, in KiB."""
        todo, total = [self.pid], 0
        while todo:
            pid = todo.pop()
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
                todo += [int(child) for task in Path(f"/proc/{pid}/task").iterdir()
                         for child in (task / "children").read_text().split()]
            except (OSError, StopIteration):
                pass
        return total


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing listens on port {port}")


def moximap(home: Path, workers: int) -> Running:
    """moximap with USERS accounts, without TLS."""
    data, port = home / "data", free_port()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for number in range(USERS):
        subprocess.run([sys.executable, "-c", "from moximap.cli.main import main; main()", "--data", data,
                        "account", "add", f"u{number}", "--password-stdin"], input=f"{PASSWORD}\n".encode(),
                       check=True, env=environment)
    with (home / "moximap.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from twisted.scripts.twistd import run; run()",
             "--nodaemon", "--pidfile=", "moximap", "--data", str(data), "--plaintext-login",
             "--workers", str(workers), "--listen", f"imap=tcp:{port}:interface=127.0.0.1"],
            stdout=log, stderr=log, env=environment, cwd=home)
    wait_for(port)
    time.sleep(1)
    return Running("moximap", port, process.pid, ["kill", str(process.pid)])


def dovecot(home: Path) -> Running | None:
    """Dovecot with re-used login processes; None where it is not installed."""
    if shutil.which("dovecot") is None or os.geteuid() != 0:
        return None
    port, owner = free_port(), pwd.getpwnam("nobody")
    (home / "mail").mkdir()
    os.chown(home / "mail", owner.pw_uid, owner.pw_gid)
    for folder in (home, home.parent):
        folder.chmod(0o755)
    (home / "users").write_text("".join(
        f"u{n}:{{PLAIN}}{PASSWORD}:{owner.pw_uid}:{owner.pw_gid}::{home}/mail/u{n}::\n"
        for n in range(USERS)))
    configuration = home / "dovecot.conf"
    configuration.write_text(DOVECOT.format(home=home, port=port))
    subprocess.run(["dovecot", "-c", configuration], check=True)
    wait_for(port)
    pid = int((home / "run" / "master.pid").read_text())
    return Running("Dovecot", port, pid, ["doveadm", "-c", str(configuration), "stop"])
