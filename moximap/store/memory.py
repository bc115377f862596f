"""Memory that was needed for a while, as far as the C library tells."""

from __future__ import annotations

import ctypes
from typing import Final

_trim: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)         # glibc has it
_option: Final = getattr(ctypes.CDLL(None), "mallopt", None)
_ARENA_MAX: Final = -8


def give_back() -> None:
    """Give the system what is not in use: each thread keeps what it needed once, some MB.

    It takes a millisecond or two, in which another thread may have to wait for memory.
    """
    if _trim is not None:
        _trim(0)


def share_heap() -> None:
    """Let all threads that are yet to begin take memory from one heap, where one uses what another let go.

    Otherwise each of them has its own, which stays as large as it was once.
    """
    if _option is not None:
        _option(_ARENA_MAX, 1)
