"""`twistd moximap --demo`, with nothing else said: that what it prints works when it is pasted."""

import re
import shutil
import sys
import tempfile
from collections import Counter
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from moximap.config import Config
from moximap.demo import Demo, free_port
from moximap.demomail import messages
from moximap.identity import clientkeys
from moximap.identity.authenticator import Authenticator
from moximap.store.directory import Directory
from tests import beside
from tests.server import Child, needs, run, run_on_terminal

RESERVED = re.compile(r"@(?:[\w-]+\.)*(?:example|example\.(?:com|net|org|jp))\b")


class DemoMail(SynchronousTestCase):
    def setUp(self) -> None:
        self.mail = list(messages(1_800_000_000))

    def test_there_is_one_of_everything(self) -> None:
        self.assertGreaterEqual(len(self.mail), 12)
        whole = b"\n".join(bytes(message.content) for _, message in self.mail)  # type: ignore[arg-type]
        for needle in (b"multipart/alternative", b"multipart/mixed", b"image/png", b"message/rfc822",
                       b"text/calendar", b"In-Reply-To", b"iso-8859-1", b"base64", b"quoted-printable"):
            self.assertIn(needle, whole)
        flags = Counter(flag for _, message in self.mail for flag in message.flags)
        for flag in ("\\Seen", "\\Flagged", "\\Answered", "\\Draft"):
            self.assertIn(flag, flags)

    def test_all_addresses_are_of_reserved_domains(self) -> None:
        for _, message in self.mail:
            for address in re.findall(rb"[\w.+-]+@[\w.-]+", bytes(message.content)):  # type: ignore[arg-type]
                self.assertRegex(address.decode(), RESERVED)

    def test_lines_end_in_crlf(self) -> None:
        for _, message in self.mail:
            self.assertNotRegex(bytes(message.content), rb"(?<!\r)\n|\r(?!\n)")  # type: ignore[arg-type]


class DemoAccount(SynchronousTestCase):
    def fill(self, path: Path) -> Demo:
        directory = Directory(path)
        self.addCleanup(directory.close)
        demo = Demo(Config(data=path), StringIO())
        demo.fill(directory)
        Authenticator(directory).password("demo", demo.password)
        return demo

    def test_a_second_run_has_the_same_password_and_no_more_mail(self) -> None:
        path = Path(self.mktemp()).absolute()
        first, second = self.fill(path), self.fill(path)
        self.assertEqual(first.password, second.password)
        self.assertEqual((path / "password").stat().st_mode & 0o777, 0o600)
        directory = Directory(path)
        self.addCleanup(directory.close)
        account = directory.open("demo")
        self.addCleanup(account.close)
        self.assertEqual(sum(box.messages for box in account.mailboxes().mailboxes),
                         len(list(messages(1_800_000_000))))
        self.assertEqual(list(account.check()), [])

    def test_a_second_run_has_the_same_key_and_a_lost_one_is_replaced(self) -> None:
        path = Path(self.mktemp()).absolute()
        key = self.fill(path).key
        kept = key.read_bytes()
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.fill(path).key.read_bytes(), kept)
        key.unlink()
        self.assertNotEqual(self.fill(path).key.read_bytes(), kept)
        directory = Directory(path)
        self.addCleanup(directory.close)
        known = {one.fingerprint for one in directory.keys.of("demo")}
        self.assertEqual(len(known), 2)
        self.assertIn(clientkeys.record(clientkeys.load(key.read_bytes()), "demo", None, 0.0).fingerprint, known)

    def test_a_lost_password_is_replaced(self) -> None:
        path = Path(self.mktemp()).absolute()
        first = self.fill(path)
        (path / "password").unlink()
        self.assertNotEqual(self.fill(path).password, first.password)

    def test_every_listener_is_on_the_loopback_interface(self) -> None:
        for listen in Demo.config().listen:
            self.assertRegex(listen, r"^imaps?=tcp:\d+:interface=127\.0\.0\.1$")

    def test_a_port_that_is_taken_is_passed_over(self) -> None:
        import socket
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = min(taken.getsockname()[1], 65000)
            self.assertNotEqual(free_port(port), taken.getsockname()[1])


class DemoProcess(SynchronousTestCase):
    """The real thing; only its ports are the kernel's choice."""

    def setUp(self) -> None:
        needs("curl", "openssl", "mutt")
        self.directory = Path(tempfile.mkdtemp(prefix="moximap-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def test_its_lines_work_when_pasted(self) -> None:
        loopback = ("--listen", "imap=tcp:0:interface=127.0.0.1", "--listen", "imaps=tcp:0:interface=127.0.0.1")
        child = Child.start(sys.executable, Path(sys.executable).parent / "twistd", "--nodaemon", "--pidfile=",
                            "moximap", "--demo", *loopback, directory=self.directory)
        self.addCleanup(child.stop)
        child.wait_until(lambda lines: "Ctrl-C ends it.\n" in lines)
        by_key = [line.strip() for line in child.lines if line.startswith("  ") and "key.pem" in line]
        lines = {line.split()[0]: line.strip() for line in child.lines
                 if line.startswith("  ") and line.strip() not in by_key}
        self.assertIn(b"Subject: New notebooks", self.paste(lines["curl"]))
        answer = self.paste(lines["printf"])
        self.assertIn(b"* 8 EXISTS\r\n", answer)
        self.assertIn(b"c OK", answer)
        curl, openssl = by_key
        self.assertNotIn(lines["curl"].split("--user demo:")[1].split()[0], curl + openssl)
        self.assertIn(b"Subject: New notebooks", self.paste(curl))
        answer = self.paste(openssl)
        self.assertTrue(answer.startswith(b"* PREAUTH "), answer)
        self.assertIn(b"* 8 EXISTS\r\n", answer)
        by_hand = run("sh", "-c", lines["openssl"], given=b"x NOOP\ny LOGOUT\n", directory=self.directory)
        self.assertIn(b"x OK", by_hand)
        # Standing in for the person who reads: save the first letter, and leave.
        mutt = lines["mutt"] + " -e 'set quit=yes sleep_time=0' -e 'push \"<first-entry><copy-message>saved<enter>y<quit>\"'"
        run_on_terminal("sh", "-c", mutt, directory=self.directory, HOME=str(self.directory))
        self.assertIn(b"Subject: New notebooks", (self.directory / "saved").read_bytes())
        self.assertNotIn("Traceback", child.said)

    def paste(self, line: str) -> bytes:
        return run("sh", "-c", line, directory=self.directory, no_proxy="*")


test_suite = beside.suite(__name__)
