"""`moximap attempts`, `address`, `domain`, and the switches of accounts."""

from __future__ import annotations

import json

from moximap.store.attempts import Attempts
from moximap.store.bell import DIRECTORY, Bell
from moximap.store.directory import Directory
from tests.dialogue import DialogueCase
from tests.test_cli import CommandCase
from tests.test_keys import attempt


class AttemptCommand(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.add("ada")
        directory = Directory(self.data)
        for number in range(12):
            one = attempt("ada" if number % 2 else "-", "badpassword", login=f"l{number:02}\x1b[31m")
            directory.attempts.record([Attempts(one, 3, float(number), float(number))])
        directory.close()

    def test_rule_21_the_ten_latest_are_shown_and_all_on_demand(self) -> None:
        self.assertEqual(len(self.run_command("attempts").stdout.splitlines()), 10)
        lines = self.run_command("attempts", "--all").stdout.splitlines()
        self.assertEqual(len(lines), 12)
        self.assertRegex(lines[0], r'^1970-01-01T00:00:11\+00:00 +3x  badpassword +192\.0\.2\.1 +plain +ada  login="l11')

    def test_nothing_that_a_client_chose_reaches_the_terminal(self) -> None:
        self.assertNotIn("\x1b", self.run_command("attempts", "--all").stdout)

    def test_those_of_one_account_or_of_nobody(self) -> None:
        for name, first in (("ADA", "l11"), ("-", "l10")):
            found = json.loads(self.run_command("attempts", name, "--json").stdout)
            self.assertEqual((len(found), found[0]["login"][:3], found[0]["count"]), (6, first, 3))
        self.refused("attempts", "nobody")


class Controls(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.add("ada")
        self.bell = Bell(self.data / "bell")
        self.addCleanup(self.bell.close)

    def test_rule_29_an_account_is_disabled_with_a_message_and_servers_hear_of_it(self) -> None:
        self.run_command("account", "disable", "ada", "Moved to mail.example.com.")
        self.assertEqual(self.bell.drain(), [(DIRECTORY, 0)])
        self.assertEqual(self.show("ada")["disabled"], "Moved to mail.example.com.")
        self.run_command("account", "enable", "ada")
        self.assertIsNone(self.show("ada")["disabled"])
        for bad in ("", "caf\u00e9", "a\nb", "x" * 257):
            self.refused("account", "disable", "ada", bad)
        self.refused("account", "enable", "nobody")

    def test_a_removed_account_is_told_to_servers(self) -> None:
        self.run_command("account", "rm", "ada", "--yes")
        self.assertEqual(self.bell.drain(), [(DIRECTORY, 0)])

    def test_addresses_log_in(self) -> None:
        self.run_command("address", "add", "ada", "ada@example.org")
        self.assertEqual(self.login("ADA@example.org", "sesame"), "ada")
        self.assertEqual(self.run_command("address", "list", "ada").stdout, "ada@example.org\n")
        self.assertEqual(json.loads(self.run_command("address", "list", "ada", "--json").stdout), ["ada@example.org"])
        self.refused("address", "add", "ada", "ADA@example.org")
        self.refused("address", "add", "ada", "no address")
        self.run_command("address", "rm", "ada@example.org")
        self.refused("address", "rm", "ada@example.org")

    def test_a_catch_all_gets_what_is_delivered(self) -> None:
        self.run_command("address", "add", "ada", "@example.org")
        self.run_command("deliver", "anybody@example.org", given=b"Subject: x\n\ny\n")
        self.assertEqual(self.show("ada")["mailboxes"][2]["messages"], 1)
        self.run_command("deliver", "anybody@example.net", given=b"Subject: x\n\ny\n", code=67)

    def test_rule_28_mail_for_a_disabled_domain_is_tried_again_later(self) -> None:
        self.run_command("address", "add", "ada", "ada@example.org")
        self.run_command("domain", "disable", "example.org")
        self.assertEqual(self.run_command("domain", "list").stdout, "example.org  (disabled)\n")
        self.run_command("deliver", "ada@example.org", given=b"Subject: x\n\ny\n", code=75)
        self.assertEqual(self.login("ada@example.org", "sesame"), "ada")
        self.run_command("domain", "enable", "example.org")
        self.assertEqual(json.loads(self.run_command("domain", "list", "--json").stdout),
                         [{"name": "example.org", "disabled": False}])
        self.run_command("deliver", "ada@example.org", given=b"Subject: x\n\ny\n")

    def test_rule_32_capabilities_are_hidden_and_shown_again(self) -> None:
        hide = ("account", "capabilities", "ada")
        self.assertEqual(self.run_command(*hide, "--disable", "move", "--disable", "idle").stdout,
                         "IDLE\nMOVE\n")
        self.assertEqual(self.run_command(*hide).stdout, "IDLE\nMOVE\n")
        self.assertEqual(self.run_command(*hide, "--enable", "IDLE").stdout, "MOVE\n")
        for wrong in ("X-NEW", "IMAP4rev1", ""):
            self.refused(*hide, "--disable", wrong)


class Hidden(DialogueCase):
    def test_rule_32_clients_are_not_told_and_cannot_enable(self) -> None:
        self.directory.set_capabilities_off("ada", ["CONDSTORE", "APPENDLIMIT", "IMAP4REV2", "MOVE"])
        self.dialogue("""
            S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 {*}
            C: a LOGIN ada secret
            S: a OK [CAPABILITY {caps}{*}] welcome
            C: b ENABLE CONDSTORE IMAP4rev2 QRESYNC
            S: * ENABLED QRESYNC
            S: b OK ENABLE completed
            C: c CAPABILITY
            S: * CAPABILITY {*}
            S: c OK CAPABILITY completed
        """, login=None)
        told = self.site.dialect.capabilities(self.client().protocol.session).split()
        for name in (b"CONDSTORE", b"IMAP4rev2", b"MOVE", b"APPENDLIMIT=104857600"):
            self.assertNotIn(name, told)
        self.assertIn(b"QRESYNC", told)

    def test_other_accounts_are_told(self) -> None:
        self.directory.set_capabilities_off("ada", ["MOVE"])
        self.client("2", "bob").send(b"a CAPABILITY\r\n")
        self.assertIn(b" MOVE ", self.client("2").received())
