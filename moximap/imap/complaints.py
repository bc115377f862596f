"""What is broken below, for the operator's log: the client hears only that the account cannot be used now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
from twisted.logger import Logger

from moximap.store.errors import NoSpace, StoreError, Unavailable, in_full

_log = Logger()

#: Seconds in which an account's troubles are told once, however many commands they make fail.
PAUSE: Final = 60.0


@attrs.define
class Complaints:
    """``now`` gives the time in seconds."""

    now: Callable[[], float]
    _until: dict[str, float] = attrs.field(factory=dict, init=False)

    def hear(self, account: str | None, error: BaseException | None) -> None:
        """Tell of a failure that the database or the system is behind; others are the client's.

        ``account``: None where nobody is logged in yet.
        """
        if not isinstance(error, (NoSpace, Unavailable)) or error.__cause__ is None:
            return
        name, now = account or "-", self.now()
        if self._until.get(name, now) > now:
            return
        self._until[name] = now + PAUSE
        _log.error("account {name}: {error}", name=name, error=in_full(error))


def below(error: BaseException) -> BaseException | None:
    """The store's failure that a refusal was made of, or that it is."""
    return error if isinstance(error, StoreError) else error.__context__
