"""`moximap metadata`."""

from __future__ import annotations

import json

from moximap.store.bell import Bell
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
