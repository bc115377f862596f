"""What a store is, whatever keeps it: IDirectory (all accounts) and IAccount (one account's mail).

The law of this file: every method blocks, is called in any thread, and is one transaction; no type
of a database crosses it; failures are those of :mod:`moximap.store.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import attrs
from zope.interface import Attribute, Interface

from moximap.store.addresses import IAddresses
from moximap.store.attempts import IAttempts
from moximap.store.annotations import IAnnotations, ISharedAnnotations
from moximap.store.keys import IKeys
from moximap.store.made import IOfHead
from moximap.searchtree import SearchTree
from moximap.values import (Appended, Changes, Copied, Created, InternalDate, Known, Listing, Mailbox, NumSet,
                            Opened, Quota, Resource, Stored, Written)


class IContent(Interface):
    """The bytes of one message, wherever they lie."""

    size: int = Attribute("octets (RFC822.SIZE)")
    header_size: int = Attribute("octets up to and including the blank line")
    halves: tuple[bytes, bytes] | None = Attribute("header and body, where they are in memory")

    def read(start: int, end: int) -> bytes:
        """The octets [start, end), cut at the message's end.  May read a file: blocks."""


class ISpool(Interface):
    """A message that is being received, too large for memory.  Used by one thread at a time."""

    size: int = Attribute("octets written so far")
    done: bool = Attribute("nothing is left to be discarded")

    def write(data: bytes | bytearray) -> None:
        """Add octets; NoSpace where the disk is full."""

    def discard() -> None:
        """Remove what was written.  Harmless after an append took the spool."""


@attrs.frozen
class NewMessage:
    """A message to append.

    ``flags``: names as the client spelled them.  ``date``: INTERNALDATE, None for now.
    """

    content: bytes | ISpool
    flags: tuple[str, ...] = ()
    date: InternalDate | None = None


#: Columns that IAccount.fetch can give.  "flags" is a flag code; "date" InternalDate seconds and
#: "zone" its minutes; "saved" Unix seconds or None; "content" an IContent; "head" the header's
#: octets; "envelope", "body", "bodystructure" and "parts" the bytes of the message's Digest;
#: "emailid", "threadid" text or None; "expunged" 0 or 1; "octets" how many there are in "content", in
#: "head" and in what is of the Digest, as far as these are asked for.  The rest is what SORT and THREAD
#: compare: "sent" a day's ordinal or None, "sent_time" Unix seconds or None, "message_id" bytes or None,
#: "references" bytes with spaces between ids, the others case-folded text.
#: An IOfHead is a column of its own.
Column = Literal["uid", "flags", "modseq", "date", "zone", "saved", "size", "content", "head",
                 "envelope", "body", "bodystructure", "parts", "preview", "emailid", "threadid",
                 "expunged", "octets", "sent", "sent_time", "subject", "base_subject", "from_key", "to_key",
                 "cc_key", "from_display", "to_display", "message_id", "references"] | IOfHead


class IFlagTable(Interface):
    """Names for the flag codes of one account.  Reads are from memory and never block."""

    def names(code: int) -> tuple[str, ...]:
        """Flag names of a code that a store method gave: system flags, then keywords as spelled first."""

    def keywords() -> tuple[str, ...]:
        """All keywords of the account, oldest first."""

    def codes(name: str) -> frozenset[int] | None:
        """Numbers of the keyword sets (code >> 5) with that keyword, in any case; empty: none."""


