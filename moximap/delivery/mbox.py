"""mbox files to import (RFC 4155, mboxo and mboxrd), a line at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_tz
from typing import BinaryIO, Final

from moximap.delivery.incoming import Incoming
from moximap.store.interfaces import ISpool, NewMessage
from moximap.values import InternalDate

#: Longest piece of a line that is read at once.
_CHUNK: Final = 1 << 16
_FROM_LINE: Final = re.compile(
    rb"From .*?\b((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? .*\d\d?:\d\d.*)$", re.IGNORECASE)
_NETSCAPE: Final = re.compile(rb"From -\s*$")
_BLANK: Final = (b"\n", b"\r\n")
_QUOTED_FROM: Final = re.compile(rb">+From ")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
#: Letters of Status and X-Status, as Pine, mutt and Dovecot write them.
_STATUS: Final = {"R": "\\Seen", "A": "\\Answered", "F": "\\Flagged", "D": "\\Deleted", "T": "\\Draft"}
_FLAG_FIELDS: Final = re.compile(rb"(Status|X-Status|X-Keywords):\s*([^\r\n]*)", re.IGNORECASE)


def date_of(line: bytes) -> InternalDate | None:
    """The date of a `From ` line in its C library form, `Tue Feb  3 04:05:06 2009 [zone]`; None: none."""
    match = _FROM_LINE.match(line.strip())
    words = match[1].decode("latin-1").replace(",", " ").split() if match else []
    clock = next((word for word in words if ":" in word), "")
    year = next((word for word in words if word.isdigit() and len(word) == 4), "")
    month = next((word for word in words if word[:3].lower() in _MONTHS), "")
    day = next((word for word in words if word.isdigit() and len(word) <= 2), "")
    zone = next((word for word in words if re.fullmatch(r"[+-]\d{4}", word)), "+0000")
    parsed = parsedate_tz(f"{day} {month} {year} {clock} {zone}") if day and month and year else None
    if parsed is None:
        return None
    try:
        offset = parsed[9] or 0
        moment = datetime(*parsed[:6], tzinfo=UTC)
        return InternalDate(int(moment.timestamp()) - offset, offset // 60)
    except ValueError:
        return None


def is_mbox(stream: BinaryIO) -> bool:
    """Whether it starts as an mbox does.  Leaves the stream at its start."""
    start = stream.read(5)
    stream.seek(0)
    return start in (b"From ", b"")


class _Message:
    """One message while its lines come in."""

    def __init__(self, from_line: bytes, spool: Callable[[], ISpool]) -> None:
        self._date = date_of(from_line)
        self._incoming = Incoming(spool)
        self._in_header = True
        self._blank = b""                    # held back: before a `From ` line it is not the message's
        self._flags: list[str] = []

    def line(self, line: bytes, starts: bool) -> None:
        """A line, or a piece of a long one; ``starts``: from its beginning."""
        self._incoming.write(self._blank)
        self._blank = b""
        if starts and line in _BLANK:
            if self._in_header:
                self._in_header = False
                self._incoming.write(line)
            else:
                self._blank = line
            return
        if starts and self._in_header and (match := _FLAG_FIELDS.match(line)):
            self._take_flags(match[1].lower(), match[2].decode("utf-8", "replace"))
            return
        if starts and _QUOTED_FROM.match(line):
            line = line[1:]
        self._incoming.write(line)

    def _take_flags(self, field: bytes, value: str) -> None:
        """These fields are how an mbox keeps flags, no part of the message as it was sent."""
        names = value.replace(",", " ").split() if field == b"x-keywords" \
            else [_STATUS[letter] for letter in value if letter in _STATUS]
        self._flags += [name for name in names if name not in self._flags]

    def done(self) -> NewMessage:
        return NewMessage(self._incoming.content(), tuple(self._flags), self._date)


def messages(stream: BinaryIO, spool: Callable[[], ISpool]) -> Iterator[tuple[NewMessage, int]]:
    """Messages of an mbox, each with the octets that it takes there.

    A message starts at the file's first line, and with a `From ` line that is dated; after a blank
    line Netscape's bare `From - ` is enough.  Not all who write such files put the blank line, and not
    all quote a body's "From here on".
    """
    message: _Message | None = None
    starts, after_blank, size = True, True, 0
    while line := stream.readline(_CHUNK):
        if message is None or (starts and line.startswith(b"From ")
                               and (date_of(line) or (after_blank and _NETSCAPE.match(line)))):
            if message is not None:
                yield message.done(), size
            message, size = _Message(line, spool), 0
        else:
            message.line(line, starts)
        size += len(line)
        after_blank = starts and line in _BLANK
        starts = line.endswith(b"\n")
    if message is not None:
        yield message.done(), size
