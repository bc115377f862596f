"""mbsync (isync) keeps two Maildirs and one account the same while all three of them change."""

from __future__ import annotations

import random
import re
from pathlib import Path

import attrs

from tests import beside
from tests.server import ServerTestCase, mbsync, moximap_command, needs
from tests.syncing import connect

ROUNDS = 3
CONFIGURATION = """
FSync no

IMAPStore far
Host 127.0.0.1
Port {port}
User {user}
PassCmd "cat {home}/password"
SSLType None
AuthMechs LOGIN

MaildirStore near
SubFolders Verbatim
Path {home}/mail/
Inbox {home}/mail/INBOX

Channel mail
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
"""
#: mbsync marks each message that it copies.
MARK = re.compile(rb"^X-TUID: .*\n", re.M)
#: What the changes are made of: flags that both sides know, by Maildir's letter.
LETTERS = {"D": "\\Draft", "F": "\\Flagged", "R": "\\Answered", "S": "\\Seen"}

Mailboxes = dict[str, dict[bytes, str]]     # names; contents; letters of flags


def letters(chance: random.Random) -> str:
    return "".join(sorted(chance.sample(sorted(LETTERS), chance.randint(0, 3))))


class Maildirs:
    """A person's Maildirs and what mbsync remembers of them."""

    def __init__(self, home: Path, port: int, user: str, password: str) -> None:
        self.name, self.home = home.name, home
        (home / "mail").mkdir(parents=True)
        (home / "password").write_text(password)
        self.configuration = home / "mbsyncrc"
        self.configuration.write_text(CONFIGURATION.format(port=port, user=user, home=home))

    def sync(self) -> None:
        mbsync(self.configuration, "mail", maildirs=self.home / "mail")

    def traces(self) -> dict[str, tuple[int, int]]:
        """What no longer is the same when any message was touched."""
        return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns)
                for path in (self.home / "mail").rglob("*") if path.parent.name in ("cur", "new")}

    def files(self, mailbox: str) -> dict[bytes, Path]:
        found = {}
        for path in [*(self.home / "mail" / mailbox).glob("cur/*"), *(self.home / "mail" / mailbox).glob("new/*")]:
            content = MARK.sub(b"", path.read_bytes(), 1)
            assert content not in found, f"{content!r} is twice in {mailbox} of {self.name}"
            found[content] = path
        return found

    def mailboxes(self) -> Mailboxes:
        names = [str(path.parent.relative_to(self.home / "mail")) for path in (self.home / "mail").rglob("cur")]
        return {name: {content: "".join(sorted(path.name.partition(":2,")[2]))
                       for content, path in self.files(name).items()} for name in names}

    def create(self, mailbox: str) -> None:
        for name in ("cur", "new", "tmp"):
            (self.home / "mail" / mailbox / name).mkdir(parents=True)

    def add(self, mailbox: str, content: bytes, flags: str) -> None:
        name = f"{abs(hash(content))}.{self.name}"
        where = self.home / "mail" / mailbox
        (where / "cur" / f"{name}:2,{flags}" if flags else where / "new" / name).write_bytes(content)

    def flag(self, mailbox: str, content: bytes, flags: str) -> None:
        path = self.files(mailbox)[content]
        path.rename(path.parent.parent / "cur" / f"{path.name.partition(':2,')[0]}:2,{flags}")

    def remove(self, mailbox: str, content: bytes) -> None:
        self.files(mailbox)[content].unlink()