class IAccount(Interface):
    """One account's mail.  Several processes may have it open.

    A mailbox is named by its name where a client names it, and by its id where it is selected:
    the id survives RENAME, and names a removed mailbox for those who still have it open.
    UIDs that are not there are ignored by every method that takes a set of them.
    """

    name: str = Attribute("the account's name")
    home: Path = Attribute("the directory of its files")
    removed: bool = Attribute("whether its files are gone: what is written is lost")
    flags: IFlagTable = Attribute("names of the flag codes")
    annotations: IAnnotations = Attribute("annotations of mailboxes and of the account")
    needs_sync: bool = Attribute("a flag-only commit is not durable yet: somebody should sync soon")

    def close() -> None:
        """Close all connections to the database."""

    # mailboxes

    def mailboxes() -> Listing:
        """All mailboxes and subscriptions."""

    def mailbox(name: str) -> Mailbox:
        """One mailbox; NoSuchMailbox."""

    def mailbox_by_id(id: int) -> Mailbox:
        """One mailbox, which may have been renamed; NoSuchMailbox where it was removed."""

    def create(name: str, uses: Sequence[str] = (), subscribe: bool = True) -> Created:
        """Make a mailbox and the parents that it lacks.  MailboxExists, BadUse, OverQuota.

        A use that another mailbox has moves to the new one.
        """

    def delete(name: str) -> Written:
        """Remove a mailbox with its messages.  NoSuchMailbox, HasChildren, Cannot (INBOX).

        ``changes`` has all its messages as expunged.
        """

    def rename(old: str, new: str) -> Created:
        """Rename a mailbox and its children; INBOX: move its messages to a new mailbox.

        ``mailboxes``: parents that were made, then the renamed ones.
        NoSuchMailbox, MailboxExists, Cannot (into itself).
        """

    def subscribe(name: str, on: bool) -> Written:
        """Subscribe or unsubscribe a name, whether it exists or not."""

    # reading messages

    def open(name: str, known: Mapping[int, int] = ...) -> Opened:
        """Mailbox and messages from one snapshot; NoSuchMailbox.

        ``known``: mailbox id -> modseq of an image that the caller holds: the changes are then
        only those since that modseq.
        """

    def changes(mailbox: int, since: int) -> Changes:
        """What happened after ``since``: one statement, one snapshot.  ``since`` 0: everything live.

        Of a removed mailbox: everything expunged.  ``modseq`` is the account's at the snapshot.
        """

    def fetch(mailbox: int, uids: NumSet, columns: Sequence[Column]) -> Iterator[tuple[object, ...]]:
        """Rows of the messages in the set, in order of UID, expunged ones that are still readable too.

        A generator over one snapshot, to be consumed in the thread that called it.
        """

    def fetch_one(mailbox: int, uid: int, columns: Sequence[Column]) -> list[tuple[object, ...]]:
        """The same of one message: one row or none."""

    def search(mailbox: int, tree: SearchTree, uids: NumSet,
               looked: Callable[[int], None] | None = None) -> NumSet:
        """UIDs of ``uids`` that the tree matches.

        ``looked`` is called with the UID of each message whose text was looked at, ascending.
        """

    # writing messages

    def spool() -> ISpool:
        """A place for a large message that is still coming in."""

    def may_append(name: str, messages: int, size: int) -> None:
        """Whether that many messages, of ``size`` octets in all, would be taken now: the errors of append."""

    def append(name: str, messages: Sequence[NewMessage]) -> Appended:
        """Add messages, all or none.  NoSuchMailbox, OverQuota, NoSpace.  Durable on return."""

    def begin_append(name: str, messages: Sequence[NewMessage]) -> Callable[[], Appended]:
        """Append one small message, but for the commit, which what is given does; it must be called.

        Busy where that takes long or would have to wait; then nothing was done.
        """

    def may_replace(mailbox: int, uid: int, target: str, size: int) -> None:
        """Whether a message of that size would be taken now: the errors of replace."""

    def replace(mailbox: int, uid: int, target: str, message: NewMessage) -> Appended:
        """Append to ``target`` and expunge in ``mailbox``, both or neither.

        NoSuchMessage, MailboxRemoved (``mailbox``), NoSuchMailbox (``target``), OverQuota, NoSpace.
        """

    def store(mailbox: int, uids: NumSet, how: Literal["+", "-", "="], flags: Sequence[str], *,
              cursor: int = 0, unchangedsince: int | None = None, known: Known | None = None,
              now: bool = False, soon: Callable[[Changes], None] = ...) -> Stored:
        """Add, remove or set flags.  Where a message's flags are as wished already its modseq stays.

        ``cursor``: modseq up to which the caller knew the mailbox, for ``foreign``.  ``known``: what
        the caller has in memory of just these messages; it may be old.  ``now``: Busy where somebody else
        is writing.  ``soon`` may be called with what will be told if this succeeds, before it is written.
        """

    def copy(mailbox: int, uids: NumSet, target: str) -> Copied:
        """Copy messages with flags and dates; NoSuchMailbox, OverQuota."""

    def move(mailbox: int, uids: NumSet, target: str) -> Copied:
        """Move messages in one transaction; to their own mailbox: they get new UIDs."""

    def expunge(mailbox: int, uids: NumSet | None = None) -> Written:
        """Expunge messages with \\Deleted: all, or those in the set."""

    # quotas

    def quota() -> Quota:
        """What is used of each resource, and its limit."""

    def set_quota(limits: Mapping[Resource, int | None]) -> None:
        """Change the limits that are named; None: no limit.  What is there already stays."""

    # keeping house

    def rest() -> None:
        """Keep nothing in memory that the next call can read again: nobody uses the account for now."""

    def set_floor(modseq: int) -> None:
        """This opening may still read what was expunged after ``modseq``; at first: after it began."""

    def erase(floor: int) -> int:
        """Erase contents that nobody needs: of messages expunged at or before modseq ``floor``.

        Returns how many contents went.  Gives removed files and records, in bounded steps.
        """

    def erase_some(floor: int, limit: int) -> bool:
        """The same with up to ``limit`` messages; whether there are more."""

    def sync() -> None:
        """Make flag-only commits durable that are not yet."""

    def redigest(limit: int) -> int:
        """Digest up to ``limit`` messages anew whose digest an older version made; how many were."""

    def index(limit: int) -> int | None:
        """Prepare up to ``limit`` new messages for searching by text; how many were.

        None: another process is at it, and perhaps with all of them.  Until then a search reads them.
        """

    def backlog(most: int) -> int:
        """How many messages wait for `index`, or ``most``."""

    def check() -> Iterator[str]:
        """What is wrong with the account, in words; nothing if it is whole.  Others may go on writing."""

    def repair() -> Iterator[str]:
        """Mend what can be mended without guessing, while others go on; what was done, in words."""


