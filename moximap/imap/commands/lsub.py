"""LSUB (RFC 3501 6.3.9): what clients before LIST-EXTENDED ask for the subscribed names."""

from __future__ import annotations

from functools import partial

import attrs

from moximap.imap import encoding
from moximap.imap.commands.listing import (Choice, Entry, answer, any_of, attributes, choose, exists,
                                           is_subscribed, line, root)
from moximap.imap.dialect import LOGGED_IN, Extension, Spec
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.store.interfaces import IAccount


@attrs.frozen
class LSub:
    """``pattern`` has the reference before it already; None: what is the delimiter?"""

    pattern: str | None

    async def run(self, session: Session) -> None:
        if self.pattern is None:
            session.write(root(b"LSUB"))
        else:
            await answer(session, partial(self.lines, self.pattern, session.utf8), [self.pattern])

    def lines(self, pattern: str, utf8: bool, account: IAccount, names: list[Entry]) -> list[bytes]:
        """All responses, for `answer`.

        With "%" a name that is not subscribed itself stands for those below it that do not match.
        """
        chosen = choose(names, any_of([pattern]), [is_subscribed], recursive=True)
        return [line(b"LSUB", _attributes(choice), encoding.mailbox(choice.entry.name, utf8))
                for choice in chosen if choice.own or "%" in pattern]


def _attributes(choice: Choice) -> list[str]:
    """Special uses too: macOS Mail asks LSUB only.

    \\NonExistent would imply \\Noselect, which says here that the name is not subscribed.
    """
    if not choice.own:
        return ["\\Noselect", "\\HasChildren"]
    if not exists(choice.entry):
        return ["\\HasChildren" if choice.below else "\\HasNoChildren"]
    return attributes(choice.entry)


def parse(p: Cursor) -> LSub:
    """lsub = "LSUB" SP mailbox SP list-mailbox"""
    p.sp()
    reference = p.list_mailbox()
    p.sp()
    pattern = p.list_mailbox()
    return LSub(reference + pattern if pattern else None)


EXTENSION = Extension(name="LSUB", rfcs=(3501,), commands={b"LSUB": Spec(parse, LOGGED_IN)})
