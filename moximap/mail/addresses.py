"""Address lists of RFC 5322 3.4 and 4.4, and what programs write instead of them.

Encoded words are left as they are. A list that consists of nothing but ``Name <local@domain>`` and
``local@domain`` is read by one regular expression, everything else by a small machine over tokens,
which finds something in any input. Of one field MOST addresses are taken, and of what only the
machine can read MOST_TOKENS tokens: it takes microseconds for each, and an address of two octets is
told in thirty.
"""

import re
from collections.abc import Iterator
from itertools import islice

import attrs

from moximap.values import frozen

# What stands for a part that an address lacks: NIL would make it a group (RFC 9051 7.5.2). These
# words are those that other servers send, so some clients know them.
NO_HOST = b"MISSING_DOMAIN"
NO_MAILBOX = b"MISSING_MAILBOX"

# What is taken of one field: addresses and marks of groups (the end of the last one may come in
# addition), and tokens; 5,000 addresses with quoted names have 45,000.
MOST = 5000
MOST_TOKENS = 50_000

# Up to here findall is the quickest; a longer list may hold far more addresses than are taken.
_SMALL = 1 << 16


@frozen
class Address:
    """An address, or with host None the start (mailbox: its name) or end of a group."""

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None


GROUP_END = Address(None, None, None, None)

_ATOM = rb'[^\s"\\<>@,;:()\[\]]++'
# An address with the comma after it; or all the rest, where there is something else.
_simple = re.compile(
    rb'[ \t]*+(?:"([^"\\]*+)"[ \t]*+<(%b)@(%b)>|([^"\\<>@,;:()\[\]]*+)<(%b)@(%b)>|(%b)@(%b))'
    rb"[ \t]*+(?:,|\Z)|(.+)" % ((_ATOM,) * 6),
    re.DOTALL,
)

_token = re.compile(
    rb'([ \t\r\n]++)|"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)|(\[[^\[\]]*+\])|([^\s"\\<>@,;:()\[\]]++)|(.)',
    re.DOTALL,
)
_comment = re.compile(rb"\\.|[()]|[^()\\]++|\\\Z", re.DOTALL)
_escaped = re.compile(rb"\\(.)", re.DOTALL)


def parse(value: bytes) -> list[Address]:
    """The first MOST addresses of an unfolded field in order, groups with their markers.

    A group that is cut has its end. An address that MOST_TOKENS cut is left out if others were found.
    """
    found = _simple_ones(value)
    if found and found[-1][-1]:
        return _Machine(value).run()
    return [
        Address(
            name=quoted or b" ".join(phrase.split()) or None,
            route=None,
            mailbox=local1 or local2 or local3,
            host=host1 or host2 or host3,
        )
        for quoted, local1, host1, phrase, local2, host2, local3, host3, _ in found
    ]


def _simple_ones(value: bytes) -> list[tuple[bytes, ...]]:
    if len(value) <= _SMALL:
        return _simple.findall(value)[:MOST]
    matches: Iterator[re.Match[bytes]] = islice(_simple.finditer(value), MOST)
    return [match.groups(b"") for match in matches]


@attrs.define
class _Word:
    text: bytes
    spaced: bool  # white space or a comment stands before it
    special: bool = False


