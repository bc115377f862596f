"""What messages consist of: small ones in the database, large ones each in a file.

A file's name is made of the token of the account's opening that wrote it and of chance, so that a
file without a row is known for left over as soon as that opening is gone.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import secrets
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Final

import attrs
from zope.interface import implementer

from moximap.mail import digest as digests
from moximap.store.database import sync_directory, translated
from moximap.store.errors import Cannot, Unavailable
from moximap.store.filecache import Lately
from moximap.store.flags import Flags
from moximap.store.interfaces import IContent, ISpool, NewMessage
from moximap.values import InternalDate, frozen

#: Messages of more octets lie in files.
LARGE: Final = 128 << 10
#: A message of at most so many octets is read in a moment: mostly under 1 ms, 30 if made to be slow.
SMALL: Final = 16 << 10

#: A digest is a row of each of two tables; these are their columns, without the key.
SUMMARY_COLUMNS: Final = ("envelope", "bodystructure")
DIGEST_COLUMNS: Final = ("version", "sent", "sent_time", "preview", "body", "parts", "subject",
                         "base_subject", "from_key", "to_key", "cc_key", "from_display", "to_display",
                         "message_id", "refs")


_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)        # Linux has it
_BEGIN: Final = 2                                                            # SYNC_FILE_RANGE_WRITE
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


@implementer(IContent)
@frozen
class Inline:
    """A small message, in memory."""

    head: bytes
    body: bytes
    header_size: int

    @property
    def size(self) -> int:
        return len(self.head) + len(self.body)

    @property
    def halves(self) -> tuple[bytes, bytes]:
        return self.head, self.body

    def read(self, start: int, end: int) -> bytes:
        before = len(self.head)
        if start >= before:
            return self.body[start - before:max(end - before, 0)]
        return (self.head + self.body)[start:end]


@implementer(IContent)
@attrs.frozen
class InFile:
    """A large message, in a file that is opened for each reading."""

    halves: ClassVar[None] = None
    path: Path
    size: int
    header_size: int

    def read(self, start: int, end: int) -> bytes:
        try:
            with self.path.open("rb", buffering=0) as file:
                return _pread(file.fileno(), start, min(end, self.size))
        except OSError as error:
            raise Unavailable("the message cannot be read") from error


def _pread(descriptor: int, start: int, end: int) -> bytes:
    pieces = []
    while start < end:
        piece = os.pread(descriptor, end - start, start)
        if not piece:
            raise Unavailable("the message's file is too short")
        pieces.append(piece)
        start += len(piece)
    return b"".join(pieces)


@implementer(ISpool)
class Spool:
    """A message that is coming in, in a temporary file; removed unless an append takes it."""

    def __init__(self, path: Path) -> None:
        with translated():
            self._file = path.open("x+b")
        self.path = path
        self.size = 0
        self.done = False

    def write(self, data: bytes | bytearray) -> None:
        with translated():
            self._file.write(data)
        self.size += len(data)

    def flush(self) -> None:
        """Everything that was written is in the file."""
        with translated():
            self._file.flush()

    def hurry(self) -> None:
        """Let the disk begin to write the file, where the system can be told so: `put` waits for less."""
        if _sync_file_range is not None:
            _sync_file_range(self._file.fileno(), 0, 0, _BEGIN)

    def mapped(self) -> closing[mmap.mmap]:
        """What was written and flushed, to be read."""
        return closing(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))

    def put(self, target: Path) -> None:
        """Everything that was written is on the disk, in a file of that name.

        It is named before it is synced: so the disk has one thing to wait for, not one after the other.
        """
        with translated():
            self._file.flush()
            place = target.parent
            try:
                self.path.rename(target)
            except FileNotFoundError:
                place.mkdir(mode=0o700, exist_ok=True)
                sync_directory(place.parent)
                self.path.rename(target)
            try:
                os.fsync(self._file.fileno())
                sync_directory(place)
                self._file.close()
            except BaseException:
                target.unlink(missing_ok=True)
                raise
        self.done = True

    def discard(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)
        self.done = True


@frozen
class Prepared:
    """A message ready to be inserted: all that can be known of it before the transaction begins."""

    flags: Flags
    date: InternalDate
    size: int
    header_size: int
    sha256: bytes
    summary: tuple[object, ...]              # SUMMARY_COLUMNS
    digest: tuple[object, ...]               # DIGEST_COLUMNS
    head: bytes
    body: bytes | None
    file: str | None = None


def is_small(message: NewMessage) -> bool:
    return isinstance(message.content, bytes) and len(message.content) <= SMALL


def digest_columns(data: bytes | mmap.mmap) -> tuple[int, tuple[object, ...], tuple[object, ...]]:
    """The size of a message's header, its SUMMARY_COLUMNS and its DIGEST_COLUMNS."""
    d = digests.digest(data)
    return d.header_size, (d.envelope, d.bodystructure), (
        d.version, d.sent, d.sent_time, d.preview, d.body, d.parts, d.subject, d.base_subject,
        d.from_key, d.to_key, d.cc_key, d.from_display, d.to_display, d.message_id, b" ".join(d.references))


