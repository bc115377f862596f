"""`moximap imapserve`: a session on pipes and sockets, with the server running or not."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from moximap.store.directory import Directory
from moximap.store.interfaces import NewMessage
from tests import beside
from tests.server import (PROGRAM_SECONDS, SharedServerTestCase, add_account, environment, mbsync, moximap_command,
                          needs, run_on_terminal)
from tests.test_delivery_syncing import state

CODE = "from moximap.cli.main import main; main()"
LETTER = b"From: a@example.org\r\nSubject: letter\r\n\r\nbody\r\n"
MUTT = """
set tunnel="{command}"
set folder="imap://localhost/"
set delete=yes
set quit=yes
set move=no
set mark_old=no
set wait_key=no
set beep=no
set sleep_time=0
set header_cache=
set pager_stop=yes
"""
MBSYNC = """
IMAPStore far
Tunnel "{command}"

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
SyncState *
"""


def command(data: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-c", CODE, "--data", str(data), "imapserve", *arguments]


@attrs.define(eq=False)
class Session:
    """A child that speaks IMAP with us."""

    process: subprocess.Popen[bytes]

    def line(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def say(self, text: bytes) -> list[bytes]:
        """A command, and the lines up to its tagged one."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"a " + text + b"\r\n")
        self.process.stdin.flush()
        lines = [self.line()]
        while lines[-1] and not lines[-1].startswith(b"a "):
            lines.append(self.line())
        return lines


