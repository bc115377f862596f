"""What setup.py promises: dependencies, files, and a docstring at the head of every module."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, packages_distributions
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = "moximap/store/schema"

#: Needed without an import of ours, and why.
UNSEEN: dict[str, str] = {}
#: Packages into which several distributions put something, and the one that is meant.
SHARED = {"twisted": "twisted", "zope": "zope-interface"}


def setup_keyword(name: str) -> Any:
    """A literal argument of setup()."""
    for node in ast.walk(ast.parse((ROOT / "setup.py").read_text())):
        if isinstance(node, ast.keyword) and node.arg == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"setup.py has no {name}")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    """The canonical names of distributions in a list of requirements."""
    return {canonical(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]) for requirement in requirements}


def imported(directory: str) -> set[str]:
    """The distributions whose packages the modules below a directory import."""
    known = packages_distributions()
    found = set()
    for path in sources(directory):
        for module in imports(ast.parse(path.read_text())):
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or top in {"moximap", "tests"}:
                continue
            found.update([SHARED[top]] if top in SHARED
                         else map(canonical, known.get(top, [f"unknown {module}"])))
    return found


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def sources(directory: str) -> list[Path]:
    return [path for path in sorted((ROOT / directory).rglob("*.py")) if "_trial_temp" not in str(path)]


class DependencyTests(SynchronousTestCase):
    """Nothing idle, nothing borrowed."""

    def test_what_is_imported_is_what_is_required(self) -> None:
        self.assertEqual(imported("moximap") | set(UNSEEN), names(setup_keyword("install_requires")))

    def test_the_tests_import_what_the_extra_test_brings(self) -> None:
        brought = names(setup_keyword("extras_require")["test"])
        self.assertEqual(imported("tests") - names(setup_keyword("install_requires")), brought)


class InstallationTests(SynchronousTestCase):
    """What lies in site-packages, where moximap is installed and not merely checked out."""

    def setUp(self) -> None:
        # The checkout has metadata of its own, first or last on the path; site-packages is between.
        installed = next(iter(Distribution.discover(name="moximap", path=sys.path[1:])), None)
        self.files = {str(file) for file in (installed and installed.files) or ()}
        if "moximap/__init__.py" not in self.files:
            self.assertNotIn("CI", os.environ, "CI runs the tests with moximap installed")
            raise SkipTest("moximap is not installed, or only as a link")

    def test_the_plugin_lies_beside_twisteds_own_and_is_no_package(self) -> None:
        ours = {file for file in self.files if file.startswith("twisted/") and file.endswith(".py")}
        self.assertEqual({"twisted/plugins/moximap_plugin.py"}, ours)

    def test_every_module_and_every_schema_is_there(self) -> None:
        expected = {str(path.relative_to(ROOT)) for path in sources("moximap")}
        expected |= {f"{SCHEMA}/{path.name}" for path in (ROOT / SCHEMA).glob("*.sql")}
        self.assertEqual(set(), expected - self.files)
        self.assertIn("moximap/py.typed", self.files)

    def test_the_tests_stay_in_the_checkout(self) -> None:
        self.assertEqual([], [file for file in self.files if file.startswith("tests")])


class ModuleTests(SynchronousTestCase):
    """A file says at its head what it is."""

    def test_every_module_begins_with_what_it_is(self) -> None:
        silent = [str(path.relative_to(ROOT)) for directory in ("moximap", "tests", "twisted")
                  for path in sources(directory)
                  if path.read_text() and not ast.get_docstring(ast.parse(path.read_text()))]
        self.assertEqual([], silent)
