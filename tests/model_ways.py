"""How the clients of a model's run speak: with UIDs only, with NOTIFY in place of IDLE, deflated, or with all three.

Not every client of such a run does, so the kinds meet.
"""

from __future__ import annotations

from typing import Final

import attrs

from tests.model_client import Listener
from tests.model_command import Entry
from tests.model_wire import Response


@attrs.frozen
class Ways:
    """``uidonly``: RFC 9586; ``notify``: RFC 5465; ``deflate``: RFC 4978."""

    uidonly: bool = False
    notify: bool = False
    deflate: bool = False


PLAIN: Final = Ways()
#: By the names that the command line has.
WAYS: Final = {"plain": PLAIN, "uidonly": Ways(uidonly=True), "notify": Ways(notify=True),
               "deflate": Ways(deflate=True), "all": Ways(True, True, True)}
#: How many clients of a run speak in its way.
SHARE: Final = 0.8


class UidListener(Listener):
    """A client that counts messages and knows some by their UIDs; no number has a meaning for it."""

    numbers = False
    vanishes = True

    def hear(self, response: Response) -> None:
        assert response.word not in ("FETCH", "EXPUNGE", "SEARCH", "UNSEEN"), f"a sequence number: {response}"
        super().hear(response)

    def _place(self, uid: int) -> int | None:
        """The one that is known, or that the account's model expects, or any that is not known."""
        any_one = None
        for place, entry in enumerate(self.entries):
            if uid in (entry.uid, entry.true):
                return place
            if entry.uid is None and entry.true is None and (any_one is None or entry.promised == (
                    uid >= self.opening.uidnext)):
                any_one = place
        return any_one

    def place_of(self, number: int, uid: int) -> int:
        place = self._place(uid)
        assert place is not None, f"UID {uid} is not in the list"
        entry = self.entries.pop(place)
        if entry.uid is None and entry.true is None:         # any: it goes where it belongs
            place = max((i + 1 for i, e in enumerate(self.entries) if e.uid is not None and e.uid < uid), default=0)
        self.entries.insert(place, entry)
        return place

    def arranged(self, live: list[int]) -> list[Entry]:
        """What is not known may be anywhere."""
        known = {uid: entry for entry in self.entries if (uid := entry.uid or entry.true)}
        unknown = [entry for entry in self.entries if not (entry.uid or entry.true)]
        there = [known.pop(uid, None) or unknown.pop(0) for uid in live if uid in known or unknown]
        return [*there, *known.values(), *unknown]

    def _uidfetch(self, response: Response) -> None:
        self._fetch(response)