class TunnelCase(SynchronousTestCase):
    """A data directory with one account."""

    user = "ada@example.org"

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="moximap-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.data = self.directory / "data"
        add_account(self.data, self.user, "a password")

    def serve(self, given: bytes, *arguments: str, code: int = 0) -> tuple[bytes, bytes]:
        """Everything at once; what it says on standard output and standard error."""
        done = subprocess.run(command(self.data, *arguments), input=given, capture_output=True, check=False,
                              timeout=PROGRAM_SECONDS, env=environment())
        self.assertEqual(done.returncode, code, done)
        return done.stdout, done.stderr

    def serve_each(self, given: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
        """As many of them side by side."""
        with ThreadPoolExecutor() as pool:
            return list(pool.map(lambda each: self.serve(each, self.user), given))

    def fill(self, count: int) -> None:
        with closing(Directory(self.data)) as directory, closing(directory.open(self.user)) as account:
            account.append("INBOX", [NewMessage(LETTER)] * count)

    def count(self) -> int:
        with closing(Directory(self.data)) as directory, closing(directory.open(self.user)) as account:
            return len(state(account)["INBOX"][4])


class PipeTests(TunnelCase):
    """Raw pipes, without a server."""

    def test_a_session_begins_with_preauth_and_ends_with_logout(self) -> None:
        said, complaints = self.serve(b"a SELECT INBOX\r\nb LOGOUT\r\n", self.user)
        self.assertRegex(said, rb"\A\* PREAUTH \[CAPABILITY IMAP4rev1 ")
        self.assertIn(b"a OK [READ-WRITE]", said)
        self.assertRegex(said, rb"b OK [^\r\n]+\r\n\Z")
        self.assertEqual(complaints, b"")

    def test_the_end_of_the_input_ends_it_after_the_last_answer(self) -> None:
        self.fill(500)
        (said, complaints), (quick, _) = self.serve_each(
            (b"a SELECT INBOX\r\nb UID FETCH 1:* BODY.PEEK[]\r\nc NOOP\r\n",
             b"".join(b"%d NOOP\r\n" % number for number in range(50))))
        self.assertEqual(quick.count(b" OK NOOP"), 50)
        self.assertEqual(said.count(b"Subject: letter"), 500)
        self.assertRegex(said, rb"c OK [^\r\n]+\r\n\Z")
        self.assertEqual(complaints, b"")

    def test_it_ends_at_once_without_input_and_inside_idle_and_inside_a_literal(self) -> None:
        for said, complaints in self.serve_each(
                (b"", b"a SELECT INBOX\r\nb IDLE\r\n", b"a APPEND INBOX {400}\r\nhalf of", b"a NOO")):
            self.assertTrue(said.startswith(b"* PREAUTH"), said)
            self.assertEqual(complaints, b"")

    def test_a_disabled_account_is_served(self) -> None:
        moximap_command(self.data, "account", "disable", self.user, "not today")
        self.assertTrue(self.serve(b"a LOGOUT\r\n", self.user)[0].startswith(b"* PREAUTH"))

    def test_what_cannot_be_is_one_line_and_a_code(self) -> None:
        said, complaints = self.serve(b"a NOOP\r\n", "nobody@example.org", code=2)
        self.assertEqual(said, b"")
        self.assertRegex(complaints, rb"\Amoximap: [^\n]+\n\Z")

    def test_it_honours_the_servers_settings(self) -> None:
        settings = self.directory / "moximap.toml"
        settings.write_text(f'data = "{self.data}"\ntrace = ["{self.user}"]\n[limits]\nappend = 1234\nline = 200\n'
                            '[capabilities_off]\n"*" = ["UIDONLY"]\n')
        words = [word for word in command(self.data, "--config", str(settings), self.user)
                 if word not in ("--data", str(self.data))]
        done = subprocess.run(words, input=b"a NOOP\r\nb " + b"x" * 300 + b"\r\n", capture_output=True, check=True,
                              timeout=PROGRAM_SECONDS, env=environment())
        self.assertIn(b" APPENDLIMIT=1234 ", done.stdout)
        self.assertNotIn(b"UIDONLY", done.stdout)
        self.assertIn(b"* BYE", done.stdout)
        self.assertIn(b"moximap: ada@example.org #1 C: a NOOP\n", done.stderr)
        settings.write_text("nonsense = 1\n")
        said, complaints = self.serve(b"", "--config", str(settings), self.user, code=2)
        self.assertRegex(complaints, rb"\Amoximap: [^\n]+unknown key 'nonsense'[^\n]+\n\Z")

    def test_it_is_on_record_as_any_login(self) -> None:
        moximap_command(self.data, "address", "add", self.user, "a@example.org")
        moximap_command(self.data, "account", "disable", self.user, "not today")
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda given: self.serve(given, "a@example.org"),
                          (b'a ID ("name" "tunnel")\r\nb LOGOUT\r\n', b"a LOGOUT\r\n")))
        said = moximap_command(self.data, "attempts", "--json")
        records = {attempt["agent"]: attempt for attempt in json.loads(said)}
        self.assertEqual(set(records), {'name="tunnel"', ""})
        for attempt in records.values():
            self.assertEqual([attempt[name] for name in ("account", "login", "mechanism", "result", "remote", "count")],
                             [self.user, "a@example.org", "imapserve", "ok", "-", 1])

    def test_a_client_that_stops_reading_ends_it(self) -> None:
        self.fill(2000)
        process = subprocess.Popen(command(self.data, self.user), stdin=subprocess.PIPE, env=environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"a SELECT INBOX\r\nb FETCH 1:* BODY.PEEK[]\r\n")
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.wait(PROGRAM_SECONDS), 0)
        self.assertEqual(process.stderr.read(), b"")
        process.stdin.close()
        process.stderr.close()

    def test_a_signal_ends_it_with_a_bye(self) -> None:
        process = subprocess.Popen(command(self.data, self.user), stdin=subprocess.PIPE, env=environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdin and process.stdout and process.stderr
        self.assertTrue(process.stdout.readline().startswith(b"* PREAUTH"))
        process.terminate()
        self.assertRegex(process.stdout.read(), rb"\A\* BYE [^\r\n]+\r\n\Z")
        self.assertEqual((process.wait(PROGRAM_SECONDS), process.stderr.read()), (0, b""))
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()

    def test_a_socket_is_both_directions(self) -> None:
        def ask(arguments: tuple[str, ...], output: int | None) -> None:
            ours, theirs = socket.socketpair()
            process = subprocess.Popen(command(self.data, *arguments, self.user), stdin=theirs,
                                       stdout=output or theirs, env=environment())
            theirs.close()
            ours.settimeout(PROGRAM_SECONDS)
            ours.sendall(b"a STATUS INBOX (MESSAGES)\r\n")
            ours.shutdown(socket.SHUT_WR)
            said = b""
            while more := ours.recv(4096):
                said += more
            ours.close()
            self.assertEqual(process.wait(PROGRAM_SECONDS), 0)
            if process.stdout is not None:
                self.assertEqual(process.stdout.read(), b"")
                process.stdout.close()
            self.assertTrue(said.startswith(b"* PREAUTH"), said)
            self.assertRegex(said, rb"a OK [^\r\n]+\r\n\Z")

        with ThreadPoolExecutor() as pool:
            list(pool.map(ask, (("--fd0",), ()), (subprocess.PIPE, None)))


class ServerTests(SharedServerTestCase):
    """Beside a server that runs on the same data."""

    def begin(self) -> Session:
        process = subprocess.Popen(command(self.server.data, self.user), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, env=environment())
        session = Session(process)

        def end() -> None:
            assert process.stdin and process.stdout
            process.stdin.close()
            self.assertEqual(process.wait(PROGRAM_SECONDS), 0)
            process.stdout.close()

        self.addCleanup(end)
        self.assertTrue(session.line().startswith(b"* PREAUTH"))
        return session

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.server.ports["imap"]), PROGRAM_SECONDS)
        self.addCleanup(client.close)
        return client

    def test_changes_are_heard_in_both_directions(self) -> None:
        tunnel, client = self.begin(), self.connect()
        lines = client.makefile("rb")
        self.addCleanup(lines.close)
        lines.readline()
        client.sendall(b'a LOGIN %b "le \\"mot\\" de pa\\\\sse"\r\nb SELECT INBOX\r\nc IDLE\r\n' % self.user.encode())
        while not lines.readline().startswith(b"+ "):
            pass
        tunnel.say(b"SELECT INBOX")
        tunnel.say(b"APPEND INBOX {%d+}\r\n%b" % (len(LETTER), LETTER))
        self.assertEqual(lines.readline(), b"* 1 EXISTS\r\n")
        client.sendall(b"DONE\r\nd APPEND INBOX {%d+}\r\n%b\r\n" % (len(LETTER), LETTER))
        while not lines.readline().startswith(b"d OK"):
            pass
        self.assertIn(b"* 2 EXISTS\r\n", tunnel.say(b"NOOP"))

    def test_disabling_the_account_leaves_the_tunnel_alone(self) -> None:
        tunnel = self.begin()
        moximap_command(self.server.data, "account", "disable", self.user, "not today")
        self.assertTrue(tunnel.say(b"SELECT INBOX")[-1].startswith(b"a OK"))
        self.assertTrue(tunnel.say(b"NOOP")[-1].startswith(b"a OK"))


