"""A TCP port that leads to a server or to a program, and knows how much came from there."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

CHUNK = 4096


class Bridge:
    """Listens on ``port`` of 127.0.0.1 until `close`.

    ``target``: a port of 127.0.0.1, or a program that speaks on its standard input and output.
    ``passed`` is called with the octets that came from there so far, before the last of them go on.
    """

    def __init__(self, target: int | Path, passed: Callable[[int], None] = lambda octets: None) -> None:
        self.passed = passed
        self.octets = 0
        self._target = target
        self._programs: list[subprocess.Popen[bytes]] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for program in self._programs:
            program.kill()
            program.wait()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = self._connect()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Thread(target=self._pump, args=(client, server, False), daemon=True).start()
                Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, int):
            server = socket.create_connection(("127.0.0.1", self._target))
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return server
        ours, theirs = socket.socketpair()
        with theirs:
            self._programs.append(subprocess.Popen([str(self._target)], stdin=theirs, stdout=theirs))
        return ours

    def _pump(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if counted:
                    self.octets += len(data)
                    self.passed(self.octets)
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
