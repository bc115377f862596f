"""The process that makes search indexes: started by moximap.store.indexing_elsewhere, and by nobody else.

Each line of standard input asks for a batch, `[directory, name, limit]` of an account in JSON; the line that
answers it is what IAccount.index gives, or words that tell why it failed.  When standard input ends, so does
the process.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from signal import SIG_IGN, SIGINT, SIGTERM, signal
from typing import IO, Final

from moximap.store.account import Account
from moximap.store.errors import StoreError, in_full

#: A floor for who reads nothing that was expunged.
_NOTHING_EXPUNGED: Final = (1 << 63) - 1


class Indexing:
    """Answers requests; the account of the last one stays open while there is more to do in it."""

    def __init__(self) -> None:
        self._account: Account | None = None

    def answer(self, line: str) -> int | str | None:
        home, name, limit = json.loads(line)
        try:
            account = self._opened(Path(home), name)
            done = account.index(limit)
        except StoreError as error:
            self.close()
            return f"{type(error).__name__}: {name}: {in_full(error)}"
        if not done:
            self.close()
        return done

    def close(self) -> None:
        account, self._account = self._account, None
        if account is not None:
            account.close()

    def _opened(self, home: Path, name: str) -> Account:
        account = self._account
        if account is not None and (account.home != home or account.removed):
            self.close()
            account = None
        if account is None:
            account = self._account = Account(home, name)
            account.set_floor(_NOTHING_EXPUNGED)
        return account


def serve(requests: Iterable[str], answers: IO[str]) -> None:
    """Answer each request before the next one is looked at."""
    indexing = Indexing()
    try:
        for line in requests:
            print(json.dumps(indexing.answer(line)), file=answers, flush=True)
    finally:
        indexing.close()


def give_way() -> None:
    """Run only where a processor has nothing else to do, or if the system does not let us as seldom as may
    be."""
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except OSError:
        os.nice(19)


def main() -> None:
    for ending in (SIGINT, SIGTERM):           # meant for the server, which ends us in order
        signal(ending, SIG_IGN)
    give_way()
    serve(sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