class ProgramTests(TunnelCase):
    """Mail programs start it by themselves."""

    def script(self) -> Path:
        path = self.directory / "tunnel"
        path.write_text("#!/bin/sh\nexec " + " ".join(
            f"'{word}'" for word in command(self.data, self.user)) + "\n")
        path.chmod(0o755)
        return path

    def test_mutt_deletes_a_letter_through_its_tunnel(self) -> None:
        needs("mutt")
        self.fill(2)
        (self.directory / "muttrc").write_text(MUTT.format(command=self.script()))
        run_on_terminal("mutt", "-n", "-F", self.directory / "muttrc", "-f", "imap://localhost/INBOX",
                        "-e", "push '1<enter><delete-message><quit>'", HOME=str(self.directory))
        self.assertEqual(self.count(), 1)

    def test_mbsync_pulls_and_pushes_through_its_tunnel(self) -> None:
        needs("mbsync")
        self.fill(3)
        maildir = self.directory / "mail"
        maildir.mkdir()
        (self.directory / "rc").write_text(MBSYNC.format(command=self.script(), maildir=maildir))
        mbsync(self.directory / "rc", "mail", maildirs=maildir)
        pulled = list((maildir / "INBOX").glob("*/*"))
        self.assertEqual(len(pulled), 3)
        pulled[0].unlink()
        mbsync(self.directory / "rc", "mail", maildirs=maildir)
        self.assertEqual(self.count(), 2)


test_suite = beside.suite(__name__)