#: A state of the directory, to be compared with another one.
Moment = tuple[int, int]


@attrs.frozen
class Verifier:
    """What is kept of a password (RFC 5802 section 3): nothing that logs in elsewhere.

    ``mechanism``: "SCRAM-SHA-256" or "SCRAM-SHA-1"; or "CRAM-MD5", of which the two keys are the inner
    and the outer state of HMAC-MD5 (RFC 2104 section 4), without salt and iterations.
    """

    mechanism: str
    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


@attrs.frozen
class AccountRecord:
    """An account in the directory; ``created`` in Unix seconds."""

    name: str
    created: float
    disabled: str | None = None          # why logins are refused, if they are
    verifiers: tuple[Verifier, ...] = ()
    capabilities_off: tuple[str, ...] = ()      # in upper case: what its clients are not told of


class IDirectory(Interface):
    """All accounts, and how they log in.  Names and addresses are NFC, compared without case."""

    keys: IKeys = Attribute("clients' public keys")
    annotations: ISharedAnnotations = Attribute("the server's own annotations")
    addresses: IAddresses = Attribute("further addresses, and domains")
    attempts: IAttempts = Attribute("login attempts")

    def moment() -> Moment:
        """Another one after every change, by any process: what is read after it was asked for is true while
        it stays the same."""

    def accounts() -> tuple[AccountRecord, ...]:
        """All accounts by name."""

    def account(name: str) -> AccountRecord:
        """One account, by name or by one of its addresses; NoSuchAccount."""

    def add(name: str, verifiers: Sequence[Verifier] = ()) -> AccountRecord:
        """Add an account and its mailboxes; AccountExists, Cannot (a name that can't be one)."""

    def set_verifiers(name: str, verifiers: Sequence[Verifier]) -> None:
        """Change the password of an account; NoSuchAccount."""

    def set_disabled(name: str, reason: str | None) -> None:
        """Refuse logins with a reason that the user is told, or with None allow them; NoSuchAccount.

        Cannot where the reason is not 1 to 256 printable ASCII characters.
        """

    def set_capabilities_off(name: str, capabilities: Collection[str]) -> None:
        """Capabilities that the clients of an account are not told of, and cannot enable; NoSuchAccount."""

    def secret(name: str) -> bytes:
        """A secret of this installation: "fake salts"."""

    def remove(name: str) -> None:
        """Remove an account with all its mail."""

    def open(name: str) -> IAccount:
        """An account's mail; NoSuchAccount.  The caller closes it."""

    def close() -> None:
        """Close the directory's database."""


__all__ = ["AccountRecord", "Column", "IAccount", "IContent", "IDirectory", "IFlagTable",
           "ISpool", "Moment", "NewMessage", "Verifier"]
