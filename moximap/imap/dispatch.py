"""One command: parse, check, run, catch up, answer (RFC 9051 section 7).

The law of this file: it is the only place that writes tagged lines, and that turns an exception into
an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import cache

from twisted.logger import Logger

from moximap.imap import encoding
from moximap.imap.complaints import below
from moximap.imap.dialect import NOT_AUTHENTICATED, ICommand, Reply, Spec
from moximap.imap.errors import Bad, Bye, No, Refusal, refusal
from moximap.imap.framing import Part
from moximap.imap.grammar import Cursor
from moximap.imap.remembering import recalled, remember
from moximap.imap.session import Gone, Session
from moximap.imap.view import StoreAnswer
from moximap.store.errors import StoreError

log = Logger()


_DONE = Reply()


class NotIMAP(Exception):
    """A line that is no IMAP command at all: it has no tag."""


def start(cursor: Cursor, session: Session) -> tuple[bytes, Spec]:
    """Tag, then command name; gives the command's upper-case name and its row."""
    cursor.sp()
    name = cursor.word("command")
    spec = session.dialect.commands.get(name)
    if name == b"UID" and cursor.at_sp():
        name = b"UID " + cursor.word("command")
        spec = session.dialect.commands.get(name)
    if spec is None or spec.capability in session.hidden:
        raise Bad(f"unknown command {name.decode()}")
    return name, spec


def allowed(session: Session, spec: Spec) -> None:
    """Refuse a command in a state that it is not for."""
    if not spec.states & session.state:
        if spec.states == NOT_AUTHENTICATED:
            raise No("already authenticated")
        if session.state == NOT_AUTHENTICATED:
            raise Bad("log in first")
        raise Bad("no mailbox is selected")
    if spec.numbered:
        session.numbering.check()
    if spec.writes or spec.admit is not None:
        session.insist_on_writing()
    if spec.writes and session.view is not None and session.view.read_only:
        raise No("the mailbox is selected read-only", b"READ-ONLY")


def tag_of(parts: Sequence[Part], session: Session) -> tuple[Cursor, bytes]:
    """A cursor behind the tag; NotIMAP where there is none."""
    cursor = Cursor(parts, session.dialect, session.utf8)
    try:
        return cursor, cursor.tag()
    except Bad:
        raise NotIMAP from None


async def answer(session: Session, parts: Sequence[Part], refused: Refusal | None = None) -> None:
    """Answer one whole command.  ``refused``: why it can't succeed, known before it was whole."""
    cursor, session.tag = tag_of(parts, session)
    name = b""
    spec: Spec | None = None
    try:
        text = cursor.rest()
        name, spec, command = recalled(session, text) or (*start(cursor, session), None)
        allowed(session, spec)
        if refused is not None:
            raise refused
        if command is None:
            command = _parse(spec, cursor)
            remember(session, text, (name, spec, command))
        result = command.run(session)
        reply = (result if result is None or isinstance(result, Reply) else await result) or _DONE
        if spec.tells and not reply.told:
            await catch_up(session, spec.may_expunge)
        _tagged(session, reply, name)
    except Exception as error:
        await _failed(session, error, spec)


def _parse(spec: Spec, cursor: Cursor) -> ICommand:
    command = spec.parse(cursor)
    cursor.end()
    return command


async def _failed(session: Session, error: Exception, spec: Spec | None) -> None:
    """The one place where an exception becomes an answer."""
    if isinstance(error, Gone):
        return
    if isinstance(error, Bye):
        bye(session, error)
        return
    session.site.complaints.hear(None if session.record is None else session.record.name, below(error))
    if isinstance(error, StoreError):
        error = refusal(error)
    if not isinstance(error, Refusal):
        log.failure("command failed unexpectedly, tag {tag!r}", tag=session.tag)
        error = No("the server made a mistake; its log has more", b"SERVERBUG")
    if session.midway:
        session.out.close()
        return
    if spec is not None and isinstance(error, No):
        await _catch_up_quietly(session, spec)
    highest = _owed_highest(session)
    if highest is not None:
        _say_highest(session, highest)
    _line(session, session.tag, error.status, error.code, encoding.text(error.text))


async def _catch_up_quietly(session: Session, spec: Spec) -> None:
    """Tell changes before a NO; where even that fails the NO must still go out."""
    try:
        if spec.tells:
            await catch_up(session, spec.may_expunge)
    except Gone:
        raise
    except Exception:
        log.failure("catching up failed, tag {tag!r}", tag=session.tag)


def bye(session: Session, error: Bye) -> None:
    """The last line of a connection; none in the midst of a response, where it would be taken for mail."""
    if not session.midway:
        _line(session, b"*", b"BYE", error.code, encoding.text(error.text))
    session.out.close()


async def refuse(session: Session, parts: Sequence[Part], error: Refusal) -> None:
    """Answer a command that will never be whole: its literal is refused."""
    cursor, session.tag = tag_of(parts, session)
    try:
        _, spec = start(cursor, session)
    except Bad:
        spec = None
    await _failed(session, error, spec)


@cache
def _completed(name: bytes) -> bytes:
    return encoding.text(f"{name.decode()} completed")


def _tagged(session: Session, reply: Reply, name: bytes) -> None:
    text = encoding.text(reply.text) if reply.text else _completed(name)
    highest = _owed_highest(session)
    if highest is not None and reply.code is None:
        _line(session, session.tag, b"OK", highest, text)
        return
    if highest is not None:
        _say_highest(session, highest)
    _line(session, session.tag, b"OK", reply.code, text)


def _owed_highest(session: Session) -> bytes | None:
    """The HIGHESTMODSEQ code that this tagged line must come with (RFC 7162 3.2)."""
    highest = None if session.view is None else session.view.owed_highest()
    return None if highest is None else b"HIGHESTMODSEQ %d" % highest


def _say_highest(session: Session, highest: bytes) -> None:
    _line(session, b"*", b"OK", highest, b"everything up to there was told")


def _line(session: Session, tag: bytes, status: bytes, code: bytes | None, text: bytes) -> None:
    if code is None:
        session.write(b"%b %b %b\r\n" % (tag, status, text))
    else:
        session.write(b"%b %b [%b] %b\r\n" % (tag, status, code, text))


# catching up

def catch_up(session: Session, may_expunge: bool, answered: StoreAnswer | None = None) -> Awaitable[None]:
    """Tell the client what changed, as far as its policy has it and it may be told now."""
    return session.policy.tell(may_expunge, answered)
