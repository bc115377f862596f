"""A small IMAP client that keeps what servers answer as values: lists, numbers, strings, NIL."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path
from typing import Any, BinaryIO

LITERAL = re.compile(rb"~?\{(\d+)\}\r\n$")
TOKEN = re.compile(rb"""(?x)\ * (?: (?P<open>\() | (?P<close>\)) | ~?\{(?P<literal>\d+)\}\r\n
                        | "(?P<quoted>(?:[^"\\]|\\.)*)"
                        | (?P<atom>[^\s()"\[{]+(?:\[[^\]]*\])?(?:<\d+>)?) )""")


class Client:
    """One session, on a pipe or a socket.  Commands go one at a time."""

    def __init__(self, read: BinaryIO, write: BinaryIO) -> None:
        self._read, self._write, self._number = read, write, 0
        self._line()

    @classmethod
    def on_pipe(cls, command: Path) -> Client:
        process = subprocess.Popen([command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None and process.stdout is not None
        return cls(process.stdout, process.stdin)   # type: ignore[arg-type]

    @classmethod
    def on_port(cls, host: str, port: int, user: str, password: str) -> Client:
        connection = socket.create_connection((host, port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = cls(connection.makefile("rb"), connection.makefile("wb"))
        said, _ = client.command(b"LOGIN %b %b" % (quoted(user), quoted(password)))
        if not said.startswith(b"OK"):
            raise SystemExit(f"{host}:{port} does not let {user} in: {said.decode(errors='replace')}")
        return client

    def command(self, line: bytes) -> tuple[bytes, list[bytes]]:
        """The tagged answer without its tag, and the untagged ones."""
        self._number += 1
        tag = b"t%d" % self._number
        self._write.write(tag + b" " + line + b"\r\n")
        self._write.flush()
        untagged = []
        while not (said := self._line()).startswith(tag + b" "):
            untagged.append(said)
        return said[len(tag) + 1:].rstrip(), untagged

    def append(self, mailbox: bytes, content: bytes) -> bytes:
        return self.command(b"APPEND %b {%d+}\r\n%b" % (mailbox, len(content), content))[0]

    def fetch(self, number: int, *items: str) -> tuple[bytes, dict[str, Any]]:
        """The tagged answer, and the items of a message by their names."""
        said, untagged = self.command(f"FETCH {number} ({' '.join(items)})".encode())
        found: dict[str, Any] = {}
        for line in untagged:
            start = b"* %d FETCH " % number
            if line.startswith(start):
                values = parse(line[len(start):])
                found.update((name.decode().upper().replace('"', ""), value)
                             for name, value in zip(values[::2], values[1::2], strict=True))
        return said, found

    def _line(self) -> bytes:
        """A response with all its literals."""
        said = b""
        while True:
            line = self._read.readline()
            if not line:
                raise SystemExit(f"the server went away after {said[-200:]!r}")
            said += line
            literal = LITERAL.search(line)
            if literal is None:
                return said
            said += self._read.read(int(literal[1]))


def quoted(text: str) -> bytes:
    return b'"%b"' % text.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def parse(data: bytes) -> Any:
    """The value that a response begins with: atoms and strings are bytes, NIL is None, digits a number."""
    stack: list[list[Any]] = [[]]
    place = 0
    while not stack[0]:
        token = TOKEN.match(data, place)
        if token is None:
            raise SystemExit(f"not to be read: {data[place:place + 200]!r}")
        place = token.end()
        if token["open"]:
            stack.append([])
        elif token["close"]:
            closed = stack.pop()
            stack[-1].append(closed)
        elif token["literal"]:
            stack[-1].append(data[place:place + int(token["literal"])])
            place += int(token["literal"])
        else:
            stack[-1].append(word(token))
    return stack[0][0]


def word(token: re.Match[bytes]) -> bytes | int | None:
    if token["quoted"] is not None:
        return re.sub(rb"\\(.)", rb"\1", token["quoted"])
    atom = token["atom"]
    if atom.upper() == b"NIL":
        return None
    return int(atom) if atom.isdigit() else atom
