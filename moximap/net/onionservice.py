"""The services that make listeners of the kind `onion:PORT` reachable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from twisted.application.service import Service

from moximap.net import onionkeys
from moximap.net.certificates import ensure
from moximap.net.onionlaunch import Launcher, control_socket
from moximap.net.onionlisten import OnionListen
from moximap.net.onionplace import LAUNCH, TORRC, OnionSettings, place
from moximap.net.onionpublisher import Publisher
from moximap.net.oniontor import Added, Configured
from moximap.net.tls import ServerTLS

#: Seconds in which a tor of our own is on its way.
_STARTING: Final = 20.0


def services(reactor: Any, ports: Sequence[OnionListen], settings: OnionSettings) -> list[Service]:
    """None where nothing listens, or where the operator's torrc does it."""
    if not ports or settings.tor == TORRC:
        return []
    files = ports[0].place
    if settings.tor != LAUNCH:
        return [Publisher(reactor, files, ports, settings.tor, Added(files, ports, settings))]
    own = f"unix:{control_socket(files)}"
    return [Launcher(reactor, files, ports, settings),
            Publisher(reactor, files, ports, own, Configured(), _STARTING)]


def certificate(listen: Sequence[str], data: Path, settings: OnionSettings) -> ServerTLS | None:
    """One for the onion service alone, None where there is none; BadOnion, BadCertificate, OSError.

    The server's own names this machine, which is nobody's business who comes through Tor.
    """
    if not any("=onion:" in text for text in listen):
        return None
    files = place(data, settings)
    return ServerTLS(*ensure(files.root / "tls", [onionkeys.ensure(files).address]))
