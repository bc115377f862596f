"""Annotations in the store (RFC 5464), by cases that every store must pass."""

from __future__ import annotations

from pathlib import Path

import apsw
from zope.interface.verify import verifyObject

from moximap.store import annotations_table, database
from moximap.store.annotations import (LARGEST, MOST, AnnotationsTooLarge, IAnnotations, ISharedAnnotations,
                                       TooManyAnnotations, clean)
from moximap.store.directory import SCHEMA, Directory
from moximap.store.errors import Cannot, NoSuchMailbox
from tests.storecases import OnDisk, StoreCase

ENTRY = "/private/comment"


class NameTests(OnDisk):
    def test_names(self) -> None:
        """CONTRACT 80."""
        for name in (ENTRY, "/shared/vendor/a/b", "/private/a b", "/private/x/y/z", "/private/~!{}"):
            self.assertEqual(clean(name.upper()), name)
        for name in ("", "/", "/private", "/private/", "/private//x", "private/x", "/other/x", "/private/*",
                     "/private/%", "/private/\x1f", "/private/\x7f", "/private/\xe4", "/shared/vendor/a",
                     "/private/x\n"):
            self.assertRaises(Cannot, clean, name)
        for name in ("/", "/private", "/shared/vendor", "/shared/vendor/a"):
            self.assertEqual(clean(name, part=True), name)


class AnnotationTests(StoreCase, OnDisk):
    def setUp(self) -> None:
        super().setUp()
        self.annotations = self.account.annotations

    def test_the_store_provides_its_interfaces(self) -> None:
        verifyObject(IAnnotations, self.annotations)
        verifyObject(ISharedAnnotations, self.directory.annotations)

    def test_a_change_is_a_place_in_the_log(self) -> None:
        """CONTRACT 39 and 42."""
        before = self.box("INBOX")
        written = self.annotations.change("inbox", {ENTRY: b"x"})
        changes, = written.changes
        self.assertEqual(self.box("INBOX").modseq, written.modseq)
        self.assertEqual((changes.mailbox, changes.since, changes.modseq, len(changes.uids)),
                         (before.id, before.modseq, written.modseq, 0))
        self.assertEqual(self.annotations.since(before.modseq).entries, (("INBOX", ENTRY, written.modseq),))
        self.assertEqual(self.annotations.since(written.modseq).entries, ())
        self.assertEqual(self.annotations.since(None).modseq, written.modseq)

    def test_what_was_removed_is_remembered_and_is_new_when_it_comes_again(self) -> None:
        self.annotations.change("", {ENTRY: b"x"})
        gone = self.annotations.change("", {ENTRY: None})
        self.assertEqual(self.annotations.of(""), {})
        self.assertEqual(self.annotations.since(gone.modseq - 1).entries, (("", ENTRY, gone.modseq),))
        again = self.annotations.change("", {ENTRY: b""})
        self.assertEqual(self.annotations.of(""), {ENTRY: b""})
        self.assertEqual(again.modseq, gone.modseq + 1)

    def test_what_is_as_wished_keeps_its_modseq(self) -> None:
        first = self.annotations.change("INBOX", {ENTRY: b"x"})
        self.assertEqual(self.annotations.change("INBOX", {ENTRY: b"x", "/private/b": None}).modseq, first.modseq)

    def test_not_all_that_was_removed_is_remembered(self) -> None:
        self.patch(annotations_table, "_FORGET", annotations_table._FORGET.replace("1000", "3"))
        start = self.annotations.since(None).modseq
        for n in range(6):
            self.annotations.change("", {f"/private/{n}": b"x"})
            self.annotations.change("", {f"/private/{n}": None})
        self.assertEqual([entry for _, entry, _ in self.annotations.since(start).entries],
                         ["/private/3", "/private/4", "/private/5"])

    def test_limits_refuse_what_adds_and_let_through_what_takes_away(self) -> None:
        """CONTRACT 79; the copy that RENAME of INBOX makes may go beyond them."""
        self.annotations.change("INBOX", {f"/private/{n}": b"x" * 600 for n in range(MOST)})
        self.account.rename("INBOX", "copy")
        self.assertRaises(TooManyAnnotations, self.annotations.change, "Sent", {ENTRY: b"x"})
        self.annotations.change("copy", {f"/private/{n}": None for n in range(MOST - 1)})
        self.assertRaises(TooManyAnnotations, self.annotations.change, "Sent", {ENTRY: b"x"})
        self.annotations.change("copy", {"/private/999": b"y"})
        self.annotations.change("INBOX", {f"/private/{n}": None for n in range(5)})
        self.annotations.change("Sent", {ENTRY: b"x"})

    def test_all_or_none(self) -> None:
        self.assertRaises(AnnotationsTooLarge, self.annotations.change, "INBOX",
                          {ENTRY: b"x", "/private/b": b"x" * LARGEST})
        self.assertRaises(Cannot, self.annotations.change, "INBOX", {ENTRY: b"x", "/x": b"x"})
        self.assertRaises(NoSuchMailbox, self.annotations.change, "nowhere", {ENTRY: b"x"})
        self.assertEqual(self.annotations.of("INBOX"), {})

    def test_some_entries_of_all_mailboxes(self) -> None:
        self.annotations.change("INBOX", {ENTRY: b"x", "/private/b": b"y"})
        self.annotations.change("Sent", {"/private/b": b"z"})
        self.assertEqual(self.annotations.named(["/private/b", "/private/c"]),
                         {self.box("INBOX").id: {"/private/b": b"y"}, self.box("Sent").id: {"/private/b": b"z"}})

    def test_a_directory_of_version_2_is_upgraded(self) -> None:
        """Which had no annotations yet; of an account that is tested with its quotas."""
        versions = database.versions
        patch = self.patch(database, "versions", lambda schema: versions(schema)[:2 if schema == SCHEMA else None])
        path = Path(self.mktemp())
        old = Directory(path)
        old.add("bob")
        old.close()
        patch.restore()
        directory = Directory(path)
        self.addCleanup(directory.close)
        directory.annotations.change({"/shared/comment": b"x"})
        self.assertEqual(directory.annotations.of(), {"/shared/comment": b"x"})

    def test_check_sees_what_is_wrong(self) -> None:
        """CONTRACT 41."""
        self.annotations.change("INBOX", {ENTRY: b"x"})
        self.sound = False
        for wrong in ("modseq = 99999", "createseq = 0", "createseq = modseq + 1", "mailbox = 999"):
            connection = apsw.Connection(str(self.home / "mail.db"))
            connection.execute("SAVEPOINT a")
            connection.execute(f"UPDATE annotation SET {wrong}")
            connection.execute("RELEASE a")
            self.assertIn(f"annotation {ENTRY}", "".join(self.account.check()), wrong)
            connection.execute("DELETE FROM annotation")
            connection.close()
            self.annotations.change("INBOX", {ENTRY: b"x"})

    def test_the_servers_own(self) -> None:
        """CONTRACT 80."""
        shared = self.directory.annotations
        start = shared.since(None).modseq
        shared.change({"/shared/Admin": b"tel:1", "/shared/comment": b"x"})
        middle = shared.since(None).modseq
        shared.change({"/shared/admin": b"tel:1", "/shared/comment": None})
        self.assertEqual(shared.of(), {"/shared/admin": b"tel:1"})
        self.assertEqual([entry for _, entry, _ in shared.since(start).entries],
                         ["/shared/admin", "/shared/comment"])
        self.assertEqual([entry for _, entry, _ in shared.since(middle).entries], ["/shared/comment"])
        self.assertRaises(Cannot, shared.change, {ENTRY: b"x"})
