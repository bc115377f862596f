"""`moximap sync` as it is typed: another server, one that is killed, one that runs, one that is none."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from imapclient import IMAPClient

from moximap.store.directory import Directory
from tests import beside
from tests.bridge import Bridge
from tests.dovecot import PROGRAM, Dovecot
from tests.server import (PROGRAM_SECONDS, SharedServerTestCase, add_account, environment, moximap_command, needs,
                          run_on_terminal)
from tests.syncing import at_once, connect
from tests.test_cli import CommandCase
from tests.test_delivery_syncing import state

MAIL = b"From: Ada <ada@example.org>\r\nSubject: number %d\r\n\r\n" + b"A line of text.\r\n" * 300
DATE = "01-Feb-2003 04:05:06 +0200"


def fill(there: Any, separator: str = "/") -> None:
    """Three mailboxes with 40 messages each, some of which are gone again."""
    for name in ("INBOX", "Lists" + separator + "Entwürfe", "Sent Items"):
        if name != "INBOX":
            there.create_folder(name)
        for number in range(40):
            there.append(name, MAIL % number + b"x" * (40_000 * (number == 7)),
                         (b"\\Seen", b"$Work", b"\\Flagged")[:number % 4], None)
        there.select_folder(name)
        there.delete_messages([2, 3, 40])
        there.expunge()
        there.unselect_folder()
    there.subscribe_folder("Sent Items")


class SyncCase(SharedServerTestCase):
    """The server is the other one; mail is brought to "bob" below ``here``."""

    password = "sesame"

    def setUp(self) -> None:
        super().setUp()
        self.here = self.directory / "here"
        self.bob = f"bob-{self.user}"
        add_account(self.here, self.bob, "secret")

    def there(self) -> IMAPClient:
        found = connect(self.server.ports["imap"], self.user, self.password)
        self.addCleanup(found.shutdown)
        return found

    def bridge(self, target: int | Path) -> Bridge:
        bridge = Bridge(target)
        self.addCleanup(bridge.close)
        return bridge

    def arguments(self, port: int, *more: str, scheme: str = "imap", data: Path | None = None) -> list[str | Path]:
        url = f"{scheme}://{quote(self.user, safe='')}@localhost:{port}"
        return [sys.executable, "-c", "from moximap.cli.main import main; main()", "--data", data or self.here,
                "sync", self.bob, "--from", url, *more]

    def sync(self, port: int, *more: str, scheme: str = "imap", data: Path | None = None) -> dict[str, Any]:
        done = subprocess.run(self.arguments(port, "--json", *more, scheme=scheme, data=data), capture_output=True,
                              env=environment(), timeout=PROGRAM_SECONDS, input=self.password.encode() + b"\n", check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def killed_at(self, bridge: Bridge, octets: int, *more: str) -> None:
        """Let it run until so much has come, and not on."""
        process = subprocess.Popen(self.arguments(bridge.port, *more), stdin=subprocess.PIPE, env=environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        bridge.octets = 0
        bridge.passed = lambda passed: process.kill() if passed >= octets else None
        assert process.stdin is not None
        process.stdin.write(self.password.encode() + b"\n")
        process.stdin.close()
        self.assertEqual(process.wait(PROGRAM_SECONDS), -9)
        bridge.passed = lambda passed: None

    def state(self, data: Path, name: str = "") -> dict[str, Any]:
        with closing(Directory(data)) as directory, closing(directory.open(name or self.bob)) as account:
            self.assertEqual(list(account.check()), [])
            return state(account)

    def assert_equal_where_mail_is(self, here: dict[str, Any], there: dict[str, Any]) -> None:
        for name, box in there.items():
            if isinstance(box, tuple) and box[4]:
                self.assertEqual(here[name], box, name)
        self.assertLessEqual(there["subscribed"], here["subscribed"])


class FromMoximap(SyncCase):
    def test_killed_in_the_middle_and_started_again_it_is_as_in_one_go(self) -> None:
        fill(self.there())
        trusted = ("--ca", str(self.server.certificate))
        one_go = self.directory / "one-go"
        add_account(one_go, self.bob, "secret")
        done = self.sync(self.server.ports["imaps"], *trusted, scheme="imaps", data=one_go)
        self.assertEqual((done["messages"], done["kept"], done["problems"]), (111, done["mailboxes"], []))
        bridge = self.bridge(self.server.ports["imap"])
        for octets in (9_000, 300_000):
            self.killed_at(bridge, octets, *trusted)
        rest = self.sync(bridge.port, *trusted)
        self.assertEqual(rest["messages"] + rest["present"], 111)
        self.assertLess(rest["messages"], 111)
        here = self.state(self.here)
        self.assert_equal_where_mail_is(here, self.state(self.server.data, self.user))
        self.assert_equal_where_mail_is(here, self.state(one_go))
        self.assertEqual(self.sync(bridge.port, *trusted)["messages"], 0)

    def test_sessions_of_a_running_server_hear_of_it(self) -> None:
        add_account(self.server.data, self.bob, "secret")
        there = self.there()
        with connect(self.server.ports["imap"], self.bob, "secret") as watching:
            watching.select_folder("INBOX")
            watching.idle()
            there.append("INBOX", MAIL % 1)
            self.sync(self.server.ports["imap"], "--insecure", data=self.server.data)
            self.assertEqual(watching.idle_check(PROGRAM_SECONDS), [(1, b"EXISTS")])
            watching.idle_done()
            self.assertEqual(set(watching.search()), {1})

    def test_a_key_is_enough(self) -> None:
        self.there().append("INBOX", MAIL % 1)
        moximap_command(self.server.data, "key", "gen", self.user, "mover", "--out", str(self.directory / "key"))
        pem = next(path for path in (self.directory / "key").iterdir() if b"PRIVATE KEY" in path.read_bytes()
                   and b"CERTIFICATE" in path.read_bytes())
        done = self.sync(self.server.ports["imaps"], "--key", str(pem), "--ca", str(self.server.certificate), scheme="imaps")
        self.assertEqual(done["messages"], 1)

    def test_a_connection_that_is_lost_is_told_and_the_rest_comes_later(self) -> None:
        fill(self.there())
        bridge = self.bridge(self.server.ports["imap"])

        def lose(octets: int) -> None:
            if octets >= 300_000:
                raise ConnectionResetError

        bridge.passed = lose
        done = subprocess.run(self.arguments(bridge.port, "--insecure"), capture_output=True, text=True, check=False,
                              input=self.password + "\n", env=environment(), timeout=PROGRAM_SECONDS)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"\Amoximap: localhost: [^\n]+\n\Z")
        bridge.passed = lambda octets: None
        rest = self.sync(bridge.port, "--insecure")
        self.assertEqual((rest["present"] > 0, rest["present"] + rest["messages"]), (True, 111))

    def test_a_terminal_has_a_bar_and_a_last_line(self) -> None:
        self.there().append("INBOX", MAIL % 1)
        secret = self.directory / "password"
        secret.write_text(self.password + "\n")
        command = self.arguments(self.server.ports["imap"], "--insecure", "--password-file", str(secret))
        screen = run_on_terminal(*command)
        self.assertIn(b"1/1", screen)
        self.assertIn(b"messages brought 1, here already 0", screen)
        self.assertEqual(run_on_terminal(*command, "--quiet"), b"")

    def test_refusals_are_one_line(self) -> None:
        trusted, ports = ("--ca", str(self.server.certificate)), self.server.ports

        def refused(port: int, more: tuple[str, ...], password: str, code: int, says: str) -> None:
            done = subprocess.run(self.arguments(port, *more), capture_output=True, text=True, input=password + "\n",
                                  env=environment(), timeout=PROGRAM_SECONDS, check=False)
            self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
            self.assertRegex(done.stderr, rf"\Amoximap: localhost[^\n]*{says}[^\n]*\n\Z")

        with ThreadPoolExecutor() as pool:
            list(pool.map(refused, *zip(
                (ports["imap"], trusted, "wrong", 2, "refuses the login"), (ports["imap"], (), "sesame", 1, "trusted"),
                (ports["imap"], ("--tls-fingerprint", "0" * 64), "sesame", 1, "another fingerprint"),
                (1, trusted, "sesame", 1, "refused"), strict=True)))


class FromDovecot(SyncCase):
    """Its prefix is "INBOX." and its separator "."; it lets in whoever has its pipe."""

    def start_server(self) -> Any:
        """None of ours: it is not the other one here."""
        self.directory.chmod(0o711)

    def test_killed_in_the_middle_and_started_again_it_is_as_there(self) -> None:
        needs(PROGRAM)
        dovecot = Dovecot.make(self.directory / "dovecot", separator=".", prefix="INBOX.")
        bridge = self.bridge(dovecot.command)
        with IMAPClient("127.0.0.1", bridge.port, ssl=False) as there:
            at_once(there.socket())
            fill(Prefixed(there), ".")
            there.select_folder("INBOX", readonly=True)
            wanted = {uid: (set(data[b"FLAGS"]) - {b"\\Recent"}, data[b"BODY[]"], data[b"INTERNALDATE"].timestamp())
                      for uid, data in there.fetch(there.search(), ["FLAGS", "BODY.PEEK[]", "INTERNALDATE"]).items()}
            status = there.folder_status("INBOX", ["UIDVALIDITY", "UIDNEXT"])
        for octets in (300_000, 200_000):
            self.killed_at(bridge, octets, "--no-tls")
        done = self.sync(bridge.port, "--no-tls")
        self.assertEqual((done["messages"] + done["present"], done["kept"], done["problems"]), (111, 3, []))
        found = self.state(self.here)
        self.assertEqual([len(found[name][4]) for name in ("INBOX", "Lists/Entwürfe", "Sent Items")], [37] * 3)
        self.assertIn("Sent Items", found["subscribed"])
        uidvalidity, uidnext, _, _, messages = found["INBOX"]
        self.assertEqual((uidvalidity, uidnext), (status[b"UIDVALIDITY"], status[b"UIDNEXT"]))
        self.assertEqual({uid: ({flag.encode() for flag in flags}, content, date)
                          for uid, flags, date, zone, content in messages}, wanted)
        self.assertEqual(dovecot.complaints(), [])


class Prefixed:
    """An IMAPClient in whose names the prefix is left out."""

    def __init__(self, client: IMAPClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if not name.endswith("folder") and name != "append" or name == "unselect_folder":
            return method
        return lambda mailbox, *more: method(mailbox if mailbox == "INBOX" else "INBOX." + mailbox, *more)


class Usage(CommandCase):
    def test_what_makes_no_sense_is_refused(self) -> None:
        self.add("bob")
        missing = str(Path(self.mktemp()))
        for more, says in (
                (["pop3://a@b"], "such as imaps"), (["imaps://b"], "a user and a host"), (["imaps://a:c@b"], "password"),
                (["imaps://a@b:x"], "such as"), (["imaps://a@b", "--no-tls"], "--no-tls"),
                (["imap://a@b", "--insecure", "--ca", "x"], "exclude"), (["imap://a@b", "--ca", missing], "No such file"),
                (["imap://a@b", "--tls-fingerprint", "12"], "fingerprint"), (["imap://a@b", "--key", missing], "No such file")):
            self.assertIn(says, self.refused("sync", "bob", "--from", *more, given="secret\n"))
        self.assertIn("no password", self.refused("sync", "bob", "--from", "imaps://a@b", given="\n"))
        self.assertIn("no such account", self.refused("sync", "eve", "--from", "imaps://a@b", given="x\n"))


test_suite = beside.suite(__name__)
