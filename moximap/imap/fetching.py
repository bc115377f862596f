"""FETCH items as columns and formats, and their bulk rendering (RFC 9051 7.5.2).

A FETCH is compiled to one format string.  Where no item can be large, values are converted column by
column, and all messages of a piece are one format operation.  Rendering is done in a store thread, in
pieces of bounded size; a large body is not rendered but streamed.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from moximap.store.errors import Unavailable
from moximap.store.interfaces import Column, IAccount, IContent
from moximap.values import SEEN, NumSet

if TYPE_CHECKING:
    from moximap.imap.view import View

#: Octets after which a piece of a response goes out; also what is read of a large body at a time.
PIECE = 262144


@attrs.frozen
class Streamed:
    """A value that is too large to render: ``label``, then octets [start, end) of a content.

    ``text``: in a literal that may hold no NUL.
    """

    label: bytes
    content: IContent
    start: int
    end: int
    text: bool = False


def without_nul(data: bytes) -> bytes:
    """What a plain literal may hold (RFC 9051 4.3.1): 0x80 for NUL, so that no size changes; BINARY gives
    the message as it is."""
    return data.replace(b"\0", b"\x80") if b"\0" in data else data


Value = bytes | int | Streamed
Convert = Callable[..., Value]
Rows = Iterator[tuple[Any, ...]]


@attrs.frozen
class Context:
    """What rendering needs of the session: names of flag codes, and what is added to all codes."""

    flags: Callable[[int], bytes]
    utf8: bool = False
    seen: int = 0


class IFetchItem(Protocol):
    """A FETCH item as it was asked for.

    ``format`` takes one value: the only column, or what `converter` makes of the columns.
    """

    @property
    def columns(self) -> tuple[Column, ...]: ...

    @property
    def format(self) -> bytes: ...

    @property
    def sets_seen(self) -> bool: ...

    @property
    def enables(self) -> bytes:
        """An ENABLE name that asking for it implies, or nothing."""

    def converter(self, context: Context) -> Convert | None: ...


@attrs.frozen(cache_hash=True)
class Field:
    """An item that is one column in a format, perhaps converted."""

    format: bytes
    columns: tuple[Column, ...]
    convert: Convert | None = None
    sets_seen: bool = False
    enables: bytes = b""

    def converter(self, context: Context) -> Convert | None:
        return self.convert


@attrs.frozen(cache_hash=True)
class FlagsField:
    """FLAGS, with \\Seen where this FETCH is about to set it."""

    format: bytes = b"FLAGS (%b)"
    columns: tuple[Column, ...] = ("flags",)
    sets_seen: bool = False
    enables: bytes = b""

    def converter(self, context: Context) -> Convert:
        names, seen = context.flags, context.seen
        return (lambda code: names(code | seen)) if seen else names


class Plan:
    """A compiled FETCH."""

    def __init__(self, items: Sequence[IFetchItem], context: Context, word: bytes) -> None:
        columns: list[Column] = ["uid"]
        takes: list[tuple[tuple[int, ...], Convert | None]] = []
        formats = []
        #: Several values that may be large are not all rendered at once, nor made where rows are read.
        self.bulky = sum(column in ("content", "head") or not isinstance(column, str)
                         for item in items for column in item.columns) > 1
        for item in items:
            wanted, convert = item.columns, item.converter(context)
            if self.bulky and not isinstance(first := wanted[0], str):
                wanted, convert = ("head",), first.of_head
            columns += [c for c in wanted if c not in columns]
            takes.append((tuple(map(columns.index, wanted)), convert))
            formats.append(item.format)
        self.columns = tuple(columns)
        self.modseq = columns.index("modseq") if "modseq" in columns else None
        self._takes = takes
        self._formats = formats
        self._head = b"* %d " + word + b" ("
        self._codes = [i for i, column in enumerate(columns) if column == "flags"]
        self._format = self._head + b" ".join(formats) + b")\r\n"
        #: What "octets" does not measure.
        self.made = [i for i, column in enumerate(columns) if not isinstance(column, str)]
        #: No value is ever streamed.
        self.even = "content" not in columns and not self.bulky
        #: An image of the mailbox has all that is asked.
        self.from_memory = set(columns) <= {"uid", "flags", "modseq"}

    def text(self, numbers: Sequence[int], columns: Sequence[Sequence[Any]]) -> bytes:
        """The responses for messages, given as columns; only where the plan is even."""
        values = [columns[places[0]] if convert is None else self._converted(places, convert, columns)
                  for places, convert in self._takes]
        # One operation for all of them: each value is copied once.
        return self._format * len(numbers) % tuple(chain.from_iterable(zip(numbers, *values)))

    def _converted(self, places: tuple[int, ...], convert: Convert,
                   columns: Sequence[Sequence[Any]]) -> Iterable[Value]:
        if list(places) == self._codes:        # few are different
            codes = columns[places[0]]
            return map({code: convert(code) for code in set(codes)}.__getitem__, codes)
        return map(convert, *[columns[i] for i in places])

    def line(self, number: int, row: Sequence[Any]) -> bytes | list[bytes | Streamed]:
        """The response for one message; as a list where a value is streamed."""
        values = [row[places[0]] if convert is None else convert(*[row[i] for i in places])
                  for places, convert in self._takes]
        if not self.even and Streamed in map(type, values):
            return self._pieces(number, values)
        return self._format % (number, *values)

    def _pieces(self, number: int, values: list[Value]) -> list[bytes | Streamed]:
        out: list[bytes | Streamed] = [self._head % number]
        for i, (form, value) in enumerate(zip(self._formats, values, strict=True)):
            if i:
                out.append(b" ")
            if isinstance(value, Streamed):
                out += [value.label, value]
            else:
                out.append(form % value)
        return [*out, b")\r\n"]

    def some(self, number: int, row: Sequence[Any],
             start: int) -> tuple[bytes | list[bytes | Streamed], int]:
        """The response for one message from item ``start`` on: PIECE octets or little more of it.

        Also the item that is next, 0 where it is whole.
        """
        out: list[bytes | Streamed] = []
        done = [b"" if start else self._head % number]
        size = 0
        for i, (places, convert) in enumerate(self._takes[start:], start):
            if size >= PIECE:
                return [*out, *done], i
            value = row[places[0]] if convert is None else convert(*[row[j] for j in places])
            if i:
                done.append(b" ")
            if isinstance(value, Streamed):
                out += [*done, value.label, value]
                done = []
            else:
                done.append(self._formats[i] % value)
                size += len(done[-1])
        done.append(b")\r\n")
        return ([*out, *done] if out else b"".join(done)), 0

    def from_image(self, view: View, uids: array[int]) -> bytes | None:
        """Responses from memory; None where a message is not in the image any more."""
        known = view.image.columns(uids)
        if known is None:
            return None
        sources: dict[object, array[int]] = {"uid": uids, "flags": known[0], "modseq": known[1]}
        return self.text(view.numbering.numbers(view, uids), [sources[c] for c in self.columns])


@attrs.define
class Rendered:
    """A piece of a response.  ``last``: the UID up to which it goes, None: it is the end.

    ``unseen``: UIDs in it that have no \\Seen; ``count``: messages in it; ``highest``: the highest MODSEQ
    that it shows, or 0; ``item``: the item of the last message that comes next, 0 where all were there.
    """

    parts: list[bytes | Streamed]
    last: int | None
    count: int
    unseen: list[int]
    highest: int
    item: int = 0


def render(account: IAccount, view: View, uids: NumSet, plan: Plan, watch_seen: bool,
           item: int = 0) -> Rendered:
    """Render up to PIECE octets, or up to a streamed value; blocks, so in a store thread.

    ``item``: that of the first message where it begins; Unavailable where that message is gone.
    """
    mailbox = view.mailbox.id
    columns = (*plan.columns, "flags") if watch_seen else plan.columns
    first, last = uids.ranges[0]
    if first == last and len(uids.ranges) == 1:
        found = account.fetch_one(mailbox, first, columns)
        return _render_rows(found, plan, view, watch_seen, item, first)
    if plan.even:
        columns = (*columns, "octets")
    with closing(account.fetch(mailbox, uids, columns)) as rows:  # type: ignore[type-var]
        if plan.even:
            return _render_columns(rows, plan, view, watch_seen)
        return _render_rows(rows, plan, view, watch_seen, item, first)


def _render_columns(rows: Rows, plan: Plan, view: View, watch_seen: bool) -> Rendered:
    chunk: list[tuple[Any, ...]] = []
    weight = 0
    for row in rows:
        chunk.append(row)
        weight += 64 + row[-1]
        for place in plan.made:
            weight += len(row[place])
        if weight >= PIECE:
            break
    if not chunk:
        return Rendered([], None, 0, [], 0)
    columns = list(zip(*chunk, strict=True))
    uids = columns[0]
    unseen: list[int] = []
    if watch_seen:
        unseen = [uid for uid, flags in zip(uids, columns[-2], strict=True) if not flags & SEEN]
    highest = 0 if plan.modseq is None else max(columns[plan.modseq])
    text = plan.text(view.numbering.numbers(view, uids), columns)
    return Rendered([text], uids[-1] if weight >= PIECE else None, len(chunk), unseen, highest)


def _render_rows(rows: Iterable[tuple[Any, ...]], plan: Plan, view: View, watch_seen: bool, item: int,
                 first: int) -> Rendered:
    out: list[bytes | Streamed] = []
    unseen: list[int] = []
    size = count = highest = 0
    for row in rows:
        uid: int = row[0]
        if watch_seen:
            row, flags = row[:-1], row[-1]
            if not item and not flags & SEEN:
                unseen.append(uid)
        if plan.modseq is not None:
            highest = max(highest, row[plan.modseq])
        if item and uid != first:
            break
        number = view.numbering.number(view, uid)
        if plan.bulky:
            line, item = plan.some(number, row, item)
        else:
            line = plan.line(number, row)
        count += not item
        if isinstance(line, bytes):
            out.append(line)
            size += len(line)
            if size < PIECE:
                continue
        else:
            out += line
        return Rendered(out, uid, count, unseen, highest, item)
    if item:
        raise Unavailable("the rest of a message is gone")
    return Rendered(out, None, count, unseen, highest)
