"""BODY and BODYSTRUCTURE of a message as wire bytes (RFC 9051 7.5.2, 9)."""

from moximap.mail.buffers import Data
from moximap.mail.envelope import envelope
from moximap.mail.structure import Part, walk
from moximap.mail.wire import nstring, params, string


def body(root: Part, data: Data) -> bytes:
    """The form without extension data."""
    return render(root, data)[0]


def bodystructure(root: Part, data: Data) -> bytes:
    """The form with extension data."""
    return render(root, data)[1]


def render(root: Part, data: Data) -> tuple[bytes, bytes]:
    """Both forms. Parts are rendered from the last to the first, so children are there before."""
    if not root.children:
        return _single(root, data, {})
    done: dict[int, tuple[bytes, bytes]] = {}
    for part in reversed(list(walk(root))):
        if part.is_multipart:
            done[id(part)] = _multipart(part, done)
        else:
            done[id(part)] = _single(part, data, done)
    return done[id(root)]


def _multipart(part: Part, done: dict[int, tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    children = [done.pop(id(child)) for child in part.children]
    subtype = string(part.subtype.encode("latin-1"))
    short = b"(%b %b)" % (b"".join([short for short, _ in children]), subtype)
    full = b"(%b %b %b %b)" % (
        b"".join([full for _, full in children]),
        subtype,
        params(part.media.params),
        part.media.extension,
    )
    return short, full


def _single(part: Part, data: Data, done: dict[int, tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    start = b"%b %d" % (part.media.basic, part.end - part.body)
    end = b"%b %b" % (nstring(part.media.md5), part.media.extension)
    if part.media.type == "text":
        start = b"%b %d" % (start, part.lines)
    elif part.is_message:
        child = part.children[0]
        short, full = done.pop(id(child))
        start += b" " + envelope(bytes(data[child.header : child.body]))
        return (
            b"(%b %b %d)" % (start, short, part.lines),
            b"(%b %b %d %b)" % (start, full, part.lines, end),
        )
    return b"(%b)" % start, b"(%b %b)" % (start, end)
