"""What a server speaks: a Dialect is a list of Extensions, and an Extension is rows in tables.

Capabilities, dispatch and documentation are read from here.  A module of ``commands/`` that ends in
``EXTENSION = Extension(...)`` is part of the standard dialect; nothing else names it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    from moximap.imap.framing import Announced
    from moximap.imap.grammar import Cursor
    from moximap.imap.sequences import Sequence_
    from moximap.imap.session import Session
    from moximap.imap.view import View
    from moximap.imap.waiting import Progress

#: Connection states (RFC 9051 section 3), as bits.
NOT_AUTHENTICATED = 1
AUTHENTICATED = 2
SELECTED = 4
#: Lists of capabilities that are remembered: one for each state that a session may be in.
MOST_LINES = 256
LOGGED_IN = AUTHENTICATED | SELECTED
ANY_STATE = NOT_AUTHENTICATED | LOGGED_IN


@attrs.frozen
class Reply:
    """What a command's tagged OK says; ``code`` is the response code without its brackets.

    ``told``: what changed was told just now.
    """

    text: str = ""
    code: bytes | None = None
    told: bool = False


class ICommand(Protocol):
    """A parsed command: a frozen value."""

    def run(self, session: Session) -> Awaitable[Reply | None] | Reply | None:
        """Do it; write only the command's own answer.  Refusals are raised."""


class INumbered(ICommand, Protocol):
    """A command about messages that its words name by numbers."""

    def about(self, numbers: Sequence_) -> INumbered:
        """The same about other messages."""


Admit = Callable[["Session", "Cursor", "Announced"], Awaitable[bool]]


@attrs.frozen
class Spec:
    """A row of the table of commands.

    ``states``: where it is allowed. ``may_expunge``: whether expunges may be told before its tagged
    line (RFC 9051 7.5.1). ``tells``: whether any changes are. ``writes``: refused in a mailbox that is
    selected read-only. ``numbered``: it uses sequence numbers. ``admit``: judges a literal before its
    continuation is sent, with a cursor behind the command's name (it raises a refusal); True: it is a message
    and may be spooled to disk, False: it is a string like any other.  ``capability``: where that is switched
    off the command is unknown.
    """

    parse: Callable[[Cursor], ICommand]
    states: int
    may_expunge: bool = True
    tells: bool = True
    writes: bool = False
    numbered: bool = False
    admit: Admit | None = None
    capability: bytes = b""


def always(session: Session) -> bool:
    """For Capability.when: in every state."""
    return True


@attrs.frozen
class Capability:
    """A capability, when it is announced, and the number behind its "=" if it has one."""

    name: bytes
    when: Callable[[Session], bool] = always
    value: Callable[[Session], int] | None = None

    def text(self, session: Session) -> bytes:
        """As it is announced."""
        return self.name if self.value is None else b"%b=%d" % (self.name, self.value(session))


def logged_in(session: Session) -> bool:
    """For Capability.when: after authentication only."""
    return session.state != NOT_AUTHENTICATED


@attrs.frozen
class Enabling:
    """A row of the table ``enable``.

    ``implies``: names that are enabled with it.  ``dress`` gives a selected mailbox's view its new forms.
    ``begin`` is called once, when it is enabled and the view is dressed.
    """

    implies: tuple[bytes, ...] = ()
    dress: Callable[[View], None] | None = None
    begin: Callable[[Session], None] | None = None


Table = Mapping[bytes, Any]
Tell = Callable[["Session", "Progress"], bytes]


@attrs.frozen
class Extension:
    """An RFC, or a family of commands: its name, its RFCs, and its rows in the tables.

    ``enable``: names for ENABLE.  What a row of the other tables is stands in the module that reads
    them: fetch, store, search, sort, thread, status, select, list, mailboxes.  ``long_wait``: what a client
    is told while a command waits long.
    """

    name: str
    rfcs: tuple[int, ...]
    capabilities: tuple[Capability, ...] = ()
    commands: Mapping[bytes, Spec] = attrs.field(factory=dict)
    enable: Mapping[bytes, Enabling] = attrs.field(factory=dict)
    fetch: Table = attrs.field(factory=dict)
    fetch_modifiers: Table = attrs.field(factory=dict)
    store_modifiers: Table = attrs.field(factory=dict)
    search: Table = attrs.field(factory=dict)
    search_returns: Table = attrs.field(factory=dict)
    sort: Table = attrs.field(factory=dict)
    thread: Table = attrs.field(factory=dict)
    status: Table = attrs.field(factory=dict)
    select: Table = attrs.field(factory=dict)
    select_codes: Table = attrs.field(factory=dict)
    list_selections: Table = attrs.field(factory=dict)
    list_returns: Table = attrs.field(factory=dict)
    create: Table = attrs.field(factory=dict)
    mechanisms: Table = attrs.field(factory=dict)
    long_wait: Tell | None = None
    module: str = ""


