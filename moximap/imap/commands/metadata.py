"""METADATA: annotations of mailboxes and of the server (RFC 5464), and that they changed.

Entries of mailboxes, and private ones of the server, are an account's own.  Shared ones of the server
are the administrator's: all accounts read them, none writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from moximap.imap import encoding
from moximap.imap.dialect import LOGGED_IN, Capability, Enabling, Extension, Reply, Spec, logged_in
from moximap.imap.errors import Bad, No, refusal
from moximap.imap.framing import Announced
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.store.annotations import (LARGEST, Annotated, AnnotationsTooLarge, TooManyAnnotations,
                                       clean)
from moximap.store.errors import Cannot, NoSuchMailbox, StoreError
from moximap.store.interfaces import IAccount, IDirectory

SHARED: Final = "/shared/"
_CODES: Final[dict[type[StoreError], bytes]] = {
    NoSuchMailbox: b"TRYCREATE", TooManyAnnotations: b"METADATA TOOMANY",
    AnnotationsTooLarge: b"METADATA MAXSIZE %d" % LARGEST}


def response(wire: bytes, values: Mapping[str, bytes | None], utf8: bool) -> bytes:
    """METADATA with values; ``wire`` is the encoded name of a mailbox."""
    pairs = [b"%b %b" % (encoding.astring(entry.encode()), encoding.nstring(value, utf8))
             for entry, value in values.items()]
    return b"* METADATA %b (%b)\r\n" % (wire, b" ".join(pairs))


def wire_name(mailbox: str, utf8: bool) -> bytes:
    """A mailbox's name, or that of the server."""
    return encoding.mailbox(mailbox, utf8) if mailbox else b'""'


# GETMETADATA

def read(directory: IDirectory, account: IAccount, mailbox: str) -> Mapping[str, bytes]:
    """All entries of a mailbox or, with "", of the server; blocks."""
    own = account.annotations.of(mailbox)
    return own if mailbox else {**own, **directory.annotations.of()}


@attrs.frozen
class Get:
    """``depth``: levels below the entries that are meant too, None: all.  ``maxsize``: None is no limit."""

    mailbox: str
    entries: tuple[str, ...]
    maxsize: int | None = None
    depth: int | None = 0

    async def run(self, session: Session) -> Reply | None:
        try:
            values = await session.call(read, session.site.directory, session.account, self.mailbox)
        except StoreError as error:
            raise refusal(error, _CODES) from None
        wanted = {entry: value for entry, value in values.items() if self._wants(entry)}
        fits = {entry: value for entry, value in wanted.items()
                if self.maxsize is None or len(value) <= self.maxsize}
        if fits:
            session.write(response(wire_name(self.mailbox, session.utf8), fits, session.utf8))
        if len(fits) == len(wanted):
            return None
        longest = max(map(len, wanted.values()))
        return Reply("some values are longer", b"METADATA LONGENTRIES %d" % longest)

    def _wants(self, entry: str) -> bool:
        for wanted in self.entries:
            if entry == wanted:
                return True
            above = wanted.rstrip("/") + "/"
            if entry.startswith(above) and (self.depth is None or entry.count("/", len(above)) < self.depth):
                return True
        return False


def parse_get(p: Cursor) -> Get:
    """Options before the mailbox, as the ABNF has them, or behind it, as the examples of RFC 5464 do."""
    p.sp()
    options = _options(p) if p.peek() == b"(" else {}
    mailbox = p.mailbox()
    p.sp()
    if p.peek() == b"(" and p.text[p.pos + 1:p.pos + 2].isalpha():
        options |= _options(p)
    return Get(mailbox, parse_entries(p, part=options.get("depth", 0) != 0), **options)


def _options(p: Cursor) -> dict[str, Any]:
    """getmetadata-options, and the space behind them."""
    options: dict[str, Any] = {}

    def option() -> None:
        if p.one_of((b"MAXSIZE", b"DEPTH"), "GETMETADATA option") == b"MAXSIZE":
            p.sp()
            options["maxsize"] = p.number()
        else:
            p.sp()
            depth = p.one_of((b"0", b"1", b"INFINITY"), "depth")
            options["depth"] = None if depth == b"INFINITY" else int(depth)

    p.list_of(option)
    p.sp()
    return options


def parse_entries(p: Cursor, part: bool = False) -> tuple[str, ...]:
    """entries; without parentheses several may come, too, as in an example of RFC 5464."""
    if p.peek() == b"(":
        return tuple(p.list_of(lambda: entry_name(p, part)))
    entries = [entry_name(p, part)]
    while not p.only_spaces():
        p.sp()
        entries.append(entry_name(p, part))
    return tuple(entries)


