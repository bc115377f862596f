"""`moximap metadata`."""

from __future__ import annotations

import json
import socket

from moximap.store.bell import Bell
from tests import beside
from tests.server import ServerTestCase, moximap_command
from tests.test_cli import CommandCase


class MetadataTests(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.add()

    def test_what_was_set_is_listed_until_it_is_removed(self) -> None:
        self.run_command("metadata", "set", "/shared/admin", "mailto:root@example.org")
        self.run_command("metadata", "set", "/Shared/comment", "Grüße")
        self.assertEqual(self.run_command("metadata", "list").stdout,
                         "/shared/admin: mailto:root@example.org\n/shared/comment: Grüße\n")
        self.run_command("metadata", "rm", "/shared/admin")
        self.assertEqual(json.loads(self.run_command("metadata", "list", "--json").stdout),
                         {"/shared/comment": "Grüße"})

    def test_names_that_cannot_be(self) -> None:
        for name in ("/private/comment", "/shared", "comment", "/shared/vendor/x"):
            self.refused("metadata", "set", name, "x")

    def test_running_servers_hear_of_it(self) -> None:
        bell = Bell(self.data / "bell")
        self.addCleanup(bell.close)
        self.run_command("metadata", "set", "/shared/comment", "x")
        self.assertIsNone(bell.drain())
        self.assertEqual(bell.drain(), [])


class RunningTests(ServerTestCase):
    """A real server, another process, a client that idles."""

    def test_an_idling_client_hears_of_it(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.ports["imap"]), 20) as connection, \
                connection.makefile("rb") as lines:
            def say(text: str, until: bytes) -> None:
                connection.sendall(text.encode() + b"\r\n")
                while not lines.readline().startswith(until):
                    pass

            name, password = self.user, self.password.replace("\\", "\\\\").replace('"', '\\"')
            say(f'a LOGIN "{name}" "{password}"', b"a OK")
            say("b ENABLE METADATA", b"b OK")
            say("c IDLE", b"+ ")
            moximap_command(self.server.data, "metadata", "set", "/shared/comment", "We move on Friday.")
            self.assertEqual(lines.readline(), b'* METADATA "" /shared/comment\r\n')
            say("DONE", b"c OK")
            connection.sendall(b'd GETMETADATA "" /shared/comment\r\n')
            self.assertEqual(lines.readline(), b'* METADATA "" (/shared/comment "We move on Friday.")\r\n')


test_suite = beside.suite(__name__)