_TABLES = ("commands", "enable", "fetch", "fetch_modifiers", "store_modifiers", "search", "search_returns",
           "sort", "thread", "status", "select", "select_codes", "list_selections", "list_returns", "create",
           "mechanisms")


#: A command's name, its row, and what it was parsed to.
Parsed = tuple[bytes, Spec, ICommand]
Numbered = tuple[bytes, Spec, INumbered]


@attrs.frozen(eq=False)
class Dialect:
    """A list of extensions, and their tables merged; two rows of one name are an error.

    ``parsed``: commands as they were parsed, by their text without the tag and whether UTF-8 is enabled.
    """

    extensions: tuple[Extension, ...]
    tables: Mapping[str, dict[bytes, Any]] = attrs.field(init=False)
    commands: Mapping[bytes, Spec] = attrs.field(init=False)
    long_waits: tuple[Tell, ...] = attrs.field(init=False)
    _told: tuple[tuple[bytes, Capability], ...] = attrs.field(init=False)
    _asked: tuple[Callable[[Session], int], ...] = attrs.field(init=False)
    _lines: dict[object, bytes] = attrs.field(init=False, factory=dict)
    parsed: dict[tuple[bytes | None, bool], Parsed] = attrs.field(init=False, factory=dict)
    numbered: dict[tuple[bytes, bytes | None, bool], Numbered] = attrs.field(init=False, factory=dict)

    @tables.default
    def _tables(self) -> dict[str, dict[bytes, Any]]:
        return {name: self._merge(name) for name in _TABLES}

    @long_waits.default
    def _long_waits(self) -> tuple[Tell, ...]:
        return tuple(each.long_wait for each in self.extensions if each.long_wait is not None)

    @_told.default
    def _sorted(self) -> tuple[tuple[bytes, Capability], ...]:
        rows = [row for each in self.extensions for row in each.capabilities]
        rows.sort(key=lambda row: (not row.name.startswith(b"IMAP4"), row.name))
        return tuple((row.name.upper(), row) for row in rows)

    @_asked.default
    def _what_is_asked(self) -> tuple[Callable[[Session], int], ...]:
        asked = [question for _, row in self._told for question in (row.when, row.value)]
        return tuple(question for question in dict.fromkeys(asked) if question not in (None, always))

    @commands.default
    def _commands(self) -> Mapping[bytes, Spec]:
        return self.tables["commands"]

    def _merge(self, table: str) -> dict[bytes, Any]:
        merged: dict[bytes, Any] = {}
        for extension in self.extensions:
            for key, row in getattr(extension, table).items():
                if key in merged:
                    raise ValueError(f"{extension.name}: {key!r} is in the table {table} already")
                merged[key] = row
        return merged

    def capabilities(self, session: Session) -> bytes:
        """The capabilities of a session as it is now, IMAP4rev1 first."""
        hidden = session.hidden
        state = hidden, *[question(session) for question in self._asked]
        known = self._lines.get(state)
        if known is None:
            if len(self._lines) >= MOST_LINES:
                self._lines.clear()
            known = self._lines[state] = b" ".join([row.text(session) for name, row in self._told
                                                    if row.when(session) and name not in hidden])
        return known


def known_capabilities() -> set[str]:
    """What clients may be told of, and what they may ENABLE, in upper case: all that can be switched off."""
    dialect = standard()
    told = {row.name for extension in dialect.extensions for row in extension.capabilities}
    return {name.decode().upper() for name in told | set(dialect.tables["enable"])} - {"IMAP4REV1"}


def discover() -> Iterable[Extension]:
    """The EXTENSION of every module in ``commands/``, by module name."""
    from moximap.imap import commands

    for info in pkgutil.iter_modules(commands.__path__, commands.__name__ + "."):
        extension = getattr(importlib.import_module(info.name), "EXTENSION", None)
        if extension is not None:
            yield attrs.evolve(extension, module=info.name)


@cache
def standard() -> Dialect:
    """The dialect of all modules in ``commands/``."""
    return Dialect(tuple(discover()))
