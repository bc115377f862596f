"""How a connection gets its owner: by LOGIN, a SASL mechanism, or the key that TLS has proved.

The law of this file: every attempt that is judged is noted, whatever becomes of it.
"""

from __future__ import annotations

import binascii
from collections.abc import Awaitable, Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger

from moximap.identity.brakes import FREE_FAILURES
from moximap.identity.errors import AuthenticationFailed, LoginDisabled, NotNow, ProtocolError
from moximap.identity.sasl import Challenge, Channel, Check, Done, Hints, IMechanism, Inspect, Refused, Step
from moximap.imap.dialect import NOT_AUTHENTICATED, Reply
from moximap.imap.errors import Bad, Bye, No, Refusal
from moximap.imap.session import Gone, Session
from moximap.net.tls import Keyless
from moximap.store.errors import StoreError
from moximap.store.interfaces import AccountRecord
from moximap.store.keys import KeyRecord

log = Logger()


@attrs.frozen
class Mechanism:
    """A row of the table ``mechanisms``.

    ``insist`` raises a No where it may not be used; ``offered``: whether this server has it at all.
    """

    make: Callable[[Channel], IMechanism]
    insist: Callable[[Session], None]
    offered: Callable[[Session], bool] = lambda session: True


class Aborted(Bad):
    """The client sent "*"."""


@attrs.define
class Trial:
    """An attempt that is being judged; ``login``: who the client says it is, as far as is known."""

    mechanism: str
    login: str = ""


def secure(session: Session) -> bool:
    """Whether a password may be sent here."""
    if session.out.peer.onion:
        return session.out.tls or session.site.onion_plaintext_login
    return session.out.tls or session.site.plaintext_login


def asking(tls: IOpenSSLServerConnectionCreator, hidden: frozenset[bytes]) -> IOpenSSLServerConnectionCreator:
    """TLS that asks for clients' keys, unless the listener has switched off the login by key."""
    return Keyless(tls) if b"AUTH=EXTERNAL" in hidden else tls


def early(session: Session) -> bool:
    return session.state == NOT_AUTHENTICATED


def insist_on_tls(session: Session) -> None:
    if not secure(session):
        raise No("passwords are only accepted over TLS", b"PRIVACYREQUIRED")


def channel(session: Session) -> Channel:
    out, tokens = session.out, session.site.tokens
    return Channel(out.peer_key, out.tls and out.peer.binds(), out.peer.binding,
                   tokens.hints if tokens is not None else Hints())


async def prove(session: Session, trial: Trial, proof: Awaitable[Done]) -> Reply:
    """Let ``proof`` find out who is there, and log in; what became of it is noted."""
    result, account, heard = "error", "-", session.site.guard.heard
    try:
        done = await proof
        account = done.account.name
        if done.key is None and session.out.peer_key is not None:
            # A client with a known key is that key's account, or nobody.
            await session.call(session.site.authenticator.key_agrees, session.out.peer_key, done.account)
        trial.login = done.login
        await session.login(done.account, done.key)
        session.site.guard.logged_in(heard)
        result = "ok"
        return Reply("welcome", b"CAPABILITY " + session.dialect.capabilities(session))
    except (AuthenticationFailed, LoginDisabled) as error:
        result = error.result if isinstance(error, AuthenticationFailed) else "logindisabled"
        account = error.account
        raise await failed(session, error) from None
    except NotNow as error:
        raise No(str(error), b"UNAVAILABLE") from None
    except ProtocolError as error:
        result = "badprotocol"
        raise Bad(str(error)) from None
    except (Aborted, Gone):
        result = "aborted"
        raise
    except Bad:
        result = "badprotocol"
        raise
    finally:
        session.attempts.made(trial.mechanism, trial.login, account, result)


