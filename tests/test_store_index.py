"""The search index is made behind the mail, and nothing that happens to it matters to the mail."""

from __future__ import annotations

from random import Random
from typing import Any

import apsw

from moximap.store import checkpointing, checks, database, indexing, indexing_steps, indexing_text, indexing_words, searching
from moximap.store.errors import Unavailable
from moximap.searchtree import And, HasFlag, HeaderHas, Not, Or, TextHas
from moximap.values import NumSet
from tests import indexcases
from tests.indexcases import IndexCase
from tests.storecases import ALL, LARGE, MAIL, one


class IndexTests(IndexCase):
    def test_what_cannot_match_is_not_read(self) -> None:
        self.append(*[MAIL] * 20)
        self.index_all()
        self.unread()
        for tree in (TextHas("nowhere", header=True), TextHas("nowhere", header=False), HeaderHas("Subject", "nowhere"),
                     HeaderHas("X-Nowhere", ""), And((TextHas("hello nowhere", header=False), HasFlag("\\Seen"))),
                     Or(TextHas("nowhere", header=False), HeaderHas("To", "nobody"))):
            self.assertEqual(self.found(tree), [])
            self.assertEqual(self.found(Not(tree)), list(range(1, 21)))

    def test_three_characters_need_no_reading(self) -> None:
        self.append(*[MAIL] * 20)
        self.index_all()
        self.unread()
        self.assertEqual(self.found(TextHas("HEL", header=True)), list(range(1, 21)))
        self.assertEqual(self.found(Not(TextHas("HEL", header=False))), [])

    def test_what_is_not_indexed_yet_is_found(self) -> None:
        self.append(*[MAIL] * 20)
        self.account.index(9)
        self.assertEqual(self.upto(), 9)
        self.assertEqual(self.found(TextHas("hello", header=False)), list(range(1, 21)))
        self.append(MAIL)
        self.index_all()
        self.assertEqual(self.found(TextHas("hello", header=False)), list(range(1, 22)))

    def test_heads_come_first_and_are_asked_as_soon_as_they_are_there(self) -> None:
        self.append(*[MAIL] * 50, b"Subject: kumquat\r\n\r\ntapioca")
        self.assertEqual(self.account.index(4), 16)
        self.assertEqual(self.query("SELECT heads, upto FROM state"), [(16, 0)])
        self.assertEqual(list(self.account.check()), [])
        while self.query("SELECT heads, upto FROM state") != [(51, 4)]:
            self.account.index(4)
        self.assertEqual(list(self.account.check()), [])
        self.assertEqual(self.found(TextHas("tapioca", header=True)), [51])
        self.assertEqual(self.found(TextHas("hello", header=True)), list(range(1, 51)))
        self.patch(checks.Message, "texts", None)
        self.assertEqual(self.found(HeaderHas("Subject", "kumquat")), [51])
        reads: list[int] = []
        head = checks.Message.head.func
        self.patch(checks.Message, "head", property(lambda message: reads.append(message.content) or head(message)))
        self.assertEqual(self.found(HeaderHas("Subject", "kumquat")), [51])
        self.assertEqual(set(reads), {51})

    def test_what_comes_while_heads_are_read_has_no_body_in_the_index_before_its_head(self) -> None:
        self.append(*[MAIL] * 20)
        late = [b"Subject: kumquat\r\n\r\ntapioca"]
        read = indexing_text.head_text

        def reading(message: Any) -> str | None:
            if late:
                self.append(late.pop())
            return read(message)

        self.patch(indexing_text, "head_text", reading)
        self.assertEqual(self.account.index(64), 20)
        self.assertEqual(self.query("SELECT heads, upto FROM state"), [(20, 20)])
        self.assertEqual(self.found(TextHas("kumquat", header=True)), [21])
        self.assertEqual(self.account.index(64), 1)
        self.assertEqual(self.query("SELECT heads, upto FROM state"), [(21, 21)])
        self.assertEqual(self.found(TextHas("kumquat", header=True)), [21])

    def test_few_candidates_are_looked_up_by_their_contents(self) -> None:
        self.append(*[MAIL] * 50, LARGE)
        self.index_all()
        self.account.create("other")
        self.account.copy(self.inbox(), one(51), "other")
        tree = TextHas("56789ABCDE\n0123", header=False)
        self.assertEqual(self.found(tree), [51])
        self.assertEqual(self.found(tree, NumSet(((1, 50),))), [])
        self.assertEqual(self.found(tree, NumSet.of(range(1, 100, 2))), [51])
        self.append(LARGE)
        self.assertEqual(self.found(tree), [51, 52])

    def test_either_of_two_words_and_both_are_looked_up(self) -> None:
        self.append(*[MAIL] * 50, MAIL + b"kumquat", MAIL + b"tapioca", MAIL + b"kumquat tapioca")
        self.index_all()
        kumquat, tapioca = TextHas("kumquat", header=False), TextHas("tapioca", header=True)
        self.assertEqual(self.found(Or(kumquat, tapioca)), [51, 52, 53])
        self.assertEqual(self.found(And((kumquat, tapioca))), [53])
        self.assertEqual(self.found(And((kumquat, Not(tapioca)))), [51])
        self.assertEqual(self.found(Not(Or(Not(kumquat), Not(tapioca)))), [53])

    def test_a_word_that_too_many_contents_have_is_scanned_for(self) -> None:
        self.append(*[MAIL] * 30)
        self.patch(searching, "_MORE", 0)
        self.index_all()
        self.assertEqual(self.found(TextHas("hello", header=True)), list(range(1, 31)))

    def test_what_is_too_large_or_not_readable_is_always_read(self) -> None:
        self.append(*[MAIL] * 10)
        self.patch(indexing_text, "LONGEST_BODY", 10)
        self.index_all()
        self.assertEqual(self.query("SELECT count(*) FROM unread"), [(10,)])
        self.assertEqual(self.found(TextHas("hello", header=False)), list(range(1, 11)))
        self.assertEqual(list(self.account.check()), [])

    def test_a_lost_file_does_not_hold_up_the_others(self) -> None:
        self.append(LARGE, MAIL)
        self.sound = False
        for path in self.home.glob("large/*/*"):
            path.unlink()
        self.index_all()
        self.assertEqual(self.query("SELECT content FROM unread"), [(1,)])
        self.assertRaises(Unavailable, self.account.search, self.inbox(), TextHas("hello", False), ALL)

    def test_only_text_is_read_of_a_large_message(self) -> None:
        head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        data = head + b"--b\r\n\r\nfind me\r\n--b\r\nContent-Type: image/x\r\n\r\n" + b"A" * 500_000 + b"\r\n--b--\r\n"
        self.append(data)
        sizes: list[int] = []
        pread = database.os.pread
        self.patch(database.os, "pread", lambda fd, size, at: sizes.append(size) or pread(fd, size, at))
        self.assertEqual(self.found(TextHas("find me", header=False)), [1])
        self.index_all()
        self.assertLess(sum(sizes), 1000)

    def test_batches_are_bounded_by_their_size(self) -> None:
        self.append(*[LARGE] * 8)
        self.assertEqual(self.account.index(50), 1 + 50 * indexing_steps.BATCH // len(LARGE))

    def test_a_batch_that_breaks_leaves_nothing(self) -> None:
        self.append(*[MAIL] * 19)
        self.account.index(5)
        add, done = indexing_steps._add_body, []

        def dying(*args: Any) -> int:
            done.append(args)
            if len(done) == 3:
                raise KeyboardInterrupt
            return int(add(*args))

        self.patch(indexing_steps, "_add_body", dying)
        self.assertRaises(KeyboardInterrupt, self.account.index, 5)
        self.assertEqual(self.upto(), 5)
        self.assertEqual(list(self.account.check()), [])
        self.assertEqual(self.found(TextHas("hello", header=False)), list(range(1, 20)))
        self.index_all()
        self.assertEqual(self.upto(), 19)

    def test_an_index_of_another_maker_is_not_asked_and_made_anew(self) -> None:
        self.append(*[MAIL] * 20)
        self.index_all()
        self.query("UPDATE state SET maker = 'somebody'")
        self.query("DELETE FROM head")
        self.query("DELETE FROM words")
        self.account.close()
        self.account = self.open()
        self.assertEqual(self.found(TextHas("hello", header=False)), list(range(1, 21)))
        self.index_all()
        self.assertEqual(self.query("SELECT count(*) FROM head"), [(20,)])

    def test_an_index_of_mail_that_was_replaced_by_older_mail_is_dropped(self) -> None:
        self.append(MAIL)
        self.account.close()
        checkpointing.checkpoint(self.home / "mail.db")
        older = (self.home / "mail.db").read_bytes()
        self.account = self.open()
        self.append(MAIL, MAIL)
        self.index_all()
        self.account.close()
        for path in self.home.glob("mail.db*"):
            path.unlink()
        (self.home / "mail.db").write_bytes(older)
        self.account = self.open()
        self.append(b"Subject: new\r\n\r\nother words\r\n")
        self.assertEqual(self.found(TextHas("other words", header=False)), [2])
        self.index_all()
        self.assertEqual(self.found(TextHas("other words", header=False)), [2])

    def test_a_file_that_is_no_database_is_replaced(self) -> None:
        self.append(*[MAIL] * 20)
        (self.home / indexing.DATABASE).write_bytes(b"garbage" * 1000)
        self.assertEqual(self.found(TextHas("hello", header=False)), list(range(1, 21)))
        self.assertRaises(Unavailable, self.account.index, 5)
        self.index_all()
        self.assertEqual(self.upto(), 20)

    def test_a_torn_index_is_told_and_made_anew(self) -> None:
        random = Random(1)
        self.append(*[indexcases.message(random) for _ in range(40)])
        self.index_all()
        self.account.close()
        path = self.home / indexing.DATABASE
        data = bytearray(path.read_bytes())
        for page in range(8, len(data) // database.PAGE):
            data[page * database.PAGE:(page + 1) * database.PAGE] = b"\xaa" * database.PAGE
        path.write_bytes(data)
        self.account = self.open()
        self.assertIn("the search index is damaged", "\n".join(self.account.check()))
        for tree in (TextHas("budget", header=True), HeaderHas("Subject", "budget")):
            self.assertEqual(self.found(tree), list(indexcases.scan(self.account, self.inbox(), tree, ALL)))
        self.flushLoggedErrors(apsw.CorruptError)
        self.assertIn("began the search index anew", list(self.account.repair()))
        self.assertEqual(list(self.account.check()), [])
        self.index_all()
        self.assertEqual(self.upto(), 40)

    def test_who_comes_second_leaves_it_to_the_first(self) -> None:
        self.append(*[MAIL] * 19)
        other = self.open()
        with self.account._index.writing():
            self.assertIsNone(other.index(5))
        self.assertEqual(other.index(5), 5)
        self.assertEqual(self.account.index(5), 5)
        self.assertEqual(self.upto(), 10)

    def test_there_is_one_index_whoever_makes_it_first(self) -> None:
        other = self.open()
        exists = indexing.Path.exists
        self.patch(indexing.Path, "exists", lambda path: path.name != indexing.DATABASE and exists(path))
        self.append(MAIL)
        self.account.index(5)
        with other._index.writing() as connection:
            self.assertEqual(connection.execute("SELECT upto FROM state").get, 1)
        self.assertEqual([path.name for path in (self.home / "tmp").iterdir()], [])


class LeavingTests(IndexCase):
    def bodies(self) -> list[int]:
        with self.account._index.reading() as view:
            return list(indexing_words.all_contents(view.connection))

    def test_erased_contents_leave_the_index(self) -> None:
        self.append(*[MAIL] * 10)
        self.account.copy(self.inbox(), one(2), "Sent")
        self.index_all()
        self.expunge(1, 2, 3)
        self.assertEqual(self.erase(), 2)
        left = [2, *range(4, 11)]
        self.assertEqual([id for id, in self.query("SELECT rowid FROM head")], left)
        self.assertEqual(self.bodies(), left)
        self.assertEqual(self.found(TextHas("hello", header=False)), list(range(4, 11)))

    def test_they_stay_while_another_process_writes_to_the_index(self) -> None:
        self.append(*[MAIL] * 10)
        self.index_all()
        self.expunge(1, 2)
        self.patch(database, "be_patient", lambda connection, seconds: None)
        modseq = self.account.mailboxes().modseq
        self.account.set_floor(modseq)
        with self.open()._index.writing():
            self.assertTrue(self.account.erase_some(modseq, 5))
        self.assertEqual(len(self.bodies()), 10)
        self.assertEqual(self.erase(), 2)
        self.assertEqual(len(self.bodies()), 8)

    def test_they_leave_it_before_the_mail_does(self) -> None:
        self.append(*[MAIL] * 10)
        self.index_all()
        self.expunge(1, 2)
        self.patch(self.account._writer, "run", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        self.assertRaises(KeyboardInterrupt, self.erase)
        self.assertEqual(len(self.bodies()), 8)
        self.assertEqual(list(self.account.check()), [])

    def test_expunged_contents_are_not_indexed_any_more(self) -> None:
        self.append(*[MAIL] * 10)
        self.expunge(1, 10)
        self.index_all()
        self.assertEqual(len(self.bodies()), 8)

    def test_an_index_that_cannot_be_written_keeps_no_mail(self) -> None:
        self.append(*[MAIL] * 10)
        self.index_all()
        self.expunge(1)
        self.patch(self.account._index, "writing", lambda: (_ for _ in ()).throw(apsw.FullError))
        self.assertEqual(self.erase(), 1)
        self.assertEqual(len(self.flushLoggedErrors(apsw.FullError)), 1)
        self.assertEqual(list(self.account.check()), ["the search index has content 1, which is not there"])
        self.assertEqual(self.found(TextHas("hello", header=False)), list(range(2, 11)))
        self.assertEqual(list(self.account.repair()), ["began the search index anew"])

    def test_what_the_index_lacks_is_told_and_repaired(self) -> None:
        self.append(*[MAIL] * 10)
        self.index_all()
        self.query("DELETE FROM head WHERE rowid = 4")
        self.assertEqual(list(self.account.check()), ["the search index lacks content 4"])
        self.assertEqual(list(self.account.repair()), ["began the search index anew"])
        self.assertEqual(self.upto(), 0)
