"""A cursor over one command: a method for each shared ABNF rule (RFC 9051 section 9, RFC 3501).

The law of this file: it is pure; a rule that does not match raises Bad; ``at_x`` asks and moves on
only where it matched, ``x`` insists.  Deviations from the ABNF name the client that forced them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any, TypeVar

from moximap.imap import mailboxname
from moximap.imap.dialect import Dialect
from moximap.imap.errors import Bad
from moximap.imap.framing import Literal, Part
from moximap.imap.sequences import Sequence_, parse_sequence
from moximap.values import MAX_UID, InternalDate

_T = TypeVar("_T")

#: tag = 1*<any ASTRING-CHAR except "+">
_TAG = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]+")
#: atom = 1*ATOM-CHAR; "]" is let through, as in ASTRING-CHAR, where it ends nothing
_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_ASTRING = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]+")
#: list-mailbox = 1*list-char / string; 8-bit as clients send UTF-8 names bare
_LIST_MAILBOX = re.compile(rb"[^\x00-\x20\x7f(){\"\\]+")
#: quoted = DQUOTE *QUOTED-CHAR DQUOTE; 8-bit is let through, RFC 9051 allows UTF-8 there
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00]|\\["\\])*)"')
_ESCAPED = re.compile(rb'\\(["\\])')
_NUMBER = re.compile(rb"\d+")
_WORD = re.compile(rb"[A-Za-z0-9.\-=+$_]+")
_FLAG = re.compile(rb"\\?[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
#: sequence-set; "$" (RFC 5182) is a rule of its own
_SEQUENCE = re.compile(rb"(?:\d+|\*)(?::(?:\d+|\*))?(?:,(?:\d+|\*)(?::(?:\d+|\*))?)*(?=[ )]|$)")
_DATE = re.compile(rb'(\d{1,2})-([A-Za-z]{3})-(\d{4})')
_DATE_TIME = re.compile(rb'"([ \d]?\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"')
_MONTHS = {m: i for i, m in enumerate(
    (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1)}

MAX_NESTING = 50


class Cursor:
    """A place in a command's parts.

    ``dialect``: its tables have the rows that extensions add.  ``utf8``: UTF-8 is enabled, so mailbox
    names come as they are.
    """

    def __init__(self, parts: Sequence[Part], dialect: Dialect, utf8: bool = False) -> None:
        first = parts[0]
        assert isinstance(first, bytes)
        self.parts = parts
        self.dialect = dialect
        self.index = 0
        self.text: bytes = first
        self.pos = 0
        self.utf8 = utf8
        self.depth = 0

    # the basics

    def bad(self, what: str) -> Bad:
        """A Bad that names what was wanted, and where."""
        return Bad(f"syntax error: {what} wanted at octet {self.pos} of the command")

    def at(self, token: bytes) -> bool:
        """Whether the text goes on with ``token`` (upper case), in any case; if so, move behind it."""
        end = self.pos + len(token)
        if self.text[self.pos:end].upper() != token:
            return False
        self.pos = end
        return True

    def peek(self) -> bytes:
        """The next octet, or nothing."""
        return self.text[self.pos:self.pos + 1]

    def take(self, token: bytes) -> None:
        if not self.at(token):
            raise self.bad(token.decode())

    def sp(self) -> None:
        if not self.at_sp():
            raise self.bad(" ")

    def at_sp(self) -> bool:
        if not self.text.startswith(b" ", self.pos):
            return False
        self.pos += 1
        return True

    def at_end(self) -> bool:
        return self.pos >= len(self.text) and self.index == len(self.parts) - 1

    def only_spaces(self) -> bool:
        """Whether nothing comes any more.  Trailing spaces are let through: several clients send one."""
        return self.index == len(self.parts) - 1 and not self.text[self.pos:].strip(b" ")

    def end(self) -> None:
        """The command ends here."""
        if not self.only_spaces():
            raise self.bad("end of command")
        self.pos = len(self.text)

    def rest(self) -> bytes | None:
        """What of the command is left; None where a literal comes."""
        return self.text[self.pos:] if self.index == len(self.parts) - 1 else None

    def match(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        found = pattern.match(self.text, self.pos)
        if found is None:
            raise self.bad(what)
        self.pos = found.end()
        return found

    # words, numbers and strings

    def tag(self) -> bytes:
        return self.match(_TAG, "tag")[0]

    def word(self, what: str = "word") -> bytes:
        """A keyword of the grammar, in upper case."""
        return self.match(_WORD, what)[0].upper()

    def atom(self) -> bytes:
        return self.match(_ATOM, "atom")[0]

    def number(self) -> int:
        """number = 1*DIGIT, below 2**32."""
        value = self.number64()
        if value > MAX_UID:
            raise Bad("syntax error: a number over 4294967295")
        return value

    def nz_number(self) -> int:
        value = self.number()
        if not value:
            raise self.bad("number over 0")
        return value

    def number64(self) -> int:
        """number64 = 1*DIGIT, below 2**63."""
        digits = self.match(_NUMBER, "number")[0]
        if len(digits) > 19 or (value := int(digits)) >= 1 << 63:
            raise Bad("syntax error: a number over 9223372036854775807")
        return value

    def at_string(self) -> bytes | None:
        """A quoted string or literal, or None where there is neither."""
        if self.peek() == b'"':
            return _ESCAPED.sub(rb"\1", self.match(_QUOTED, "quoted string")[1])
        return self.literal() if self.at_literal() else None

    def at_literal(self) -> bool:
        """Whether a literal comes next; it is not taken."""
        return self.pos == len(self.text) and self.index + 1 < len(self.parts)

    def any_literal(self) -> Literal:
        """A literal of any kind, spooled too."""
        if not self.at_literal():
            raise self.bad("literal")
        literal, text = self.parts[self.index + 1], self.parts[self.index + 2]
        assert isinstance(literal, Literal) and isinstance(text, bytes)
        self.index += 2
        self.text, self.pos = text, 0
        return literal

    def literal(self) -> bytes:
        content = self.any_literal().content
        assert isinstance(content, bytes)      # only commands that ask for spooled ones get them
        return content

    def string(self) -> bytes:
        value = self.at_string()
        if value is None:
            raise self.bad("string")
        return value

    def nstring(self) -> bytes | None:
        value = self.at_string()
        if value is None:
            self.take(b"NIL")
        return value

    def astring(self) -> bytes:
        value = self.at_string()
        return self.match(_ASTRING, "astring")[0] if value is None else value

    def utf8_string(self) -> str:
        """An astring that must be UTF-8."""
        return self.decode(self.astring())

    def decode(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise Bad("a string that is not UTF-8") from None

    # mailboxes and flags

    def mailbox(self) -> str:
        """mailbox = "INBOX" / astring."""
        return self.mailbox_as_given()[0]

    def mailbox_as_given(self) -> tuple[str, str]:
        """The same, and the name as the client has it."""
        raw = self.at_string()
        given = self._name(self.match(_LIST_MAILBOX, "mailbox")[0] if raw is None else raw)
        return mailboxname.canonical(given), given

    def list_mailbox(self) -> str:
        raw = self.at_string()
        if raw is None:
            raw = self.match(_LIST_MAILBOX, "list-mailbox")[0]
        if len(raw) > 2048:
            raise Bad("a LIST pattern of over 2048 octets")
        return self._name(raw)

    def _name(self, raw: bytes) -> str:
        try:
            return mailboxname.from_wire(raw, self.utf8)
        except UnicodeDecodeError:
            raise Bad("a mailbox name that is neither modified UTF-7 nor UTF-8") from None

    def flag(self) -> str:
        return self.match(_FLAG, "flag")[0].decode()

    def flag_list(self) -> tuple[str, ...]:
        """flag-list = "(" [flag *(SP flag)] ")"."""
        self.take(b"(")
        flags: list[str] = []
        while not self.at(b")"):
            if flags:
                self.sp()
            flags.append(self.flag())
        return tuple(flags)

    # sets and dates

    def sequence_set(self) -> Sequence_:
        """sequence-set, with None for "*"."""
        return parse_sequence(self.match(_SEQUENCE, "sequence-set")[0])

    def date(self) -> date:
        """date = date-text / DQUOTE date-text DQUOTE."""
        quote = self.at(b'"')
        day, month, year = self.match(_DATE, "date").groups()
        if quote:
            self.take(b'"')
        try:
            return date(int(year), _MONTHS[month.lower()], int(day))
        except (KeyError, ValueError):
            raise Bad("syntax error: there is no such date") from None

    def date_time(self) -> InternalDate:
        """date-time, quoted, to the second, with its zone."""
        day, month, year, hour, minute, second, sign, zh, zm = self.match(_DATE_TIME, "date-time").groups()
        zone = (int(zh) * 60 + int(zm)) * (-1 if sign == b"-" else 1)
        try:
            moment = datetime(int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute),
                              min(int(second), 59), tzinfo=timezone(timedelta(minutes=zone)))
            return InternalDate(int(moment.timestamp()), zone)
        except (KeyError, ValueError, OverflowError):
            raise Bad("syntax error: there is no such date and time") from None

    # lists

    def list_of(self, item: Callable[[], _T], least: int = 1) -> list[_T]:
        """ "(" item *(SP item) ")", with at least ``least`` items."""
        self.take(b"(")
        items: list[_T] = []
        while not (len(items) >= least and self.at(b")")):
            if items:
                self.sp()
            items.append(item())
        return items

    def one_of(self, words: Collection[bytes], what: str) -> bytes:
        """A word that is one of ``words``."""
        start = self.pos
        word = self.word(what)
        if word not in words:
            self.pos = start
            raise Bad(f"unknown {what}: {word.decode()}")
        return word

    def row(self, table: str, what: str) -> Any:
        """The row of one of the dialect's tables that comes next, by its name; Bad where it has none."""
        name = self.word(what)
        row = self.dialect.tables[table].get(name)
        if row is None:
            raise Bad(f"unknown {what} {name.decode()}")
        return row

    def nest(self) -> None:
        """Go one level deeper, at most MAX_NESTING; the caller counts ``depth`` down."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Bad(f"nested deeper than {MAX_NESTING} levels")
