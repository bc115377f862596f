"""Slowing those who try passwords, by the network that they come from (docs/contract.md 1.12).

Only what fails waits, and only connections without an owner are counted: a client that knows its
password, or has a key, is not held up by its neighbours.  What is counted is of one process, leaks
away with time, and is bounded.

The law of this file: nothing here waits, or asks anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

import attrs

#: How wide an address is taken, and how much more of everything a wider network may do.
_WIDTHS: Final = {4: ((32, 1), (26, 3), (21, 9)), 6: ((64, 1), (48, 3), (32, 9))}
#: Failed logins of an address that cost nothing; each further one costs a second more, up to MOST_DELAY.
FREE_FAILURES: Final = 3
MOST_DELAY: Final = 20.0
#: Seconds after which a failed login is forgotten.
FORGET: Final = 15.0
#: Failed logins that are remembered at once: above that, connections are turned away.
MOST_FAILURES: Final = 200
#: Networks that are remembered.
MOST_NETWORKS: Final = 20_000


@attrs.define
class _Leaking:
    """A count that falls by ``rate`` a second."""

    level: float = 0.0
    when: float = 0.0

    def at(self, now: float, rate: float) -> float:
        self.level = max(0.0, self.level - (now - self.when) * rate)
        self.when = now
        return self.level


@attrs.define
class _Network:
    """What a network did lately.  ``early``: its connections on which nobody has logged in yet."""

    new: _Leaking = attrs.field(factory=_Leaking)
    failed: _Leaking = attrs.field(factory=_Leaking)
    early: int = 0


@attrs.define(eq=False)
class Visit:
    """A connection on which nobody has logged in yet; ``refused``: its network has too many."""

    refused: bool
    _networks: list[_Network]

    def leave(self) -> None:
        """It has an owner, or is over; may be called again."""
        networks, self._networks = self._networks, []
        for network in networks:
            network.early -= 1


class Brakes:
    """``clock``: seconds.  ``early``: connections without an owner that an address may have at once.

    ``rate``: its new connections in a minute.  ``loopback``: this host is slowed too.
    """

    def __init__(self, clock: Callable[[], float], early: int = 30, rate: int = 300,
                 loopback: bool = False) -> None:
        self._clock = clock
        self._early = early
        self._rate = rate
        self._loopback = loopback
        self._networks: dict[str, _Network] = {}

    def enter(self, address: str) -> Visit:
        """A new connection."""
        refused, entered, now = False, [], self._clock()
        for network, factor in self._of(address):
            refused = (refused or network.early >= self._early * factor
                       or network.new.at(now, self._rate * factor / 60) >= self._rate * factor
                       or network.failed.at(now, factor / FORGET) >= MOST_FAILURES * factor)
            network.early += 1
            entered.append(network)
        if not refused:                       # who is turned away need not wait longer for coming again
            for network in entered:
                network.new.level += 1
        return Visit(refused, entered)

    def failed(self, address: str) -> float:
        """A login failed: seconds for which its answer is to be held back."""
        delay, now = 0.0, self._clock()
        for network, factor in self._of(address):
            level = network.failed.at(now, factor / FORGET) + 1
            network.failed.level = min(level, 2.0 * MOST_FAILURES * factor)
            delay = max(delay, level / factor - FREE_FAILURES)
        return min(delay, MOST_DELAY)

    def _of(self, address: str) -> list[tuple[_Network, int]]:
        """The networks of an address, from narrow to wide; none where it is not slowed."""
        return [(self._network(name), factor) for name, factor in networks(address, self._loopback)]

    def _network(self, name: str) -> _Network:
        found = self._networks.pop(name, None) or _Network()
        if len(self._networks) >= MOST_NETWORKS:
            self._forget()
        self._networks[name] = found          # the youngest are last
        return found

    def _forget(self) -> None:
        """The older half, but for those that have connections."""
        for name in [*self._networks][:MOST_NETWORKS // 2]:
            if not self._networks[name].early:
                del self._networks[name]


@lru_cache(maxsize=1024)
def networks(address: str, loopback: bool = False) -> tuple[tuple[str, int], ...]:
    """The names of an address's networks, each with its factor; none for what is no IP address.

    A circuit to the onion service, as in `onion/4711`, is a network of its own; where tor does not tell
    circuits, all have one name, and nobody is slowed for what others do.
    """
    if address.startswith("onion/"):
        return ((address, 1),)
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return ()
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback and not loopback:
        return ()
    return tuple([(str(ip_network((ip, width), strict=False)), factor)
                  for width, factor in _WIDTHS[ip.version]])
