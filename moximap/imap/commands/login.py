"""LOGIN, AUTHENTICATE and STARTTLS (RFC 9051 6.2, RFC 4959 SASL-IR, RFC 5530), and two mechanisms: PLAIN
(RFC 4616) and LOGIN."""

from __future__ import annotations

import attrs

from moximap.identity.sasl import Done, Plain
from moximap.identity.sasl import Login as LoginMechanism
from moximap.imap.dialect import NOT_AUTHENTICATED, Capability, Extension, Reply, Spec
from moximap.imap.errors import Bad, No
from moximap.imap.grammar import Cursor
from moximap.imap.proving import Mechanism, Trial, channel, early, exchange, insist_on_tls, prove, secure
from moximap.imap.session import Session


def can_start_tls(session: Session) -> bool:
    return session.site.tls is not None and not session.out.tls and early(session)


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
        insist_on_tls(session)
        return await prove(session, Trial("login", self.user), self._proof(session))

    async def _proof(self, session: Session) -> Done:
        who = session.site.authenticator
        record = await session.quick(who.remembered, self.user, self.password)
        if record is None:
            record = await session.call(who.password, self.user, self.password)
        return Done(self.user, record)


@attrs.frozen
class Authenticate:
    """``initial``: the initial response in base64, None where there is none."""

    mechanism: bytes
    initial: bytes | None = attrs.field(repr=False)

    async def run(self, session: Session) -> Reply:
        row: Mechanism | None = session.dialect.tables["mechanisms"].get(self.mechanism)
        if row is None or not row.offered(session) or b"AUTH=" + self.mechanism in session.hidden:
            session.attempts.made("(unrecognized)", "", "-", "badprotocol")
            raise No("there is no such mechanism here", b"CANNOT")
        row.insist(session)
        trial = Trial(self.mechanism.decode().lower())
        return await prove(session, trial, exchange(session, trial, row.make(channel(session)), self.initial))


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
        Capability(b"AUTH=LOGIN", lambda s: early(s) and secure(s)),
        Capability(b"SASL-IR")),
    commands={b"STARTTLS": Spec(parse_starttls, NOT_AUTHENTICATED, capability=b"STARTTLS"),
              b"LOGIN": Spec(parse_login, NOT_AUTHENTICATED),
              b"AUTHENTICATE": Spec(parse_authenticate, NOT_AUTHENTICATED)},
    mechanisms={b"PLAIN": Mechanism(lambda channel: Plain(), insist_on_tls),
                b"LOGIN": Mechanism(lambda channel: LoginMechanism(), insist_on_tls)},
)
