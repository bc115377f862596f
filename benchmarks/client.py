"""A client for the benchmarks: commands go as they are, answers are checked when the clock has stopped."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from selectors import EVENT_READ, DefaultSelector

_LITERAL = re.compile(rb"\{(\d+)\}\r\n")


class Wrong(Exception):
    """The server's answer is not right."""


class Client:
    """One connection, logged in."""

    def __init__(self, port: int, user: str, password: str, tls: bool = False) -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=300)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self._buffer = bytearray()
        self._count = 0
        self._place = 0
        self.line()
        self.ask(f'LOGIN "{user}" "{password}"'.encode())

    def line(self) -> bytes:
        """One untagged line, outside of a command."""
        while b"\r\n" not in self._buffer:
            self._receive()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return bytes(line)

    def send(self, command: bytes) -> None:
        self._count += 1
        self._place = 0
        self.socket.sendall(b"x%d %b\r\n" % (self._count, command))

    def answer(self) -> bytes | None:
        """The whole answer to what was sent, if it is there; Wrong where it is not OK."""
        tag = b"x%d " % self._count
        while True:
            if self._buffer.startswith(tag, self._place):
                end = self._buffer.find(b"\r\n", self._place)
                if end < 0:
                    return None
                whole, self._buffer = bytes(self._buffer[:end]), self._buffer[end + 2:]
                if not whole.startswith(b"OK", self._place + len(tag)):
                    raise Wrong(whole[self._place:][:200].decode(errors="replace"))
                return whole
            end = self._buffer.find(b"\r\n", self._place)
            if end < 0:
                return None
            found = _LITERAL.match(self._buffer, self._buffer.rfind(b"{", self._place, end + 2))
            beyond = end + 2 + (int(found[1]) if found and found.end() == end + 2 else 0)
            if beyond > len(self._buffer):
                return None
            self._place = beyond

    def _receive(self) -> None:
        data = self.socket.recv(1 << 20)
        if not data:
            raise Wrong("the server closed the connection")
        self._buffer += data

    def ask(self, command: bytes) -> bytes:
        """Send a command and wait for its whole answer."""
        self.send(command)
        while (answer := self.answer()) is None:
            self._receive()
        return answer

    def append(self, mailbox: str, message: bytes, flags: str = "()") -> bytes:
        return self.ask(f"APPEND {mailbox} {flags} {{{len(message)}+}}\r\n".encode() + message)

    def fresh(self, mailbox: str) -> None:
        """An empty mailbox of that name."""
        try:
            self.ask(b"DELETE " + mailbox.encode())
        except Wrong:
            pass
        self.ask(b"CREATE " + mailbox.encode())

    def close(self) -> None:
        self.socket.close()


def together(clients: list[Client], scripts: list[Iterator[bytes]], check: Callable[[bytes], None]) -> int:
    """Drive many connections from one thread, each with one command at a time; how many there were."""
    selector, count = DefaultSelector(), 0
    for client, script in zip(clients, scripts, strict=True):
        selector.register(client.socket, EVENT_READ, (client, script))
        client.send(next(script))
    while selector.get_map():
        for key, _ in selector.select(60):
            client, script = key.data
            client._receive()
            answer = client.answer()
            if answer is None:
                continue
            check(answer)
            count += 1
            command = next(script, None)
            if command is None:
                selector.unregister(client.socket)
            else:
                client.send(command)
    return count
