"""Random histories of an account, against a naive model and against its own change log."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (RuleBasedStateMachine, invariant, precondition, rule,
                                 run_state_machine_as_test)
from twisted.trial.unittest import SynchronousTestCase

from moximap.store.directory import Directory
from moximap.store.interfaces import NewMessage
from moximap.values import Changes, NumSet
from tests import beside
from tests.memory import MEMORY

FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "one", "two")
NAMES = ("INBOX", "a", "a/b", "c")

names = st.sampled_from(NAMES)
uid_sets = st.one_of(
    st.just(NumSet(((1, 0xFFFFFFFF),))),
    st.builds(NumSet.of, st.sets(st.integers(1, 60), min_size=1, max_size=6)),
    st.builds(NumSet.merge, st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)),
                                     min_size=1, max_size=3)))
flag_sets = st.sets(st.sampled_from(FLAGS)).map(tuple)


@attrs.define
class Box:
    """What the model knows of a mailbox: flags and sizes by UID."""

    id: int
    flags: dict[int, frozenset[str]] = attrs.field(factory=dict)
    sizes: dict[int, int] = attrs.field(factory=dict)
    uidnext: int = 1

    def add(self, flags: frozenset[str], size: int) -> None:
        self.flags[self.uidnext], self.sizes[self.uidnext] = flags, size
        self.uidnext += 1

    def drop(self, uid: int) -> None:
        del self.flags[uid], self.sizes[uid]


@attrs.define
class Image:
    """What somebody holds of a mailbox, brought up to date by changes only."""

    modseq: int
    flags: dict[int, frozenset[str]]

    def apply(self, changes: Changes, table: Any) -> None:
        for uid in changes.expunged:
            self.flags.pop(uid, None)
        for uid, code in zip(changes.uids, changes.flags, strict=True):
            self.flags[uid] = frozenset(table.names(code))
        self.modseq = changes.modseq


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.path = Path(mkdtemp(dir=MEMORY))
        self.directory = Directory(self.path)
        self.directory.add("ann")
        self.accounts = [self.directory.open("ann"), self.directory.open("ann")]
        self.boxes = {name: Box(self.accounts[0].mailbox("INBOX").id) for name in ("INBOX",)}
        self.images: dict[int, list[Image]] = {}
        self.last = 0

    def teardown(self) -> None:
        assert list(self.accounts[0].check()) == []
        for account in self.accounts:
            account.close()
        self.directory.close()
        shutil.rmtree(self.path)

    def account(self, second: bool) -> Any:
        return self.accounts[second]

    @rule(second=st.booleans(), name=names)
    def create(self, second: bool, name: str) -> None:
        parent = name.rpartition("/")[0]
        if name not in self.boxes and (not parent or parent in self.boxes):
            self.boxes[name] = Box(self.account(second).create(name).mailboxes[-1].id)

    @rule(second=st.booleans(), name=names, flags=flag_sets, sizes=st.lists(st.integers(0, 9), max_size=25))
    def append(self, second: bool, name: str, flags: tuple[str, ...], sizes: list[int]) -> None:
        if name in self.boxes:
            self.account(second).append(name, [NewMessage(b"x" * size, flags) for size in sizes])
            for size in sizes:
                self.boxes[name].add(frozenset(flags), size)

    @rule(second=st.booleans(), name=names, uids=uid_sets, how=st.sampled_from("+-="), flags=flag_sets)
    def store(self, second: bool, name: str, uids: NumSet, how: Any, flags: tuple[str, ...]) -> None:
        if name in self.boxes:
            box = self.boxes[name]
            stored = self.account(second).store(box.id, uids, how, flags)
            changed = set()
            for uid, old in box.flags.items():
                new = {"+": old | set(flags), "-": old - set(flags), "=": frozenset(flags)}[how]
                if uid in uids and new != old:
                    box.flags[uid] = new
                    changed.add(uid)
            assert {uid for changes in stored.changes for uid in changes.uids} == changed

    @rule(second=st.booleans(), source=names, goal=names, uids=uid_sets, move=st.booleans())
    def relocate(self, second: bool, source: str, goal: str, uids: NumSet, move: bool) -> None:
        if source in self.boxes and goal in self.boxes:
            old, new = self.boxes[source], self.boxes[goal]
            method = self.account(second).move if move else self.account(second).copy
            copied = method(old.id, uids, goal)
            chosen = [uid for uid in sorted(old.flags) if uid in uids]
            assert (list(copied.source), len(copied.target)) == (chosen, len(chosen))
            for uid in chosen:
                new.add(old.flags[uid], old.sizes[uid])
                if move:
                    old.drop(uid)

    @rule(second=st.booleans(), name=names, uids=st.none() | uid_sets)
    def expunge(self, second: bool, name: str, uids: NumSet | None) -> None:
        if name in self.boxes:
            box = self.boxes[name]
            self.account(second).expunge(box.id, uids)
            for uid in [uid for uid, flags in box.flags.items() if "\\Deleted" in flags]:
                if uids is None or uid in uids:
                    box.drop(uid)

    @rule(second=st.booleans(), name=names)
    def delete(self, second: bool, name: str) -> None:
        if name in self.boxes and name != "INBOX" and not (name == "a" and "a/b" in self.boxes):
            self.account(second).delete(name)
            gone = self.boxes.pop(name)
            self.check_images(gone.id, {})
            self.images.pop(gone.id, None)

    @rule(second=st.booleans())
    def rename(self, second: bool) -> None:
        if "a" in self.boxes and "c" not in self.boxes:
            self.account(second).rename("a", "c")
            self.account(second).create("a")
            self.boxes["c"] = self.boxes["a"]
            self.boxes["a"] = Box(self.accounts[0].mailbox("a").id)
            if "a/b" in self.boxes:
                self.account(second).rename("c/b", "a/b")

    @rule(second=st.booleans(), name=names)
    def look(self, second: bool, name: str) -> None:
        """Somebody opens a mailbox and remembers it."""
        if name in self.boxes:
            account = self.account(second)
            changes = account.open(name).changes
            image = Image(0, {})
            image.apply(changes, account.flags)
            self.images.setdefault(self.boxes[name].id, []).append(image)

    @precondition(lambda self: self.images)
    @rule(second=st.booleans(), keep=st.integers(0, 3))
    def trim(self, second: bool, keep: int) -> None:
        """Cut logs as housekeeping does, only sooner."""
        def cut(transaction: Any) -> None:
            floor = transaction.counters.modseq - keep
            transaction.execute("DELETE FROM log WHERE modseq <= ?", (floor,))
            transaction.execute("UPDATE mailbox_row SET logfloor = max(logfloor, ?)", (floor,))

        self.account(second)._writer.run(cut)

    @invariant()
    def counters_are_right(self) -> None:
        listing = self.accounts[0].mailboxes()
        assert listing.modseq >= self.last
        self.last = listing.modseq
        found = {mailbox.name: mailbox for mailbox in listing.mailboxes}
        for name, box in self.boxes.items():
            mailbox = found[name]
            assert (mailbox.id, mailbox.uidnext) == (box.id, box.uidnext)
            assert mailbox.messages == len(box.flags)
            assert mailbox.size == sum(box.sizes.values())
            assert mailbox.unseen == sum("\\Seen" not in flags for flags in box.flags.values())
            deleted = [uid for uid, flags in box.flags.items() if "\\Deleted" in flags]
            assert mailbox.deleted == len(deleted)
            assert mailbox.deleted_size == sum(box.sizes[uid] for uid in deleted)

    @invariant()
    def changes_lead_from_any_old_image_to_the_new_one(self) -> None:
        for box in self.boxes.values():
            self.check_images(box.id, box.flags)

    def check_images(self, id: int, expected: dict[int, frozenset[str]]) -> None:
        """Old images are brought up to date in a copy, so that they grow ever older."""
        for image in self.images.get(id, []):
            account = self.accounts[1]
            now = Image(image.modseq, dict(image.flags))
            changes = account.changes(id, image.modseq)
            now.apply(changes, account.flags)
            assert now.flags == expected
            assert list(changes.modseqs) == sorted(changes.modseqs)
            assert len(set(changes.uids)) == len(changes.uids)


class HistoryTests(SynchronousTestCase):
    def test_every_history_agrees_with_the_model_and_with_its_change_log(self) -> None:
        run_state_machine_as_test(Histories, settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, database=None, print_blob=True,
            suppress_health_check=list(HealthCheck)))


test_suite = beside.suite(__name__)
