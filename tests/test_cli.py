"""The `moximap` command, in this process: what it prints, what it ends with, what it leaves behind."""

import json
from pathlib import Path
from typing import Any, NoReturn

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from moximap.cli import accounts, mail
from moximap.cli.main import main
from moximap.identity.authenticator import AuthenticationFailed, Authenticator
from moximap.identity.passwords import make_verifiers
from moximap.store.account import Account
from moximap.store.bell import Bell
from moximap.store.directory import Directory
from moximap.store.errors import NoSpace, Unavailable
from tests.memory import InMemory
from tests.test_import import MBOX


class CommandCase(InMemory, SynchronousTestCase):
    def setUp(self) -> None:
        # The cost of a hash is of no interest here.
        self.patch(accounts, "make_verifiers", lambda password: make_verifiers(password, 4096))
        self.data = Path(self.mktemp())

    def run_command(self, *arguments: str, given: str | bytes = "", code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["--data", str(self.data), *arguments], input=given)
        self.assertEqual(result.exit_code, code, (result.output, result.exception))
        return result

    def refused(self, *arguments: str, given: str | bytes = "", code: int = 2) -> str:
        """The one line that a failing command says."""
        result = self.run_command(*arguments, given=given, code=code)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, r"\Amoximap: [^\n]+\n\Z")
        return result.stderr

    def add(self, name: str = "ada@example.org", password: str = "sesame") -> None:
        self.run_command("account", "add", name, "--password-stdin", given=password + "\n")

    def login(self, name: str, password: str) -> str:
        directory = Directory(self.data)
        self.addCleanup(directory.close)
        return Authenticator(directory).password(name, password).name

    def show(self, name: str = "ada@example.org") -> Any:
        return json.loads(self.run_command("account", "show", name, "--json").stdout)

    def messages(self, mailbox: str = "INBOX") -> int:
        return next(box["messages"] for box in self.show()["mailboxes"] if box["name"] == mailbox)


class Nothing(CommandCase):
    def test_who_names_no_command_is_told_where_they_are_listed(self) -> None:
        for group in ("account", "key", "metadata", "onion", "address", "domain"):
            self.assertIn(f"moximap {group} --help", self.refused(group))
        self.assertIn("onion client --help", self.refused("onion", "client"))
        result = CliRunner().invoke(main, [])
        self.assertEqual((result.exit_code, result.stdout), (2, ""))
        self.assertEqual(result.stderr, "moximap: a command is missing: moximap --help lists them\n")