class Account:
    """The same through IMAP."""

    name = "server"

    def __init__(self, port: int, user: str, password: str) -> None:
        self.imap = connect(port, user, password)

    def messages(self, mailbox: str) -> dict[bytes, tuple[int, str]]:
        """UIDs and flags by content, with the line ends of a Maildir."""
        self.imap.select_folder(mailbox)
        found: dict[bytes, tuple[int, str]] = {}
        uids = self.imap.search()
        for uid, items in (self.imap.fetch(uids, ["BODY.PEEK[]", "FLAGS"]) if uids else {}).items():
            content = MARK.sub(b"", items[b"BODY[]"].replace(b"\r\n", b"\n"), 1)
            assert content not in found, f"{content!r} is twice in {mailbox} of the server"
            flags = "".join(letter for letter, flag in LETTERS.items() if flag.encode() in items[b"FLAGS"])
            found[content] = uid, flags
        return found

    def mailboxes(self) -> Mailboxes:
        return {name: {content: flags for content, (_, flags) in self.messages(name).items()}
                for _, _, name in self.imap.list_folders()}

    def traces(self) -> dict[str, dict[bytes, int]]:
        """As for Maildirs."""
        return {name: self.imap.folder_status(name, ["UIDNEXT", "MESSAGES", "HIGHESTMODSEQ"])
                for _, _, name in self.imap.list_folders()}

    def create(self, mailbox: str) -> None:
        self.imap.create_folder(mailbox)

    def add(self, mailbox: str, content: bytes, flags: str) -> None:
        self.imap.append(mailbox, content.replace(b"\n", b"\r\n"), [LETTERS[letter] for letter in flags])

    def flag(self, mailbox: str, content: bytes, flags: str) -> None:
        self.imap.set_flags(self.messages(mailbox)[content][0], [LETTERS[letter] for letter in flags])

    def remove(self, mailbox: str, content: bytes) -> None:
        uid = self.messages(mailbox)[content][0]
        self.imap.delete_messages(uid)
        self.imap.uid_expunge(uid)


@attrs.define(eq=False)
class Changes:
    """Random changes in three places, and what all of them must have in the end.

    In a round each message is touched in one place only; what several change is for mbsync to judge.
    """

    chance: random.Random
    places: list[Maildirs | Account]
    mailboxes: Mailboxes
    number: int = 0

    def round(self) -> None:
        known = [(name, content) for name, mailbox in self.mailboxes.items() for content in mailbox]
        names = sorted(self.mailboxes)
        self.chance.shuffle(known)
        for number, place in enumerate(self.places):
            self.number += 1
            mailbox = f"{place.name} {self.number}"
            place.create(mailbox)
            self.mailboxes[mailbox] = {}
            for name in [*self.chance.sample(names, 3), mailbox]:
                self.add(place, name)
            mine = known[number::len(self.places)]
            for name, content in mine[:3]:
                self.flag(place, name, content)
            for name, content in mine[3:5]:
                place.remove(name, content)
                del self.mailboxes[name][content]

    def add(self, place: Maildirs | Account, mailbox: str) -> None:
        self.number += 1
        content = b"Subject: letter %d\nFrom: %b@example.org\n\n" % (self.number, place.name.encode())
        content += self.chance.choice((b"", b"line\n", b"gr\xc3\xbc\xc3\x9fe\n\n", b"x" * 998 + b"\n", b"line\n" * 9999))
        flags = letters(self.chance)
        place.add(mailbox, content, flags)
        self.mailboxes[mailbox][content] = flags

    def flag(self, place: Maildirs | Account, mailbox: str, content: bytes) -> None:
        self.mailboxes[mailbox][content] = flags = letters(self.chance)
        place.flag(mailbox, content, flags)


class TwoMaildirsTests(ServerTestCase):
    """Nothing lost, nothing doubled, whoever changed it; and then there is peace."""

    def setUp(self) -> None:
        needs("mbsync")
        super().setUp()
        far = self.server.ports["imap"], self.user, self.password
        self.account = Account(*far)
        self.addCleanup(self.account.imap.shutdown)
        self.people = [Maildirs(self.directory / name, *far) for name in ("ann", "ben")]

    def sync_all(self) -> None:
        """Until each has what the others had: the first hears of the second's changes when she comes again."""
        for each in (*self.people, self.people[0]):
            each.sync()

    def test_three_rounds_of_changes_in_three_places_converge(self) -> None:
        self.sync_all()
        changes = Changes(random.Random(4549), [*self.people, self.account], self.account.mailboxes())
        for _ in range(ROUNDS):
            changes.round()
            self.sync_all()
            for place in changes.places:
                self.assert_same(changes.mailboxes, place.mailboxes(), place.name)
        before = [place.traces() for place in changes.places]
        self.sync_all()
        self.assertEqual(before, [place.traces() for place in changes.places], "something was transferred")
        self.assertEqual(b"", moximap_command(self.server.data, "check"))

    def assert_same(self, wanted: Mailboxes, found: Mailboxes, place: str) -> None:
        self.assertEqual(set(wanted), set(found), place)
        for name, mailbox in wanted.items():
            self.assertEqual({content[:40]: flags for content, flags in mailbox.items()},
                             {content[:40]: flags for content, flags in found[name].items()}, f"{name} of {place}")
            self.assertEqual(set(), set(mailbox) ^ set(found[name]), f"{name} of {place}")


test_suite = beside.suite(__name__)
