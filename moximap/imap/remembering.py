"""Commands that were parsed before: programs say the same again and again, mostly about other messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from moximap.imap.dialect import NOT_AUTHENTICATED, Parsed
from moximap.imap.errors import Bad
from moximap.imap.sequences import parse_sequence

if TYPE_CHECKING:
    from moximap.imap.session import Session

#: How many are kept, by their words and by those around numbers of messages each, and octets of one.
MOST = 512
LONGEST = 512

#: A command about messages: its name, their numbers, and what comes behind.
_NUMBERED = re.compile(rb"((?: UID)? [A-Z]+) ([0-9*:,]+)( .*)?", re.IGNORECASE | re.DOTALL)


def recalled(session: Session, text: bytes | None) -> Parsed | None:
    """What these very words were parsed to before, or these words about other messages."""
    known = session.dialect.parsed.get((text, session.utf8))
    if known is None and text is not None and (words := _NUMBERED.fullmatch(text)):
        name, numbers, rest = words.groups()
        numbered = session.dialect.numbered.get((name, rest, session.utf8))
        if numbered is not None:
            try:
                known = *numbered[:2], numbered[2].about(parse_sequence(numbers))
            except (Bad, ValueError):
                return None                    # they are none: that is said where all is parsed
    return None if known is None or known[1].capability in session.hidden else known


def remember(session: Session, text: bytes | None, parsed: Parsed) -> None:
    """Short ones without literals, of which none may have a password.

    What changes something is said once, unless it is said of other messages.
    """
    full_name, spec, command = parsed
    if text is None or spec.states == NOT_AUTHENTICATED:
        return
    if hasattr(command, "about") and (words := _NUMBERED.fullmatch(text)):
        name, _, rest = words.groups()
        if rest is None or len(rest) <= LONGEST:
            of_none = full_name, spec, command.about(())       # its numbers may be many thousands
            _keep(session.dialect.numbered, (name, rest, session.utf8), of_none)
    elif len(text) <= LONGEST and not spec.writes:
        _keep(session.dialect.parsed, (text, session.utf8), parsed)


def _keep(memory: dict[Any, Any], key: object, parsed: Parsed) -> None:
    if len(memory) >= MOST:
        del memory[next(iter(memory))]
    memory[key] = parsed