class Files:
    """The files of one opening of an account: those that come in, and large messages."""

    def __init__(self, home: Path, token: str) -> None:
        self._home = home
        self._token = token
        self._lately = Lately()

    def spool(self) -> Spool:
        return Spool(self._home / "tmp" / f"{self._token}.{secrets.token_hex(8)}")

    def content(self, size: int, header_size: int, head: bytes, body: bytes | None,
                file: str | None) -> IContent:
        """The content that a row of the table describes."""
        if file is None:
            return Inline(head, body or b"", header_size)
        return InFile(self._home / "large" / file, size, header_size)

    def prepare(self, messages: Sequence[NewMessage], now: int) -> list[Prepared]:
        """Read messages, and put large ones in their place; on failure nothing remains of them."""
        done: list[Prepared] = []
        try:
            for message in messages:
                done.append(self._prepare(message, message.date or InternalDate(now)))
        except BaseException:
            self.withdraw(done)
            raise
        return done

    def withdraw(self, prepared: Sequence[Prepared]) -> None:
        """Remove files of messages that are not appended after all."""
        for message in prepared:
            if message.file is not None:
                (self._home / "large" / message.file).unlink(missing_ok=True)

    def forget(self, file: str | None) -> None:
        """Remove a large message's file, if there is one, that no row names any more."""
        if file is not None:
            (self._home / "large" / file).unlink(missing_ok=True)

    def _prepare(self, message: NewMessage, date: InternalDate) -> Prepared:
        flags = Flags.of(message.flags)
        content = message.content
        if isinstance(content, bytes):
            if len(content) <= LARGE:
                return _inline(content, flags, date)
            spool = self.spool()
            try:
                spool.write(content)
                return self._in_file(spool, flags, date)
            finally:
                spool.discard()
        if not isinstance(content, Spool):
            raise Cannot("not a spool of this store")
        content.flush()
        if content.size <= LARGE:
            return _inline(content.path.read_bytes(), flags, date)
        return self._in_file(content, flags, date)

    def _in_file(self, spool: Spool, flags: Flags, date: InternalDate) -> Prepared:
        """The file is in its place and durable before the row that names it is written."""
        spool.flush()
        spool.hurry()
        with translated(), spool.mapped() as data:
            header_size, summary, digest = digest_columns(data)
            checksum = sha256(data).digest()
            head = data[:header_size]
        name = f"{secrets.token_hex(1)}/{spool.path.name}"
        target = self._home / "large" / name
        spool.put(target)
        self._lately.add(target, spool.size)
        return Prepared(flags, date, spool.size, header_size, checksum, summary, digest, head, None, name)


def _inline(data: bytes, flags: Flags, date: InternalDate) -> Prepared:
    header_size, summary, digest = digest_columns(data)
    return Prepared(flags, date, len(data), header_size, sha256(data).digest(), summary, digest,
                    data[:header_size], data[header_size:])
