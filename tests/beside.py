"""A second process for tests that take long, beside the one that runs all: nearly all of them wait for programs.

    test_suite = beside.suite(__name__)

in a module, which trial calls to load it, lets each of its tests run in one of the two: that of trial goes
through them from the first to the last, as ever, the second one from the last to the first, and who is at a
test before the other has it for himself.  What became of a test is told where it stands, wherever it was run.
A test that is named by its class, `trial tests.test_x.XTests`, runs as any other.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import TestCase, TestResult

import attrs
from twisted.trial.runner import TestLoader, TestSuite

ROOT = Path(__file__).resolve().parent.parent
_CODE = ("import json, sys; path, names = json.loads(sys.stdin.readline()); sys.path[:] = path; "
         "from tests.beside import main; main(sys.argv[1], names)")
#: The tests of all modules, by their number; complete when the first is run.
_NAMES: list[str] = []


class Elsewhere(AssertionError):
    """What the second process says of a test that did not pass."""


def suite(module: str) -> Callable[[], TestSuite]:
    """What loads all tests of a module."""
    def load() -> TestSuite:
        loader = TestLoader()
        cases = [case for each in loader.findTestClasses(sys.modules[module]) for case in loader.loadClass(each)]
        numbers = range(len(_NAMES), len(_NAMES) + len(cases))
        _NAMES.extend(case.id() for case in cases)
        return TestSuite(map(StandIn, cases, numbers))

    return load


def claim(directory: Path, number: int) -> bool:
    """Whether the test is ours now; it is nobody else's then."""
    try:
        (directory / str(number)).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class StandIn(TestCase):
    """A test that is run here or in the second process; again, with `trial -u`, it is run here."""

    def __init__(self, case: Any, number: int) -> None:
        super().__init__()
        self._case = case
        self._number: int | None = number

    def id(self) -> str:
        name: str = self._case.id()
        return name

    def __repr__(self) -> str:
        """trial takes modules whose tests read alike for the same one, and leaves out the second."""
        return f"<{self.id()}>"

    def run(self, result: Any = None) -> None:
        number, self._number = self._number, None
        if number is None or claim(second().directory, number):
            self._case.run(result)
        else:
            tell(self, second().outcome(number), result)


def tell(test: TestCase, outcome: list[tuple[str, str]], result: Any) -> None:
    """What `Second.outcome` has said of a test, as if it had been run here."""
    result.startTest(test)
    for method, text in outcome:
        getattr(result, method)(test, text if method == "addSkip" else (Elsewhere, Elsewhere(text), None))
    if not outcome:
        result.addSuccess(test)
    result.stopTest(test)


@attrs.define
class Second:
    """The second process, as the first sees it."""

    directory: Path
    process: subprocess.Popen[str]
    _outcomes: dict[int, list[tuple[str, str]]] = attrs.field(factory=dict)

    @classmethod
    def start(cls, names: list[str]) -> Second:
        """To run tests of these names, each that is claimed by nobody else."""
        directory = Path(tempfile.mkdtemp(prefix="moximap-test-"))
        process = subprocess.Popen([sys.executable, "-c", _CODE, directory], cwd=directory, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        second = cls(directory, process)
        atexit.register(second.end)
        assert process.stdin is not None
        # An empty path is the directory where trial was started, which is no longer this one.
        process.stdin.write(json.dumps(([path or str(ROOT) for path in sys.path], names)) + "\n")
        process.stdin.flush()
        return second

    def outcome(self, number: int) -> list[tuple[str, str]]:
        """Of a test that is run there: methods of a result, and what they are to be told; none if it passed."""
        assert self.process.stdout is not None
        while number not in self._outcomes:
            line = self.process.stdout.readline()
            if not line.endswith("\n"):
                return [("addError", "the second process ended before this test did")]
            told, outcome = json.loads(line)
            self._outcomes[told] = outcome
        return self._outcomes.pop(number)

    def end(self) -> None:
        """When the test that is running there has ended."""
        self.process.communicate()
        shutil.rmtree(self.directory, ignore_errors=True)


_SECOND: list[Second] = []


def second() -> Second:
    """The one of this process."""
    if not _SECOND:
        _SECOND.append(Second.start(_NAMES))
    return _SECOND[0]


def play(name: str) -> list[tuple[str, str]]:
    """Run a test; as `Second.outcome`."""
    result = TestResult()
    TestLoader().loadByName(name).run(result)
    return [(method, text) for method, found in (("addError", result.errors), ("addFailure", result.failures),
                                                 ("addSkip", result.skipped)) for _, text in found]


def main(directory: str, names: list[str]) -> None:
    """The second process: until all tests are somebody's, or the first one closes our input."""
    # What tests print is not for the first process to read.
    with os.fdopen(os.dup(1), "w") as told:
        os.dup2(2, 1)
        for number in reversed(range(len(names))):
            if select.select([0], [], [], 0)[0]:
                break
            if claim(Path(directory), number):
                told.write(json.dumps((number, play(names[number]))) + "\n")
                told.flush()
        if select.select([0], [], [], 0)[0]:      # perhaps it was killed, and cannot do that
            shutil.rmtree(directory, ignore_errors=True)
