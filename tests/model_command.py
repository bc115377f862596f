"""What a client of the model says, and what it has in mind with it."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from tests.model_account import Flags
from tests.model_cache import Cache
from tests.model_wire import Response


@attrs.define(eq=False)
class Entry:
    """A message of the list; ``uid`` and ``flags`` as far as they were told.

    ``true`` is the UID that the account's model would expect here, None where it makes no prediction.
    ``promised``: it came under QRESYNC, where a client is told at once what is new: who resumes from a
    MODSEQ above a message that he does not know would never hear of it.
    """

    uid: int | None = None
    flags: Flags | None = None
    true: int | None = None
    promised: bool = False


@attrs.frozen
class Notified:
    """What NOTIFY has asked for: ``flags``: changes of them too; ``everywhere``: other mailboxes too."""

    delayed: bool
    flags: bool
    everywhere: bool


@attrs.define
class Command:
    """What a client says.  ``kind``: fetch, store, search, select, idle, leave or other.

    ``effect`` does it to the account's model and gives the status of the tagged line; ``verify`` looks
    at all its responses; both only where commands come one after the other.  ``silent``: flags that
    the client takes for changed at the OK.  ``resync``: the cache that a SELECT brings up to date,
    and the UIDs that it asks for (None: all).  ``resumes``: a client without QRESYNC brings its cache
    up to date, with what was "changed" and then with what is "listed".  ``notified``: holds from the OK on.
    """

    text: str
    kind: str = "other"
    effect: Callable[[], str] = lambda: "OK"
    verify: Callable[[list[Response]], None] = lambda responses: None
    literal: bytes | None = None
    silent: tuple[list[Entry], str, Flags] | None = None
    name: str = ""
    read_only: bool = False
    resync: tuple[Cache, set[int] | None] | None = None
    modseqs: bool = False
    resumes: str = ""
    notified: Notified | None = None


@attrs.define
class Opening:
    """What a SELECT told up to now."""

    exists: int = 0
    uidvalidity: int = 0
    uidnext: int = 1
    highest: int = 0
    fetched: list[tuple[int, int]] = attrs.field(factory=list)
    vanished: list[int] = attrs.field(factory=list)
