"""README.md keeps its word: its commands are CI's, its conformance table is the dialect's."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from moximap.imap import commands
from moximap.imap.dialect import standard
from tests import conformance

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEMO = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/twistd --nodaemon moximap --demo"
TEST = "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/trial tests"


class CommandTests(SynchronousTestCase):
    """The two lines that a new person types."""

    def test_the_two_commands_stand_before_all_others(self) -> None:
        found = re.findall(r"^    (?:\$ )?(python3 .*|\.venv.*|openssl .*|curl .*)$", README, re.M)
        self.assertEqual([DEMO, TEST], found[:2])

    def test_ci_runs_the_second_word_for_word(self) -> None:
        self.assertIn(TEST, (ROOT / ".ci/run").read_text())


class ConformanceTests(SynchronousTestCase):
    """The table says what the dialect does, all of it and no more."""

    def test_every_capability_is_known_with_an_rfc_of_its_module(self) -> None:
        for extension in standard().extensions:
            for capability in extension.capabilities:
                name = capability.name.decode()
                self.assertIn(name, conformance.FACTS, "tests/conformance.py: who else has it?")
                rfcs, others = conformance.FACTS[name]
                self.assertLessEqual({*map(int, rfcs.split(", "))}, {*extension.rfcs}, name)
                self.assertEqual(len(others), len(conformance.SERVERS), name)

    def test_nothing_is_in_the_table_that_is_not_announced(self) -> None:
        spoken = {capability.name.decode() for each in standard().extensions for capability in each.capabilities}
        self.assertEqual(set(conformance.FACTS), spoken)
        self.assertEqual(set(conformance.PLANNED) & spoken, set())

    def test_every_module_has_tests(self) -> None:
        modules = {conformance.short(extension) for extension in standard().extensions}
        self.assertEqual([module for module in modules if not conformance.files(module)[1]], [])
        self.assertLessEqual(set(conformance.TESTS), modules)

    def test_the_table_is_the_one_that_is_made_of_the_dialect(self) -> None:
        _, section, _ = conformance.split(README)
        self.assertEqual(section.splitlines(), conformance.render().splitlines(),
                         "`python -m tests.conformance` writes it anew")

    def test_every_module_of_commands_names_its_rfc_and_an_extension_has_it(self) -> None:
        listed = {number for extension in standard().extensions for number in extension.rfcs}
        for info in pkgutil.iter_modules(commands.__path__, commands.__name__ + "."):
            module = importlib.import_module(info.name)
            named = set(map(int, re.findall(r"RFC (\d{3,5})", module.__doc__ or "")))
            self.assertTrue(named, f"{info.name} names no RFC in its docstring")
            self.assertEqual(set(), named - listed, f"{info.name}: RFCs that no extension has")
