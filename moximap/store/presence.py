"""Who is there: a locked file for each opening of something, which a killed process cannot leave locked.

Used by accounts (what may still be read) and by the doorbell (who listens).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from moximap.store.database import is_disk_full

#: Octets of a number on a board.
_NUMBER: Final = 8


class Presence:
    """This opening's file in a directory: named by its token, locked as long as we live."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.token = ""
        self._descriptor = self._enter()
        self._path = os.fspath(directory / self.token)

    def say(self, text: str) -> None:
        """Let the others read a short text, of one length."""
        os.pwrite(self._descriptor, text.encode(), 0)

    def board(self, numbers: int) -> memoryview | None:
        """Numbers, at first 0, that the others can read and write by `board`; None where the disk is full.

        They are written out now: where a page of a map has no place on the disk, and there is no more to
        be had, to write into it ends the process.
        """
        empty = bytes(numbers * _NUMBER)
        try:
            if os.pwrite(self._descriptor, empty, 0) == len(empty):
                return _mapped(self._descriptor, numbers)
        except OSError as error:
            if not is_disk_full(error):
                raise
        os.ftruncate(self._descriptor, 0)
        return None

    def leave(self) -> None:
        """Remove the file; harmless when done already."""
        if self._descriptor >= 0:
            (self._directory / self.token).unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def lost(self) -> bool:
        """Whether somebody else removed the file: the directory is gone, or another is in its place."""
        return not os.path.exists(self._path)

    def others(self) -> Iterator[Path]:
        """Files of the other openings that live."""
        for path in self._directory.iterdir():
            if path.name != self.token and path.suffix == "" and is_alive(path):
                yield path

    def dead(self) -> bool:
        """Whether there are files whose owners are gone."""
        return any(not is_alive(path) for path in self._directory.iterdir()
                   if path.name != self.token and path.suffix == "")

    def bury(self) -> list[str]:
        """Remove files whose owners are gone; their tokens.

        The file goes while its lock is held: an opening that has just made it finds out, below.
        """
        gone = []
        for path in self._directory.iterdir():
            if path.name != self.token and path.suffix == "" and _remove_if_dead(path):
                gone.append(path.name)
        return gone

    def _enter(self) -> int:
        while True:
            self.token = f"{os.getpid()}-{secrets.token_hex(8)}"
            path = self._directory / self.token
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            if _lock(descriptor) and path.exists():
                return descriptor
            os.close(descriptor)          # taken for dead between the two calls


def is_alive(path: Path) -> bool:
    """Whether the opening whose file this is still lives."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _lock(descriptor)
    finally:
        os.close(descriptor)


def board(path: Path, numbers: int) -> memoryview | None:
    """The numbers of another opening, as they are whenever they are read; None: it has not so many.

    FileNotFoundError.
    """
    with path.open("r+b") as file:
        if os.fstat(file.fileno()).st_size < numbers * _NUMBER:
            return None
        return _mapped(file.fileno(), numbers)


def _mapped(descriptor: int, numbers: int) -> memoryview:
    return memoryview(mmap.mmap(descriptor, numbers * _NUMBER)).cast("Q")


def _remove_if_dead(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        if not _lock(descriptor):
            return False
        path.unlink(missing_ok=True)
        return True
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