class Accounts(CommandCase):
    def test_an_added_account_can_log_in_and_has_its_mailboxes(self) -> None:
        self.add("ada")
        self.assertEqual(self.login("ada", "sesame"), "ada")
        self.assertEqual([box["name"] for box in self.show("ada")["mailboxes"]],
                         ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"])

    def test_passwords_are_prompted_for_twice(self) -> None:
        self.patch(accounts, "_on_terminal", lambda: True)
        result = self.run_command("account", "add", "ada", given="sesame\nsesamo\nsesame\nsesame\n")
        self.assertNotIn("sesam", result.output)
        self.assertEqual(result.stdout, "")
        self.assertEqual(self.login("ada", "sesame"), "ada")

    def test_one_line_of_standard_input_is_the_password_with_its_spaces(self) -> None:
        self.run_command("account", "add", "ada", "--password-stdin", given=b" s\xc3\xa9same \r\nmore\n")
        self.assertEqual(self.login("ada", " s\u00e9same "), "ada")

    def test_bad_passwords_are_refused_and_not_shown(self) -> None:
        for bad in (b"", b"\n", b"sesame\x07\n", b"\xff\xfe\n"):
            said = self.refused("account", "add", "ada", "--password-stdin", given=bad)
            self.assertNotIn("sesame", said)
        self.assertEqual(self.run_command("account", "list").stdout, "")

    def test_a_name_is_taken_once_in_any_case(self) -> None:
        self.add()
        self.assertIn("exists already", self.refused("account", "add", "ADA@example.org"))

    def test_an_impossible_name_is_refused(self) -> None:
        self.refused("account", "add", "a/b", "--password-stdin", given="sesame\n")

    def test_a_changed_password_is_the_only_one(self) -> None:
        self.add()
        self.run_command("account", "passwd", "ada@example.org", "--password-stdin", given="new\n")
        self.assertEqual(self.login("ada@example.org", "new"), "ada@example.org")
        self.assertRaises(AuthenticationFailed, self.login, "ada@example.org", "sesame")

    def test_accounts_are_listed_by_name(self) -> None:
        self.add("bob")
        self.add("ada")
        self.assertEqual(self.run_command("account", "list").stdout, "ada\nbob\n")
        listed = json.loads(self.run_command("account", "list", "--json").stdout)
        self.assertEqual([(one["name"], one["password"], one["disabled"]) for one in listed],
                         [("ada", True, None), ("bob", True, None)])

    def test_show_prints_no_part_of_a_verifier(self) -> None:
        self.add()
        said = self.run_command("account", "show", "ada@example.org").stdout
        self.assertRegex(said, r"password: +yes")
        self.assertRegex(said, r" 0 messages +0 bytes  INBOX")
        self.assertEqual(set(self.show()), {"name", "created", "disabled", "password", "cram_md5", "capabilities_off",
                                            "mailboxes"})

    def test_show_tells_which_capabilities_are_hidden(self) -> None:
        self.add()
        self.run_command("account", "capabilities", "ada@example.org", "--disable", "uidonly", "--disable", "MOVE")
        self.assertRegex(self.run_command("account", "show", "ada@example.org").stdout, r"hidden: +MOVE UIDONLY\n")
        self.assertEqual(self.show()["capabilities_off"], ["MOVE", "UIDONLY"])

    def test_without_a_terminal_nobody_is_asked_for_a_password(self) -> None:
        self.assertIn("--password-stdin", self.refused("account", "add", "ada@example.org", given="sesame\nsesame\n"))

    def test_a_removed_account_is_gone_with_its_mail(self) -> None:
        self.add()
        self.run_command("account", "rm", "ada@example.org", "--yes")
        self.assertEqual(self.run_command("account", "list").stdout, "")
        self.assertEqual(list((self.data / "accounts").glob("ada*")), [])

    def test_removing_is_asked_about(self) -> None:
        self.add()
        self.run_command("account", "rm", "ada@example.org", given="n\n", code=130)
        self.run_command("account", "rm", "ada@example.org", given="y\n")

    def test_unknown_accounts_are_bad_input(self) -> None:
        self.add()
        for command in (["show", "bob"], ["rm", "bob", "--yes"], ["passwd", "bob", "--password-stdin"]):
            self.refused("account", *command, given="sesame\n")


class DataDirectory(CommandCase):
    def test_only_add_makes_a_directory(self) -> None:
        self.assertIn("holds no accounts", self.refused("account", "list"))
        self.assertFalse(self.data.exists())

    def test_it_can_be_given_by_the_environment(self) -> None:
        self.add()
        result = CliRunner().invoke(main, ["account", "list"], env={"MOXIMAP_DATA": str(self.data)})
        self.assertEqual(result.stdout, "ada@example.org\n")

    def test_without_one_the_ways_to_give_it_are_told(self) -> None:
        result = CliRunner().invoke(main, ["account", "list"], env={"MOXIMAP_DATA": ""})
        self.assertEqual(result.exit_code, 2)
        self.assertIn("--data DIR", result.stderr)

    def test_a_path_that_cannot_be_is_one_line(self) -> None:
        self.data.write_text("")
        self.refused("account", "add", "ada", "--password-stdin", given="sesame\n", code=1)

    def test_bad_usage_is_one_line_with_code_2(self) -> None:
        for arguments in (["frob"], ["account", "frob"], ["import"], ["account", "add"], ["check", "--frob"]):
            self.refused(*arguments)

    def test_help_and_version_are_no_failures(self) -> None:
        self.assertIn("account", self.run_command("--help").stdout)
        self.assertRegex(self.run_command("--version").stdout, r"^moximap \d")


class Importing(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.add()
        self.path = Path(self.mktemp())
        self.path.write_bytes(MBOX)

    def test_what_was_imported_is_counted(self) -> None:
        result = self.run_command("import", "ada@example.org", str(self.path))
        self.assertEqual(result.stdout, "imported 2 messages into 1 mailbox\n")
        self.assertEqual(self.messages(), 2)

    def test_a_mailbox_can_be_named_and_is_made(self) -> None:
        self.run_command("import", "ada@example.org", str(self.path), "--mailbox", "Old/1996")
        self.assertEqual(self.messages("Old/1996"), 2)

    def test_what_is_no_mail_is_bad_input(self) -> None:
        self.path.write_bytes(b"hello")
        self.refused("import", "ada@example.org", str(self.path))
        self.refused("import", "ada@example.org", str(self.path) + ".not-there")
        self.refused("import", "bob", str(self.path))

    def test_running_servers_hear_of_it(self) -> None:
        bell = Bell(self.data / "bell")
        self.addCleanup(bell.close)
        self.run_command("import", "ada@example.org", str(self.path))
        self.assertEqual([name for name, _ in bell.drain() or ()], ["ada@example.org"])


class Delivering(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.add()

    def test_a_message_from_standard_input_is_in_the_inbox(self) -> None:
        result = self.run_command("deliver", "ada@example.org", given="Subject: hi\n\nthere\n")
        self.assertEqual(result.output, "")
        self.assertEqual(self.messages(), 1)

    def test_running_servers_hear_of_it(self) -> None:
        bell = Bell(self.data / "bell")
        self.addCleanup(bell.close)
        self.run_command("deliver", "ada@example.org", given="Subject: hi\n\n")
        self.assertEqual([name for name, _ in bell.drain() or ()], ["ada@example.org"])

    def test_an_unknown_user_is_67(self) -> None:
        self.refused("deliver", "bob", code=67)

    def test_what_may_pass_is_75(self) -> None:
        self.refused("deliver", "ada@example.org", "--mailbox", "Nowhere", code=75)
        for error in (NoSpace("the disk is full"), OSError("input/output"), RuntimeError("a\nbug")):
            def fail(*_: object, error: Exception = error) -> None:
                raise error
            self.patch(mail, "deliver_message", fail)
            self.refused("deliver", "ada@example.org", code=75)

    def test_a_silent_bell_does_not_undo_a_delivery(self) -> None:
        (self.data / "bell").write_text("in the way")
        self.run_command("deliver", "ada@example.org", given="Subject: hi\n\n")
        self.assertEqual(self.messages(), 1)


class Damaged(CommandCase):
    def test_what_the_system_says_is_told(self) -> None:
        def broken(account: Account) -> NoReturn:
            raise Unavailable("it cannot be read") from OSError("input/output")

        self.add()
        self.patch(Account, "check", broken)
        self.assertIn("it cannot be read (input/output)\n", self.run_command("check", code=1).stdout)
        self.patch(Account, "quota", broken)
        self.assertIn("it cannot be read (input/output)\n", self.refused("quota", "ada@example.org", code=1))


class Checking(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.add("ada")
        self.add("bob")

    def test_whole_accounts_are_silent(self) -> None:
        self.run_command("deliver", "ada", given="Subject: hi\n\n")
        self.assertEqual(self.run_command("check").output, "")

    def test_problems_are_lines_and_the_code_is_1(self) -> None:
        self.patch(Account, "check", lambda account: iter([f"{account.name} is broken"]))
        self.assertEqual(self.run_command("check", code=1).stdout, "ada: ada is broken\nbob: bob is broken\n")
        self.assertEqual(self.run_command("check", "bob", code=1).stdout, "bob: bob is broken\n")

    def test_an_unknown_account_is_bad_input(self) -> None:
        self.refused("check", "ada", "carol")