async def failed(session: Session, error: AuthenticationFailed | LoginDisabled) -> Refusal | Bye:
    """The answer to a failed attempt, held back where there were many; too many end the connection.

    A disabled login has no code, so that clients show the text and ask for no other password.
    """
    if isinstance(error, LoginDisabled):
        return No(str(error))
    delay = session.site.brakes.failed(session.out.peer.remote)
    if session.out.peer.onion:
        # Tor may not tell circuits: then a connection is the narrowest thing that can be counted.
        delay = max(delay, session.failed_logins + 1.0 - FREE_FAILURES)
    if delay > 0:
        held: Deferred[None] = Deferred()
        session.site.reactor.callLater(delay, held.callback, None)
        await held
    session.failed_logins += 1
    if session.failed_logins >= session.site.limits.failed_logins:
        return Bye("too many failed logins")
    return Aborted("authentication aborted") if error.aborted else No(error.told, error.code)


async def exchange(session: Session, trial: Trial, mechanism: IMechanism, initial: bytes | None) -> Done:
    """Drive a mechanism to its end.  ``initial``: the initial response in base64."""
    step = mechanism.start(None if initial is None else _decode(initial))
    while not isinstance(step, Done):
        if isinstance(step, Challenge):
            response = await _answered(session, step.data)
            if response == b"*":
                raise Aborted("authentication aborted")
            step = mechanism.step(_decode(response))
        elif isinstance(step, Refused):
            raise await _refused(session, step)
        else:
            step = await _judged(session, trial, step)
    return step


async def _answered(session: Session, challenge: bytes) -> bytes:
    session.write(b"+ %b\r\n" % binascii.b2a_base64(challenge, newline=False))
    return await session.out.read_line()


async def _refused(session: Session, refused: Refused) -> AuthenticationFailed:
    """It is a failed attempt like any other, even if the client aborts it or goes away (RFC 7628 3.2.3)."""
    try:
        response = await _answered(session, refused.data)
    except Gone:
        return refused.error
    refused.error.aborted = response == b"*"
    return refused.error


async def _judged(session: Session, trial: Trial, step: Check | Inspect) -> Step:
    trial.login = step.login or trial.login
    if isinstance(step, Check):
        recalled = await session.quick(step.recall, session.site.authenticator)
        if recalled is not None:
            return recalled
        return await session.call(step.run, session.site.authenticator)
    assert session.site.tokens is not None
    return step.then(await session.site.tokens.inspect(step.token))


def _decode(response: bytes) -> bytes:
    """A client's response; "=" is an empty initial response (RFC 4959 section 3)."""
    if response == b"=":
        return b""
    try:
        return binascii.a2b_base64(response, strict_mode=True)
    except binascii.Error:
        raise Bad("invalid base64") from None


async def greet(session: Session) -> None:
    """The greeting of a client that came with a key: PREAUTH where that is enough, else OK.

    Whatever keeps the key from being enough is told when the client asks for EXTERNAL.
    """
    fingerprint, heard = session.out.peer_key, session.site.guard.heard
    assert fingerprint is not None
    try:
        found = await session.call(session.site.authenticator.greeted, fingerprint)
        if found is not None:
            record, key = found
            await _enter_by_key(session, record, key)
            session.site.guard.logged_in(heard)
    except No as error:
        raise Bye(error.text, error.code) from None
    except StoreError as error:
        log.error("a key cannot be looked up: {error}", error=error)
    say_hello(session)


async def _enter_by_key(session: Session, record: AccountRecord, key: KeyRecord) -> None:
    result = "error"
    try:
        await session.login(record, key)
        result = "ok"
    finally:
        session.attempts.made("tlsclientauth", record.name, record.name, result)


def say_hello(session: Session) -> None:
    """The greeting; Bye where too many come from there, and this one is nobody that we know."""
    if session.record is None and session.visit is not None and session.visit.refused:
        raise Bye("too many connections from your network, try again later", b"UNAVAILABLE")
    status = b"OK" if session.record is None else b"PREAUTH"
    session.write(b"* %b [CAPABILITY %b] moximap ready\r\n" % (status, session.dialect.capabilities(session)))