def entry_name(p: Cursor, part: bool = False) -> str:
    """entry = astring; ``part``: also the beginning of a name."""
    try:
        return clean(p.decode(p.astring()), part)
    except Cannot as error:
        raise Bad(str(error)) from None


# SETMETADATA

@attrs.frozen
class Set:
    mailbox: str
    values: Mapping[str, bytes | None] = attrs.field(repr=False, hash=False)

    async def run(self, session: Session) -> None:
        """All or none; what this session changes it is not told of."""
        if not self.mailbox and any(entry.startswith(SHARED) for entry in self.values):
            raise No("shared annotations of the server are set by its administrator", b"NOPERM")
        try:
            written = await session.change(session.account.annotations.change, self.mailbox, self.values)
        except StoreError as error:
            raise refusal(error, _CODES) from None
        for watch in session.watches:
            if isinstance(watch, Watch):
                watch.own.update((self.mailbox, entry, written.modseq) for entry in self.values)


def parse_set(p: Cursor) -> Set:
    """ "SETMETADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")"."""
    p.sp()
    mailbox = p.mailbox()
    p.sp()

    def pair() -> tuple[str, bytes | None]:
        entry = entry_name(p)
        p.sp()
        return entry, p.nstring()

    return Set(mailbox, dict(p.list_of(pair)))


async def admit(session: Session, p: Cursor, announced: Announced) -> bool:
    """A value that is too long is refused before it comes."""
    limit = session.site.limits.literal
    if announced.size > limit:
        raise No("the value is too long", b"METADATA MAXSIZE %d" % limit)
    return False


# changes, unasked

class Watch:
    """What was told of annotations; names only, never values (CONTRACT 65).

    ``wants``: the mailboxes that are watched, by name; "" is the server.  ``own``: what this session has
    written since, as Annotated has it.
    """

    def __init__(self, wants: Callable[[str], bool]) -> None:
        self.wants = wants
        self.own: set[tuple[str, str, int]] = set()
        self._moment: object = None
        self._told: tuple[int | None, int | None] = (None, None)

    async def news(self, session: Session) -> bytes:
        """Nothing at first: what the client does not know it asks for."""
        assert session.room is not None
        moment = session.room.moment
        if moment == self._moment:
            return b""
        account, server = await session.call(_since, session.site.directory, session.account, *self._told)
        self._told, self._moment = (account.modseq, server.modseq), moment
        changed = [row for row in (*account.entries, *server.entries)
                   if row not in self.own and self.wants(row[0])]
        self.own.clear()
        return b"".join(_names(changed, session.utf8))


def _since(directory: IDirectory, account: IAccount, own: int | None,
           server: int | None) -> tuple[Annotated, Annotated]:
    return account.annotations.since(own), directory.annotations.since(server)


def _names(changed: Iterable[tuple[str, str, int]], utf8: bool) -> Iterable[bytes]:
    """METADATA without values, one for each mailbox."""
    entries: dict[str, list[str]] = {}
    for mailbox, entry, _ in changed:
        entries.setdefault(mailbox, []).append(entry)
    for mailbox, names in entries.items():
        yield b"* METADATA %b %b\r\n" % (wire_name(mailbox, utf8), _list(names))


def _list(names: Sequence[str]) -> bytes:
    return b" ".join(encoding.astring(name.encode()) for name in names)


def watch(session: Session, wants: Callable[[str], bool]) -> None:
    """Watch these; what was told stays known where others were watched before."""
    for each in session.watches:
        if isinstance(each, Watch):
            each.wants = wants
            return
    session.watches.append(Watch(wants))


def unwatch(session: Session) -> None:
    session.watches[:] = [each for each in session.watches if not isinstance(each, Watch)]


def _enabled(session: Session) -> None:
    """METADATA-SERVER is about the server only; METADATA about all, in whatever order both come."""
    everything = b"METADATA" in session.enabled
    watch(session, lambda mailbox: everything or not mailbox)


EXTENSION = Extension(
    name="METADATA", rfcs=(5464,),
    capabilities=(Capability(b"METADATA", logged_in),),
    commands={b"GETMETADATA": Spec(parse_get, LOGGED_IN, capability=b"METADATA"),
              b"SETMETADATA": Spec(parse_set, LOGGED_IN, admit=admit, capability=b"METADATA")},
    enable={b"METADATA": Enabling(begin=_enabled),
            b"METADATA-SERVER": Enabling(begin=_enabled)},
)
