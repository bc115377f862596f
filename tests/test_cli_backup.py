"""`moximap check --repair`, `moximap backup` and `moximap restore`: what they print and end with."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import closing
from pathlib import Path

from moximap.identity.passwords import make_verifiers
from moximap.store import database
from moximap.store.bell import Bell
from moximap.store.directory import Directory
from tests.test_cli import CommandCase

MAIL = "Subject: {}\n\nhi\n"


class BackupCase(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        with closing(Directory(self.data)) as directory:
            for name in ("ada", "bob"):
                directory.add(name, make_verifiers("sesame", 4096))
        for number in range(3):
            self.run_command("deliver", "ada", given=MAIL.format(number))
        self.where = Path(self.mktemp())

    def backup(self, *arguments: str) -> Path:
        said = json.loads(self.run_command("backup", str(self.where), "--json", *arguments).stdout)
        return Path(said["snapshot"])

    def damage(self, statement: str, name: str = "ada") -> None:
        with closing(database.connect(self.data / "accounts" / name / "mail.db", write=True)) as connection:
            connection.execute(statement)

    def count(self, name: str = "ada") -> dict[str, int]:
        return {box["name"]: box["messages"] for box in self.show(name)["mailboxes"] if box["messages"]}


class Repairing(BackupCase):
    def test_what_was_done_is_told_and_then_all_is_well(self) -> None:
        self.damage("UPDATE mailbox_row SET messages = 9 WHERE name = 'INBOX'")
        self.assertIn("ada: mailbox INBOX (id 1) has wrong counters", self.run_command("check", code=1).stdout)
        self.assertEqual(self.run_command("check", "--repair").stdout,
                         "ada: mended: counted mailbox INBOX anew\n")
        self.assertEqual(self.run_command("check").output, "")

    def test_what_cannot_be_mended_is_told_and_the_code_is_1(self) -> None:
        self.damage("UPDATE content SET body = x'00' WHERE id = 1")
        self.assertIn("content 1 has another", self.run_command("check", "--repair", code=1).stdout)

    def test_an_account_without_mail_does_not_end_the_check(self) -> None:
        shutil.rmtree(self.data / "accounts" / "ada")
        self.damage("UPDATE mailbox_row SET messages = 9 WHERE name = 'INBOX'", "bob")
        said = self.run_command("check", code=1).stdout
        self.assertIn("account ada has no mail", said)
        self.assertIn("bob: mailbox INBOX", said)
        self.run_command("check", "--repair", "bob")

    def test_running_servers_hear_of_it(self) -> None:
        bell = Bell(self.data / "bell")
        self.addCleanup(bell.close)
        self.run_command("check", "ada", "--repair")
        self.assertEqual([name for name, _ in bell.drain() or ()], ["ada"])


class BackingUp(BackupCase):
    def test_it_says_where_the_snapshot_is(self) -> None:
        said = self.run_command("backup", str(self.where)).stdout
        (path,) = (path for path in self.where.iterdir() if path.name[0] != ".")
        self.assertRegex(said, rf"\A{path}: accounts 2, messages 3, octets copied [\d,]+\n\Z")

    def test_json_has_all_that_is_known(self) -> None:
        said = json.loads(self.run_command("backup", str(self.where), "ada", "--verify", "--json").stdout)
        self.assertEqual((said["complete"], said["problems"], said["pruned"]), (False, [], []))
        self.assertEqual([saved["messages"] for saved in said["accounts"]], [3])

    def test_old_ones_are_removed_and_named(self) -> None:
        first = self.backup()
        said = self.run_command("backup", str(self.where), "--keep", "1").stdout
        self.assertIn(f"{first}: removed\n", said)
        self.assertFalse(first.exists())

    def test_a_problem_is_told_and_the_code_is_1(self) -> None:
        self.damage("UPDATE mailbox_row SET messages = 9 WHERE name = 'INBOX'")
        result = self.run_command("backup", str(self.where), code=1)
        self.assertIn("moximap: ada: mailbox INBOX", result.stderr)
        self.assertIn("accounts 2", result.stdout)

    def test_unknown_accounts_and_impossible_places_are_refused(self) -> None:
        self.refused("backup", str(self.where), "carol")
        self.where.with_name("file").write_text("")
        self.refused("backup", str(self.where.with_name("file")))
        self.refused("backup", str(self.where), "--keep", "0")


class Restoring(BackupCase):
    def setUp(self) -> None:
        super().setUp()
        self.snapshot = str(self.backup())

    def restore(self, *arguments: str, code: int = 0) -> str:
        return self.run_command("restore", self.snapshot, "--account", "ada", *arguments, code=code).stdout

    def test_a_mailbox(self) -> None:
        with closing(Directory(self.data)) as directory, closing(directory.open("ada")) as account:
            account.move(account.mailbox("INBOX").id, account.append("INBOX", []).uids, "Trash")
            account.rename("INBOX", "Elsewhere")
        self.assertEqual(self.restore("--mailbox", "INBOX"), "mailboxes 1, messages restored 3, "
                         "there already 0, of these mended 0\n")
        self.assertIn("restored 0, there already 3", self.restore("--mailbox", "INBOX"))
        self.assertEqual(self.count(), {"Elsewhere": 3, "INBOX": 3})

    def test_messages_by_uid_into_a_mailbox(self) -> None:
        self.restore("--mailbox", "INBOX", "--uid", "1,3:*", "--into", "Found")
        self.restore("--mailbox", "INBOX", "--uid", "1", "--uid", "2", "--into", "Found")
        self.assertEqual(self.count(), {"INBOX": 3, "Found": 3})
        self.restore("--mailbox", "INBOX", "--uid", "9", code=2)

    def test_a_removed_account_with_its_password(self) -> None:
        self.run_command("account", "rm", "ada", "--yes")
        self.assertEqual(json.loads(self.restore("--json")),
                         {"mailboxes": 6, "messages": 3, "present": 0, "mended": 0, "problems": []})
        self.assertEqual(self.login("ada", "sesame"), "ada")
        self.assertEqual(self.run_command("check").output, "")

    def test_an_account_is_replaced_only_on_demand(self) -> None:
        self.run_command("deliver", "ada", given=MAIL.format("new"))
        self.restore(code=2)
        self.assertEqual(self.count(), {"INBOX": 4})
        self.restore("--replace")
        self.assertEqual(self.count(), {"INBOX": 3})

    def test_under_another_name_and_on_another_machine(self) -> None:
        self.restore("--as", "ada2")
        self.assertEqual(self.count("ada2"), {"INBOX": 3})
        self.data = Path(self.mktemp())
        self.restore("--keep-uids")
        self.assertEqual(self.count(), {"INBOX": 3})

    def test_running_servers_hear_of_it(self) -> None:
        bell = Bell(self.data / "bell")
        self.addCleanup(bell.close)
        self.restore("--mailbox", "INBOX")
        self.restore("--replace")
        self.assertEqual([name for name, _ in bell.drain() or ()], ["ada"])

    def test_what_makes_no_sense_is_refused(self) -> None:
        for arguments in (["--uid", "1"], ["--into", "x"], ["--mailbox", "INBOX", "--uid", "x"],
                          ["--mailbox", "INBOX", "--uid", "0"], ["--mailbox", "INBOX", "--replace"],
                          ["--replace", "--keep-uids"], ["--mailbox", "Nowhere"]):
            self.refused("restore", self.snapshot, "--account", "ada", *arguments)
        self.refused("restore", self.snapshot, "--account", "carol")
        self.refused("restore", str(self.data), "--account", "ada")

    def test_what_is_damaged_is_told_and_the_code_is_1(self) -> None:
        path = Path(self.snapshot) / "accounts" / "ada" / "mail.db"
        with closing(database.connect(path, write=True)) as connection:
            connection.execute("UPDATE content SET body = x'00' WHERE id = 1")
        self.run_command("account", "rm", "ada", "--yes")
        result = self.run_command("restore", self.snapshot, "--account", "ada", code=1)
        self.assertIn("moximap: content 1 has another size", result.stderr)


class Opening(BackupCase):
    def test_what_is_half_done_is_cleaned_up_by_the_next(self) -> None:
        """A killed restoration leaves its room; the next one empties it."""
        snapshot = str(self.backup())
        rooms = self.data / "restoring"
        (rooms / "1-dead.draft").mkdir(parents=True)
        (rooms / "1-dead").write_bytes(b"")
        self.run_command("restore", snapshot, "--account", "ada", "--mailbox", "INBOX")
        self.assertEqual(os.listdir(rooms), [])
