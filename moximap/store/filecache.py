"""How much of what is written to large files the system keeps in its cache."""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

#: Octets of files that stay.
LIMIT: Final = 8 << 20
#: What the system is told of a file that need not stay; None where it cannot be told.
_LEAVE: Final = getattr(os, "POSIX_FADV_DONTNEED", None)


class Lately:
    """The files that were written last stay in the system's cache, for who fetches them at once.

    Those before them leave it, and their pages are the next ones'.  Ever new pages may cost more than all
    else of a message that comes in: the host of a virtual machine has to find them first.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._files: deque[tuple[Path, int]] = deque()
        self._size = 0

    def add(self, path: Path, size: int) -> None:
        """A file of so many octets was written, and is on the disk; of any thread."""
        before: list[Path] = []
        with self._lock:
            self._files.append((path, size))
            self._size += size
            while self._size > LIMIT and len(self._files) > 1:
                old, octets = self._files.popleft()
                self._size -= octets
                before.append(old)
        for old in before:
            with suppress(OSError):               # it was erased, or there are too many open files
                _leave(old)


def _leave(path: Path) -> None:
    if _LEAVE is None:
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(descriptor, 0, 0, _LEAVE)
    finally:
        os.close(descriptor)
