"""What a client does, with types: log in, select, fetch, append, wait (RFC 9051 section 6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, DeferredQueue

from moximap.client.protocol import CommandFailed, Connection, ConnectionEnded, Literal, Part, Result
from moximap.client.reading import Answer, BadResponse, Untagged, Value, items, number, numbers, uid
from moximap.imap import encoding
from moximap.values import InternalDate, NumSet

_QUOTABLE: Final = 1000


@attrs.frozen
class Resync:
    """What a client remembers of a mailbox (RFC 7162 3.2.5)."""

    uidvalidity: int
    modseq: int
    known: NumSet | None = None

    def __bytes__(self) -> bytes:
        known = b" " + encoding.numset(self.known) if self.known else b""
        return b"QRESYNC (%d %d%b)" % (self.uidvalidity, self.modseq, known)


@attrs.frozen
class Fetched:
    """One FETCH response: ``items`` by their names in upper case, BODY[...] included."""

    sequence: int
    items: dict[bytes, Value]

    def has(self, *names: bytes) -> bool:
        """Whether all these items are there."""
        return self.items.keys() >= set(names)

    @property
    def uid(self) -> int:
        return uid(self._need(b"UID"))

    @property
    def modseq(self) -> int:
        return number(next(iter(items(self._need(b"MODSEQ"))), None))

    @property
    def flags(self) -> frozenset[str]:
        return _flags(self._need(b"FLAGS"))

    def _need(self, name: bytes) -> Value:
        if name not in self.items:
            raise BadResponse(name.decode())
        return self.items[name]

    def octets(self, name: bytes) -> bytes:
        """A string; empty where it is NIL or not there."""
        found = self.items.get(name.upper())
        return found if isinstance(found, bytes) else b""


@attrs.frozen
class Selected:
    """What SELECT and EXAMINE tell.  ``vanished``, ``changed``: by QRESYNC, since then."""

    read_only: bool
    exists: int
    uidvalidity: int
    uidnext: int
    highestmodseq: int
    flags: frozenset[str]
    permanent_flags: frozenset[str]
    vanished: NumSet
    changed: tuple[Fetched, ...]


@attrs.frozen
class Added:
    """Where APPEND has put a message."""

    uidvalidity: int
    uid: int


def _flags(value: Value) -> frozenset[str]:
    return frozenset(each.decode("utf-8", "replace") for each in items(value) if isinstance(each, bytes))


def fetched(response: Untagged) -> Fetched:
    """From `* n FETCH (...)`."""
    pairs = items(response.values[0] if response.values else ())
    found = {name.upper(): value for name, value in zip(pairs[::2], pairs[1::2], strict=False)
             if isinstance(name, bytes)}
    return Fetched(response.number or 0, found)


def vanished(responses: Iterable[Untagged]) -> NumSet:
    """All UIDs of VANISHED responses, EARLIER or not."""
    return NumSet.merge(span for each in responses for span in numbers(each.value(-1)).ranges)


class Idle:
    """Inside IDLE: ``next`` gives what the server tells, one response at a time."""

    def __init__(self) -> None:
        self._told: DeferredQueue[Untagged | Exception] = DeferredQueue()

    def tell(self, response: Untagged | Exception) -> None:
        self._told.put(response)

    async def next(self) -> Untagged:
        """Wait for the next one; ConnectionEnded, CommandFailed."""
        found = await self._told.get()
        if isinstance(found, Exception):
            raise found
        return found


class Client:
    """A connection on which the server has said its greeting."""

    def __init__(self, connection: Connection, greeting: Answer) -> None:
        self.connection = connection
        self.greeting = greeting
        self.enabled: set[bytes] = set()

    @property
    def preauth(self) -> bool:
        """Whether the server knows us already, by our key or the tunnel."""
        return self.greeting.status == b"PREAUTH"

    async def command(self, *parts: Part) -> Result:
        """Any command: b"UID EXPUNGE 3", or pieces with a Literal; CommandFailed, ConnectionEnded."""
        return await self.connection.command(*parts)

    # before a mailbox is selected

    async def capability(self) -> frozenset[bytes]:
        """What the server can, in upper case; asked for where it was not told."""
        if not self.connection.capabilities:
            await self.command(b"CAPABILITY")
        return self.connection.capabilities

    async def login(self, name: str, password: str) -> None:
        """CommandFailed.  For connections that nobody can read on the way."""
        self.connection.capabilities = frozenset()
        await self.command(b"LOGIN ", _string(name), b" ", _string(password))
        await self.capability()

    async def authenticate_external(self) -> None:
        """Log in by the key that TLS has proved."""
        self.connection.capabilities = frozenset()
        await self.command(b"AUTHENTICATE EXTERNAL =")
        await self.capability()

    async def enable(self, *names: bytes) -> frozenset[bytes]:
        """What was enabled of these."""
        result = await self.command(b"ENABLE " + b" ".join(names))
        found = frozenset(each.upper() for response in result.named(b"ENABLED")
                          for each in response.values if isinstance(each, bytes))
        self.enabled |= found
        return found

    def mailbox(self, name: str | bytes) -> bytes:
        """A mailbox's name as it is sent; bytes are one as the server lists it."""
        if isinstance(name, bytes):
            return encoding.quoted(name)
        return encoding.mailbox(name, not self.enabled.isdisjoint((b"IMAP4REV2", b"UTF8=ACCEPT")))

    async def select(self, mailbox: str | bytes, *, read_only: bool = False,
                     resync: Resync | None = None) -> Selected:
        """Open a mailbox; ``resync`` needs ENABLE QRESYNC first."""
        parameters = b" (%b)" % bytes(resync) if resync is not None else b""
        verb = b"EXAMINE " if read_only else b"SELECT "
        return _selected(await self.command(verb + self.mailbox(mailbox) + parameters))

    async def logout(self) -> None:
        """Say goodbye, and wait until the connection has ended."""
        try:
            await self.command(b"LOGOUT")
        except ConnectionEnded:
            return
        await self.connection.close()

    async def close(self) -> None:
        """End the connection without a word."""
        await self.connection.close()

    # messages

    async def fetch(self, uids: NumSet, names: Sequence[bytes], *, changed_since: int | None = None,
                    with_vanished: bool = False) -> tuple[list[Fetched], NumSet]:
        """UID FETCH: the messages, and the UIDs of those that are gone, if ``with_vanished``."""
        since = b""
        if changed_since is not None:
            since = b" (CHANGEDSINCE %d%b)" % (changed_since, b" VANISHED" * with_vanished)
        result = await self.command(b"UID FETCH %b (%b)%b" % (encoding.numset(uids), b" ".join(names), since))
        return [fetched(each) for each in result.named(b"FETCH")], vanished(result.named(b"VANISHED"))

    async def append(self, mailbox: str, content: bytes, flags: Iterable[str] = (),
                     date: InternalDate | None = None) -> Added | None:
        """Add a message; where it is, if the server tells."""
        words = b"APPEND " + self.mailbox(mailbox) + b" "
        if listed := encoding.flags(flags):
            words += b"(%b) " % listed
        if date is not None:
            words += encoding.internaldate(date.seconds, date.zone) + b" "
        answer = (await self.command(words, Literal(content, b"\0" in content))).answer
        if answer.code_name != b"APPENDUID":
            return None
        return Added(number(answer.code[1]), number(answer.code[2]))

    @asynccontextmanager
    async def idle(self) -> AsyncIterator[Idle]:
        """`async with client.idle() as idle`: what the server tells of is in ``idle.next()``.

        CommandFailed where the server does not want to.
        """
        idle, started, stop = Idle(), Deferred[None](), Deferred[bytes]()
        before, self.connection.heard = self.connection.heard, idle.tell

        def begun() -> Deferred[bytes]:
            started.callback(None)
            return stop

        async def run() -> None:
            try:
                await self.connection.command(b"IDLE", during=begun)
            except (CommandFailed, ConnectionEnded, BadResponse) as error:
                if started.called:
                    idle.tell(error)
                else:
                    started.errback(error)

        ended = Deferred.fromCoroutine(run())
        try:
            await started
            yield idle
        finally:
            stop.callback(b"DONE")
            self.connection.heard = before
            await ended


