"""A real server under abuse: what other clients notice, what its memory does, what its log says.

The law of these tests: whatever an abuser does, a neighbour's commands are all answered meanwhile,
the server's memory stays bounded, and its log has no traceback.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from twisted.trial.unittest import SynchronousTestCase

from moximap.store.directory import Directory
from moximap.store.interfaces import NewMessage
from tests import server
from tests.dialogue import HELLO, template
from tests.wire import SECONDS, Ended, Wire

MB = 1 << 20
USER, PASSWORD = "ada", "secret"


class Neighbour:
    """A client of another account that goes on with its work; ``longest`` in seconds."""

    def __init__(self, port: int) -> None:
        self.longest = 0.0
        self.rounds = 0
        self.trouble: list[str] = []
        self._enough = Event()
        self._wire = Wire(port)
        self._wire.login("bob", PASSWORD)
        self._wire.must(b"SELECT INBOX")
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._enough.set()
        self._thread.join(SECONDS)
        self._wire.close()

    def _work(self) -> None:
        try:
            while not self._enough.wait(0.002):
                self._round()
        except (Ended, AssertionError, TimeoutError) as error:
            self.trouble.append(repr(error))

    def _round(self) -> None:
        start = time.monotonic()
        assert self._wire.must(b"NOOP") == []
        self.longest = max(self.longest, time.monotonic() - start)
        fetched = self._wire.must(b"FETCH 1 (FLAGS BODY.PEEK[])")
        assert len(fetched) == 1 and HELLO in fetched[0], fetched
        self.rounds += 1


class AbuseCase(SynchronousTestCase):
    """A server with a neighbour on it.  ``limits`` are those of its configuration file."""

    limits: dict[str, float] = {}
    #: What the server's memory may grow by, at its peak.
    growth = 60 * MB
    kinds: tuple[str, ...] = ("imap",)
    shell: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="moximap-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.data = self.directory / "data"
        shutil.copytree(template(), self.data)
        self.prepare()
        self.ports = self._start()
        self.neighbour = Neighbour(self.ports["imap"])
        self.addCleanup(self.neighbour.stop)
        self.memory = self._warm_up()

    def prepare(self) -> None:
        """Put into the data what is there before the server is."""
        self.deliver("bob", HELLO)

    def deliver(self, account: str, *messages: bytes) -> None:
        with contextlib.closing(Directory(self.data)) as directory, contextlib.closing(directory.open(account)) as store:
            store.append("INBOX", [NewMessage(message) for message in messages])

    def _start(self) -> dict[str, int]:
        config = self.directory / "moximap.toml"
        config.write_text("[limits]\n" + "".join(f"{key} = {value}\n" for key, value in self.limits.items()))
        twistd = (sys.executable, Path(sys.executable).parent / "twistd", "--nodaemon", "--pidfile=")
        self.child = server.Child.start(
            *self.shell, *twistd, "moximap", "--data", self.data, "--config", config, "--plaintext-login",
            *server.listen(*self.kinds), directory=self.directory)
        self.addCleanup(self.child.stop)
        self.child.wait_until(lambda lines: len(server.ports_in(lines)) == len(self.kinds))
        return server.ports_in(self.child.lines)

    def _warm_up(self) -> int:
        """The memory of a server that has served somebody; its peak counts from here."""
        with contextlib.closing(self.client()) as wire:
            wire.must(b"SELECT INBOX")
        Path(f"/proc/{self.child.process.pid}/clear_refs").write_text("5")
        return self.status("VmRSS")

    def status(self, field: str) -> int:
        """A field of the server's /proc/PID/status, in octets."""
        text = Path(f"/proc/{self.child.process.pid}/status").read_text()
        return int(text.partition(f"{field}:")[2].split()[0]) * 1024

    @property
    def peak(self) -> int:
        """How far the server's memory grew, in octets, at its highest."""
        return self.status("VmHWM") - self.memory

    def client(self, login: bool = True, tls: bool = False, buffer: int = 0) -> Wire:
        """A connection that ends with the test, if not before."""
        wire = Wire(self.ports["imaps" if tls else "imap"], tls, buffer=buffer)
        self.addCleanup(wire.close)
        if login:
            wire.login(USER, PASSWORD)
        return wire

    def stranger(self, kind: str = "imap") -> socket.socket:
        """A connection that has not read its greeting."""
        opened = socket.create_connection(("127.0.0.1", self.ports[kind]), SECONDS)
        self.addCleanup(opened.close)
        return opened

    def sockets(self) -> int:
        """How many sockets the server has open."""
        links = []
        for path in Path(f"/proc/{self.child.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(path))
        return sum(link.startswith("socket:") for link in links)

    def wait_until(self, there: Callable[[], bool], otherwise: str) -> None:
        """Return when it is so."""
        waiting, deadline = Event(), time.monotonic() + SECONDS
        while not there():
            if time.monotonic() > deadline:
                self.fail(otherwise)
            waiting.wait(0.002)

    def all_is_well(self) -> None:
        """Nobody else noticed; to be called while the abuser is still there."""
        enough = self.neighbour.rounds + 2
        self.wait_until(lambda: self.neighbour.rounds >= enough or bool(self.neighbour.trouble),
                        "the neighbour gets no answers")
        self.assertEqual([], self.neighbour.trouble)
        self.assertLess(self.peak, self.growth)
        for bad in ("Traceback", "SERVERBUG"):
            if bad in self.child.said:
                self.fail(f"the server logged:\n{self.child.said}")


def enough_descriptors(count: int) -> None:
    """Let this process have that many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
