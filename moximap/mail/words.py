"""Header text: encoded words and raw 8-bit octets to str (RFC 2047, RFC 2231 5, RFC 6532)."""

import binascii
import re

from moximap.mail.charsets import decode_bytes

_WORD = re.compile(rb"=\?([^?*\s]++)(?:\*[^?\s]*+)?\?([bBqQ])\?([^?]*+)\?=")
# Beyond this the pattern is slower, but does with less memory.
_SMALL = 1 << 16
_fold = re.compile(rb"\r*+\n[ \t]*+").sub


def joined(lines: bytes) -> bytes:
    """In one line: each line break, with the white space after it, becomes a space."""
    if len(lines) > _SMALL:
        return _fold(b" ", lines)
    first, *more = lines.split(b"\n")
    if not more:
        return lines
    last = more.pop().lstrip(b" \t")
    return b" ".join([first.rstrip(b"\r"), *[line.lstrip(b" \t").rstrip(b"\r") for line in more], last])


def decode(value: bytes) -> str:
    """Unfolded text with its encoded words decoded; octets outside them as UTF-8, else latin-1."""
    if b"\n" in value:
        value = joined(value)
    if b"=?" not in value:
        return _plain(value)
    out: list[str] = []
    pending: list[bytes] = []  # words next to each other of one charset: they may share a character
    charset = b""
    end = 0
    for match in _WORD.finditer(value):
        between = value[end : match.start()]
        if pending and (between.strip() or match[1].lower() != charset):
            out.append(decode_bytes(b"".join(pending), charset))
            pending = []
        # White space between two encoded words is not displayed (RFC 2047 6.2).
        if between.strip() or end == 0:
            out.append(_plain(between))
        pending.append(_content(match[2], match[3]))
        charset = match[1].lower()
        end = match.end()
    if pending:
        out.append(decode_bytes(b"".join(pending), charset))
    out.append(_plain(value[end:]))
    return "".join(out)


def _plain(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _content(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(text, header=True)
    return decode_base64(text)


_not_base64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)


def decode_base64(text: bytes) -> bytes:
    """Base64 with everything forgiven: other octets, wrong padding, several pieces joined."""
    try:
        # Right and without padding in its middle, as nearly always.
        return binascii.a2b_base64(text) if text.find(b"=", 0, -4) < 0 else _pieces(text)
    except binascii.Error:
        return _pieces(text)


def _pieces(text: bytes) -> bytes:
    out = []
    for piece in re.split(rb"=++", text.translate(None, _not_base64)):
        if len(piece) % 4 == 1:
            piece = piece[:-1]
        out.append(binascii.a2b_base64(piece + b"=" * (-len(piece) % 4)))
    return b"".join(out)
