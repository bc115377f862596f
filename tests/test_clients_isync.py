"""mbsync (isync) pushes Maildirs into a real server and pulls them out again, byte for byte."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import attrs

from tests import beside
from tests.server import SharedServerTestCase, mbsync, needs

CORPUS = Path(__file__).parent / "corpus"
CONFIGURATION = """
IMAPStore far
Host 127.0.0.1
Port {port}
User {user}
PassCmd "cat {password}"
SSLType None
AuthMechs LOGIN

MaildirStore near
SubFolders Verbatim
Path {maildir}/
Inbox {maildir}/INBOX

Channel mail
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
CopyArrivalDate yes
SyncState *
"""
#: Maildir's letters of the flags that both sides know.
LETTERS = ("", "D", "F", "FS", "R", "RS", "S", "DFRS")
#: mbsync passes names of mailboxes on as it finds them: this is Entw\u00fcrfe & mehr.
ENCODED = "Entw&APw-rfe &- mehr"
#: mbsync marks each message that it copies; the rest of the message must be as it was.
MARK = re.compile(rb"^X-TUID: [!-~]{12}\r?\n", re.M)


@attrs.frozen
class Kept:
    """What must come back of a message; its date is in seconds since 1970."""

    content: bytes
    letters: str
    date: int


def generated(count: int = 24) -> list[bytes]:
    """Small messages with what is awkward: no body, long lines, 8-bit octets, no last line end."""
    chance = random.Random(9051)
    bodies = [b"", b"one line, no end", b"x" * 3000 + b"\n", "gr\u00fc\u00dfe\n".encode(),
              b"\xe4\xf6\xfc latin\n", b".\n..\n", b"From the start\n", b"a\n\n\nb\n", b" \t\n",
              b"ends twice\n\n"]
    return [b"From: A <a@example.org>\nSubject: number %d\nMessage-ID: <%d@example.org>\n\n%b"
            % (number, chance.getrandbits(60), bodies[number % len(bodies)] * (1 + number // len(bodies)))
            for number in range(count)]


def corpus() -> list[bytes]:
    """The real messages beside the tests, with the line ends of a Maildir."""
    return [path.read_bytes().replace(b"\r\n", b"\n") for path in sorted(CORPUS.rglob("*.eml"))]


def fill(maildir: Path, messages: list[bytes]) -> None:
    """Write a Maildir mailbox; flags and dates vary from message to message."""
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
    for number, message in enumerate(messages):
        letters = LETTERS[number % len(LETTERS)]
        path = maildir / "cur" / f"{1000 + number}.{number}.test:2,{letters}"
        path.write_bytes(message)
        date = 946684800 + number * 2_345_678
        os.utime(path, (date, date))


def files(maildir: Path) -> list[Path]:
    """The messages of a Maildir mailbox, each a file."""
    return [*maildir.glob("cur/*"), *maildir.glob("new/*")]


def read(maildir: Path) -> list[Kept]:
    """All messages of a Maildir mailbox, in an order that does not depend on file names."""
    found = []
    for path in files(maildir):
        letters = "".join(sorted(set(path.name.partition(":2,")[2]) & set("DFRS")))
        found.append(Kept(MARK.sub(b"", path.read_bytes(), 1), letters, int(path.stat().st_mtime)))
    return sorted(found, key=lambda kept: (kept.date, kept.content))


class MbsyncTests(SharedServerTestCase):
    """The whole way through a sync program that trusts nothing and notices everything."""

    def setUp(self) -> None:
        needs("mbsync")
        super().setUp()

    def configure(self, name: str) -> tuple[Path, Path]:
        """A configuration that keeps its mail and its state below a directory of its own."""
        home = self.directory / name
        (home / "mail").mkdir(parents=True)
        (home / "password").write_text(self.password)
        (home / "mbsyncrc").write_text(CONFIGURATION.format(
            port=self.server.ports["imap"], user=self.user, password=home / "password",
            maildir=home / "mail"))
        return home / "mbsyncrc", home / "mail"

    def sync(self, configuration: Path) -> str:
        """What mbsync says of a run."""
        said = mbsync(configuration, "--verbose", "mail", maildirs=configuration.parent / "mail")
        return said.decode(errors="replace")

    def test_a_maildir_comes_back_with_every_byte_flag_and_date(self) -> None:
        push, source = self.configure("push")
        fill(source / "INBOX", generated())
        real = corpus()
        self.assertTrue(real)
        fill(source / "Real mail", real)
        fill(source / ENCODED, generated(3))
        self.sync(push)
        pull, target = self.configure("pull")
        self.sync(pull)
        for mailbox in ("INBOX", "Real mail", ENCODED):
            self.assert_same(read(source / mailbox), read(target / mailbox))
        self.assert_nothing_moves(push, source)
        self.assert_nothing_moves(pull, target)

    def test_flags_and_removals_travel_both_ways(self) -> None:
        push, source = self.configure("push")
        fill(source / "INBOX", generated(8))
        self.sync(push)
        pull, target = self.configure("pull")
        self.sync(pull)
        first, second = sorted(files(target / "INBOX"), key=lambda path: path.stat().st_mtime)[:2]
        first.unlink()
        second.rename(target / "INBOX" / "cur" / (second.name.partition(":2,")[0] + ":2,FRS"))
        self.sync(pull)
        self.sync(push)
        left = read(source / "INBOX")
        self.assertEqual(7, len(left))
        self.assertEqual("FRS", left[0].letters)
        self.assert_same(left, read(target / "INBOX"))

    def assert_same(self, ours: list[Kept], theirs: list[Kept]) -> None:
        """Every message is on both sides; says which are not, without comparing megabytes for a diff."""
        lost = [kept for kept in ours if kept not in theirs]
        strange = [kept for kept in theirs if kept not in ours]
        report = [(kept.date, kept.letters, len(kept.content), kept.content[:60]) for kept in lost + strange]
        self.assertEqual([], report, f"{len(lost)} lost, {len(strange)} strange")
        self.assertEqual(len(ours), len(theirs))

    def assert_nothing_moves(self, configuration: Path, maildir: Path) -> None:
        """A second run touches no file and says that it has nothing to do."""
        def state() -> dict[str, tuple[int, int]]:
            return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino)
                    for path in maildir.rglob("*") if path.is_file() and not path.name.startswith(".")}
        before = state()
        said = self.sync(configuration)
        self.assertEqual(before, state())
        self.assertEqual(set(), set(re.findall(r"[+*#](?!0)\d+", said)), said)


test_suite = beside.suite(__name__)
