"""What other RFCs need of SEARCH is rows: keys, RETURN options, another numbering; memory and store agree."""

from __future__ import annotations

import random
from array import array

import attrs
from twisted.internet.defer import Deferred

from moximap.imap.commands.search_answer import Found, Option
from moximap.imap.commands.search_finding import Selected, find
from moximap.imap.commands.search_program import IKey, KeyReader, Plain
from moximap.imap.dialect import Dialect, Extension, standard
from moximap.imap.errors import Bad
from moximap.imap.grammar import Cursor
from moximap.imap.sequences import Sequence_
from moximap.imap.site import Site
from moximap.imap.view import SequenceNumbers, View
from moximap.store.interfaces import NewMessage
from moximap.searchtree import ModSeqIs
from moximap.values import NumSet
from tests.dialogue import HELLO
from tests.test_commands_search import SearchCase


@attrs.frozen
class Highest(Option):
    """The highest UID that is told of: as MODSEQ is for modseqs, a key brings it along."""

    silent = True

    def item(self, found: Found) -> bytes | None:
        return b"HIGHEST %d" % max(found.told()) if found.uids else None

    def suffix(self, found: Found) -> bytes:
        return b" (HIGHEST %d)" % max(found.told()) if found.uids else b""


@attrs.frozen
class Page(Option):
    """A part of the result, as PARTIAL of RFC 9394 gives."""

    first: int
    last: int

    def messages(self, found: Found) -> array[int]:
        return found.uids[self.first - 1:self.last]

    def item(self, found: Found) -> bytes:
        return b"PAGE %b" % b",".join(b"%d" % found.number(uid) for uid in self.messages(found))


def page(p: Cursor) -> Page:
    p.sp()
    first = p.nz_number()
    p.take(b":")
    return Page(first, p.nz_number())


def modseq(reader: KeyReader) -> IKey:
    reader.p.sp()
    reader.added.append(Highest())
    return Plain(ModSeqIs(reader.p.number64()))


class OnlyUids(SequenceNumbers):
    """As RFC 9586 has it."""

    def resolve(self, view: View, numbers: Sequence_) -> array[int]:
        raise Bad("no sequence numbers here", b"UIDREQUIRED")


MADE_UP = Extension(name="made up", rfcs=(), search={b"X-MODSEQ": modseq}, search_returns={b"X-PAGE": page})


class RowTests(SearchCase):
    def make_site(self) -> Site:
        return attrs.evolve(super().make_site(), dialect=Dialect((*standard().extensions, MADE_UP)))

    def test_a_key_may_bring_along_what_the_answer_has(self) -> None:
        self.flagged(3)
        self.select()
        self.dialogue("""
            C: a SEARCH OR X-MODSEQ 1 (X-MODSEQ 2 SEEN)
            S: * SEARCH 1 2 3 (HIGHEST 3)
            S: a OK SEARCH completed
            C: b SEARCH X-MODSEQ 9223372036854775807
            S: * SEARCH
            S: b OK SEARCH completed
            C: c SEARCH RETURN () X-MODSEQ 1
            S: * ESEARCH (TAG "c") ALL 1:3 HIGHEST 3
            S: c OK SEARCH completed
            C: d SEARCH RETURN (MIN) X-MODSEQ 1
            S: * ESEARCH (TAG "d") MIN 1 HIGHEST 1
            S: d OK SEARCH completed
            C: e SEARCH RETURN (SAVE) X-MODSEQ 1
            S: e OK SEARCH completed
            C: f SEARCH $
            S: * SEARCH 1 2 3
            S: f OK SEARCH completed
        """)

    def test_an_option_may_have_arguments_and_save_keeps_what_it_tells(self) -> None:
        self.flagged(9)
        self.select()
        self.dialogue("""
            C: a UID SEARCH RETURN (X-PAGE 2:4 SAVE MAX) ALL
            S: * ESEARCH (TAG "a") UID PAGE 2,3,4 MAX 9
            S: a OK UID SEARCH completed
            C: b UID SEARCH $
            S: * SEARCH 2 3 4 9
            S: b OK UID SEARCH completed
            C: c UID SEARCH RETURN (X-PAGE) ALL
            S: c BAD {*}
        """)

    def test_another_numbering_may_refuse_sequence_sets_rule_55(self) -> None:
        self.flagged(3)
        self.select()
        self.client().protocol.session.selected.numbering = OnlyUids()
        self.dialogue("""
            C: a UID SEARCH RETURN (SAVE) OR 1:2 SEEN
            S: a BAD [UIDREQUIRED] no sequence numbers here
            C: b UID SEARCH NOT *
            S: b BAD [UIDREQUIRED] no sequence numbers here
            C: c UID SEARCH RETURN (SAVE ALL) UID 2:*
            S: * ESEARCH (TAG "c") UID ALL 2:3
            S: c OK UID SEARCH completed
            C: d UID SEARCH $
            S: * SEARCH 2 3
            S: d OK UID SEARCH completed
        """)


class StoreTests(SearchCase):
    def test_memory_and_store_find_the_same(self) -> None:
        """Random programs, in a mailbox with holes, answered by both."""
        rng = random.Random(9051)
        names = ["\\Seen", "\\Flagged", "\\Deleted", "$Junk", "Work"]
        self.put(*[NewMessage(HELLO, tuple(rng.sample(names, rng.randint(0, 4)))) for _ in range(40)])
        self.elsewhere("expunge", rng.sample(range(1, 41), 12))
        self.select()
        session = self.client().protocol.session
        ranges = [f"{rng.randint(1, 28)}:{rng.randint(1, 28)}" for _ in range(20)]
        keys = ["SEEN", "UNFLAGGED", "KEYWORD $JUNK", "UNKEYWORD work", "DELETED", "ALL", "OLD", "NEW",
                "KEYWORD never", "DRAFT", *ranges, *(f"UID {one}" for one in ranges)]

        def program(depth: int) -> str:
            if not depth or rng.random() < 0.3:
                return rng.choice(keys)
            one, other = program(depth - 1), program(depth - 1)
            return rng.choice([f"({one} {other})", f"OR {one} {other}", f"NOT {one}"])

        for _ in range(100):
            text = program(4)
            key = KeyReader(Cursor([text.encode()], session.dialect)).keys()
            stored = session.account.search(session.selected.mailbox.id, key.tree(Selected(session)),
                                            NumSet(((1, 100),)))
            session.call = None              # memory is all there is
            found = self.successResultOf(Deferred.fromCoroutine(find(session, key)))
            del session.call
            self.assertEqual(list(found), list(stored), text)
