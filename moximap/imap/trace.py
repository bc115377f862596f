"""What one account's connections say, in the log: switched on by the administrator, account by account.

It begins after login, so no credential is ever in it.  Literals, which are messages and parts of
them, are named by their size only, unless ``messages`` is on.  Lines go to the namespace
``moximap.trace``, at the level debug.
"""

from __future__ import annotations

import re
from itertools import count

from twisted.logger import Logger

_log = Logger("moximap.trace")
_numbers = count(1)
_LITERAL = re.compile(rb"\{(\d+)\+?\}\r\n")


class Trace:
    """The trace of one connection."""

    def __init__(self, account: str, messages: bool) -> None:
        self._account = account
        self._messages = messages
        self._number = next(_numbers)
        self._hidden = 0                       # octets of a literal that are still to come

    def received(self, data: bytes) -> None:
        """A line from the client, without its end."""
        self._say("C", data)

    def sent(self, data: bytes) -> None:
        """Bytes to the client, in any pieces."""
        for line in self._visible(data).splitlines():
            self._say("S", line)

    def _say(self, side: str, line: bytes) -> None:
        _log.debug("{account} #{number} {side}: {line}", account=self._account, number=self._number,
                   side=side, line=line.decode("utf-8", "backslashreplace"))

    def _visible(self, data: bytes) -> bytes:
        """The data without the octets of its literals."""
        if self._messages:
            return data
        out, place = [], min(self._hidden, len(data))
        self._hidden -= place
        while place < len(data):
            found = _LITERAL.search(data, place)
            if found is None:
                out.append(data[place:])
                break
            out.append(data[place:found.end()])
            place = found.end() + int(found[1])
            self._hidden = max(0, place - len(data))
        return b"".join(out)
