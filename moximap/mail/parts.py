"""A part of a message, its section number, and the form in which the store keeps a message's parts."""

import json
from functools import lru_cache

import attrs

from moximap.mail.media import TEXT, Media


@attrs.define
class Part:
    """A message or body part. Offsets count from the start of the whole message."""

    header: int
    body: int
    end: int
    media: Media = TEXT
    lines: int = 0
    children: tuple["Part", ...] = ()

    @property
    def type(self) -> str:
        return self.media.type

    @property
    def subtype(self) -> str:
        return self.media.subtype

    @property
    def encoding(self) -> str:
        return self.media.encoding

    @property
    def is_multipart(self) -> bool:
        return self.media.type == "multipart"

    @property
    def is_message(self) -> bool:
        """Whether this part holds a message, whose root is then the only child."""
        return self.media.type == "message" and bool(self.children)


def walk(root: Part) -> list[Part]:
    """All parts, each before its children, in order."""
    found = []
    todo = [root]
    while todo:
        part = todo.pop()
        found.append(part)
        if part.children:
            todo.extend(reversed(part.children))
    return found


def find(root: Part, path: tuple[int, ...]) -> Part | None:
    """The part with this section number; the root for an empty one."""
    part: Part | None = None
    for number in path:
        if part is None:
            part = _numbered(root, number)
        elif part.is_multipart:
            part = _numbered(part, number)
        elif part.is_message:
            part = _numbered(part.children[0], number)
        else:
            return None
        if part is None:
            return None
    return part or root


def _numbered(part: Part, number: int) -> Part | None:
    """A part of a multipart, or part 1 of a message that is none: its own body."""
    if not part.is_multipart:
        return part if number == 1 else None
    return part.children[number - 1] if 0 < number <= len(part.children) else None


# Header, body, end, type, subtype, encoding, charset, lines, number of children.
_Row = tuple[int, int, int, str, str, str, str, int, int]


def dump(root: Part) -> bytes:
    """What FETCH of sections, BINARY and SEARCH need of the parts, in JSON; ``load`` reads it."""
    return dump_all(walk(root))


def dump_all(parts: list[Part]) -> bytes:
    """The same for all parts as ``walk`` gives them."""
    rows = [
        f"[{part.header},{part.body},{part.end},{part.media.dumped},{part.lines},{len(part.children)}]"
        for part in parts
    ]
    return f"[{','.join(rows)}]".encode()


# One FETCH may ask for thousands of sections of the same message.
@lru_cache(maxsize=8)
def load(dumped: bytes) -> Part:
    """The parts that were dumped, with offsets, type, encoding, charset and lines; to be read only."""
    rows: list[_Row] = json.loads(dumped.decode())
    done: list[Part] = []
    # From the last to the first: the children of a part then are the last that were made.
    for header, body, end, main, sub, encoding, charset, lines, count in reversed(rows):
        params = ((b"charset", charset.encode("latin-1")),) if charset else ()
        children: tuple[Part, ...] = ()
        if count:
            children = tuple(reversed(done[-count:]))
            del done[-count:]
        done.append(Part(header, body, end, Media(main, sub, params, encoding), lines, children))
    return done[0]
