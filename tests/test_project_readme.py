"""README.md keeps its word: its commands are CI's, its conformance table is the dialect's."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from moximap.imap import commands
from moximap.imap.dialect import Extension, standard

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEMO = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/twistd --nodaemon moximap --demo"
TEST = "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/trial tests"
NONE = "–"


@attrs.frozen
class Row:
    """A line of the conformance table."""

    capabilities: frozenset[str]
    rfcs: frozenset[int]
    module: str
    status: str


def table() -> list[Row]:
    """The rows below the heading Conformance."""
    section = README.partition("\n## Conformance\n")[2].partition("\n## ")[0]
    rows = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and set(cells[0]) != {"-"} and cells[0] != "capability":
            rows.append(Row(frozenset(re.findall(r"`([^`]+)`", cells[0])),
                            frozenset(map(int, re.findall(r"\d+", cells[1]))), cells[2].strip("`"), cells[3]))
    return rows


def short(extension: Extension) -> str:
    return extension.module.removeprefix(commands.__name__ + ".")


def row(extension: Extension) -> Row:
    return Row(announced(extension), frozenset(extension.rfcs), short(extension), "works")


def line(extension: Extension) -> str:
    """The extension's row as it should stand in README.md."""
    names = ", ".join(f"`{name}`" for name in sorted(announced(extension))) or extension.name
    return f"| {names} | {', '.join(map(str, sorted(extension.rfcs)))} | `{short(extension)}` | works |"


def announced(extension: Extension) -> frozenset[str]:
    return frozenset(capability.name.decode() for capability in extension.capabilities)


class CommandTests(SynchronousTestCase):
    """The two lines that a new person types."""

    def test_the_two_commands_stand_before_all_others(self) -> None:
        found = re.findall(r"^    (?:\$ )?(python3 .*|\.venv.*|openssl .*|curl .*)$", README, re.M)
        self.assertEqual([DEMO, TEST], found[:2])

    def test_ci_runs_the_second_word_for_word(self) -> None:
        self.assertIn(TEST, (ROOT / ".ci/run").read_text())


class ConformanceTests(SynchronousTestCase):
    """The table says what the dialect does, all of it and no more."""

    def test_every_extension_has_one_row_with_its_capabilities_and_rfcs(self) -> None:
        written = {each.module: each for each in table() if each.module != NONE}
        wrong = [line(extension) for extension in standard().extensions
                 if written.get(short(extension)) != row(extension)]
        self.assertEqual("", "\n".join(wrong), "these rows are missing or wrong; here as they should be")
        self.assertEqual(set(), set(written) - {short(extension) for extension in standard().extensions})
        self.assertEqual(len(written), len([each for each in table() if each.module != NONE]))

    def test_what_is_planned_is_not_there_yet(self) -> None:
        spoken = {name for extension in standard().extensions for name in announced(extension)}
        for planned in table():
            if planned.module == NONE:
                self.assertEqual("planned", planned.status)
                self.assertEqual(frozenset(), planned.capabilities & spoken)

    def test_every_module_of_commands_names_its_rfc_and_the_table_has_it(self) -> None:
        listed = {number for each in table() for number in each.rfcs}
        for info in pkgutil.iter_modules(commands.__path__, commands.__name__ + "."):
            module = importlib.import_module(info.name)
            named = set(map(int, re.findall(r"RFC (\d{3,5})", module.__doc__ or "")))
            self.assertTrue(named, f"{info.name} names no RFC in its docstring")
            self.assertEqual(set(), named - listed, f"{info.name}: RFCs that the table does not have")
