"""The state of moximap's search index, and a time without one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from moximap.store import database
from moximap.store.indexing import Index

_LEFT = ("SELECT count(DISTINCT content) FROM message INDEXED BY message_content"
         " WHERE content > ? AND NOT expunged")


def _home(data: Path, user: str) -> Path:
    return data / "accounts" / user


def waiting(data: Path, user: str) -> int:
    """Messages of an account that are not in its index yet."""
    home = _home(data, user)
    index = Index(home, "benchmark")
    try:
        upto, _ = index.upto()
    finally:
        index.close()
    with closing(database.connect(home / "mail.db", write=False)) as mail:
        return int(mail.execute(_LEFT, (upto,)).fetchone()[0])


def wait_for_index(data: Path, user: str, seconds: float) -> float:
    """Seconds until the index is complete; SystemExit where it is not in time."""
    start = time.monotonic()
    while left := waiting(data, user):
        if time.monotonic() - start > seconds:
            raise SystemExit(f"the index of {user} lacks {left} messages after {seconds:.0f} s")
        time.sleep(0.5)
    return time.monotonic() - start


@contextmanager
def without_index(data: Path, user: str) -> Iterator[None]:
    """The index of an account is empty, and stays so: nobody else can write to it meanwhile."""
    home = _home(data, user)
    index = Index(home, "benchmark")
    try:
        index.drop()
        with index.writing():
            yield
    finally:
        index.close()