def _string(text: str) -> Part:
    raw = text.encode()
    if raw.isascii() and len(raw) < _QUOTABLE and not set(raw) & {0, 10, 13}:
        return encoding.quoted(raw)
    return Literal(raw)


def _selected(result: Result) -> Selected:
    codes: dict[bytes, Any] = {}
    for each in (*result.untagged, Untagged(b"OK", answer=result.answer)):
        if each.answer is not None and each.answer.code:
            codes[each.answer.code_name] = each.answer.code[1:]

    def count(name: bytes) -> int:
        return number(codes[name][0]) if codes.get(name) else 0

    flags = result.named(b"FLAGS")
    exists = result.named(b"EXISTS")
    return Selected(
        read_only=b"READ-ONLY" in codes, exists=(exists[-1].number or 0) if exists else 0,
        uidvalidity=count(b"UIDVALIDITY"), uidnext=count(b"UIDNEXT"), highestmodseq=count(b"HIGHESTMODSEQ"),
        flags=_flags(flags[-1].value(0)) if flags else frozenset(),
        permanent_flags=_flags(codes[b"PERMANENTFLAGS"][0]) if codes.get(b"PERMANENTFLAGS") else frozenset(),
        vanished=vanished(result.named(b"VANISHED")),
        changed=tuple(fetched(each) for each in result.named(b"FETCH")))
