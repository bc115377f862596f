"""Keys, addresses and attempts in the directory: what is kept, and what goes with an account."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import apsw
from twisted.trial.unittest import SynchronousTestCase

from moximap.store import attempts_table, database
from moximap.store.addresses import Domain
from moximap.store.attempts import KEPT, Attempt, Attempts
from moximap.store.directory import Directory
from moximap.store.errors import AccountExists, Cannot, NoSuchAccount, Unavailable
from moximap.store.keys import KeyExists, KeyRecord, NoSuchKey
from tests.memory import InMemory


def record(letter: str = "a", account: str = "ada", **more: object) -> KeyRecord:
    return KeyRecord(letter * 43, account, "phone", "ed25519", b"der", 1.0, **more)  # type: ignore[arg-type]


def attempt(account: str = "ada", result: str = "ok", **more: str) -> Attempt:
    fields = {"account": account, "login": "ada", "remote": "192.0.2.1", "local": "192.0.2.2", "tls": "",
              "key": "", "protocol": "imap", "agent": "", "mechanism": "plain", "result": result}
    return Attempt(**fields | more)


class DirectoryCase(InMemory, SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.directory = Directory(self.path)
        self.addCleanup(self.directory.close)
        self.directory.add("ada")
        self.directory.add("bob@example.org")


class Keys(DirectoryCase):
    def test_an_account_has_several_keys_and_a_key_one_account(self) -> None:
        """CONTRACT 3."""
        for letter in "ba":
            self.directory.keys.add(record(letter, "ADA"))
        self.assertEqual([key.fingerprint[0] for key in self.directory.keys.of("ada")], ["a", "b"])
        self.assertEqual(self.directory.keys.find("a" * 43).account, "ada")
        self.assertRaises(KeyExists, self.directory.keys.add, record("a", "bob@example.org"))
        self.assertEqual(self.directory.keys.of("bob@example.org"), ())
        self.assertEqual(len(self.directory.keys.of()), 2)

    def test_everything_that_is_said_of_a_key_is_kept(self) -> None:
        key = record(no_preauth=True, read_only=True, until=7.0)
        self.assertEqual(self.directory.keys.add(key), key)
        self.assertTrue(key.expired(7.0))
        self.assertFalse(key.expired(6.9))

    def test_what_is_not_there_is_said(self) -> None:
        self.assertRaises(NoSuchKey, self.directory.keys.find, "a" * 43)
        self.assertRaises(NoSuchKey, self.directory.keys.remove, "a" * 43)
        self.assertRaises(NoSuchAccount, self.directory.keys.add, record(account="eve"))
        self.assertRaises(NoSuchAccount, self.directory.keys.of, "eve")

    def test_a_removed_account_leaves_nothing_behind(self) -> None:
        self.directory.keys.add(record())
        self.directory.addresses.add("ada", "a@example.org")
        self.directory.set_capabilities_off("ada", ["uidonly"])
        self.directory.attempts.record([Attempts(attempt(result="badpassword"), 1, 1.0, 1.0)])
        self.directory.remove("ada")
        self.assertEqual(self.directory.keys.of(), ())
        self.assertEqual(self.directory.attempts.of(), ())
        self.assertRaises(NoSuchAccount, self.directory.addresses.recipient, "a@example.org")
        connection = apsw.Connection(str(self.path / "directory.db"))
        self.addCleanup(connection.close)
        for table in ("key", "address", "capability_off", "attempt", "attempt_failures"):
            self.assertEqual(connection.execute(f"SELECT count(*) FROM {table}").get, 0, table)

    def test_a_directory_of_version_1_is_upgraded_with_its_accounts(self) -> None:
        old = Path(self.mktemp())
        old.mkdir()
        with mock.patch.object(database, "versions", lambda schema: [database.SCHEMAS / "directory-1.sql"]):
            database.create(old / "directory.db", "directory")
        connection = apsw.Connection(str(old / "directory.db"))
        connection.execute("INSERT INTO account (name, folded, created) VALUES ('eve', 'eve', 5)")
        connection.close()
        directory = Directory(old)
        self.addCleanup(directory.close)
        self.assertEqual(directory.account("eve").created, 5)
        self.assertEqual(len(directory.secret("fake salts")), 32)
        self.assertNotEqual(directory.secret("fake salts"), self.directory.secret("fake salts"))


class Addresses(DirectoryCase):
    def test_an_address_is_a_name_of_the_account_in_any_case(self) -> None:
        self.directory.addresses.add("ada", "Rene\u0301@Example.org")
        self.assertEqual(self.directory.account("REN\u00c9@example.org").name, "ada")
        self.assertEqual(self.directory.addresses.of("ada"), ("Ren\u00e9@Example.org",))
        self.directory.addresses.remove("ren\u00e9@example.org")
        self.assertRaises(NoSuchAccount, self.directory.account, "ren\u00e9@example.org")
        self.assertRaises(NoSuchAccount, self.directory.addresses.remove, "ren\u00e9@example.org")

    def test_an_address_belongs_to_one_account(self) -> None:
        self.directory.addresses.add("ada", "a@example.org")
        for taken in ("A@example.org", "bob@example.org"):
            self.assertRaises(AccountExists, self.directory.addresses.add, "bob@example.org", taken)
        self.assertRaises(AccountExists, self.directory.add, "a@EXAMPLE.org")

    def test_what_is_no_address_is_refused(self) -> None:
        for bad in ("", "ada", "a@", "a b@example.org", "a@exa mple.org", "a@-b", "a@b..c", "a\n@b", "a@b@"):
            self.assertRaises(Cannot, self.directory.addresses.add, "ada", bad)

    def test_a_catch_all_gets_mail_and_logs_nobody_in(self) -> None:
        self.directory.addresses.add("ada", "@example.org")
        recipient = self.directory.addresses.recipient
        self.assertEqual(recipient("anybody@example.ORG"), "ada")
        self.assertEqual(recipient("bob@example.org"), "bob@example.org")
        for unknown in ("anybody@example.net", "@example.org", "anybody"):
            self.assertRaises(NoSuchAccount, recipient, unknown)
        for name in ("anybody@example.org", "@example.org"):
            self.assertRaises(NoSuchAccount, self.directory.account, name)

    def test_a_disabled_domain_takes_no_mail_for_now_and_logs_in(self) -> None:
        """CONTRACT 28."""
        self.directory.addresses.disable_domain("Example.org", True)
        self.assertRaises(Unavailable, self.directory.addresses.recipient, "bob@example.org")
        self.assertEqual(self.directory.account("bob@example.org").name, "bob@example.org")
        self.assertEqual(self.directory.addresses.domains(), (Domain("example.org", True),))
        self.directory.addresses.disable_domain("example.org", False)
        self.assertEqual(self.directory.addresses.recipient("bob@example.org"), "bob@example.org")
        self.assertRaises(Cannot, self.directory.addresses.disable_domain, "a@b", True)

    def test_a_reason_is_printable_ascii_and_short(self) -> None:
        """CONTRACT 27."""
        for bad in ("", "x" * 257, "a\r\n* OK", "caf\u00e9"):
            self.assertRaises(Cannot, self.directory.set_disabled, "ada", bad)
        self.directory.set_disabled("ada", "x" * 256)

    def test_capabilities_that_are_off_are_in_the_record(self) -> None:
        """CONTRACT 32."""
        self.directory.set_capabilities_off("ada", ["uidonly", "NOTIFY", "notify"])
        self.assertEqual(self.directory.account("ada").capabilities_off, ("NOTIFY", "UIDONLY"))
        self.directory.set_capabilities_off("ada", [])
        self.assertEqual(self.directory.account("ada").capabilities_off, ())


class AttemptRecords(DirectoryCase):
    def put(self, one: Attempt, when: float, count: int = 1) -> int:
        return self.directory.attempts.record([Attempts(one, count, when, when)])[0]

    def test_attempts_that_are_alike_are_one_record(self) -> None:
        """CONTRACT 19."""
        self.assertEqual(self.put(attempt(), 10.0), 1)
        self.assertEqual(self.put(attempt(), 30.0), 2)
        self.assertEqual(self.put(attempt(), 20.0, 3), 5)
        self.assertEqual(self.put(attempt(agent="x"), 40.0), 1)
        latest, other = self.directory.attempts.of("ada")
        self.assertEqual((other.count, other.first, other.last), (5, 10.0, 30.0))
        self.assertEqual(latest.attempt.agent, "x")
        self.assertEqual(len(self.directory.attempts.of("ada", 1)), 1)

    def test_fields_do_not_run_into_each_other(self) -> None:
        self.assertNotEqual(attempt(login="ab", agent="c").id(), attempt(login="a", agent="bc").id())
        self.assertNotEqual(attempt(login="a\0agent='c'").id(), attempt(login="a", agent="c").id())

    def test_names_that_are_no_text_are_kept_readable(self) -> None:
        self.put(attempt(login="\udcff"), 1.0)
        self.assertEqual(self.directory.attempts.of()[0].attempt.login, "\\udcff")

    def test_they_are_kept_for_30_days_after_the_last(self) -> None:
        """CONTRACT 20."""
        self.put(attempt(), 10.0)
        self.assertEqual(self.directory.attempts.clean(10.0 + KEPT), 0)
        self.assertEqual(self.directory.attempts.clean(10.1 + KEPT), 1)

    def test_of_too_many_failures_the_oldest_go_and_successes_stay(self) -> None:
        """CONTRACT 20."""
        self.patch(attempts_table, "MOST_FAILED", 3)
        self.put(attempt(), 0.0)
        for number in range(6):
            self.put(attempt("-", "baduser", login=str(number)), float(number))
            self.put(attempt("ada", "badpassword", login=str(number)), float(number))
        for account in ("-", "ada"):
            failed = [each.attempt.login for each in self.directory.attempts.of(account)
                      if each.attempt.result != "ok"]
            self.assertEqual(failed, ["5", "4", "3"])
        self.assertEqual(len(self.directory.attempts.of("ada")), 4)

    def test_a_login_marks_its_key_as_used(self) -> None:
        self.directory.keys.add(record())
        self.put(attempt(result="badcreds", key="a" * 43), 9.0)
        self.assertIsNone(self.directory.keys.find("a" * 43).used)
        for when in (7.0, 5.0):
            self.put(attempt(key="a" * 43), when)
        self.assertEqual(self.directory.keys.find("a" * 43).used, 7.0)
