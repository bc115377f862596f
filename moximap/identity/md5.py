"""HMAC-MD5 from stored contexts (RFC 1321, RFC 2104 section 4), which hashlib does not give.

What CRAM-MD5 needs of a password is the state of MD5 after the two key blocks, of 16 octets each, and
no library lets a state in.  Only the keying and the last blocks are done here; it takes 0.1 ms.
"""

from __future__ import annotations

import hashlib
import struct
from math import sin
from typing import Final

_START: Final = struct.pack("<4I", 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_BLOCK: Final = 64
_MASK: Final = 0xFFFFFFFF
#: RFC 1321 3.4: T[i], the shifts of the four rounds, and which word each of the 64 steps takes.
_SINES: Final = tuple(int(abs(sin(step + 1)) * 2 ** 32) for step in range(64))
_SHIFTS: Final = tuple(shift for row in ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21))
                       for shift in row * 4)
_WORDS: Final = tuple((step * factor + start) % 16
                      for number, (factor, start) in enumerate(((1, 0), (5, 1), (3, 5), (7, 0)))
                      for step in range(16 * number, 16 * number + 16))


def _round(number: int, b: int, c: int, d: int) -> int:
    """The functions F, G, H and I."""
    if number == 0:
        return b & c | ~b & d
    if number == 1:
        return b & d | c & ~d
    return b ^ c ^ d if number == 2 else c ^ (b | ~d & _MASK)


def compress(state: bytes, block: bytes) -> bytes:
    """The state after one more block of 64 octets."""
    words = struct.unpack("<16I", block)
    before = a, b, c, d = struct.unpack("<4I", state)
    for step in range(64):
        mixed = (a + _round(step >> 4, b, c, d) + words[_WORDS[step]] + _SINES[step]) & _MASK
        turned = mixed << _SHIFTS[step] | mixed >> 32 - _SHIFTS[step]
        a, b, c, d = d, (b + turned) & _MASK, b, c
    return struct.pack("<4I", *((old + new) & _MASK for old, new in zip(before, (a, b, c, d))))


def _finish(state: bytes, message: bytes) -> bytes:
    """The digest, where the state has seen one block and the message is all that follows."""
    rest = message + b"\x80" + bytes(-(len(message) + 9) % _BLOCK)
    rest += struct.pack("<Q", 8 * (_BLOCK + len(message)))
    for place in range(0, len(rest), _BLOCK):
        state = compress(state, rest[place:place + _BLOCK])
    return state


def contexts(key: bytes) -> tuple[bytes, bytes]:
    """What RFC 2104 section 4 lets one store in place of a key: the inner and the outer state."""
    if len(key) > _BLOCK:
        key = hashlib.md5(key, usedforsecurity=False).digest()
    padded = key.ljust(_BLOCK, b"\0")
    inner, outer = (compress(_START, bytes(octet ^ pad for octet in padded)) for pad in (0x36, 0x5C))
    return inner, outer


def hmac_md5(inner: bytes, outer: bytes, message: bytes) -> bytes:
    """HMAC-MD5 of a message under the key that the contexts are of."""
    return _finish(outer, _finish(inner, message))
