"""SEARCH's tests of text, on one message at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, cast

import apsw
import attrs

from moximap.mail import headers, parts, text
from moximap.mail.buffers import Data
from moximap.mail.collation import searchable
from moximap.mail.searched import Searched
from moximap.store.contents import Files
from moximap.store.database import one
from moximap.store.interfaces import IContent
from moximap.searchtree import HeaderHas, TextHas


@attrs.frozen
class Slices:
    """A content for who only takes slices of it: what is not asked for is not read."""

    content: IContent

    def __getitem__(self, where: slice) -> bytes:
        return self.content.read(where.start, where.stop)


class Message:
    """One message under test: its header and its text are each read when first asked for."""

    def __init__(self, connection: apsw.Connection, files: Files, content: int) -> None:
        self.content = content
        self._connection = connection
        self._files = files
        self._read: list[Searched] = []

    @cached_property
    def head(self) -> bytes:
        return bytes(self._connection.execute("SELECT head FROM content WHERE id = ?",
                                              (self.content,)).get)

    def texts(self) -> Iterator[Searched]:
        """The text of each part; no more is decoded than is asked for."""
        yield from self._read
        for found in self._unread:
            self._read.append(found)
            yield found

    @cached_property
    def _unread(self) -> Iterator[Searched]:
        size, header_size, body, file, dumped = self._row
        data = Slices(self._files.content(size, header_size, self.head, body, file))
        return text.body_texts(parts.load(dumped), cast(Data, data))

    @cached_property
    def header_text(self) -> str:
        return searchable(headers.decode(headers.unfold(self.head)))

    def text_size(self, enough: int) -> int:
        """Octets that the texts are decoded from, or no more than ``enough``."""
        if self._row[0] <= enough:
            return enough                     # the whole message has no more
        found = parts.walk(parts.load(self._row[-1]))
        return sum(part.end - part.body if part.type == "text" else _header_size(part)
                   for part in found if part.type == "text" or part.is_message)

    @cached_property
    def _row(self) -> Any:
        return one(self._connection.execute,
                   "SELECT c.size, c.header_size, c.body, c.file, d.parts FROM content c"
                   " JOIN digest d ON d.content = c.id WHERE c.id = ?", (self.content,))


def _header_size(part: parts.Part) -> int:
    """Octets of the header of the message within a part."""
    return part.children[0].body - part.children[0].header


Check = Callable[[Message], bool]


@attrs.frozen
class HeaderCheck:
    name: bytes
    text: str

    def __call__(self, message: Message) -> bool:
        values = headers.values(message.head, self.name)
        return any(self.text in searchable(headers.decode(value)) for value in values)


@attrs.frozen
class TextCheck:
    text: str
    header: bool

    def __call__(self, message: Message) -> bool:
        if self.header and self.text in message.header_text:
            return True
        return any(found.has(self.text) for found in message.texts())


def check_of(tree: HeaderHas | TextHas) -> Check:
    if isinstance(tree, HeaderHas):
        return HeaderCheck(tree.name.encode("utf-8", "replace"), searchable(tree.text))
    return TextCheck(searchable(tree.text), tree.header)
