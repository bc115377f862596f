"""Mailboxes by what they are, not only by name: filter-mailboxes (RFC 5465 section 6, RFC 7377 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from moximap.imap import mailboxname
from moximap.imap.errors import Bad
from moximap.imap.grammar import Cursor

SELECTED: Final = b"SELECTED"
SELECTED_DELAYED: Final = b"SELECTED-DELAYED"
_PLAIN: Final = (SELECTED, SELECTED_DELAYED, b"INBOXES", b"PERSONAL", b"SUBSCRIBED")
_NAMED: Final = (b"SUBTREE", b"SUBTREE-ONE", b"MAILBOXES")


@attrs.frozen
class Filter:
    """``kind`` in upper case; ``names``: those behind it, if it is of a kind that has them."""

    kind: bytes
    names: frozenset[str] = frozenset()

    @property
    def selected(self) -> bool:
        """It means the selected mailbox, whichever that is, and no other one."""
        return self.kind in (SELECTED, SELECTED_DELAYED)

    def has(self, name: str, subscribed: bool) -> bool:
        """Whether it means a mailbox; `selected` ones mean none by name."""
        if self.kind == b"PERSONAL":
            return True
        if self.kind == b"INBOXES":
            return name == mailboxname.INBOX           # where mail is delivered
        if self.kind == b"SUBSCRIBED":
            return subscribed
        return name in self.names or any(top in self.names for top in self._above(name))

    def _above(self, name: str) -> Sequence[str]:
        """Names that mean a mailbox as well, to be looked up: there may be thousands of both."""
        if self.kind == b"SUBTREE":
            return mailboxname.parents(name)
        return (name.rpartition(mailboxname.SEPARATOR)[0],) if self.kind == b"SUBTREE-ONE" else ()


def parse_filter(p: Cursor) -> Filter:
    """filter-mailboxes; mailboxes may come one alone, or several in parentheses."""
    kind = p.word("mailbox filter")
    if kind in _PLAIN:
        return Filter(kind)
    if kind not in _NAMED:
        raise Bad(f"unknown mailbox filter {kind.decode()}")
    p.sp()
    names = p.list_of(p.mailbox) if p.peek() == b"(" else [p.mailbox()]
    return Filter(kind, frozenset(names))
