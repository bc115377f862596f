"""A message on its way into an account: line ends made CRLF, kept in memory or, if large, on disk."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from moximap.store.interfaces import IAccount, ISpool

#: Octets up to which a message is kept in memory.
IN_MEMORY: Final = 1 << 20

_BARE_LF: Final = re.compile(rb"(?<!\r)\n")


class Incoming:
    """Takes the octets of one message in chunks of any size.

    Programs on this machine write lines with LF; in IMAP they end in CRLF (RFC 9051 2.2), and so does
    what comes with CRLF already, or with some of each.
    """

    def __init__(self, spool: Callable[[], ISpool]) -> None:
        self._spool_maker = spool
        self._chunks: list[bytes] = []
        self._size = 0
        self._spool: ISpool | None = None
        self._after_cr = False

    @classmethod
    def into(cls, account: IAccount) -> Incoming:
        return cls(account.spool)

    def write(self, data: bytes) -> None:
        """Add octets.  NoSpace where the disk is full."""
        if not data:
            return
        first = b"\n" if self._after_cr and data.startswith(b"\n") else b""
        self._after_cr = data.endswith(b"\r")
        data = first + _BARE_LF.sub(b"\r\n", data[len(first):])
        self._size += len(data)
        if self._spool is None and self._size > IN_MEMORY:
            self._spool = self._spool_maker()
            for chunk in self._chunks:
                self._spool.write(chunk)
            self._chunks = []
        if self._spool is not None:
            self._spool.write(data)
        else:
            self._chunks.append(data)

    @property
    def size(self) -> int:
        """Octets so far, as they will be stored."""
        return self._size

    def content(self) -> bytes | ISpool:
        """The message, for a NewMessage."""
        return b"".join(self._chunks) if self._spool is None else self._spool

    def discard(self) -> None:
        """Forget it all.  Harmless after an append took the content."""
        self._chunks = []
        if self._spool is not None:
            self._spool.discard()
