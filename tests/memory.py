"""Files of tests in memory, where the system has room there: in a small test, most of the time is the disk's."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any, Final

_SHARED: Final = "/dev/shm"
#: Octets that must be free; what containers have there by default is too little.
_ROOM: Final = 1 << 30
#: The directory for them; None: where all temporary files are.
MEMORY: Final = (_SHARED if os.access(_SHARED, os.W_OK) and shutil.disk_usage(_SHARED).free >= _ROOM else None)


class InMemory:
    """A test case whose temporary files lie there: nothing in it is about what a disk keeps."""

    addCleanup: Any

    def mktemp(self) -> str:
        """A path at which nothing is yet, and nothing is left after the test."""
        directory = tempfile.mkdtemp(prefix="moximap-test-", dir=MEMORY)
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        return os.path.join(directory, "temp")
