"""A client on a plain socket that blocks: it sends any octets, and reads answers whole."""

from __future__ import annotations

import re
import socket
import ssl

SECONDS = 60.0
_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class Ended(Exception):
    """The server is gone, in the middle of an answer or before one."""


class Wire:
    """A connection whose greeting was read.  Whatever is not there in a minute is an error.

    ``buffer``: octets that the system may receive before they are read.
    """

    def __init__(self, port: int, tls: bool = False, buffer: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(SECONDS)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        try:
            self.socket.connect(("127.0.0.1", port))
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                self.socket = context.wrap_socket(self.socket)
        except ConnectionError as error:
            self.socket.close()
            raise Ended from error
        self._file = self.socket.makefile("rb")
        self._tags = 0
        self.greeting = self.response()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except (ConnectionError, ssl.SSLError) as error:
            raise Ended from error

    def response(self) -> bytes:
        """The next response, with its literals."""
        out = []
        while True:
            try:
                line = self._file.readline()
            except (ConnectionError, ssl.SSLError) as error:
                raise Ended from error
            if not line.endswith(b"\n"):
                raise Ended
            out.append(line)
            literal = _LITERAL.search(line)
            if literal is None:
                return b"".join(out)
            out.append(self._exactly(int(literal[1])))

    def _exactly(self, count: int) -> bytes:
        try:
            data = self._file.read(count)
        except (ConnectionError, ssl.SSLError) as error:
            raise Ended from error
        if len(data) < count:
            raise Ended
        return data

    def answer(self, tag: bytes) -> tuple[list[bytes], bytes]:
        """Responses up to the tagged one, and that."""
        untagged = []
        while not (response := self.response()).startswith(tag + b" "):
            untagged.append(response)
        return untagged, response

    def command(self, line: bytes) -> tuple[list[bytes], bytes]:
        """Send a command without a tag and read its answer."""
        self._tags += 1
        tag = b"w%d" % self._tags
        self.send(b"%b %b\r\n" % (tag, line))
        return self.answer(tag)

    def must(self, line: bytes) -> list[bytes]:
        """Untagged responses of a command that succeeds."""
        untagged, tagged = self.command(line)
        assert tagged.split()[1] == b"OK", (line[:200], tagged)
        return untagged

    def login(self, user: str, password: str) -> None:
        self.must(f'LOGIN {user} "{password}"'.encode())

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        try:
            return self._file.read()
        except (ConnectionError, ssl.SSLError):
            return b""
