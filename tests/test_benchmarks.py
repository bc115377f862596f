"""`python -m benchmarks` runs: a few messages, moximap only, no figure judged."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import beside
from tests.server import ROOT, run


class BenchmarkTests(SynchronousTestCase):
    def test_a_small_run_gives_figures_and_finds_no_answer_wrong(self) -> None:
        result = Path(self.mktemp()).absolute()
        table = run(sys.executable, "-m", "benchmarks", "--without-dovecot", "--turns", "1", "--workers", "1",
                    "--messages", "9", "--noops", "9", "--rounds", "4", "--stall-seconds", "0",
                    "--only", "noop,fetch-env,fetch-body-1000,store-one,search-unseen", "--json", result,
                    directory=ROOT).decode()
        found = json.loads(result.read_text())
        self.assertEqual([], found["wrong"])
        for name in ("noop", "fetch-env", "fetch-body-1000", "store-one", "search-unseen"):
            self.assertGreater(found["figures"][name]["moximap"][0], 0)
            self.assertIn(f"| {name} |", table)


test_suite = beside.suite(__name__)
