"""FETCH items as columns and formats (RFC 9051 7.5.2).

A FETCH is compiled to one format string.  Where no item can be large, values are converted column by
column, and all messages of a piece are one format operation; whole messages are joined with what is
before and behind them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import attrs

from moximap.store.interfaces import Column, IContent

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


@attrs.frozen
class Whole:
    """Converts a content to all of it.  A plan knows it by this, and converts many otherwise."""

    label: bytes

    def __call__(self, content: IContent) -> Value:
        return literal(self.label, content, 0, content.size)


def literal(label: bytes, content: IContent, start: int, end: int) -> Value:
    """Octets of a message; streamed where they are many."""
    label = b"%b {%d}\r\n" % (label, end - start)
    if end - start <= PIECE:
        return label + without_nul(content.read(start, end))
    return Streamed(label, content, start, end, text=True)


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


@runtime_checkable
class ICheckedItem(Protocol):
    """An item of the column "parts" that cannot be had of every message."""

    def check(self, dumped: bytes) -> None:
        """No, where it cannot: to be known before the first octet of a response that is sent in pieces."""


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
        self._checks = [(columns.index("parts"), item.check)
                        for item in items if isinstance(item, ICheckedItem)]
        self._formats = formats
        self._head = b"* %d " + word + b" ("
        self._codes = [i for i, column in enumerate(columns) if column == "flags"]
        self._format = self._head + b" ".join(formats) + b")\r\n"
        #: What "octets" does not measure.
        self.made = [i for i, column in enumerate(columns) if not isinstance(column, str)]
        #: No value is ever streamed.
        self.even = "content" not in columns and not self.bulky
        #: Of one item there may be a whole message, and the others are even.
        self.whole: tuple[int, int] | None = None
        for i, (places, convert) in enumerate(takes):
            if isinstance(convert, Whole) and not self.bulky:
                self.whole = i, places[0]
                self._before = self._head + b" ".join([*formats[:i], convert.label + b" {%d}\r\n"])
                self._after = b" ".join([b"", *formats[i + 1:]]) + b")\r\n"
        #: An image of the mailbox has all that is asked.
        self.from_memory = set(columns) <= {"uid", "flags", "modseq"}

    def text(self, numbers: Sequence[int], columns: Sequence[Sequence[Any]]) -> bytes:
        """The responses for messages, given as columns; where the plan is even, or has whole messages that
        all are in memory."""
        values = [columns[places[0]] if convert is None or isinstance(convert, Whole)
                  else self._converted(places, convert, columns) for places, convert in self._takes]
        if self.whole is not None:
            return self._joined(numbers, values, self.whole[0])
        # One operation for all of them: each value is copied once.
        return self._format * len(numbers) % tuple(chain.from_iterable(zip(numbers, *values)))

    def _joined(self, numbers: Sequence[int], values: Sequence[Iterable[Any]], item: int) -> bytes:
        """A format operation would copy a large value several times, as its result grows."""
        contents = values[item]
        sizes = [content.size for content in contents]
        halves = zip(*[content.halves for content in contents])
        before = map(self._before.__mod__, zip(numbers, *values[:item], sizes))
        after = map(self._after.__mod__, zip(*values[item + 1:]) if values[item + 1:] else repeat(()))
        return b"".join(chain.from_iterable(zip(before, *[map(without_nul, half) for half in halves], after)))

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
        for place, check in () if start else self._checks:
            check(row[place])
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
