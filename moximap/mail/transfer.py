"""Content-transfer-encodings, decoded with leniency (RFC 2045 6, RFC 3516)."""

import binascii
import re

from moximap.mail.buffers import Data
from moximap.mail.words import decode_base64

_IDENTITY = frozenset(["7bit", "8bit", "binary", ""])
_UUENCODE = frozenset(["x-uuencode", "x-uue", "uuencode", "uue"])

# White space before a line end is not data (RFC 2045 6.7 rule 3); the look-behind keeps it linear.
_trailing = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)").sub


def decode_transfer(encoding: str, data: Data) -> bytes | None:
    """The content of a body, or None for an encoding that is not known (UNKNOWN-CTE)."""
    encoding = encoding.lower()
    if encoding in _IDENTITY:
        return bytes(data)
    if encoding == "base64":
        return decode_base64(bytes(data))
    if encoding == "quoted-printable":
        return binascii.a2b_qp(_without_trailing(bytes(data)))
    if encoding in _UUENCODE:
        return _uudecode(bytes(data))
    return None


def _without_trailing(data: bytes) -> bytes:
    """Nearly always there is no white space before a line end, which is quick to see."""
    if (b" \r\n" in data or b" \n" in data or b"\t\r\n" in data or b"\t\n" in data
            or data.endswith((b" ", b"\t"))):
        return _trailing(b"", data)
    return data


def _uudecode(data: bytes) -> bytes:
    out = []
    begun = False
    for line in data.splitlines():
        if not begun:
            begun = line.startswith(b"begin ")
        elif line.rstrip() == b"end":
            break
        else:
            out.append(_uudecode_line(line))
    return b"".join(out)


def _uudecode_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Some encoders end lines with a wrong count: decode what the first octet promises.
        promised = (((line[0] - 32) & 63) * 4 + 5) // 3 if line else 0
        try:
            return binascii.a2b_uu(line[:promised])
        except binascii.Error:
            return b""
