"""The services that make listeners of the kind `onion:PORT` reachable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from twisted.application.service import Service

from moximap.net.onionlaunch import Launcher, control_socket
from moximap.net.onionlisten import OnionListen
from moximap.net.onionplace import LAUNCH, TORRC, OnionSettings
from moximap.net.onionpublisher import Publisher
from moximap.net.oniontor import Added, Configured

#: Seconds in which a tor of our own is on its way.
_STARTING: Final = 20.0


def services(reactor: Any, ports: Sequence[OnionListen], settings: OnionSettings) -> list[Service]:
    """None where nothing listens, or where the operator's torrc does it."""
    if not ports or settings.tor == TORRC:
        return []
    place = ports[0].place
    if settings.tor != LAUNCH:
        return [Publisher(reactor, place, ports, settings.tor, Added(place, ports, settings))]
    own = f"unix:{control_socket(place)}"
    return [Launcher(reactor, place, ports, settings),
            Publisher(reactor, place, ports, own, Configured(), _STARTING)]