class _Machine:
    """Reads tokens into words; a comma, semicolon or the end makes an address of the words."""

    def __init__(self, value: bytes) -> None:
        self.value = value
        self.found: list[Address] = []
        self.in_group = False
        self.left = MOST_TOKENS
        self.clear()

    def clear(self) -> None:
        self.words: list[_Word] = []
        self.angle: list[_Word] | None = None
        self.in_angle = False
        self.in_route = False  # in the angle brackets, before the colon of ``@a,@b:local@host``
        self.has_at = False
        self.comment = b""
        self.spaced = False

    def run(self) -> list[Address]:
        at, size = 0, len(self.value)
        while at < size and self.left > 0 and len(self.found) < MOST:
            match = _token.match(self.value, at)
            assert match is not None  # the last alternative takes any octet
            at = match.end()
            self.left -= 1
            space, quoted, literal, atom, other = match.groups()
            if space:
                self.spaced = True
            elif quoted is not None:
                self.add(_escaped.sub(rb"\1", quoted))
            elif literal or atom:
                self.add(literal or atom)
            elif other == b"(":
                at = self.read_comment(at)
            else:
                self.special(other)
        if at == size or not self.found:
            self.flush()
        self.end_group()
        return self.found

    def add(self, text: bytes, special: bool = False) -> None:
        words = self.angle if self.in_angle and self.angle is not None else self.words
        words.append(_Word(text, self.spaced, special))
        self.spaced = False

    def special(self, octet: bytes) -> None:
        if octet == b"<" and self.angle is None:
            self.angle, self.in_angle, self.spaced = [], True, False
        elif octet == b">":
            self.in_angle = False
        elif octet == b"," and self.in_angle and self.in_route:
            self.add_special(octet)
        elif octet == b",":
            self.flush()
        elif octet == b";":
            self.flush()
            self.end_group()
        elif octet == b":" and not self.in_angle and not self.in_group and not self.has_at:
            self.start_group()
        elif octet in b"@:":
            self.add_special(octet)
        elif octet not in b")<":
            self.add(octet)

    def add_special(self, octet: bytes) -> None:
        """Keep an @, colon or comma, and notice what it tells about those that follow."""
        if octet == b"@":
            self.has_at = True
            self.in_route = self.in_route or (self.in_angle and not self.angle)
        elif octet == b":":
            self.in_route = False
        self.add(octet, special=True)

    def read_comment(self, at: int) -> int:
        """Keep the comment that begins here, if it is the last one it may be a name."""
        depth, start = 1, at
        for match in islice(_comment.finditer(self.value, at), self.left):
            self.left -= 1
            depth += {b"(": 1, b")": -1}.get(match[0], 0)
            if depth == 0:
                self.comment, at = self.value[start : match.start()], match.end()
                break
        else:
            self.comment, at = self.value[start:], len(self.value)
        self.spaced = True
        return at

    def start_group(self) -> None:
        self.found.append(Address(None, None, _phrase(self.words), None))
        self.clear()
        self.in_group = True

    def end_group(self) -> None:
        if self.in_group:
            self.found.append(GROUP_END)
        self.in_group = False

    def flush(self) -> None:
        """Make an address of what was read, if it was anything."""
        if self.angle is not None:
            route, spec = _split_route(self.angle)
            mailbox, host, _ = _split_at(spec, 0)
            name = _phrase(self.words) or None
            self.found.append(Address(name, route, mailbox or NO_MAILBOX, host or NO_HOST))
        elif self.words:
            self.bare(self.words, b" ".join(_escaped.sub(rb"\1", self.comment).split()))
        self.clear()

    def bare(self, words: list[_Word], comment: bytes) -> None:
        """An address without angle brackets; words before its local part are taken as a name.

        After white space another may follow without a comma.
        """
        start = 0
        while start < len(words) and len(self.found) < MOST:
            at = next((n for n in range(start, len(words)) if _is(words[n], b"@")), None)
            if at is None:
                self.found.append(_without_at(_phrase(words[start:]), comment))
                return
            begin = max(at - 1, start)
            while begin > start and not (words[begin].spaced and _complete(words, begin)):
                begin -= 1
            name = _phrase(words[start:begin]) or comment or None
            mailbox, host, start = _split_at(words, begin)
            if mailbox or host:
                self.found.append(Address(name, None, mailbox or NO_MAILBOX, host or NO_HOST))


def _without_at(phrase: bytes, comment: bytes) -> Address:
    """One word may be a local part; several are a name."""
    if b" " in phrase:
        return Address(phrase, None, NO_MAILBOX, NO_HOST)
    return Address(comment or None, None, phrase, NO_HOST)


def _complete(words: list[_Word], n: int) -> bool:
    """Whether a local part may begin at this word: ``a . b`` is one in old mail (RFC 5322 4.4)."""
    return not (words[n].text.startswith(b".") or words[n - 1].text.endswith(b"."))


def _is(word: _Word, octet: bytes) -> bool:
    return word.special and word.text == octet


def _phrase(words: list[_Word]) -> bytes:
    """Words with one space where there was white space."""
    return b"".join((b" " if word.spaced and n else b"") + word.text for n, word in enumerate(words))


def _split_route(words: list[_Word]) -> tuple[bytes | None, list[_Word]]:
    if words and _is(words[0], b"@"):
        for n, word in enumerate(words):
            if _is(word, b":"):
                return b"".join(w.text for w in words[:n]), words[n + 1 :]
    return None, words


def _split_at(words: list[_Word], start: int) -> tuple[bytes, bytes, int]:
    """Local part, domain, and where the words go on: the last @ before white space divides them."""
    at, end = None, len(words)
    for n in range(start, len(words)):
        if _is(words[n], b"@"):
            at = n
        elif at is not None and n > at + 1 and words[n].spaced and _complete(words, n):
            end = n
            break
    if at is None:
        at = end
    local, domain = words[start:at], words[at + 1 : end]
    return b"".join(w.text for w in local), b"".join(w.text for w in domain), end
