"""Search programs: keys as a client writes them (RFC 9051 6.4.4 and section 9, RFC 3501).

A row of the table ``search`` is a function that reads a key's arguments, behind its name, and gives a
Key.  A Key becomes a tree once it is known which mailbox is searched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import attrs

from moximap.imap.commands.search_answer import Option
from moximap.imap.commands.search_tree import all_of, any_of
from moximap.imap.errors import Bad, No
from moximap.imap.grammar import Cursor
from moximap.imap.messageset import MessageSet
from moximap.imap.session import Session
from moximap.searchtree import InUids, Not, SearchTree
from moximap.values import NumSet

#: UTF-8 text may come under the name of US-ASCII, which is a part of it.
CHARSETS: Final = (b"US-ASCII", b"UTF-8")


class IScope(Protocol):
    """The mailbox that is searched."""

    def uids(self, numbers: MessageSet) -> NumSet:
        """The UIDs that a set names here; some may be of no message."""


class IKey(Protocol):
    """A search key: a frozen value."""

    def tree(self, scope: IScope) -> SearchTree:
        """What it means in one mailbox."""


@attrs.frozen
class Plain:
    """A key that means the same in every mailbox."""

    meaning: SearchTree

    def tree(self, scope: IScope) -> SearchTree:
        return self.meaning


@attrs.frozen
class Numbers:
    """A sequence-set, UID with one, or "$"."""

    numbers: MessageSet

    def tree(self, scope: IScope) -> SearchTree:
        return InUids(scope.uids(self.numbers))


@attrs.frozen
class AllOf:
    keys: tuple[IKey, ...]

    def tree(self, scope: IScope) -> SearchTree:
        return all_of([key.tree(scope) for key in self.keys])


@attrs.frozen
class AnyOf:
    keys: tuple[IKey, ...]

    def tree(self, scope: IScope) -> SearchTree:
        return any_of([key.tree(scope) for key in self.keys])


@attrs.frozen
class NoneOf:
    key: IKey

    def tree(self, scope: IScope) -> SearchTree:
        return Not(self.key.tree(scope))


@attrs.frozen
class Program:
    """``charset`` as the client named it, in upper case; None where it did not.

    ``added``: options that keys bring along, such as that MODSEQ is told of.  ``must_name``: the command's
    grammar wants a charset, so that there is no harm in it.
    """

    key: IKey
    charset: bytes | None = None
    added: tuple[Option, ...] = ()
    must_name: bool = False

    def check(self, session: Session) -> None:
        """Bad where a charset may not be named (RFC 6855 section 3), No where it is unknown."""
        if self.charset is None:
            return
        if b"UTF8=ACCEPT" in session.enabled and not self.must_name:
            raise Bad("with UTF8=ACCEPT enabled SEARCH takes no CHARSET")
        if self.charset not in CHARSETS:
            raise No("there is no such charset here", b"BADCHARSET (%b)" % b" ".join(CHARSETS))


def parse_program(p: Cursor) -> Program:
    """search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)."""
    return _program(p, _charset(p) if p.at(b"CHARSET ") else None)


def parse_criteria(p: Cursor) -> Program:
    """search-criteria = charset 1*(SP search-key) (RFC 5256 section 5)."""
    return _program(p, _charset(p), must_name=True)


def _charset(p: Cursor) -> bytes:
    charset = p.astring().upper()
    p.sp()
    return charset


def _program(p: Cursor, charset: bytes | None, must_name: bool = False) -> Program:
    reader = KeyReader(p, charset in (None, *CHARSETS))
    return Program(reader.keys(), charset, tuple(dict.fromkeys(reader.added)), must_name)


class KeyReader:
    """Reads search keys.  ``known``: the charset is; otherwise strings are only read over.

    A key may put into ``added`` what the answer must have because of it.
    """

    def __init__(self, p: Cursor, known: bool = True) -> None:
        self.p = p
        self.added: list[Option] = []
        self._known = known

    def keys(self) -> IKey:
        """search-key *(SP search-key): all of them."""
        keys = [self.key()]
        while not self.p.at_end() and self._another():
            keys.append(self.key())
        return keys[0] if len(keys) == 1 else AllOf(tuple(keys))

    def _another(self) -> bool:
        """A space, and not just the one that several clients send at the end of a line."""
        p = self.p
        if p.at_sp():
            if not p.at_end():
                return True
            p.pos -= 1
        return False

    def key(self) -> IKey:
        """search-key."""
        p = self.p
        if p.at(b"("):
            return self._nested()
        if p.peek() and p.peek() in b"0123456789*$":
            return Numbers(MessageSet.parse(p, uid=False))
        row: Callable[[KeyReader], IKey] = p.row("search", "search key")
        return row(self)

    def _nested(self) -> IKey:
        self.p.nest()
        key = self.keys()
        self.p.take(b")")
        self.p.depth -= 1
        return key

    def negated(self) -> IKey:
        """The search-key behind NOT."""
        self.p.sp()
        self.p.nest()
        key = NoneOf(self.key())
        self.p.depth -= 1
        return key

    def either(self) -> IKey:
        """Two search-keys behind OR.  A key that is again an OR adds one to the keys that are wanted,
        on either side, so that clients may chain hundreds of them."""
        keys: list[IKey] = []
        wanted = 2
        while len(keys) < wanted:
            self.p.sp()
            if self.p.at(b"OR "):
                self.p.pos -= 1
                wanted += 1
            else:
                keys.append(self.key())
        return AnyOf(tuple(keys))

    def text(self) -> str:
        """SP astring, in the program's charset.

        Other octets are a NO, "can't search that criteria" (RFC 9051 6.4.4): JavaMail, which sends Latin-1
        where UTF8=ACCEPT is enabled, then searches by itself.
        """
        self.p.sp()
        raw = self.p.astring()
        if not self._known:
            return ""
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise No("text that is not UTF-8 cannot be searched for") from None
