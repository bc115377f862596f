"""A real IMAP server for the tests of programs that speak IMAP.

    with Server({"ada": "secret"}) as server:
        server.deliver("ada", b"Subject: hello\\r\\n\\r\\nHello, Ada.\\r\\n")
        with imaplib.IMAP4(server.host, server.imap) as client:
            client.login("ada", "secret")

It is `twistd moximap` as a process of its own, with all its extensions, on ports of the loopback interface
that the system picks; its mail lies in a temporary directory.  Both are gone when the block ends, or with
the interpreter.  Starting takes about a second; one server may serve many tests, with an account for each.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import attrs

from moximap.delivery.delivering import deliver
from moximap.identity.passwords import make_verifiers
from moximap.net import certificates
from moximap.store.bell import Bell
from moximap.store.directory import Directory

#: Seconds that a server has to get ready, and to end before it is made to.
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
#: Hash rounds of a test's passwords: the fewest that RFC 7677 allows, so that logins cost little.
ROUNDS: Final = 4096

_LISTENING: Final = re.compile(r"\blistening: (\w+) on .*?:(\d+)\s*$")
_TWISTD: Final = "from twisted.scripts.twistd import run; run()"


class NotReady(AssertionError):
    """A process ended, or took too long, before it was ready; with all that it said."""


@attrs.define(eq=False)
class Process:
    """A process, what it has said so far, and the wish that it ends."""

    process: subprocess.Popen[str]
    lines: list[str] = attrs.field(factory=list)
    _heard: threading.Condition = attrs.field(factory=threading.Condition)
    _over: bool = False

    @classmethod
    def run(cls, command: Sequence[str | Path], directory: Path, environment: Mapping[str, str]) -> Process:
        """Start a command; what it says on standard output and error are ``lines``."""
        process = cls(subprocess.Popen(list(map(str, command)), cwd=directory, env=environment, text=True,
                                       errors="replace", stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        threading.Thread(target=process._listen, daemon=True).start()
        return process

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as said:
            for line in said:
                with self._heard:
                    self.lines.append(line)
                    self._heard.notify_all()
        with self._heard:
            self._over = True
            self._heard.notify_all()

    def wait_until(self, enough: Callable[[list[str]], bool], seconds: float = START_SECONDS) -> None:
        """Return when what was said is enough; NotReady."""
        with self._heard:
            self._heard.wait_for(lambda: self._over or enough(self.lines), seconds)
            if not enough(self.lines):
                raise NotReady(f"{self.process.args!r} did not get ready:\n{self.said}")

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def stop(self) -> None:
        """Ask it to end, and make it end."""
        end(self.process, STOP_SECONDS)


def end(process: subprocess.Popen[Any], seconds: float) -> None:
    """Ask a process to end, and make it end if it has not done so after some seconds."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def ports_in(lines: Sequence[str]) -> dict[str, int]:
    """The port of each kind of listener that said in a server's log that it is ready."""
    return {found[1]: int(found[2]) for line in lines if (found := _LISTENING.search(line))}


def listen(*kinds: str) -> list[str]:
    """Options for listeners on ports that the system picks."""
    return [word for kind in kinds for word in ("--listen", f"{kind}=tcp:0:interface=127.0.0.1")]


class Server:
    """A server with accounts, given as names and passwords; `start` it, or use it in a `with`.

    ``options``: more of `twistd moximap`.  ``imap``: the port for STARTTLS, where passwords are also taken
    without; ``imaps``: that for TLS; ``certificate``: a PEM file with the one it shows, for ``localhost``
    and ``127.0.0.1``.
    """

    host: Final = "127.0.0.1"

    def __init__(self, accounts: Mapping[str, str] | None = None, options: Sequence[str] = ()) -> None:
        self.directory = Path()
        self.imap = self.imaps = 0
        self.certificate = Path()
        self._accounts = accounts or {}
        self._options = options
        self._process: Process | None = None

    def start(self) -> None:
        """Return when it listens; NotReady."""
        self.directory = Path(tempfile.mkdtemp(prefix="moximap-test-"))
        atexit.register(self.stop)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        for name, password in self._accounts.items():
            self.add_account(name, password)
        self.certificate, key = certificates.ensure(self.directory / "tls", ["localhost", self.host])
        self._process = Process.run(
            [sys.executable, "-c", _TWISTD, "--nodaemon", "--pidfile=", "moximap", "--data", self._data,
             "--plaintext-login", "--tls-cert", self.certificate, "--tls-key", key,
             *listen("imap", "imaps"), *self._options],
            self.directory, os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
        self._process.wait_until(lambda lines: len(ports_in(lines)) == 2)
        ports = ports_in(self._process.lines)
        self.imap, self.imaps = ports["imap"], ports["imaps"]

    def stop(self) -> None:
        """End it, and remove its mail; harmless when that is done."""
        atexit.unregister(self.stop)
        if self._process is not None:
            self._process.stop()
        if self.directory != Path():
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 where: TracebackType | None) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """All that the server has said; that of the last moment may be missing."""
        return self._process.said if self._process is not None else ""

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def add_account(self, name: str, password: str) -> None:
        """An account more, at once; AccountExists."""
        with closing(Directory(self._data)) as directory:
            directory.add(name, make_verifiers(password, ROUNDS))

    def deliver(self, account: str, message: bytes, mailbox: str = "INBOX") -> int:
        """Bring in a message as a mail transfer agent would, and tell who waits for mail; its UID.

        NoSuchAccount, NoSuchMailbox.
        """
        with (closing(Directory(self._data)) as directory, closing(directory.open(account)) as store,
              closing(Bell(self._data / "bell")) as bell):
            appended = deliver(store, BytesIO(message), mailbox)
            bell.ring(account, appended.modseq)
            return appended.uids.ranges[0][0]
