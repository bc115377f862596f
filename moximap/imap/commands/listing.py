"""The names that LIST and LSUB choose from, and their responses (RFC 9051 6.3.9 and 7.3.1, RFC 5258)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

import attrs

from moximap.imap import encoding, mailboxname
from moximap.imap.session import Session
from moximap.store.interfaces import IAccount
from moximap.values import Listing, Mailbox

#: Names that the reactor thread may read and tell: in less than a millisecond.
FEW = 64
#: Characters of patterns with which it may compare them: at worst some milliseconds, too.
SHORT = 256
#: Lines that are written at once; then the client may read.
BATCH = 500


@attrs.define
class Entry:
    """A name: of a mailbox, or, with ``mailbox`` None, one that is only subscribed or above such a name.

    ``children``: there are mailboxes below it.
    """

    name: str
    mailbox: Mailbox | None
    subscribed: bool
    children: bool


Test = Callable[[Entry], bool]


def exists(entry: Entry) -> bool:
    return entry.mailbox is not None


def is_subscribed(entry: Entry) -> bool:
    return entry.subscribed


def entries(listing: Listing) -> list[Entry]:
    """All names of an account: INBOX, then the others in order."""
    subscribed = listing.subscribed
    parents = {mailbox.parent for mailbox in listing.mailboxes}
    known = {m.name: Entry(m.name, m, m.name in subscribed, m.id in parents) for m in listing.mailboxes}
    for name in subscribed - known.keys():
        for above in mailboxname.parents(name):
            known.setdefault(above, Entry(above, None, False, False))
        known[name] = Entry(name, None, True, False)
    ordered = sorted(known.values(), key=attrgetter("name"))
    ordered.sort(key=lambda entry: entry.name != mailboxname.INBOX)
    return ordered


def any_of(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a name matches one of the patterns."""
    matchers = [mailboxname.matcher(pattern) for pattern in patterns]
    if len(matchers) == 1:
        return matchers[0]
    return lambda name: any(matches(name) for matches in matchers)


@attrs.frozen
class Choice:
    """A name that is to be listed.  ``own``: it meets the criteria; ``below``: a name below it does."""

    entry: Entry
    own: bool
    below: bool


def choose(names: Sequence[Entry], matches: Callable[[str], bool], criteria: Sequence[Test],
           recursive: bool = False) -> Iterator[Choice]:
    """The names that match and meet all criteria.

    ``recursive``: also names that match and have below them one that meets the criteria and would not
    be listed itself (RFC 9051 6.3.9.6).
    """
    met = [entry for entry in names if all(meets(entry) for meets in criteria)]
    if not recursive:
        yield from (Choice(entry, True, False) for entry in met if matches(entry.name))
        return
    listed = {entry.name for entry in met if matches(entry.name)}
    above = _above(entry.name for entry in met)
    gaps = _above(entry.name for entry in met if entry.name not in listed)
    for entry in names:
        if entry.name in listed or entry.name in gaps and matches(entry.name):
            yield Choice(entry, entry.name in listed, entry.name in above)


def _above(names: Iterable[str]) -> set[str]:
    return {above for name in names for above in mailboxname.parents(name)}


def attributes(entry: Entry) -> list[str]:
    """What is always told of a name; special uses too, since not every client asks for them."""
    if entry.mailbox is None:
        return ["\\NonExistent", "\\HasNoChildren"]
    return ["\\HasChildren" if entry.children else "\\HasNoChildren", *entry.mailbox.uses]


def line(word: bytes, attributes: Sequence[str], wire: bytes, extended: bytes = b"") -> bytes:
    """A LIST or LSUB response; ``wire`` is the encoded name."""
    return b'* %b (%b) "/" %b%b\r\n' % (word, encoding.flags(attributes), wire, extended)


def old_name(name: str, old: str, utf8: bool) -> bytes:
    """What is added to a LIST response where the client has another name (RFC 9051 6.3.9.7)."""
    return b"" if name == old else b' ("OLDNAME" (%b))' % encoding.mailbox(old, utf8)


def root(word: bytes) -> bytes:
    """The answer to an empty pattern: the hierarchy delimiter."""
    return line(word, ("\\Noselect",), b'""')


#: Makes responses of all names of an account; where they are many, in the store's thread.
Lines = Callable[[IAccount, list[Entry]], list[bytes]]


async def answer(session: Session, lines: Lines, patterns: Sequence[str]) -> None:
    """Write responses: at once where there were few names when they were last listed, and to compare
    them with the patterns takes no time."""
    room = session.room
    assert room is not None
    few = room.few_names and sum(map(len, patterns)) <= SHORT
    count, made = await (session.quick if few else session.call)(_made, room.store, lines)
    room.few_names = count <= FEW
    await send(session, made)


def _made(account: IAccount, lines: Lines) -> tuple[int, list[bytes]]:
    names = entries(account.mailboxes())
    return len(names), lines(account, names)


async def send(session: Session, lines: Sequence[bytes]) -> None:
    """Write lines as fast as the client reads them."""
    for start in range(0, len(lines), BATCH):
        await session.out.ready()
        session.write(b"".join(lines[start:start + BATCH]))
