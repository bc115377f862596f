"""What FETCH says of the corpus, beside Dovecot: only what docs/dovecot-differences.md lists is different."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import beside, dovecot
from tests.server import PROGRAM_SECONDS, ROOT, environment, needs

CORPUS = ROOT / "tests" / "corpus"


class ComparisonTests(SynchronousTestCase):
    """benchmarks/compare_dovecot.py, which starts both servers."""

    def setUp(self) -> None:
        needs(dovecot.PROGRAM, "openssl")

    def compare(self, directory: Path) -> tuple[int, str]:
        done = subprocess.run([sys.executable, str(ROOT / "benchmarks" / "compare_dovecot.py"), str(directory)],
                              capture_output=True, text=True, timeout=PROGRAM_SECONDS, env=environment(), check=False)
        return done.returncode, done.stdout + done.stderr

    def test_only_what_is_listed_is_different(self) -> None:
        code, said = self.compare(CORPUS)
        self.assertEqual(0, code, said)
        self.assertIn(f"{len(list(CORPUS.rglob('*.eml')))} messages, ", said)
        self.assertNotIn("the same by now", said)

    def test_a_difference_that_is_not_listed_is_noticed(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="moximap-test-"))
        self.addCleanup(shutil.rmtree, directory)
        shutil.copy(CORPUS / "example11.eml", directory / "another-name.eml")
        code, said = self.compare(directory)
        self.assertEqual(1, code, said)
        self.assertIn("NOT LISTED: another-name: ENVELOPE.TO", said)


test_suite = beside.suite(__name__)
