"""A full disk: a command is refused whole, reading goes on, and with room again so does all the rest.

The disk is a small tmpfs, which takes root to mount.  Where even root may not mount, and tests must
run, the database is kept from growing instead.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest

from moximap.identity.passwords import make_verifiers
from moximap.store.errors import NoSpace, Unavailable
from tests.dialogue import HELLO, DialogueCase, template

DISK = 6 << 20
#: What is left on the full disk: commands come to different places with it.
ROOMS = (0, 4 << 10, 12 << 10, 40 << 10, 150 << 10, 400 << 10)
SMALL = HELLO + b"small\r\n" * 5000
BIG = HELLO + b"0123456789abcde\n" * 40_000


def mount(path: Path) -> bool:
    """Mount a small disk; False where that is not allowed here."""
    return os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "moximap-test", str(path)],
        stderr=subprocess.DEVNULL).returncode == 0


class FullDiskCase(DialogueCase):
    def setUp(self) -> None:
        template()
        self.disk = Path(tempfile.mkdtemp(prefix="moximap-full-"))
        self.addCleanup(self.disk.rmdir)
        self.real = mount(self.disk)
        if self.real:
            self.addCleanup(subprocess.run, ["umount", "-l", str(self.disk)], check=True)
            self.patch(tempfile, "tempdir", str(self.disk))
        elif not os.environ.get("CI"):
            raise SkipTest("mounting a small disk takes root")
        super().setUp()
        self.fill(20, content=HELLO + b"x" * 3000)
        self.store = self.account()
        self.client().send(b"s SELECT INBOX\r\n")
        self.assertIn(b"s OK", self.client().received())
        self.command(b"SUBSCRIBE here")                  # the server's writer has its connection

    def mktemp(self) -> str:
        return os.path.join(tempfile.mkdtemp(), "temp") if self.real else super().mktemp()

    def need_disk(self) -> None:
        if not self.real:
            raise SkipTest("only a real disk can be full for files")

    # the disk

    def stuff(self, room: int = 0) -> None:
        """Fill the disk but for so many octets."""
        self.free()
        if not self.real:
            connection = self.writer()
            connection.pragma("max_page_count", connection.pragma("page_count") + room // 4096)
            return
        with (self.disk / "ballast").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        os.truncate(self.disk / "ballast", max(0, (self.disk / "ballast").stat().st_size - room))

    def free(self) -> None:
        if self.real:
            (self.disk / "ballast").unlink(missing_ok=True)
        else:
            self.writer().pragma("max_page_count", 1 << 30)

    def writer(self):                                     # type: ignore[no-untyped-def]
        return self.client().protocol.session.account._writer._connection

    # the client

    def command(self, line: bytes, literal: bytes | None = None) -> bytes:
        """What is answered, with the tag x."""
        self.client().send(b"x " + line + (b"" if literal is None else b" {%d+}\r\n%b" % (len(literal), literal))
                           + b"\r\n")
        answer = self.client().received()
        self.assertRegex(answer, rb"(?m)^x (OK|NO) ")
        return answer

    def state(self) -> object:
        """What somebody else sees."""
        return [(box, self.store.open(box.name).changes) for box in self.store.mailboxes().mailboxes]

    def refused_or_done(self, line: bytes, literal: bytes | None = None) -> bool:
        """Whether it was done; if not, nothing of it was."""
        before = self.state()
        answer = self.command(line, literal)
        done = b"\r\nx OK" in b"\r\n" + answer
        if not done:
            self.assertRegex(answer, rb"x NO \[(UNAVAILABLE|OVERQUOTA)\]")
            self.assertEqual(self.state(), before, line)
        self.assertEqual(list(self.store.check()), [], line)
        self.reads()
        return done

    def reads(self) -> None:
        """Reading goes on: here, and for who comes now."""
        self.assertIn(b"x OK", self.command(b"UID FETCH 1 (FLAGS ENVELOPE BODY.PEEK[])"))
        self.client("9").send(b"s SELECT INBOX\r\nf UID FETCH 1:3 (FLAGS BODY.PEEK[TEXT])\r\n")
        answer = self.client("9").received()
        self.assertIn(b"s OK", answer)
        self.assertIn(b"f OK", answer)

    def under_pressure(self, line: bytes, literal: bytes | None = None) -> None:
        """Refused at least once, whole each time, and done when there is room."""
        done = []
        for room in ROOMS:
            for _ in range(3):
                self.stuff(room)
                done.append(self.refused_or_done(line, literal))
        self.assertTrue(False in done or not self.real)
        self.free()
        self.assertTrue(self.refused_or_done(line, literal), line)


class FullDiskTests(FullDiskCase):
    def test_append_of_a_small_message(self) -> None:
        self.under_pressure(b"APPEND INBOX (new)", SMALL)

    def test_append_of_a_large_message(self) -> None:
        self.need_disk()
        self.under_pressure(b"APPEND INBOX (\\Seen)", BIG)
        self.assertEqual(list(self.data.glob("accounts/ada/tmp/*")), [])

    def test_append_of_many_messages(self) -> None:
        literal = b"{%d+}\r\n%b" % (len(SMALL), SMALL)
        self.under_pressure(b"APPEND INBOX " + b" ".join([literal] * 3))

    def test_move_and_copy(self) -> None:
        self.fill(300, content=b"x")
        self.under_pressure(b"UID COPY 1:* Archive")
        self.under_pressure(b"UID MOVE 300:* Archive")

    def test_store(self) -> None:
        self.fill(500, content=b"x")
        done = []
        for number in range(2):
            for room in ROOMS[:3]:
                self.stuff(room)
                done += [self.refused_or_done(b"UID STORE 1:* FLAGS (kw%d-%d-%d)" % (number, room, n))
                         for n in range(3)]
        self.assertTrue(False in done or not self.real)
        self.free()
        self.assertTrue(self.refused_or_done(b"UID STORE 1:* +FLAGS (\\Seen)"))

    def test_expunge(self) -> None:
        self.command(b"UID STORE 1:* +FLAGS (\\Deleted)")
        self.stuff()
        self.refused_or_done(b"EXPUNGE")
        self.free()
        self.command(b"EXPUNGE")
        self.assertEqual(self.store.mailbox("INBOX").messages, 0)

    def test_create_rename_and_delete(self) -> None:
        made = 0
        self.stuff()
        while made < 400 and self.refused_or_done(b"CREATE %b%d" % (b"long" * 40, made)):
            made += 1
        self.assertLess(made, 400)
        self.refused_or_done(b"RENAME Sent Gone")
        self.refused_or_done(b"DELETE Junk")
        self.free()
        self.assertTrue(self.refused_or_done(b"CREATE again/and/again"))

    def test_a_fetch_that_sets_seen_still_gives_the_message(self) -> None:
        self.stuff()
        for _ in range(40):                               # until its flags find no room either
            answer = self.command(b"UID FETCH 1:* (BODY[TEXT])")
            self.assertEqual(answer.count(b"x" * 3000), 20)
            self.assertIn(b"x OK", answer)
            self.command(b"UID STORE 1:* -FLAGS.SILENT (\\Seen)")

    def test_who_logs_in_after_a_while_reads(self) -> None:
        """Nobody has the account open any more: the database is opened anew."""
        self.need_disk()
        for name in list(self.clients):
            self.clients.pop(name).lose()
        self.store.close()
        self.clock.advance(3600)
        self.stuff()
        self.reads_anew()
        self.free()

    def reads_anew(self) -> None:
        self.client().send(b"s SELECT INBOX\r\nf FETCH 1:* (FLAGS BODY.PEEK[TEXT])\r\n")
        answer = self.client().received()
        self.assertIn(b"s OK", answer)
        self.assertIn(b"f OK", answer)

    def test_the_directory(self) -> None:
        self.need_disk()
        verifiers = make_verifiers("another", 4096)
        self.stuff()
        refused = 0
        for number in range(200):
            try:
                self.directory.set_verifiers("bob", verifiers)
                self.directory.add(f"account-{number}")
            except (NoSpace, Unavailable):
                refused += 1
        self.assertGreater(refused, 0)
        self.assertEqual(list(self.directory.check()), [])
        self.client("7", login=None).send(b"l LOGIN ada secret\r\n")
        self.assertRegex(self.client("7").received(), rb"(?m)^l OK")
        self.free()
        self.directory.add("room-again")
        self.assertEqual(list(self.directory.check()), [])
        self.assertEqual(re.findall("new-", " ".join(os.listdir(self.data / "accounts"))), [])
