"""Threading: beside a plain transcription of RFC 5256, and where References are made to do harm."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from moximap.mail import threading
from moximap.mail.subject import is_reply
from moximap.mail.threading import Forest, Messages
from tests.threadmodel import Mail, references


def columns(messages: list[Mail]) -> Messages:
    """Ids, dates and subjects as numbers."""
    names = {name: number for number, name in enumerate(dict.fromkeys(
        name for mail in messages for name in (mail.id, *mail.references) if name), 1)}
    subjects = {"": 0}
    for mail in messages:
        subjects.setdefault(mail.subject, len(subjects))
    return Messages([names[mail.id] if mail.id else 0 for mail in messages],
                    [[names[name] for name in mail.references] for mail in messages],
                    [mail.date for mail in messages], [subjects[mail.subject] for mail in messages],
                    lambda number: messages[number].reply)


def text(forest: Forest, most: int = 10**9) -> str:
    return "".join((some.template % tuple(some.messages)).decode() for some in threading.write(forest, most))


def threads(*messages: Mail) -> str:
    return text(threading.references(columns(list(messages))))


def mail(id: str | None = None, refs: str = "", subject: str = "", date: int = 0, reply: bool = False) -> Mail:
    return Mail(id, tuple(refs.split()), date, subject, reply)


def some_mail(random: Random, ids: int) -> Mail:
    names = [f"i{n}" for n in range(ids)]
    return Mail(random.choice([*names, None]),
                tuple(random.choice(names) for _ in range(random.choice((0, 0, 1, 1, 2, 3, 6)))),
                random.randrange(4), random.choice(("", "", "a", "b", "c")), random.random() < 0.5)


class ReferencesTests(SynchronousTestCase):
    def test_any_mail_is_threaded_as_the_rfc_has_it(self) -> None:
        for seed in range(1500):
            random = Random(seed)
            messages = [some_mail(random, random.choice((3, 8, 20))) for _ in range(random.randrange(24))]
            self.assertEqual(threads(*messages), references(messages), f"seed {seed}: {messages}")

    def test_replies_in_any_order_are_one_chain(self) -> None:
        messages = [mail(f"i{n}", " ".join(f"i{k}" for k in range(max(0, n - 3), n)), date=n) for n in range(30)]
        for seed in range(20):
            shuffled = messages[:]
            Random(seed).shuffle(shuffled)
            places = sorted(range(30), key=lambda place: shuffled[place].date)
            self.assertEqual(threads(*shuffled), f"({' '.join(map(str, places))})")

    def test_a_missing_parent_joins_its_children_and_goes_where_it_has_one(self) -> None:
        self.assertEqual(threads(mail("a", "gone", date=2), mail("b", "gone", date=1)), "((1)(0))")
        self.assertEqual(threads(mail("a", "gone"), mail("b")), "(0)(1)")
        self.assertEqual(threads(mail("a"), mail("b", "a gone"), mail("c", "a gone further")), "(0 (1)(2))")

    def test_loops_are_not_closed(self) -> None:
        self.assertEqual(threads(mail("a", "b"), mail("b", "a")), "(1 0)")
        self.assertEqual(threads(mail("a", "a")), "(0)")
        self.assertEqual(threads(mail("a", "x y x y")), "(0)")
        self.assertEqual(threads(mail("a", "c"), mail("b", "a"), mail("c", "b")), "(2 0 1)")

    def test_an_id_that_comes_again_is_the_first_messages(self) -> None:
        self.assertEqual(threads(mail("a"), mail("a"), mail("b", "a")), "(0 2)(1)")
        self.assertEqual(threads(mail(), mail(), mail("b", "a")), "(0)(1)(2)")

    def test_the_last_reference_is_the_parent_whatever_others_said(self) -> None:
        self.assertEqual(threads(mail("x"), mail("y"), mail("z", "x m"), mail("m", "y")), "(0)(1 3 2)")
        self.assertEqual(threads(mail("x"), mail("z", "x m"), mail("m")), "(0)(2 1)")

    def test_subjects_join_what_references_do_not(self) -> None:
        self.assertEqual(threads(mail("a", subject="s", date=1), mail("b", subject="s", reply=True, date=2)),
                         "(0 1)")
        self.assertEqual(threads(mail("a", subject="s"), mail("b", subject="s")), "((0)(1))")
        self.assertEqual(threads(mail("a", subject="s", reply=True), mail("b", subject="s", date=1)), "(1 0)")
        self.assertEqual(threads(*[mail(subject="s") for _ in range(3)]), "((0)(1)(2))")
        self.assertEqual(threads(mail(subject=""), mail(subject="")), "(0)(1)")

    def test_a_chain_of_50_000_is_written_without_recursion(self) -> None:
        count = 50_000
        chain = Messages(range(1, count + 1), [(n,) if n else () for n in range(count)], range(count),
                         bytes(count), lambda number: False)
        self.assertEqual(text(threading.references(chain)), f"({' '.join(map(str, range(count)))})")

    def test_parentheses_10_000_deep_are_written_without_recursion(self) -> None:
        depth = 10_000                          # each has a reply and one more
        parents = [(n // 2 * 2 - 1,) if n > 1 else () for n in range(1, 2 * depth)]
        nested = Messages(range(1, 2 * depth), parents, range(2 * depth - 1), bytes(2 * depth - 1),
                          lambda number: False)
        written = text(threading.references(nested))
        self.assertEqual(written.count("("), written.count(")"))
        self.assertTrue(written.startswith("(0 (1)(2 (3)(4 (5)(6 "), written[:40])
        self.assertTrue(written.endswith(")" * (depth - 1)))

    def test_a_thread_of_50_000_siblings(self) -> None:
        count = 50_000
        flat = Messages(range(1, count + 1), [(1,) if n else () for n in range(count)], range(count, 0, -1),
                        bytes(count), lambda number: False)
        written = text(threading.references(flat))
        self.assertTrue(written.startswith("(0 (49999)(49998)("), written[:40])

    def test_made_up_references_cost_no_more_than_their_number(self) -> None:
        """Each message asks anew whether the chain's end is below its beginning."""
        count = 2_000
        refs: list[tuple[int, ...]] = [(n,) if n else () for n in range(count)]
        refs += [(n + 1, 1) for n in range(count)] * 5
        total = len(refs)
        messages = Messages(range(1, total + 1), refs, range(total), bytes(total), lambda number: False)
        links = threading._Links(messages)
        self.assertEqual(links._steps, 0)
        forest = threading.references(messages)
        found = sorted(number for some in threading.write(forest, 10**9) for number in some.messages)
        self.assertEqual(found, list(range(total)))

    def test_what_is_long_is_written_in_parts_between_threads(self) -> None:
        messages = columns([mail("a"), mail("b", "a"), mail("c"), mail("d"), mail("e")])
        parts = [some.template % tuple(some.messages) for some in
                 threading.write(threading.references(messages), 2)]
        self.assertEqual(parts, [b"(0 1)", b"(2)(3)", b"(4)"])
        self.assertEqual(threading.write(threading.references(columns([])), 2), [])


class OrderedSubjectTests(SynchronousTestCase):
    def test_all_later_messages_are_children_of_the_first(self) -> None:
        messages = [mail(subject="b", date=5), mail(subject="a", date=3), mail(subject="b", date=1),
                    mail(subject="b", date=1), mail(subject="", date=9), mail(subject="", date=4),
                    mail(subject="c", date=2), mail(subject="a", date=8)]
        self.assertEqual(text(threading.ordered_subject(columns(messages))), "(2 (3)(0))(6)(1 7)(5 4)")


class ReplyTests(SynchronousTestCase):
    """RFC 5256 3: what is a reply or forward."""

    def test_what_the_extraction_removes(self) -> None:
        for subject in ("Re: a", "re[4]: a", "FWD: a", "fw : a", "[list] re: a", "a (fwd)", "[fwd: a]", "a (FWD) ",
                        "[Fwd: re: a]", "Re:"):
            self.assertTrue(is_reply(subject), subject)
        for subject in ("a", "[list] a", "", "real", "a re: b", " a ", "[fwd:", "(fwd", "[a]"):
            self.assertFalse(is_reply(subject), subject)
