"""A real `twistd moximap` as a child process, for tests with real mail programs.

The process is its own: clients may block the test's thread.  Ports are the kernel's choice and are
read from what the server logs, so nothing sleeps and no two tests meet.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from unittest import SkipTest

import attrs
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

import moximap
from moximap.cli.main import main
from moximap.identity.passwords import make_verifiers
from moximap.store.directory import Directory
from moximap.testing import Process as Process
from moximap.testing import listen as listen
from moximap.testing import ports_in as ports_in

ROOT = Path(__file__).resolve().parent.parent
#: Where the moximap comes from that is tested: the children run the same, installed or not.
CODE = Path(moximap.__file__).resolve().parent.parent
PROGRAM_SECONDS = 60.0
#: A command in this process has its standard streams for itself.
_COMMANDS = threading.Lock()
_ACCOUNTS = itertools.count(1)


def needs(*programs: str) -> None:
    """Skip the calling test where a program is missing; under CI that is a failure, not a skip."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)}"
    if os.environ.get("CI"):
        raise AssertionError(reason)
    raise SkipTest(reason)


def environment(**more: str) -> dict[str, str]:
    """What children get: the code under test, and texts in a language that tests can read."""
    path = {"PYTHONPATH": str(CODE)} if CODE == ROOT else {}
    return os.environ | {"LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"} | path | more


def run(*command: str | Path, given: bytes = b"", directory: Path | None = None,
        seconds: float = PROGRAM_SECONDS, **variables: str) -> bytes:
    """Standard output of a program; AssertionError with all that it said if it fails or hangs."""
    try:
        done = subprocess.run(list(map(str, command)), input=given, capture_output=True, cwd=directory,
                              timeout=seconds, env=environment(**variables), check=False)
    except subprocess.TimeoutExpired as hung:
        raise AssertionError(f"{command[0]} hangs: {hung.stdout!r} {hung.stderr!r}") from hung
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} ends with {done.returncode}:\n"
                             f"{done.stdout.decode(errors='replace')}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def mbsync(configuration: Path, *arguments: str, maildirs: Path) -> bytes:
    """What mbsync says of a run; ``maildirs``: the directory that its Maildirs are in."""
    # It waits a second where a directory has just changed.
    for directory in maildirs.rglob("[cn][ue][rw]"):
        os.utime(directory, (0, 0))
    return run("mbsync", "--config", configuration, *arguments, HOME=str(configuration.parent))


def run_on_terminal(*command: str | Path, directory: Path | None = None, **variables: str) -> bytes:
    """What a program shows on a terminal of its own; AssertionError as for run()."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(list(map(str, command)), stdin=theirs, stdout=theirs, stderr=theirs,
                               cwd=directory, start_new_session=True,
                               env=environment(TERM="xterm", LINES="24", COLUMNS="80") | variables)
    os.close(theirs)
    screen = bytearray()

    def watch() -> None:
        # The other side of a terminal is gone: Linux says so with an error, not with an end.
        with contextlib.suppress(OSError):
            while said := os.read(ours, 65536):
                screen.extend(said)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        process.wait(PROGRAM_SECONDS)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{command[0]} does not end: {bytes(screen[-2000:])!r}") from None
    finally:
        process.kill()
        process.wait()
        watcher.join()
        os.close(ours)
    if process.returncode != 0:
        raise AssertionError(f"{command[0]} ends with {process.returncode}: {bytes(screen[-2000:])!r}")
    return bytes(screen)


def moximap_process(data: Path, *arguments: str, given: bytes = b"") -> bytes:
    """`moximap --data DATA ARGUMENTS...` as a process, as installed or straight from the checkout."""
    return run(sys.executable, "-c", "from moximap.cli.main import main; main()", "--data", data,
               *arguments, given=given)


def moximap_command(data: Path, *arguments: str, given: bytes = b"") -> bytes:
    """The same in this process, which has no Python to start: what it prints; AssertionError if it fails."""
    with _COMMANDS:
        done = CliRunner().invoke(main, ["--data", str(data), *arguments], input=given)
    if done.exit_code != 0:
        raise AssertionError(f"{arguments} ends with {done.exit_code}: {done.output}") from done.exception
    return done.stdout_bytes


def add_account(data: Path, name: str, password: str) -> None:
    """An account with a password, which is cheap to verify."""
    with contextlib.closing(Directory(data)) as directory:
        directory.add(name, make_verifiers(password, 4096))


class Child(Process):
    """A process that finds the code under test."""

    @classmethod
    def start(cls, *command: str | Path, directory: Path) -> Child:
        child = cls.run(command, directory, environment())
        assert isinstance(child, Child)
        return child


def twistd(*arguments: str | Path, directory: Path) -> Child:
    """`twistd --nodaemon moximap ARGUMENTS...`, not waited for."""
    return Child.start(sys.executable, Path(sys.executable).parent / "twistd", "--nodaemon", "--pidfile=",
                       "moximap", *arguments, directory=directory)


@attrs.define(eq=False)
class Server:
    """A running server: where it keeps its data, on which ports it listens."""

    data: Path
    child: Child
    certificate: Path
    ports: dict[str, int]


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost and its key, as PEM files."""
    certificate, key = directory / "cert.pem", directory / "key.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout", key, "-out", certificate)
    return certificate, key


