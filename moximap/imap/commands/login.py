"""LOGIN, AUTHENTICATE and STARTTLS (RFC 9051 6.2, RFC 4959 SASL-IR, RFC 5530)."""

from __future__ import annotations

import binascii

import attrs

from moximap.identity.errors import AuthenticationFailed, LoginDisabled, ProtocolError
from moximap.identity.sasl import MECHANISMS, Challenge, Done, IMechanism
from moximap.imap.dialect import NOT_AUTHENTICATED, Capability, Extension, Reply, Spec
from moximap.imap.errors import Bad, Bye, No
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.store.interfaces import AccountRecord


def secure(session: Session) -> bool:
    """Whether a password may be sent here."""
    return session.out.tls or session.site.plaintext_login


def can_start_tls(session: Session) -> bool:
    return session.site.tls is not None and not session.out.tls and early(session)


def early(session: Session) -> bool:
    return session.state == NOT_AUTHENTICATED


@attrs.frozen
class StartTLS:
    def run(self, session: Session) -> Reply:
        if session.out.tls:
            raise Bad("TLS is active already")
        if session.site.tls is None:
            raise No("there is no certificate for TLS here")
        session.out.start_tls()
        return Reply("begin TLS now")


@attrs.frozen
class Login:
    user: str
    password: str = attrs.field(repr=False)

    async def run(self, session: Session) -> Reply:
        _insist_on_tls(session)
        try:
            check = session.site.authenticator.password
            record = await session.call(check, self.user, self.password)
        except (AuthenticationFailed, LoginDisabled) as error:
            raise failed(session, error) from None
        return await logged_in(session, record)


@attrs.frozen
class Authenticate:
    """``initial``: the initial response in base64, None where there is none."""

    mechanism: bytes
    initial: bytes | None = attrs.field(repr=False)

    async def run(self, session: Session) -> Reply:
        make = MECHANISMS.get(self.mechanism)
        if make is None:
            raise No("there is no such mechanism here", b"CANNOT")
        _insist_on_tls(session)
        try:
            done = await _exchange(session, make(), self.initial)
        except (AuthenticationFailed, LoginDisabled) as error:
            raise failed(session, error) from None
        except ProtocolError as error:
            raise Bad(str(error)) from None
        return await logged_in(session, done.account)


async def _exchange(session: Session, mechanism: IMechanism, initial: bytes | None) -> Done:
    """Drive a mechanism to its end."""
    step = mechanism.start(None if initial is None else _decode(initial))
    while not isinstance(step, Done):
        if isinstance(step, Challenge):
            session.write(b"+ %b\r\n" % binascii.b2a_base64(step.data, newline=False))
            response = await session.out.read_line()
            if response == b"*":
                raise Bad("authentication aborted")
            step = mechanism.step(_decode(response))
        else:
            step = await session.call(step.run, session.site.authenticator)
    return step


def _decode(response: bytes) -> bytes:
    """A client's response; "=" is an empty initial response (RFC 4959 section 3)."""
    if response == b"=":
        return b""
    try:
        return binascii.a2b_base64(response, strict_mode=True)
    except binascii.Error:
        raise Bad("invalid base64") from None


def _insist_on_tls(session: Session) -> None:
    if not secure(session):
        raise No("passwords are only accepted over TLS", b"PRIVACYREQUIRED")


def failed(session: Session, error: AuthenticationFailed | LoginDisabled) -> No:
    """The answer to a failed attempt; too many of them end the connection.

    A disabled login has no code, so that clients show the text and ask for no other password.
    """
    if isinstance(error, LoginDisabled):
        return No(str(error))
    session.failed_logins += 1
    if session.failed_logins >= session.site.limits.failed_logins:
        raise Bye("too many failed logins")
    return No("wrong name or password", b"AUTHENTICATIONFAILED")


async def logged_in(session: Session, record: AccountRecord) -> Reply:
    await session.login(record)
    return Reply("welcome", b"CAPABILITY " + session.dialect.capabilities(session))


def parse_starttls(p: Cursor) -> StartTLS:
    return StartTLS()


def parse_login(p: Cursor) -> Login:
    p.sp()
    user = p.utf8_string()
    p.sp()
    return Login(user, p.utf8_string())


def parse_authenticate(p: Cursor) -> Authenticate:
    p.sp()
    mechanism = p.atom().upper()
    return Authenticate(mechanism, _rest(p) if p.at_sp() else None)


def _rest(p: Cursor) -> bytes:
    """initial-resp = base64 / "="."""
    if p.at_end():
        raise p.bad("base64")
    rest, p.pos = p.text[p.pos:], len(p.text)
    return rest


EXTENSION = Extension(
    name="LOGIN and AUTHENTICATE", rfcs=(9051, 4959, 4616, 5530),
    capabilities=(
        Capability(b"STARTTLS", can_start_tls),
        Capability(b"LOGINDISABLED", lambda s: early(s) and not secure(s)),
        Capability(b"AUTH=PLAIN", lambda s: early(s) and secure(s)),
        Capability(b"SASL-IR")),
    commands={b"STARTTLS": Spec(parse_starttls, NOT_AUTHENTICATED),
              b"LOGIN": Spec(parse_login, NOT_AUTHENTICATED),
              b"AUTHENTICATE": Spec(parse_authenticate, NOT_AUTHENTICATED)},
)
