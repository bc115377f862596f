"""Each command of `moximap` as a process of its own, with standard streams that are real."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from moximap.cli.main import COMMANDS
from tests import beside
from tests.server import moximap_command, moximap_process, run

LETTER = b"From: a@example.org\r\nSubject: letter\r\n\r\nbody\r\n"
#: Commands that are there when the others run, one after the other.
FIRST: Sequence[tuple[tuple[str, ...], bytes, bytes]] = (
    (("account", "add", "ada", "--password-stdin"), b"sesame\n", b""),
    (("deliver", "ada"), LETTER, b""),
)
#: Words, standard input, a part of standard output.
COMMAND: Sequence[tuple[tuple[str, ...], bytes, bytes]] = (
    (("account", "list"), b"", b"ada"),
    (("address", "add", "ada", "ada@example.org"), b"", b""),
    (("domain", "list"), b"", b""),
    (("key", "gen", "ada", "laptop", "--out", "{home}"), b"", b"."),
    (("attempts",), b"", b""),
    (("import", "ada", "{home}/mbox"), b"", b""),
    (("check",), b"", b""),
    (("backup", "{home}/backup"), b"", b""),
    (("quota", "ada"), b"", b"messages"),
    (("metadata", "set", "/shared/comment", "x"), b"", b""),
    (("onion", "address"), b"", b".onion"),
)
#: Last, with the backup; and those that other tests run as processes.
LAST, ELSEWHERE = "restore", {"imapserve", "sync"}


class Processes(SynchronousTestCase):
    def test_each_command_reads_and_writes_the_streams_that_it_has(self) -> None:
        home = Path(tempfile.mkdtemp(prefix="moximap-test-"))
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        (home / "mbox").write_bytes(b"From a Tue Feb  3 04:05:06 2009\nSubject: x\n\ny\n")

        def check(words: tuple[str, ...], given: bytes, says: bytes) -> None:
            said = moximap_process(home / "data", *(word.format(home=home) for word in words), given=given)
            self.assertIn(says, said, words)

        for each in FIRST:
            check(*each)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(check, *zip(*COMMAND, strict=True)))
        [snapshot] = (home / "backup").glob("2*")
        check((LAST, str(snapshot), "--account", "ada", "--as", "eve"), b"", b"")
        self.assertIn(b"eve", moximap_command(home / "data", "account", "list"))

    def test_none_is_missing(self) -> None:
        self.assertEqual(set(COMMANDS), {words[0] for words, _, _ in (*FIRST, *COMMAND)} | {LAST} | ELSEWHERE)

    def test_delivering_a_letter_loads_neither_tls_nor_the_protocol(self) -> None:
        code = ("import sys; from moximap.cli.main import main; main.get_command(None, 'deliver'); "
                "print(*sorted(name for name in sys.modules if name in ('OpenSSL', 'moximap.imap', 'moximap.store')))")
        self.assertEqual(run(sys.executable, "-c", code).strip(), b"moximap.store")


test_suite = beside.suite(__name__)
