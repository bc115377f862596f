"""The kinds of buffer that a message may be, and searches in them that never copy it."""

import mmap
import re
from collections.abc import Callable
from functools import lru_cache

Data = bytes | bytearray | memoryview | mmap.mmap

CHUNK = 1 << 20

Find = Callable[[bytes, int], int]


@lru_cache(maxsize=64)
def _literal(needle: bytes) -> re.Pattern[bytes]:
    return re.compile(re.escape(needle))


def finder(data: Data) -> Find:
    """A function like ``bytes.find(needle, start)`` for this buffer."""
    if not isinstance(data, memoryview):
        return data.find

    def find(needle: bytes, start: int) -> int:
        match = _literal(needle).search(data, start)
        return match.start() if match else -1

    return find


def plain(data: Data) -> Data:
    """The same octets in a buffer whose items are octets and lie side by side."""
    if not isinstance(data, memoryview):
        return data
    if not data.c_contiguous:
        return data.tobytes()
    return data if data.format == "B" and data.ndim == 1 else data.cast("B")


def count_newlines(data: Data, start: int, end: int) -> int:
    """The number of LF octets between two offsets."""
    if isinstance(data, (bytes, bytearray)):
        return data.count(b"\n", start, end)
    total = 0
    for at in range(start, end, CHUNK):
        total += bytes(data[at : min(at + CHUNK, end)]).count(b"\n")
    return total
