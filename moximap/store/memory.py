"""Memory that was needed for a while, as far as the C library tells."""

from __future__ import annotations

import ctypes
from typing import Final

_trim: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)         # glibc has it


def give_back() -> None:
    """Give the system what is not in use: each thread keeps what it needed once, some MB.

    It takes a millisecond or two, in which another thread may have to wait for memory.
    """
    if _trim is not None:
        _trim(0)
