"""The words of bodies: parts of them are found in the contents that have them, whatever comes and goes."""

from __future__ import annotations

from random import Random

import apsw
from twisted.trial.unittest import SynchronousTestCase

from moximap.store import database, indexing_words
from moximap.store.indexing_words import CONTENTS, Segment

WORDS = ["budget", "budgets", "tapioca", "kumquat", "x" * 300, "straße", "日本語のメール", "😀😀", "a\0b", "\udc80", "\ufffd", "the", "e"]


class WordsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.connection = apsw.Connection(":memory:")
        self.connection.execute((database.SCHEMAS / "search.sql").read_text())

    def add(self, *bodies: tuple[int, str]) -> None:
        segment = Segment()
        for content, text in bodies:
            segment.add(content, [text])
        indexing_words.add(self.connection, segment)

    def find(self, needle: str) -> list[int]:
        return sorted(indexing_words.find(self.connection, needle))

    def sizes(self) -> list[int]:
        return [octets // 8 for octets, in
                self.connection.execute("SELECT octet_length(contents) FROM segment ORDER BY last")]

    def test_parts_of_words_are_found(self) -> None:
        self.add((1, "the budget\r\nof May"), (4, "budgets"), (9, "nothing"))
        self.assertEqual(self.find("budget"), [1, 4])
        self.assertEqual(self.find("dgets"), [4])
        self.assertEqual(self.find("n"), [9])
        self.assertEqual(self.find("t o"), [1, 9])
        self.assertEqual(self.find("kumquat"), [])

    def test_a_message_has_several_texts_whose_words_do_not_meet(self) -> None:
        segment = Segment()
        segment.add(1, ["bud", "get"])
        indexing_words.add(self.connection, segment)
        self.assertEqual(self.find("budget"), [])
        self.assertEqual(self.find("bud get"), [1])

    def test_a_message_without_words_is_there_all_the_same(self) -> None:
        self.add((1, " \r\n"))
        self.assertEqual(list(indexing_words.all_contents(self.connection)), [1])
        self.assertEqual(self.find("a"), [])

    def test_segments_of_single_messages_grow_together(self) -> None:
        """Each message is written again as often as the number of messages has bits, and no more."""
        for content in range(1, 2 * CONTENTS + 4):
            self.add((content, f"word{content} the"))
        self.assertEqual(self.sizes(), [CONTENTS, CONTENTS, 2, 1])
        self.assertEqual(self.find("word300"), [300])
        self.assertEqual(self.find("the"), list(range(1, 2 * CONTENTS + 4)))

    def test_large_segments_do_not_grow(self) -> None:
        self.patch(indexing_words, "LARGE", 10)
        self.add((1, "a" * 20))
        self.add((2, "b"))
        self.assertEqual(self.sizes(), [1, 1])

    def test_what_leaves_takes_its_own_words_with_it(self) -> None:
        self.add((1, "secret shared"), (2, "shared"), (3, "other"))
        indexing_words.forget(self.connection, [1, 77])
        self.assertEqual(self.find("secret"), [])
        self.assertNotIn(b"secret", self.connection.execute("SELECT words FROM words").get)
        self.assertEqual(self.find("shared"), [2])
        self.assertEqual(list(indexing_words.all_contents(self.connection)), [2, 3])
        self.add((5, "more"))
        self.assertEqual((self.find("other"), self.find("more")), ([3], [5]))
        indexing_words.forget(self.connection, [2, 3, 5])
        self.assertEqual(self.sizes(), [])

    def test_random_texts_come_and_go(self) -> None:
        random = Random(6)
        texts: dict[int, str] = {}
        number = 0
        for _ in range(60):
            bodies = []
            for _ in range(random.choice((1, 1, 2, 30))):
                number += random.randint(1, 3)
                bodies.append((number, random.choice((" ", "\n", "\xa0")).join(random.choices(WORDS, k=random.randint(0, 5)))))
            self.add(*bodies)
            texts |= dict(bodies)
            if random.random() < 0.3:
                gone = random.sample(sorted(texts), len(texts) // 4)
                indexing_words.forget(self.connection, gone)
                for content in gone:
                    del texts[content]
            word = random.choice(WORDS)
            start = random.randrange(len(word))
            for needle in (word, word[start:start + 3]):
                self.assertEqual(self.find(needle), [content for content in texts if needle in texts[content]])
            both = random.sample(WORDS, 2)
            self.assertEqual(self.find(" ".join(both)),
                             [content for content in texts if all(word in texts[content] for word in both)])
            self.assertEqual(sorted(indexing_words.all_contents(self.connection)), sorted(texts))
