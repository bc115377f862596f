"""THREAD and UID THREAD by ORDEREDSUBJECT and REFERENCES (RFC 5256).

A row of the table ``thread`` is the name of the algorithm that the store knows.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from moximap.imap.commands.search import Search
from moximap.imap.commands.search_program import parse_criteria
from moximap.imap.commands.sort import Sorted
from moximap.imap.dialect import SELECTED, Capability, Extension, Spec
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.imap.waiting import Progress
from moximap.store.threadkeys import Threaded


@attrs.frozen
class Thread:
    algorithm: str
    search: Search

    async def run(self, session: Session) -> None:
        view = session.selected
        uids = await self.search.find(session)
        with session.waiting(Progress()):
            threads: list[Threaded] = await session.call(
                view.image.threads.threaded, session.account, view.mailbox.id, self.algorithm, uids,
                view.uids)
        for some in threads:
            numbers = Sorted(view, some.uids, self.search.uid).numbers()
            session.write(b"* THREAD " + some.template % tuple(numbers) + b"\r\n")
        if not threads:
            session.write(b"* THREAD\r\n")
        for option in self.search.program.added:
            option.done(session, Sorted(view, uids, self.search.uid))


def parse(uid: bool) -> Callable[[Cursor], Thread]:
    """thread = ["UID" SP] "THREAD" SP thread-alg SP search-criteria."""
    def parse(p: Cursor) -> Thread:
        p.sp()
        algorithm: str = p.row("thread", "threading algorithm")
        p.sp()
        return Thread(algorithm, Search(parse_criteria(p), None, uid))
    return parse


EXTENSION = Extension(
    name="THREAD", rfcs=(5256,),
    capabilities=(Capability(b"THREAD=ORDEREDSUBJECT"), Capability(b"THREAD=REFERENCES")),
    commands={b"THREAD": Spec(parse(uid=False), SELECTED, tells=False, numbered=True,
                              capability=b"THREAD=REFERENCES"),
              b"UID THREAD": Spec(parse(uid=True), SELECTED, may_expunge=False,
                                  capability=b"THREAD=REFERENCES")},
    thread={b"ORDEREDSUBJECT": "orderedsubject", b"REFERENCES": "references"},
)