class ServerTestCase(SynchronousTestCase):
    """Each test has its own server with one account; whatever happens, it is stopped again."""

    kinds = ("imap",)
    user, password = "ada@example.org", 'le "mot" de pa\\sse'

    def setUp(self) -> None:
        needs("openssl")
        self.directory = Path(tempfile.mkdtemp(prefix="moximap-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.server = self.start_server()

    def start_server(self) -> Server:
        data = self.directory / "data"
        certificate, key = make_certificate(self.directory)
        add_account(data, self.user, self.password)
        child = twistd("--data", data, "--plaintext-login", "--tls-cert", certificate, "--tls-key", key,
                       *listen(*self.kinds), directory=self.directory)
        self.look_after(child)
        child.wait_until(lambda lines: len(ports_in(lines)) == len(self.kinds))
        return Server(data, child, certificate, ports_in(child.lines))

    def look_after(self, child: Child) -> None:
        """End it with the test.  Something unexpected in its log fails the test, even if no client minds."""
        self.addCleanup(self.check_log, child)
        self.addCleanup(child.stop)

    @staticmethod
    def check_log(child: Child, since: int = 0) -> None:
        said = "".join(child.lines[since:])
        if "Traceback" in said or "SERVERBUG" in said:
            raise AssertionError(f"the server logged:\n{said}")


class SharedServerTestCase(ServerTestCase):
    """Each test has its own account, of a server that serves others like it too: they must leave it as it is."""

    kinds = ("imap", "imaps")

    def start_server(self) -> Server:
        if not _SHARED or _SHARED[-1].child.process.poll() is not None:
            _SHARED.append(self.start_shared())
        server = _SHARED[-1]
        self.user = f"ada{next(_ACCOUNTS)}@example.org"
        add_account(server.data, self.user, self.password)
        self.addCleanup(self.check_log, server.child, len(server.child.lines))
        return server

    def start_shared(self) -> Server:
        directory = Path(tempfile.mkdtemp(prefix="moximap-test-"))
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        data = directory / "data"
        certificate, key = make_certificate(directory)
        child = twistd("--data", data, "--plaintext-login", "--tls-cert", certificate, "--tls-key", key,
                       *listen(*self.kinds), directory=directory)
        atexit.register(child.stop)
        child.wait_until(lambda lines: len(ports_in(lines)) == len(self.kinds))
        return Server(data, child, certificate, ports_in(child.lines))


#: The server of all of them, last.
_SHARED: list[Server] = []
