"""Text of parts: what SEARCH looks into and what a preview is made of (RFC 9051 6.4.4)."""

import re
from collections.abc import Iterator

from moximap.mail.buffers import Data
from moximap.mail.charsets import decode_bytes
from moximap.mail.headers import decode
from moximap.mail.htmltext import html_text as html_text
from moximap.mail.parts import Part, walk
from moximap.mail.searched import Searched
from moximap.mail.transfer import decode_transfer

__all__ = ["body_texts", "decode_transfer", "html_text", "part_text", "preview"]

# Octets of one message that a search decodes.
LIMIT = 64 << 20

PREVIEW_LENGTH = 200
# A preview is made of the first MiB at most, but nearly always of much less.
_PREVIEW_STEPS = {"plain": (2 << 10, 1 << 20), "html": (32 << 10, 1 << 20)}

_controls = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\ufeff\ufffd]++").sub
_quoted_lines = re.compile(r"^>[^\n]*+\n?", re.MULTILINE).sub


def part_text(part: Part, data: Data, limit: int = LIMIT) -> str:
    """The text of a ``text/*`` part, of which at most ``limit`` octets are decoded."""
    text = _decoded(part, data, limit)
    return html_text(text) if part.subtype == "html" else text


def _decoded(part: Part, data: Data, limit: int) -> str:
    content = bytes(data[part.body : min(part.end, part.body + limit)])
    decoded = decode_transfer(part.encoding, content)
    return decode_bytes(content if decoded is None else decoded, part.media.charset)


def body_texts(root: Part, data: Data, limit: int = LIMIT) -> Iterator[Searched]:
    """The texts of all text parts and the headers of messages within, in order.

    At most ``limit`` octets of the message are decoded for it.
    """
    for part in walk(root):
        if limit <= 0:
            return
        if part.type == "text":
            yield Searched(_decoded(part, data, limit), part.subtype == "html")
            limit -= part.end - part.body
        elif part.is_message:
            child = part.children[0]
            size = min(child.body - child.header, limit)
            yield Searched(decode(bytes(data[child.header : child.header + size])))
            limit -= size


def preview(root: Part, data: Data) -> str:
    """The first 200 characters of what the message says (RFC 8970).

    Taken from the first plain or HTML text that says anything, not from attachments, messages
    within and encrypted parts.
    """
    todo = [root]
    while todo:
        part = todo.pop()
        media = part.media
        if media.disposition is not None and media.disposition[0].lower() == b"attachment":
            continue
        if media.type == "text":
            text = _beginning(part, data) if media.subtype in _PREVIEW_STEPS else ""
            if text:
                return text
        elif media.type == "multipart" and media.subtype != "encrypted":
            todo.extend(reversed(part.children))
    return ""


def _beginning(part: Part, data: Data) -> str:
    text = ""
    for limit in _PREVIEW_STEPS[part.subtype]:
        text = _squeeze(part_text(part, data, limit))
        if len(text) == PREVIEW_LENGTH or part.end - part.body <= limit:
            break
    return text


def _squeeze(text: str) -> str:
    """Words with single spaces; lines quoted from another message only if there are no others."""
    own = _quoted_lines("", text) if ">" in text else text
    return _words(own) or _words(text)


def _words(text: str) -> str:
    words = ""
    for length in (256, 2048, len(text)):  # nearly always the first is as much as is needed
        some = text[:length]
        words = " ".join(some.split())
        if not words.isprintable() or "\ufffd" in words:
            words = " ".join(_controls(" ", some).split())
        if len(words) >= PREVIEW_LENGTH or length >= len(text):
            break
    return words[:PREVIEW_LENGTH]
