"""What a server wrote, taken apart: the responses of RFC 9051 and 7162 that the model knows.

The parser is a client's: it knows nothing of how the server renders, and refuses what it does not
understand.
"""

from __future__ import annotations

import re

import attrs

_LITERAL = re.compile(rb"\{(\d+)\}$")
_NUMBERED = re.compile(rb"\* (\d+) (EXISTS|RECENT|EXPUNGE|FETCH|UIDFETCH)(?: (.*))?", re.DOTALL)
_STATUS = re.compile(rb"(\S+) (OK|NO|BAD|BYE)(?: \[([^] ]+)(?: ([^]]*))?\])?(?: .*)?")
_UID = re.compile(rb"\bUID (\d+)")
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
_MODSEQ = re.compile(rb"\bMODSEQ \((\d+)\)")
_TOKEN = re.compile(rb"Subject: (\S+)")


@attrs.frozen
class Fetched:
    """What a FETCH response says of a message; None where it does not say it."""

    uid: int | None
    flags: frozenset[str] | None
    modseq: int | None
    token: str | None

    @classmethod
    def parse(cls, data: bytes) -> Fetched:
        head, _, _ = data.partition(b"{")
        uid, modseq = _UID.search(head), _MODSEQ.search(data)
        return cls(int(uid[1]) if uid else None, _flags(data), int(modseq[1]) if modseq else None,
                   _token(data))


@attrs.frozen
class Response:
    """``tag``: of a status response or "+", "*" for untagged ones.  ``word``: what it is."""

    raw: bytes
    tag: str
    word: str
    number: int = 0
    code: str = ""
    argument: str = ""
    fetched: Fetched | None = None

    @property
    def tagged(self) -> bool:
        return self.tag not in "*+"

    def __str__(self) -> str:
        return self.raw.decode("utf-8", "replace")


def split(data: bytes) -> list[Response]:
    """All responses in what came; each must be whole."""
    out = []
    while data:
        line, found, data = data.partition(b"\r\n")
        assert found, f"an unfinished line: {line!r}"
        while literal := _LITERAL.search(line):
            size = int(literal[1])
            body, data = data[:size], data[size:]
            rest, _, data = data.partition(b"\r\n")
            line += b"\r\n" + body + rest
        out.append(parse(line))
    return out


def parse(line: bytes) -> Response:
    if line.startswith(b"+"):
        return Response(line, "+", "+")
    if numbered := _NUMBERED.fullmatch(line):
        word = numbered[2].decode()
        fetched = Fetched.parse(numbered[3]) if word.endswith("FETCH") else None
        if word == "UIDFETCH" and fetched is not None:
            assert fetched.uid in (None, int(numbered[1])), f"two UIDs: {line!r}"
            fetched = attrs.evolve(fetched, uid=int(numbered[1]))
        return Response(line, "*", word, int(numbered[1]), fetched=fetched)
    if status := _STATUS.fullmatch(line):
        return Response(line, status[1].decode(), status[2].decode(),
                        code=(status[3] or b"").decode(), argument=(status[4] or b"").decode())
    star, word, *rest = line.decode().split(" ", 2)
    assert star == "*", f"no response at all: {line!r}"
    return Response(line, star, word, argument=rest[0] if rest else "")


def _flags(data: bytes) -> frozenset[str] | None:
    found = _FLAGS.search(data)
    return frozenset(found[1].decode().split()) if found else None


def _token(data: bytes) -> str | None:
    found = _TOKEN.search(data)
    return found[1].decode() if found else None


def numbers(text: str) -> list[int]:
    """A sequence-set without "*", in its own order."""
    out: list[int] = []
    for part in filter(None, text.split(",")):
        low, _, high = part.partition(":")
        out += range(int(low), int(high or low) + 1)
    return out


def found_by(responses: list[Response]) -> list[int]:
    """What SEARCH or ESEARCH with ALL told."""
    out: list[int] = []
    for response in responses:
        if response.word == "SEARCH":
            out += [int(n) for n in response.argument.partition("(")[0].split()]
        elif response.word == "ESEARCH" and " ALL " in response.argument:
            out += numbers(response.argument.partition(" ALL ")[2].split(" ")[0])
    return out


def ranges(uids: list[int]) -> str:
    """A sequence-set for numbers."""
    return ",".join(str(uid) for uid in uids)
