"""Commands with thousands of names or patterns: what each costs is not multiplied by the mailboxes there are."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from moximap.imap.commands.multisearch import MultiSearch, parse
from moximap.imap.commands.notify_groups import Trees
from moximap.imap.dialect import standard
from moximap.imap.grammar import Cursor
from tests.dialogue import DialogueCase

NAMES = ["", "A", "A/B", "A/B/C", "AB", "INBOX", "INBOX/A"]


class TreeTests(SynchronousTestCase):
    def chosen(self, one: bool, *tops: str) -> list[str]:
        trees = Trees(frozenset(tops), one)
        return [name for name in NAMES[1:] if trees.has(name, ())]

    def test_all_that_is_below_or_only_the_next(self) -> None:
        for one, tops, chosen in (
                (False, ["A"], ["A", "A/B", "A/B/C"]), (True, ["A"], ["A", "A/B"]), (False, ["B"], []),
                (False, ["A/B", "INBOX"], ["A/B", "A/B/C", "INBOX", "INBOX/A"]), (True, ["A/B/C"], ["A/B/C"]),
                (False, [""], NAMES[1:]), (True, [""], ["A", "AB", "INBOX"])):
            self.assertEqual(self.chosen(one, *tops), chosen, (one, tops))


class SourceTests(SynchronousTestCase):
    def sources(self, text: bytes) -> list[tuple[bytes, list[str]]]:
        found = parse(Cursor([text], standard()))
        assert isinstance(found, MultiSearch)
        return [(source.kind, sorted(source.names)) for source in found.sources]

    def test_those_of_one_kind_become_one(self) -> None:
        self.assertEqual(self.sources(b" IN (mailboxes A selected subtree B mailboxes (C A) subtree-one B) ALL"),
                         [(b"MAILBOXES", ["A", "C"]), (b"SELECTED", []), (b"SUBTREE", ["B"]), (b"SUBTREE-ONE", ["B"])])


class LimitTests(DialogueCase):
    def test_a_notify_of_too_many_groups_is_refused_and_changes_nothing(self) -> None:
        """RFC 5465 section 3.1."""
        def groups(count: int) -> str:
            return " ".join(f"(subtree {n} NONE)" for n in range(count))
        self.dialogue(f"""
            C: a NOTIFY SET (inboxes (MessageNew MessageExpunge))
            S: a OK {{*}}
            C: b NOTIFY SET {groups(33)}
            S: b NO [NOTIFICATIONOVERFLOW] {{*}}
            C2: c APPEND INBOX {{1+}}
            C2: x
            S2: c OK {{*}}
            S: * STATUS INBOX ({{*}})
            C: d NOTIFY SET {groups(32)}
            S: d OK {{*}}
        """)

    def test_a_list_of_too_many_patterns_is_refused(self) -> None:
        self.dialogue(f"""
            C: a LIST "" ({" ".join(["x"] * 101)})
            S: a NO [LIMIT] {{*}}
            C: b LIST "" ({" ".join(["x"] * 100)})
            S: b OK {{*}}
        """)

    def test_a_list_of_too_many_annotations_is_refused(self) -> None:
        def entries(count: int) -> str:
            return " ".join(f"/private/e{n}" for n in range(count))
        self.dialogue(f"""
            C: a LIST "" INBOX RETURN (METADATA ({entries(101)}))
            S: a NO [LIMIT] {{*}}
            C: b LIST "" INBOX RETURN (METADATA ({entries(100)}))
            S: * LIST {{*}}
            S: * METADATA {{*}}
            S: b OK {{*}}
        """)
