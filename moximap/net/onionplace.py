"""The onion service's settings, and where its files are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs

#: Debian's, and what most others have.
SYSTEM_TOR: Final = "unix:/run/tor/control"
#: What is no control port: the operator's torrc has the service, or the tor is ours.
TORRC: Final = "torrc"
LAUNCH: Final = "launch"
#: Octets of a socket's path, with the zero behind it.
LONGEST_PATH: Final = 108
#: Ports of `--onion`, by kind of listener.
USUAL: Final = ("imaps=onion:993", "imap=onion:143")


class BadOnion(ValueError):
    """A setting or a file of the onion service that cannot be; one line."""


@attrs.frozen
class OnionSettings:
    """``tor``: `unix:PATH` or `tcp:HOST:PORT` of a control port, `torrc`, or `launch`.

    ``sockets``: the directory of our sockets where it is not in the data directory.  ``streams``: connections
    of one circuit at once.  ``torrc``: further lines for a tor of our own, such as bridges.
    """

    tor: str = SYSTEM_TOR
    sockets: Path | None = None
    plaintext_login: bool = False
    proof_of_work: bool = False
    limit_introductions: bool = False
    streams: int = 64
    torrc: tuple[str, ...] = ()

    @property
    def tells_circuits(self) -> bool:
        """Whether tor says by a PROXY line which circuit a connection comes from: not for ADD_ONION."""
        return self.tor in (TORRC, LAUNCH)


def control_address(tor: str) -> tuple[str, int] | Path:
    """Where a control port is: host and port, or a socket's path; BadOnion."""
    kind, _, rest = tor.partition(":")
    if kind == "unix" and rest.startswith("/"):
        return Path(rest)
    host, colon, port = rest.rpartition(":")
    if kind == "tcp" and colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536:
        return host.strip("[]"), int(port)
    raise BadOnion(f"tor {tor!r} is none of unix:PATH, tcp:HOST:PORT, {LAUNCH} and {TORRC}")


@attrs.frozen
class Place:
    """Files of the onion service.  ``service`` is laid out as tor's own HiddenServiceDir."""

    data: Path
    apart: Path | None = None

    @property
    def root(self) -> Path:
        return self.data / "onion"

    @property
    def service(self) -> Path:
        return self.root / "service"

    @property
    def clients(self) -> Path:
        return self.service / "authorized_clients"

    @property
    def tor(self) -> Path:
        return self.root / "tor"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def sockets(self) -> Path:
        return self.apart or self.root / "sockets"

    def socket(self, kind: str, port: int) -> Path:
        """Our socket behind a port of the service; BadOnion where no system could have it."""
        path = self.sockets / f"{kind}-{port}.sock"
        if len(bytes(path)) >= LONGEST_PATH or not all("!" <= char <= "~" and char not in "\"'\\#"
                                                       for char in str(path)):
            raise BadOnion(f"{path} cannot be a socket's path for tor: it is too long, or has characters that"
                           f" are not plain; choose another place by `sockets` in [onion]")
        return path

    def make(self) -> None:
        """The directories, readable by us only; OSError."""
        for directory in (self.root, self.service, self.clients):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def place(data: Path, settings: OnionSettings) -> Place:
    return Place(data, settings.sockets)
