"""Tests in a private Tor network: the network as a child, clients through its SOCKS port, servers behind it."""

from __future__ import annotations

import atexit
import imaplib
import json
import os
import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TypeVar
from unittest import SkipTest, TestCase

import attrs

from tests.server import ROOT, Child, add_account, environment, listen, moximap_command, needs, twistd

_T = TypeVar("_T")
#: Networks, and connections, that are tried before a test fails: each failure is told.
TRIES = 3
CONNECT_SECONDS, NETWORK_SECONDS = 20.0, 180.0


def tell(text: str) -> None:
    """Into the test's log, and where CI shows it."""
    sys.__stderr__.write(f"\nonion test: {text}\n")  # type: ignore[union-attr]


def patiently(what: str, action: Callable[[], _T], errors: tuple[type[Exception], ...]) -> _T:
    """Tor now and then loses a first connection, for reasons of its own."""
    for number in range(1, TRIES + 1):
        try:
            return action()
        except errors as error:
            tell(f"{what}, try {number} of {TRIES}: {type(error).__name__}: {error}")
            if number == TRIES:
                raise
            time.sleep(1)
    raise AssertionError("not reached")


@attrs.define
class Network:
    """The network while it runs.  ``authority``: the line that a torrc must have to take part."""

    root: Path
    process: subprocess.Popen[str]
    authority: str
    _namespace: bool

    @classmethod
    def start(cls) -> Network:
        # Short: paths of sockets may not be long.
        root = Path(tempfile.mkdtemp(prefix="mo-", dir="/tmp"))
        namespace = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0
        enter = ["unshare", "--net"] if namespace else []
        process = subprocess.Popen([*enter, sys.executable, "-m", "tests.onionnet", root], cwd=ROOT, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env=environment(**{"MOXIMAP_TEST_NAMESPACE": "1"} if namespace else {}))
        network = cls(root, process, "", namespace)
        atexit.register(network.stop)
        network.authority = json.loads(network.hear())["authority"]
        return network

    def hear(self) -> str:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], NETWORK_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.stop()
            raise AssertionError("the private Tor network did not come up")
        return line

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.communicate()               # closes its stdin, at which it ends its tors
        shutil.rmtree(self.root, ignore_errors=True)

    def restart(self, name: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"restart {name}\n")
        self.process.stdin.flush()
        self.hear()

    def inside(self) -> list[str]:
        """How a command begins that must see the network's loopback interface."""
        return ["nsenter", f"--net=/proc/{self.process.pid}/ns/net"] if self._namespace else []

    def control(self, name: str) -> str:
        """Of a tor that services are published by."""
        return f"unix:{self.root}/{name}/control"

    def ask_client(self, *commands: str) -> None:
        """Commands to the client's tor."""
        directory = self.root / "client"
        with closing(socket.socket(socket.AF_UNIX)) as control:
            control.settimeout(CONNECT_SECONDS)
            control.connect(str(directory / "control"))
            answers = control.makefile("rb")
            for command in (f"AUTHENTICATE {(directory / 'control_auth_cookie').read_bytes().hex()}", *commands):
                control.sendall(command.encode() + b"\r\n")
                answer = answers.readline()
                if not answer.startswith(b"25"):
                    raise AssertionError(f"{command.split()[0]}: {answer!r}")

    def connect(self, address: str, port: int, seconds: float = CONNECT_SECONDS, circuit: str = "") -> socket.socket:
        """A connection through the client's tor (RFC 1928, RFC 1929); ConnectionError, TimeoutError.

        ``circuit``: those with other names share none.
        """
        made = socket.socket(socket.AF_UNIX)
        try:
            made.settimeout(seconds)
            made.connect(str(self.root / "client" / "socks"))
            user = (circuit or "x").encode()
            exchange(made, b"\x05\x01\x02", 2)
            exchange(made, b"\x01%c%b\x01x" % (len(user), user), 2)
            exchange(made, b"\x05\x01\x00\x03%c%b%b" % (len(address), address.encode(), port.to_bytes(2, "big")), 4)
            made.settimeout(60)
            return made
        except BaseException:
            made.close()
            raise


