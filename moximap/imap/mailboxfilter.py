"""Mailboxes by what they are, not only by name: filter-mailboxes (RFC 5465 section 6, RFC 7377 2.2)."""

from __future__ import annotations

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
    names: tuple[str, ...] = ()

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
        return name in self.names or any(self._below(name, top) for top in self.names)

    def _below(self, name: str, top: str) -> bool:
        if self.kind == b"SUBTREE":
            return name.startswith(top + mailboxname.SEPARATOR)
        return self.kind == b"SUBTREE-ONE" and name.rpartition(mailboxname.SEPARATOR)[0] == top


def parse_filter(p: Cursor) -> Filter:
    """filter-mailboxes; mailboxes may come one alone, or several in parentheses."""
    kind = p.word("mailbox filter")
    if kind in _PLAIN:
        return Filter(kind)
    if kind not in _NAMED:
        raise Bad(f"unknown mailbox filter {kind.decode()}")
    p.sp()
    names = p.list_of(p.mailbox) if p.peek() == b"(" else [p.mailbox()]
    return Filter(kind, tuple(dict.fromkeys(names)))
