"""The doorbell between processes: a datagram says that an account changed, and to which modseq.

Each process has a socket in one directory, and a locked file beside it, its board, that tells that it
lives, which accounts it has open, how often it has listened, and when it wrote: what concerns it not,
and what it has not heard yet, need not be rung.  A bell for which the other's queue has no room is lost
and leaves a mark, and who finds it takes everything for stale.  There is no reactor in here: who has one
watches ``fileno``.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from math import inf
from pathlib import Path
from threading import Lock
from time import monotonic_ns, time_ns
from typing import Final
from zlib import crc32

import attrs

from moximap.store.presence import Presence, board

#: A socket's path is short by law; a longer one goes through the directory's descriptor (Linux).
_LONGEST_PATH: Final = 100
_THROUGH: Final = "/proc/self/fd/{}/{}"
_WAKE: Final = b"0 "
#: Rung as an account's name, which it cannot be: the directory changed, keys or accounts of it.
DIRECTORY: Final = "/"
_LONGEST: Final = 1024
#: Nanoseconds after which a change of the directory can be told from the next one by its time.
_SETTLED: Final = 100_000_000
#: Places on a board: how often its process has listened; whether it was rung since; then how many accounts
#: it has open, by a hash of their names, those that somebody uses counted in units of _USED; and when it
#: last wrote.
_TURNS: Final = 0
_RUNG: Final = 1
_OPEN: Final = 2
_HASHES: Final = 4094
_USED: Final = 1 << 32
#: Behind them, where an older version does not look: the moment of its last write, in monotonic nanoseconds.
_WROTE: Final = _OPEN + _HASHES
#: An older version counts accounts otherwise: by a place fewer it is told from ours, and rung for everything.
_PLACES: Final = _WROTE + 2


def _place(account: str) -> int:
    return _OPEN + crc32(account.encode()) % _HASHES


@attrs.define
class Peer:
    """Another process.  ``rung``: accounts that we rang for since it had listened ``turn`` times.

    ``board``: None where it is of another version, or had no room for one; it is rung for everything.
    """

    name: str
    address: str
    board: memoryview | None
    turn: int = -1
    rung: set[str] = attrs.field(factory=set)

    def needs(self, account: str, again: bool) -> bool:
        """Whether it must be rung; ``again``: even where it has yet to listen to a bell for this account,
        or has nobody who uses it."""
        if self.board is None:
            return True
        if self.board[_place(account)] < (1 if again else _USED):
            return False
        turn: int = self.board[_TURNS]
        if turn != self.turn:
            self.turn = turn
            self.rung.clear()
        return again or account not in self.rung

    def rang(self) -> None:
        """Let it see that there is something in its queue."""
        if self.board is not None:
            self.board[_RUNG] = 1


class Bell:
    """This process's bell.  ``ring`` is called in any thread, what is about listening in one.

    ``picky``: it is rung for the directory, and for accounts that it has told of by `want`; else for all.
    """

    def __init__(self, directory: Path, picky: bool = False) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = directory
        self._lock = Lock()
        self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._presence = Presence(directory)
        for token in self._presence.bury():
            for suffix in (".sock", ".lost"):
                (directory / (token + suffix)).unlink(missing_ok=True)
        shown = self._presence.board(_PLACES)
        self._hidden = shown is None               # then it is rung for everything, and nobody marks it
        self._board = memoryview(bytearray(8 * _PLACES)).cast("Q") if shown is None else shown
        if not picky:
            for place in range(_OPEN, _WROTE):
                self._board[place] = _USED
        self.want(DIRECTORY)
        self._listed = 0
        self._known: list[Peer] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._own = directory / f"{self._presence.token}.sock"
        self._lost = os.fspath(_mark(self._own))
        self._socket.bind(self._address(self._own.name))
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sender.setblocking(False)

    def close(self) -> None:
        if self._directory < 0:
            return
        self._own.unlink(missing_ok=True)
        _mark(self._own).unlink(missing_ok=True)
        self._presence.leave()
        self._socket.close()
        self._sender.close()
        os.close(self._directory)
        self._directory = -1

    def fileno(self) -> int:
        return self._socket.fileno()

    def want(self, account: str) -> None:
        """Be rung for it, until `unwant` was called as often; to be said before anything of it is read."""
        self._board[_place(account)] += _USED

    def unwant(self, account: str) -> None:
        self._board[_place(account)] -= _USED

    def doze(self, account: str) -> None:
        """Of one that was wanted: be rung only where that matters though nobody reads it, until `wake`."""
        self._board[_place(account)] -= _USED - 1

    def wake(self, account: str) -> None:
        """Be rung as before; to be said before anything of it is read again, and what is known is stale."""
        self._board[_place(account)] += _USED - 1

    def ring(self, account: str, modseq: int, again: bool = True) -> None:
        """Tell all other processes whom it concerns; never waits.

        ``again``: those too that have been rung for this account and have not listened yet, or doze.  They
        will read what is committed now in any case, but know of no higher modseq.
        """
        self._board[_WROTE] = monotonic_ns()
        with self._lock:
            for peer in self._peers():
                if peer.needs(account, again):
                    self._send(peer, account, b"%d %s" % (modseq, account.encode()))

    def ring_all(self) -> None:
        """Tell all other processes that something changed that concerns every account."""
        with self._lock:
            for peer in self._peers():
                self._mark_lost(peer)

    def silent(self) -> float:
        """Seconds since another process wrote to any account, as far as their boards tell."""
        with self._lock:
            with suppress(OSError):            # too many open files: those that are known are asked
                self._peers()
            wrote = [peer.board[_WROTE] for peer in self._known if peer.board is not None]
        return (monotonic_ns() - max(wrote)) / 1e9 if wrote else inf

    @property
    def rung(self) -> bool:
        """Whether there is something for `drain`, as a look into memory tells.

        A bell of a process that was killed while it rang is only told by ``fileno``.
        """
        return self._hidden or bool(self._board[_RUNG])

    def drain(self) -> list[tuple[str, int]] | None:
        """What was rung since the last time; None if something was lost: everything is stale."""
        self._board[_RUNG] = 0       # before the queue is read: what comes later sets it again
        rung: dict[str, int] = {}
        datagram = self._receive()
        if datagram is None:
            return []                # a mark is left only where there is something in the queue
        while datagram is not None:
            modseq, _, account = datagram.partition(b" ")
            if account:
                name = account.decode()
                rung[name] = max(int(modseq), rung.get(name, 0))
            datagram = self._receive()
        self._board[_TURNS] += 1     # before anything is read that was committed before a bell
        try:
            os.unlink(self._lost)
        except FileNotFoundError:
            return list(rung.items())
        return None

    def _receive(self) -> bytes | None:
        try:
            return self._socket.recv(_LONGEST)
        except BlockingIOError:
            return None

    def _peers(self) -> list[Peer]:
        """The others, listed anew where the directory changed, or had just changed then."""
        changed = os.fstat(self._directory).st_mtime_ns
        if changed != self._listed:
            recent = time_ns() - changed < _SETTLED
            known = {peer.name: peer for peer in self._known}
            names = [name for name in os.listdir(self._directory)
                     if name.endswith(".sock") and name != self._own.name]
            peers = [known.get(name) or self._peer(name) for name in names]
            self._known = [peer for peer in peers if peer is not None]
            self._listed = 0 if recent else changed
        return self._known

    def _peer(self, name: str) -> Peer | None:
        path = self._path / name
        try:
            return Peer(name, self._address(name), board(path.with_suffix(""), _PLACES))
        except FileNotFoundError:
            path.unlink(missing_ok=True)      # its process is gone
            return None

    def _send(self, peer: Peer, account: str, datagram: bytes) -> None:
        try:
            self._sender.sendto(datagram, peer.address)
            peer.rang()
            peer.rung.add(account)
        except BlockingIOError:
            self._mark_lost(peer)
        except (ConnectionRefusedError, FileNotFoundError):
            (self._path / peer.name).unlink(missing_ok=True)      # its process is gone

    def _mark_lost(self, peer: Peer) -> None:
        """The mark first, then a try to wake: either the peer is woken, or it has yet to drain."""
        _mark(self._path / peer.name).touch()
        with suppress(OSError):
            self._sender.sendto(_WAKE, peer.address)
        peer.rang()

    def _address(self, name: str) -> str:
        path = str(self._path / name)
        return path if len(path.encode()) <= _LONGEST_PATH else _THROUGH.format(self._directory, name)


def _mark(path: Path) -> Path:
    """Where it is left that a bell for this socket was lost."""
    return path.with_suffix(".lost")
