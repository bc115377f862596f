"""A client for the benchmarks: commands go as they are, answers are checked when the clock has stopped."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import ssl
from collections.abc import Iterator
from selectors import EVENT_READ, DefaultSelector
from time import perf_counter

import attrs

PATIENCE = 300.0
_IP_BIND_ADDRESS_NO_PORT = 24
_literal = re.compile(rb"\{(\d+)\}\r\n").search
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_TLS.check_hostname, _TLS.verify_mode = False, ssl.CERT_NONE


class Wrong(Exception):
    """The server's answer is not right."""


def expect(condition: object, what: str) -> None:
    if not condition:
        raise Wrong(what)


@attrs.frozen
class Answer:
    """What came for one command: all octets from a CRLF on, where its literals are, the tagged line."""

    octets: bytes
    spans: list[tuple[int, int]]
    tagged: bytes

    def text(self) -> bytes:
        """Without the content of literals."""
        pieces, place = [], 0
        for start, end in self.spans:
            pieces.append(self.octets[place:start])
            place = end
        return b"".join([*pieces, self.octets[place:]])

    def literals(self) -> list[bytes]:
        return [self.octets[start:end] for start, end in self.spans]

    def fetches(self) -> int:
        return self.text().count(b" FETCH (")

    def numbers(self) -> list[int]:
        """Of the untagged SEARCH, SORT or ESEARCH line."""
        lines = [line.split()[2:] for line in self.text().split(b"\r\n")
                 if line.startswith((b"* SEARCH", b"* SORT"))]
        expect(lines, "there is no untagged SEARCH")
        return [int(word) for words in lines for word in words if word.isdigit()]

    def exists(self) -> int | None:
        found = re.findall(rb"\r\n\* (\d+) EXISTS", self.text())
        return int(found[-1]) if found else None


class Client:
    """One connection, logged in unless ``user`` is empty.

    The client's address varies within 127/8: servers limit how often one address comes.
    """

    def __init__(self, port: int, user: str, password: str, tls: bool = False) -> None:
        connection = socket.socket()
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        connection.bind((".".join(["127", *(str(random.randint(1, 250)) for _ in range(3))]), 0))
        connection.connect(("127.0.0.1", port))
        self.socket: socket.socket = _TLS.wrap_socket(connection) if tls else connection
        self._buffer = bytearray(b"\r\n")           # always begins with the end of what was before
        self._count = 0
        self._begin(b"")
        expect(self.line().startswith(b"* OK"), "the greeting")
        if user:
            self.ask(f'LOGIN "{user}" "{password}"'.encode())

    def line(self) -> bytes:
        """One line outside of a command's answer."""
        while (end := self._buffer.find(b"\r\n", 2)) < 0:
            self.receive()
        line = bytes(self._buffer[2:end])
        del self._buffer[2:end + 2]
        return line

    def _begin(self, tag: bytes) -> None:
        self._mark, self._place, self._spans = b"\r\n" + tag, 0, []

    def send(self, command: bytes) -> None:
        self._count += 1
        tag = b"x%d " % self._count
        self._begin(tag)
        self.socket.sendall(b"%b%b\r\n" % (tag, command))

    def answer(self) -> Answer | None:
        """The whole answer to what was sent, if it is there; Wrong where it is not OK."""
        buffer = self._buffer
        while self._place <= len(buffer):
            literal = _literal(buffer, self._place)
            tagged = buffer.find(self._mark, self._place, literal.start() if literal else len(buffer))
            if tagged >= 0:
                end = buffer.find(b"\r\n", tagged + 2)
                return None if end < 0 else self._finish(tagged + len(self._mark), end)
            if literal is None:
                self._place = max(self._place, len(buffer) - 40)
                return None
            self._place = literal.end() + int(literal[1])
            self._spans.append((literal.end(), self._place))
        return None

    def _finish(self, tagged: int, end: int) -> Answer:
        line = bytes(self._buffer[tagged:end])
        answer = Answer(bytes(self._buffer[:tagged]), self._spans, line)
        self._buffer = self._buffer[end:]
        expect(line.startswith(b"OK"), line[:200].decode(errors="replace"))
        return answer

    def receive(self) -> None:
        data = self.socket.recv(1 << 20)
        expect(data, "the server closed the connection")
        self._buffer += data
        while isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            self._buffer += self.socket.recv(1 << 20)

    def ask(self, command: bytes) -> Answer:
        """Send a command and wait for its whole answer."""
        self.send(command)
        while (answer := self.answer()) is None:
            self.receive()
        return answer

    def timed(self, command: bytes) -> tuple[float, Answer]:
        """Milliseconds, and the answer."""
        start = perf_counter()
        answer = self.ask(command)
        return (perf_counter() - start) * 1000, answer

    def count(self, mailbox: str) -> int:
        """Messages in it, by STATUS."""
        found = re.search(rb"MESSAGES (\d+)", self.ask(f"STATUS {mailbox} (MESSAGES)".encode()).text())
        expect(found, f"STATUS of {mailbox}")
        assert found is not None
        return int(found[1])

    def drop(self, mailbox: str) -> None:
        with contextlib.suppress(Wrong):
            self.ask(b"DELETE " + mailbox.encode())

    def fresh(self, mailbox: str) -> None:
        """An empty mailbox of that name."""
        self.drop(mailbox)
        self.ask(b"CREATE " + mailbox.encode())

    def log_out(self) -> None:
        expect(b"\r\n* BYE" in self.ask(b"LOGOUT").octets, "LOGOUT without BYE")
        self.close()

    def close(self) -> None:
        self.socket.close()


#: A command with its kind; the generator is sent the answer.
Script = Iterator[tuple[str, bytes]]


def together(clients: list[Client], scripts: list[Script]) -> list[tuple[str, float]]:
    """Drive many connections from one thread, each with one command at a time: kinds and seconds."""
    selector, spent = DefaultSelector(), []
    for client, script in zip(clients, scripts, strict=True):
        kind, command = next(script)
        selector.register(client.socket, EVENT_READ, [client, script, kind, perf_counter()])
        client.send(command)
    while selector.get_map():
        ready = selector.select(PATIENCE)
        expect(ready, "no answer")
        for key, _ in ready:
            client, script, kind, began = key.data
            client.receive()
            answer = client.answer()
            if answer is None:
                continue
            spent.append((kind, perf_counter() - began))
            try:
                following = script.send(answer)     # type: ignore[attr-defined]
            except StopIteration:
                selector.unregister(client.socket)
                continue
            key.data[2:] = following[0], perf_counter()
            client.send(following[1])
    selector.close()
    return spent


def append(mailbox: str, flags: str, date: str, message: bytes) -> bytes:
    return f'APPEND {mailbox} {flags} "{date}" {{{len(message)}+}}\r\n'.encode() + message


def append_many(mailbox: str, messages: list[tuple[str, str, bytes]]) -> bytes:
    """MULTIAPPEND (RFC 3502) of flags, dates and messages."""
    return b"APPEND " + mailbox.encode() + b"".join(
        f' {flags} "{date}" {{{len(message)}+}}\r\n'.encode() + message for flags, date, message in messages)


