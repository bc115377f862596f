"""Two servers that are to be kept in step: random changes on both, and what both must have afterwards."""

from __future__ import annotations

import hashlib
import random
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
from imapclient import IMAPClient
from imapclient.imap_utf7 import encode

from tests.server import PROGRAM_SECONDS

FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "$Forwarded", "$Junk", "NonJunk", "a:b")
WORDS = ("Work", "R&D", "Entw\u00fcrfe", "a b", "(x)", "\u65e5\u672c\u8a9e", 'q"q', "Receipts")
MESSAGE_ID = b"BODY[HEADER.FIELDS (MESSAGE-ID)]"


@attrs.frozen
class Letter:
    """A message as it must be on both sides."""

    digest: str
    date: datetime
    flags: frozenset[str]

    @classmethod
    def read(cls, content: bytes, date: datetime, flags: set[str]) -> Letter:
        return cls(hashlib.sha256(content).hexdigest(), date.astimezone(UTC), frozenset(flags))


Mailboxes = dict[str, dict[str, Letter]]    # names, Message-IDs


def at_once(connection: socket.socket) -> None:
    """Clients send a command in pieces; without this each waits until the one before has arrived."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def connect(port: int, user: str, password: str) -> IMAPClient:
    """A client of the server on a port of this machine."""
    imap = IMAPClient("127.0.0.1", port, ssl=False, timeout=PROGRAM_SECONDS)
    at_once(imap.socket())
    imap.login(user, password)
    return imap


class Side:
    """One of the two servers, through a client that stays while interimap comes and goes."""

    def __init__(self, name: str, imap: IMAPClient) -> None:
        self.name, self.imap = name, imap
        imap.normalise_times = False

    def mailboxes(self) -> Mailboxes:
        """Everything that is there."""
        absent = {b"\\NonExistent", b"\\Noselect", b"\\NoSelect"}
        return {name: self.mailbox(name) for flags, _, name in self.imap.list_folders()
                if not absent & set(flags)}

    def mailbox(self, name: str) -> dict[str, Letter]:
        count = self.imap.select_folder(name)[b"EXISTS"]
        items = ["FLAGS", "INTERNALDATE", "BODY.PEEK[]"]
        letters = {}
        for each in self.all(items).values():
            content = each[b"BODY[]"]
            flags = {flag.decode() for flag in each[b"FLAGS"]} - {"\\Recent"}
            letters[message_id(content)] = Letter.read(content, each[b"INTERNALDATE"], flags)
        assert len(letters) == count, f"{count - len(letters)} messages are twice in {name} on {self.name}"
        return letters

    def all(self, items: list[str]) -> dict[int, dict[bytes, Any]]:
        """Items of every message of the open mailbox."""
        uids = self.imap.search()
        return self.imap.fetch(uids, items) if uids else {}

    def subscribed(self) -> set[str]:
        return {name for _, _, name in self.imap.list_sub_folders()}

    def select(self, name: str, keys: list[str]) -> list[int]:
        """Open a mailbox; the UIDs of some of its messages."""
        self.imap.select_folder(name)
        uids = {message_id(items[MESSAGE_ID]): uid for uid, items
                in self.all(["BODY.PEEK" + MESSAGE_ID.decode()[4:]]).items()}
        return [uids[key] for key in keys]


def message_id(header: bytes) -> str:
    found = re.search(rb"^Message-ID: <(.*)>\r\n", header, re.M | re.I)
    assert found is not None, header
    return found[1].decode()


@attrs.define(eq=False)
class World:
    """Makes random changes on both sides, and knows what both must have when they are in step.

    A message is changed by one side in a round: what both change is a conflict, which interimap settles
    with a warning.  ``interimap`` runs it with options: it must be told of mailboxes that went away.
    """

    chance: random.Random
    sides: tuple[Side, Side]
    interimap: Callable[..., None]
    mailboxes: Mailboxes = attrs.field(factory=dict)
    subscribed: dict[str, bool] = attrs.field(factory=dict)     # not those that are new in this round
    _owners: dict[tuple[str, str], Side] = attrs.field(factory=dict)    # of messages, in this round
    _made: dict[str, Side] = attrs.field(factory=dict)
    _toggled: set[str] = attrs.field(factory=set)
    _number: int = 0

    def in_step(self) -> None:
        """Both sides have everything: a new round begins."""
        subscribed = self.sides[0].subscribed()
        self.subscribed = {name: name in subscribed for name in self.mailboxes}
        self._owners.clear()
        self._made.clear()
        self._toggled.clear()

    def change(self) -> None:
        """One change, somewhere."""
        changes = {self.append: 6, self.store: 8, self.expunge: 3, self.move: 4, self.copy: 2, self.create: 1,
                   self.rename: 0.5, self.delete: 0.5, self.subscribe: 1}
        made = False
        while not made:
            change, = self.chance.choices(list(changes), list(changes.values()))
            made = change(self.chance.choice(self.sides)) is not False

    def names(self, side: Side) -> list[str]:
        """The mailboxes that a side has by now."""
        return [name for name in sorted(self.mailboxes) if self._made.get(name, side) is side]

    def pick(self, side: Side) -> tuple[str, list[str]]:
        """A mailbox and up to three of its messages that the other side has not changed."""
        name = self.chance.choice(self.names(side))
        free = [key for key in sorted(self.mailboxes[name]) if self._owners.get((name, key), side) is side]
        keys = self.chance.sample(free, min(len(free), self.chance.randint(1, 3)))
        self._owners.update({(name, key): side for key in keys})
        return name, keys

    def flags(self) -> set[str]:
        return set(self.chance.sample(FLAGS, self.chance.randint(0, 3)))

    def append(self, side: Side) -> None:
        self._number += 1
        name, key = self.chance.choice(self.names(side)), f"{self._number}@{side.name}"
        zone = timezone(timedelta(minutes=self.chance.choice((0, 60, -480, 345))))
        date = datetime.fromtimestamp(self.chance.randint(10**8, 16 * 10**8), zone)
        content = (f"Message-ID: <{key}>\r\nSubject: {name}\r\n\r\n".encode()
                   + b"line of a letter\r\n" * self.chance.choice((0, 1, 2, 50, 5000)))
        flags = self.flags()
        side.imap.append(name, content, sorted(flags), date)
        self.mailboxes[name][key] = Letter.read(content, date, flags)
        self._owners[name, key] = side

    def store(self, side: Side) -> bool:
        name, keys = self.pick(side)
        flags, sign = self.flags(), self.chance.choice("+-=")
        if not keys or (sign != "=" and not flags):
            return False
        imap = side.imap
        {"+": imap.add_flags, "-": imap.remove_flags, "=": imap.set_flags}[sign](side.select(name, keys), flags)
        for key in keys:
            old = self.mailboxes[name][key]
            new = {"+": old.flags | flags, "-": old.flags - flags, "=": frozenset(flags)}[sign]
            self.mailboxes[name][key] = attrs.evolve(old, flags=new)
        return True

    def expunge(self, side: Side) -> bool:
        name, keys = self.pick(side)
        if keys:
            uids = side.select(name, keys)
            side.imap.delete_messages(uids)
            side.imap.uid_expunge(uids)
        for key in keys:
            del self.mailboxes[name][key]
        return bool(keys)

    def move(self, side: Side) -> bool:
        return self.transfer(side, removing=True)

    def copy(self, side: Side) -> bool:
        return self.transfer(side, removing=False)

    def transfer(self, side: Side, removing: bool) -> bool:
        name, keys = self.pick(side)
        target = self.chance.choice(self.names(side))
        there = self.mailboxes[target]
        keys = [key for key in keys if key not in there and self._owners.get((target, key), side) is side]
        if not keys:
            return False
        uids = side.select(name, keys)
        side.imap.move(uids, target) if removing else side.imap.copy(uids, target)
        for key in keys:
            there[key] = self.mailboxes[name][key]
            self._owners[target, key] = side
            if removing:
                del self.mailboxes[name][key]
        return True

    def create(self, side: Side) -> None:
        # Not below what is new as well: interimap may copy the child first, for which moximap makes the parent.
        parents = [name + "/" for name in self.names(side) if name != "INBOX" and name not in self._made]
        name = self.new_name(self.chance.choice(["", *parents]))
        side.imap.create_folder(name)
        self.mailboxes[name] = {}
        self._made[name] = side

    def new_name(self, parent: str = "") -> str:
        self._number += 1
        return f"{parent}{self.chance.choice(WORDS)} {self._number}"

    def rename(self, side: Side) -> None:
        old, new = self.removable(side), self.new_name()
        self.leave()
        side.imap.rename_folder(old, new)
        self.interimap(f"--target={self.other(side).name},database", "--rename", encoded(old), encoded(new))

        def moved(name: str) -> str:
            return new + name[len(old):] if name == old or name.startswith(old + "/") else name

        # Servers differ in what becomes of the subscription; a run later they must agree.
        self.subscribed = {name: wanted for name, wanted in self.subscribed.items() if moved(name) == name}
        self.mailboxes = {moved(name): letters for name, letters in self.mailboxes.items()}
        self._made = {moved(name): maker for name, maker in self._made.items()}
        self._owners = {(moved(name), key): owner for (name, key), owner in self._owners.items()}

    def delete(self, side: Side) -> bool:
        name = self.removable(side)
        if any(other.startswith(name + "/") for other in self.mailboxes):
            return False    # moximap keeps parents
        self.leave()
        side.imap.delete_folder(name)
        self.interimap(f"--target={self.other(side).name},database", "--delete", encoded(name))
        del self.mailboxes[name]
        self.subscribed.pop(name, None)
        return True

    def removable(self, side: Side) -> str:
        return self.chance.choice([name for name in self.names(side) if name != "INBOX"])

    def leave(self) -> None:
        """Close the mailboxes: Dovecot breaks off sessions whose mailbox goes away."""
        for side in self.sides:
            side.imap.select_folder("INBOX")

    def other(self, side: Side) -> Side:
        return self.sides[self.sides[0] is side]

    def subscribe(self, side: Side) -> bool:
        name = self.chance.choice(self.names(side))
        if name in self._toggled or name not in self.subscribed:
            return False
        self._toggled.add(name)
        wanted = not self.subscribed[name]
        (side.imap.subscribe_folder if wanted else side.imap.unsubscribe_folder)(name)
        self.subscribed[name] = wanted
        return True


def encoded(name: str) -> str:
    """A mailbox's name as interimap wants it: as it goes over the wire, without quotes."""
    return encode(name).decode()
