"""moximap.testing: a real server for the tests of others."""

from __future__ import annotations

import imaplib
import ssl
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from moximap.store.errors import NoSuchAccount, NoSuchMailbox
from moximap.testing import NotReady, Server
from tests import beside
from tests.server import environment

LETTER = b"Subject: hello\r\n\r\nHello, Ada.\r\n"


class ServerTests(SynchronousTestCase):
    def test_mail_is_delivered_and_read_and_nothing_is_left(self) -> None:
        with Server({"ada": "secret"}) as server:
            self.assertEqual([server.deliver("ada", LETTER) for _ in range(2)], [1, 2])
            with imaplib.IMAP4(server.host, server.imap) as client:
                client.login("ada", "secret")
                self.assertEqual(client.select(), ("OK", [b"2"]))
                answer: list[tuple[bytes, bytes]] = client.fetch("1", "(BODY.PEEK[])")[1]  # type: ignore[assignment]
                self.assertEqual(answer[0][1], LETTER)
                server.deliver("ada", LETTER)
                client.noop()
                self.assertEqual(client.response("EXISTS")[1][-1], b"3")
            server.add_account("bob", "other")
            trusted = ssl.create_default_context(cafile=str(server.certificate))
            with imaplib.IMAP4_SSL(server.host, server.imaps, ssl_context=trusted) as client:
                self.assertEqual(client.login("bob", "other")[0], "OK")
            self.assertRaises(NoSuchAccount, server.deliver, "eve", LETTER)
            self.assertRaises(NoSuchMailbox, server.deliver, "ada", LETTER, "Nowhere")
            self.assertIn("listening: imaps", server.log)
            directory = server.directory
            self.assertTrue(directory.exists())
        self.assertFalse(directory.exists())
        server.stop()

    def test_what_keeps_it_from_starting_is_told(self) -> None:
        server = Server(options=["--no-such-option"])
        error = self.assertRaises(NotReady, server.start)
        self.assertIn("--no-such-option", str(error))
        self.assertFalse(server.directory.exists())

    def test_it_ends_with_the_interpreter(self) -> None:
        code = "from moximap.testing import Server; s = Server(); s.start(); print(s.directory, s._process.process.pid)"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                              env=environment()).stdout.split()
        self.assertFalse(Path(said[0]).exists())
        self.assertFalse(Path("/proc", said[1]).exists())


test_suite = beside.suite(__name__)
