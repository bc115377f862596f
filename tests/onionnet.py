"""A private Tor network on the loopback interface: an authority, relays, and three tors to try things with.

Nothing here uses the public network: each torrc names its own authority, and all tors live in a network
namespace that has no interface but the loopback one, where the system allows that.  The tors are reached
from outside by sockets in the file system.

    python -m tests.onionnet DIRECTORY      started by Network, inside the namespace; ends with its stdin
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import attrs

LOOPBACK = "127.0.0.1"
#: What a torrc must have one of, for a tor to be started with it.
SAFE = re.compile(r"^(DirAuthority \S+ .*\b127\.0\.0\.1:\d+ .*|DisableNetwork 1)$", re.MULTILINE)
RELAYS = ("authority", "relay1", "relay2", "relay3")
#: Two that publish services, of which one is restarted, and one that goes to them.
CLIENTS = ("service", "restarted", "client")
#: Seconds: between votes until there is a consensus, from the start to the first, until all must be up.
VOTING, LEAD, UP = 10, 8.0, 60.0
_NOBODY = f"DirAuthority nobody orport=9 v3ident={'1' * 40} {LOOPBACK}:9 {'2' * 40}"


class NoNetwork(Exception):
    """The private network did not come up; the text has what its tors said."""


def safe(torrc: Path) -> Path:
    """The same, for a tor that cannot go out; AssertionError else."""
    text = torrc.read_text()
    foreign = [line for line in re.findall(r"(?m)^DirAuthority .*$", text) if f" {LOOPBACK}:" not in line]
    if not SAFE.search(text) or foreign or re.search(r"(?m)^DisableNetwork 0$", text):
        raise AssertionError(f"{torrc} names no authority of ours")
    return torrc


def free_ports(count: int) -> list[int]:
    held = [socket.create_server((LOOPBACK, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@attrs.define
class Tor:
    """One tor.  ``ports``: of onion routing and of the directory."""

    name: str
    root: Path
    ports: tuple[int, int] = (0, 0)
    identity: str = ""
    fingerprint: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def directory(self) -> Path:
        return self.root / self.name

    @property
    def is_relay(self) -> bool:
        return self.name in RELAYS

    def log(self) -> str:
        with suppress(OSError):
            return (self.directory / "log").read_text(errors="replace")
        return ""

    def base(self) -> list[str]:
        lines = ["TestingTorNetwork 1", "UseDefaultFallbackDirs 0", f"DataDirectory {self.directory}",
                 f"ControlSocket {self.directory}/control", "CookieAuthentication 1",
                 f"Log notice file {self.directory}/log", "RunAsDaemon 0", "ShutdownWaitLength 0",
                 "PathsNeededToBuildCircuits 0.67", f"__OwningControllerProcess {os.getpid()}"]
        if not self.is_relay:
            return [*lines, f"SocksPort unix:{self.directory}/socks", "ClientOnly 1"]
        return [*lines, f"Nickname {self.name}", "SocksPort 0", f"Address {LOOPBACK}",
                f"ORPort {LOOPBACK}:{self.ports[0]} IPv4Only", "ExitRelay 0", "AssumeReachable 1", "NumCPUs 1",
                f"ServerDNSResolvConfFile {self.root}/resolv.conf", "ServerDNSDetectHijacking 0",
                "ServerDNSAllowBrokenConfig 1"]

    def voting(self, first: int, offset: int) -> list[str]:
        return [f"DirPort {LOOPBACK}:{self.ports[1]}", "AuthoritativeDirectory 1",
                "V3AuthoritativeDirectory 1", f"TestingV3AuthInitialVotingInterval {first}",
                f"TestingV3AuthVotingStartOffset {offset}", "TestingV3AuthInitialVoteDelay 2",
                "TestingV3AuthInitialDistDelay 2", "V3AuthVotingInterval 300", "V3AuthVoteDelay 20",
                "V3AuthDistDelay 20", "V3AuthNIntervalsValid 10", "TestingDirAuthVoteHSDir *",
                "TestingDirAuthVoteGuard *", "TestingMinExitFlagThreshold 0"]

    def write(self, name: str, lines: list[str]) -> Path:
        path = self.directory / name
        path.write_text("\n".join(lines) + "\n")
        return safe(path)

    def start(self) -> None:
        torrc = safe(self.directory / "torrc")
        self.process = subprocess.Popen(["tor", "--defaults-torrc", os.devnull, "-f", torrc, "--hush"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, cwd=self.directory)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def first(self) -> list[str]:
        """The torrc by which it makes its keys."""
        return [*self.base(), "DisableNetwork 1", _NOBODY]

    def make_keys(self) -> None:
        """What its torrc and those of the others must name."""
        (self.directory / "keys").mkdir(mode=0o700, parents=True)
        self.directory.chmod(0o700)
        if not self.is_relay:
            return
        if self.name == RELAYS[0]:
            keys = self.directory / "keys"
            subprocess.run(["tor-gencert", "--create-identity-key", "--passphrase-fd", "0",
                            "-i", keys / "authority_identity_key", "-s", keys / "authority_signing_key",
                            "-c", keys / "authority_certificate", "-m", "3",
                            "-a", f"{LOOPBACK}:{self.ports[1]}"],
                           input=b"test\n", capture_output=True, check=True, timeout=60)
            self.identity = _find(r"(?m)^fingerprint (\w{40})", (keys / "authority_certificate").read_text())
        torrc = self.write("torrc.keys", self.first())
        said = subprocess.run(["tor", "--defaults-torrc", os.devnull, "-f", torrc, "--quiet",
                               "--list-fingerprint"], capture_output=True, check=True, timeout=60).stdout
        self.fingerprint = _find(r"(?m)^\S+ ((?:[0-9A-F]{4} ?){10})\s*$", said.decode()).replace(" ", "")

    def forget(self) -> None:
        """All but the keys."""
        for path in self.directory.iterdir():
            if path.name not in ("keys", "fingerprint", "fingerprint-ed25519"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def knows(self) -> int:
        """How many relays it has descriptions of."""
        found: set[bytes] = set()
        for name in ("cached-microdescs", "cached-microdescs.new"):
            with suppress(OSError):
                found |= set(re.findall(rb"\nid ed25519 (\S+)", (self.directory / name).read_bytes()))
        return len(found)

    def is_up(self) -> bool:
        return "Bootstrapped 100%" in self.log()


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]


@attrs.define
class Tors:
    """All of them, inside the namespace."""

    root: Path
    tors: dict[str, Tor] = attrs.field(factory=dict)

    @classmethod
    def make_without_keys(cls, root: Path) -> Tors:
        ports = iter(free_ports(2 * len(RELAYS)))
        return cls(root, {name: Tor(name, root, (next(ports), next(ports)) if name in RELAYS else (0, 0))
                          for name in (*RELAYS, *CLIENTS)})

    @classmethod
    def make(cls, root: Path) -> Tors:
        made = cls.make_without_keys(root)
        (root / "resolv.conf").write_text(f"nameserver {LOOPBACK}\n")
        with ThreadPoolExecutor() as pool:
            list(pool.map(Tor.make_keys, made.tors.values()))
        return made

    @property
    def relays(self) -> list[Tor]:
        return [self.tors[name] for name in RELAYS]

    @property
    def authority(self) -> str:
        tor = self.tors[RELAYS[0]]
        return (f"DirAuthority {tor.name} orport={tor.ports[0]} no-v2 v3ident={tor.identity}"
                f" {LOOPBACK}:{tor.ports[1]} {tor.fingerprint}")

    def torrc(self, tor: Tor, first: int, offset: int) -> list[str]:
        """``first``, ``offset``: seconds between the first votes, and from the clock's multiples of that."""
        extra = tor.voting(first, offset) if tor.name == RELAYS[0] else []
        return [*tor.base(), self.authority, *extra]

    def start(self) -> None:
        """A vote that not all relays were in time for is repeated from the start; NoNetwork."""
        for first, lead in ((VOTING, LEAD), (60, 20.0)):
            # Votes are at multiples of the interval by the clock on the wall: the first is shifted.
            offset = math.ceil(time.time() + lead) % first
            for tor in self.tors.values():
                tor.write("torrc", self.torrc(tor, first, offset))
            for tor in self.relays:
                tor.start()
            self.wait("a consensus", self.consensus)
            if len(re.findall(r"(?m)^s .*\bHSDir\b.*\bRunning\b", self.consensus())) == len(RELAYS):
                break
            self.stop()
            for tor in self.relays:
                tor.forget()
        else:
            raise NoNetwork("not all relays are in the consensus")
        for tor in self.relays:
            assert tor.process is not None
            tor.process.send_signal(signal.SIGHUP)         # it would ask again only after a while
        self.wait("descriptions", lambda: all(tor.knows() == len(RELAYS) for tor in self.relays))
        for name in CLIENTS:
            self.tors[name].start()
        self.wait("clients", lambda: all(self.tors[name].is_up() for name in CLIENTS))

    def consensus(self) -> str:
        """What the authority has; empty while there is none."""
        with suppress(OSError), closing(socket.create_connection(
                (LOOPBACK, self.tors[RELAYS[0]].ports[1]), 2)) as asked:
            asked.sendall(b"GET /tor/status-vote/current/consensus HTTP/1.0\r\n\r\n")
            head, _, body = b"".join(iter(lambda: asked.recv(65536), b"")).partition(b"\r\n\r\n")
            if b" 200 " in head.split(b"\r\n")[0]:
                return body.decode()
        return ""

    def wait(self, what: str, done: object) -> None:
        assert callable(done)
        end = time.monotonic() + UP
        while not done():
            for tor in self.tors.values():
                if tor.process is not None and tor.process.poll() is not None:
                    raise NoNetwork(f"{tor.name} has ended:\n{tor.log()[-2000:]}")
            if time.monotonic() > end:
                logs = "\n".join(f"{tor.name}:\n{tor.log()[-800:]}" for tor in self.tors.values())
                raise NoNetwork(f"no {what} in {UP:g} seconds\n{logs}")
            time.sleep(0.1)

    def stop(self) -> None:
        for tor in self.tors.values():
            tor.stop()


def _loopback_up() -> None:
    """SIOCSIFFLAGS with IFF_UP, for `lo` of a new namespace."""
    with closing(socket.socket()) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))


def main(root: Path) -> None:
    if os.environ.get("MOXIMAP_TEST_NAMESPACE"):
        _loopback_up()
    tors = Tors.make(root)
    try:
        tors.start()
        sys.stdout.write(json.dumps({"authority": tors.authority}) + "\n")
        sys.stdout.flush()
        for line in sys.stdin:                 # `restart NAME`, answered by a line
            name = line.split()[1]
            tors.tors[name].stop()
            (tors.tors[name].directory / "log").unlink()
            tors.tors[name].start()
            tors.wait(name, tors.tors[name].is_up)
            sys.stdout.write("done\n")
            sys.stdout.flush()
    finally:
        tors.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
