"""Several processes that start at the same moment on a directory that has nothing in it yet."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from moximap.net.tls import ServerTLS
from moximap.store.directory import Directory
from tests import beside
from tests.server import environment

PROGRAM = """
import sys
from pathlib import Path
from moximap.net.certificates import ensure
from moximap.store.directory import Directory
data, name = Path(sys.argv[1]), sys.argv[2]
sys.stdin.read()
ensure(data / "tls", ["localhost"])
directory = Directory(data)
directory.add(name)
directory.close()
"""


class StartTests(SynchronousTestCase):
    def test_one_certificate_and_one_directory_come_of_it(self) -> None:
        data = Path(tempfile.mkdtemp(prefix="moximap-test-"))
        self.addCleanup(shutil.rmtree, data, ignore_errors=True)
        names = ["ada", "bob", "eve", "joe"]
        processes = [subprocess.Popen([sys.executable, "-c", PROGRAM, str(data), name], env=environment(),
                                      stdin=subprocess.PIPE) for name in names]
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        self.assertEqual([process.wait(60) for process in processes], [0] * len(names))
        directory = Directory(data)
        self.addCleanup(directory.close)
        self.assertEqual([account.name for account in directory.accounts()], names)
        ServerTLS(data / "tls" / "certificate.pem", data / "tls" / "key.pem")
        self.assertEqual([path for path in data.iterdir() if path.name.startswith(".directory")], [])


test_suite = beside.suite(__name__)
