"""BODY and BODYSTRUCTURE of a message as wire bytes (RFC 9051 7.5.2, 9)."""

from moximap.mail.buffers import Data
from moximap.mail.envelope import envelope
from moximap.mail.structure import Part, walk
from moximap.mail.wire import params, string


def body(root: Part, data: Data) -> bytes:
    """The form without extension data."""
    return render(walk(root), data)[0]


def bodystructure(root: Part, data: Data) -> bytes:
    """The form with extension data."""
    return render(walk(root), data)[1]


def render(parts: list[Part], data: Data) -> tuple[bytes, bytes]:
    """Both forms, of all parts as ``walk`` gives them.

    From the last to the first: the children of a part then are the last that were rendered.
    """
    done: list[tuple[bytes, bytes]] = []
    for part in reversed(parts):
        children: list[tuple[bytes, bytes]] = []
        if part.children:
            children = done[: -len(part.children) - 1 : -1]
            del done[-len(part.children) :]
        done.append(_multipart(part, children) if part.is_multipart else _single(part, data, children))
    return done[0]


def _multipart(part: Part, children: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    subtype = string(part.media.subtype.encode("latin-1"))
    short = b"(%b %b)" % (b"".join([short for short, _ in children]), subtype)
    full = b"(%b %b %b %b)" % (
        b"".join([full for _, full in children]),
        subtype,
        params(part.media.params),
        part.media.extension,
    )
    return short, full


def _single(part: Part, data: Data, children: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    media = part.media
    start = b"%b %d" % (media.basic, part.end - part.body)
    if media.type == "text":
        start = b"%b %d" % (start, part.lines)
    elif part.is_message:
        child = part.children[0]
        short, full = children[0]
        start += b" " + envelope(bytes(data[child.header : child.body]))
        return (
            b"(%b %b %d)" % (start, short, part.lines),
            b"(%b %b %d %b)" % (start, full, part.lines, media.single_extension),
        )
    return b"(%b)" % start, b"(%b %b)" % (start, media.single_extension)
