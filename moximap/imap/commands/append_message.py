"""append-message, which APPEND and REPLACE have in common (RFC 9051 6.3.12, RFC 4466 2.6.1, RFC 7889).

A literal is judged when it is announced, by the text before it; all text before that was judged
already, so a command of a thousand messages costs no more for the last than for the first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import attrs

from moximap.imap import encoding
from moximap.imap.commands.store import check_flags
from moximap.imap.dialect import Dialect
from moximap.imap.errors import Bad, No, refusal
from moximap.imap.framing import DISCARD, Announced, Literal
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.store.errors import NoSuchMailbox
from moximap.store.interfaces import NewMessage
from moximap.values import Appended, InternalDate

_UTF8 = b"UTF8 ("
#: Octets of text whose options are remembered.
_LONGEST = 512
#: Flags, date, and whether the literal is wrapped in UTF8 (...).
_Options = tuple[tuple[str, ...], InternalDate | None, bool]


@attrs.frozen
class Message:
    """A message as a client sent it."""

    flags: tuple[str, ...]
    date: InternalDate | None
    literal: Literal = attrs.field(repr=False)

    def new(self) -> NewMessage:
        """The same for the store."""
        return NewMessage(self.literal.content, self.flags, self.date)


@contextmanager
def trycreate() -> Iterator[None]:
    """A target that does not exist is one that the client may create."""
    try:
        yield
    except NoSuchMailbox as error:
        raise refusal(error, {NoSuchMailbox: b"TRYCREATE"}) from None


def appenduid(appended: Appended) -> bytes:
    """resp-code-apnd: the UIDs in the order of the messages."""
    return b"APPENDUID %d %b" % (appended.uidvalidity, encoding.numset(appended.uids))


def parse_message(p: Cursor) -> Message:
    """append-message = [SP flag-list] [SP date-time] SP literal, or RFC 6855's UTF8 (literal8)."""
    flags, date, wrapped = _options(p)
    literal = p.any_literal()
    if wrapped:
        p.take(b")")
    return Message(flags, date, literal)


def _options(p: Cursor) -> _Options:
    """What stands before the literal: mostly it was judged a moment ago, when the literal was announced."""
    text = p.text[p.pos:]
    if len(text) > _LONGEST:
        return _read_options(p)
    try:
        options, length = _recalled(text, p.dialect)
    except Bad:
        return _read_options(p)                    # which says where in the command it is bad
    p.pos += length
    return options


@lru_cache(maxsize=64)
def _recalled(text: bytes, dialect: Dialect) -> tuple[_Options, int]:
    """The options with which a text begins, and their octets."""
    p = Cursor([text], dialect)
    return _read_options(p), p.pos


def _read_options(p: Cursor) -> _Options:
    p.sp()
    flags: tuple[str, ...] = ()
    if p.peek() == b"(":
        flags = check_flags(tuple(f for f in p.flag_list() if f.upper() != "\\RECENT"))
        p.sp()
    date = None
    if p.peek() == b'"':
        date = p.date_time()
        p.sp()
    return flags, date, p.at(_UTF8)


# judging what is announced

#: Asks the store about a number of messages and their octets in all; it raises a StoreError.
Ask = Callable[[int, int], Awaitable[None]]


async def judge(session: Session, p: Cursor, announced: Announced, ask: Ask, most: int | None = None) -> None:
    """Refuse a message that cannot be appended.  The cursor is behind the mailbox.

    One that comes unasked, and is read to its end in any case, costs no question to the store: the append
    itself will tell.
    ``most``: the number of messages that the command may have.
    """
    limits = session.site.limits
    sizes = [part.size for part in p.parts[p.index + 1:] if isinstance(part, Literal)]
    if len(sizes) == most:
        raise Bad("this command takes one message")
    _judge_text(p)
    if not announced.size:
        raise No("an empty message cancels the command: nothing was appended")
    if announced.size > limits.append:
        raise No(f"a message of over {limits.append} octets is not taken here", b"TOOBIG")
    octets = sum(sizes) + announced.size
    if announced.sync or announced.size > DISCARD or octets > limits.batch:
        with trycreate():
            await ask(len(sizes) + 1, octets)


def _judge_text(p: Cursor) -> None:
    """The text between the last literal and the one that is announced must fit."""
    parts, last = p.parts, p.parts[-1]
    if p.index < len(parts) - 1:
        before = parts[-3]
        assert isinstance(before, bytes)
        p = Cursor([last], p.dialect, p.utf8)
        if before.upper().endswith(_UTF8):
            p.take(b")")
    _options(p)
    if not p.at_end():
        raise p.bad("literal")