def exchange(connection: socket.socket, request: bytes, size: int) -> None:
    """A step of SOCKS: the second octet of each answer is what became of it; ConnectionError."""
    def read(size: int) -> bytes:
        answer = b""
        while len(answer) < size:
            if not (more := connection.recv(size - len(answer))):
                raise ConnectionError("SOCKS has ended")
            answer += more
        return answer

    connection.sendall(request)
    answer = read(size)
    if size == 4:                                   # of the third step: an address and a port follow
        if answer[1]:
            raise ConnectionRefusedError(f"SOCKS says {answer[1]}")
        read({1: 4, 4: 16}[answer[3]] + 2)


class OnionIMAP(imaplib.IMAP4):
    """A client through a network.  ``pem``: its certificate and key, for TLS from the first octet."""

    def __init__(self, network: Network, address: str, port: int, pem: Path | None, circuit: str = "") -> None:
        self._through = network, circuit
        self._pem = pem
        super().__init__(address, port)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        network, circuit = self._through
        made = network.connect(self.host, self.port, circuit=circuit)
        return tls(self._pem).wrap_socket(made) if self._pem is not None else made


def tls(pem: Path) -> ssl.SSLContext:
    """The address is the server's key already: its certificate is not looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(pem)
    return context


def hang_up(client: OnionIMAP) -> None:
    with suppress(OSError):
        client.shutdown()


_NETWORK: list[Future[Network]] = []


def prepare() -> None:
    """Let the network come up while other tests run: nearly all of that is waiting."""
    if not _NETWORK:
        with suppress(SkipTest, AssertionError):         # said by who asks for it
            needs("tor", "tor-gencert", "unshare")
            pool = ThreadPoolExecutor(1)
            _NETWORK.append(pool.submit(patiently, "network", Network.start, (AssertionError,)))
            pool.shutdown(wait=False)


def network() -> Network:
    """One for all tests of the process."""
    needs("tor", "tor-gencert", "unshare")
    prepare()
    return _NETWORK[0].result()


class OnionCase(TestCase):
    """Each has its own data directory, and so its own service; what it shows is in `play`, not in tests."""

    tor = "service"

    def __init__(self) -> None:
        super().__init__()
        self._after = ExitStack()

    @classmethod
    def run_all(cls) -> dict[type[OnionCase], Future[None]]:
        """Side by side, for nearly all of it is waiting."""
        network()
        with ThreadPoolExecutor() as pool:
            return {each: pool.submit(each().run_alone) for each in cls.__subclasses__()}

    def addCleanup(self, action: Callable[..., object], /, *more: object, **named: object) -> None:
        """What fails there fails the case."""
        self._after.callback(action, *more, **named)

    def run_alone(self) -> None:
        with self._after:
            self.setUp()
            self.play()

    def play(self) -> None:
        raise NotImplementedError

    def setUp(self) -> None:
        self.network = network()
        self.directory = Path(tempfile.mkdtemp(prefix="mo-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.data = self.directory / "data"
        add_account(self.data, "ada", "secret")
        self.fingerprint = moximap_command(self.data, "key", "gen", "ada", "laptop", "--out",
                                           str(self.directory)).split()[0].decode()
        self.pem = self.directory / "laptop.pem"
        self.address = self.onion("address").strip()

    def onion(self, *words: str) -> str:
        """`moximap onion WORDS`."""
        return moximap_command(self.data, "onion", *words).decode()

    def serve(self, *options: str | Path) -> Child:
        """A server whose service is published."""
        child = twistd("--data", self.data, "--onion", "--tor", self.network.control(self.tor), *listen("imap"), *options,
                       directory=self.directory)
        self.look_after(child)
        self.published(child)
        return child

    def look_after(self, child: Child) -> None:
        def check_log() -> None:
            if "Traceback" in child.said or "SERVERBUG" in child.said:
                raise AssertionError(f"the server logged:\n{child.said}")
        self.addCleanup(check_log)
        self.addCleanup(child.stop)

    @staticmethod
    def published(child: Child, times: int = 1) -> None:
        child.wait_until(lambda lines: sum(".onion is published" in line for line in lines) >= times)

    def client(self, port: int = 993, pem: bool = True, circuit: str = "") -> OnionIMAP:
        """A client that has been greeted."""
        made = patiently(f"port {port}", lambda: OnionIMAP(
            self.network, self.address, port, self.pem if pem else None, circuit or os.urandom(8).hex()),
            (OSError, imaplib.IMAP4.abort))
        self.addCleanup(hang_up, made)
        return made
