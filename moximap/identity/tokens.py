"""OAUTHBEARER (RFC 7628) and XOAUTH2: login by an access token, which somebody else can read.

    C: n,a=ada@example.org,^Ahost=mail.example.org^Aport=993^Aauth=Bearer TOKEN^A^A        OAUTHBEARER
    C: user=ada@example.org^Aauth=Bearer TOKEN^A^A                                         XOAUTH2

Whom a token stands for is found out by an :class:`IInspector`; a name that the client gives is compared
with that, and never looked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable
from typing import Final, Protocol

import attrs
from zope.interface import implementer

from moximap.identity.authenticator import Authenticator
from moximap.identity.errors import AuthenticationFailed, ProtocolError
from moximap.identity.sasl import (Challenge, Channel, Check, Denied, Done, Grant, Hints, IMechanism,
                                   Inspect, Refused, Step, utf8)

#: Characters of a token at most; the longest in use are JWTs of some thousands.
LONGEST: Final = 16384

#: client-resp = gs2-header kvsep *kvpair kvsep; gs2-header = flag "," [ "a=" saslname ] ","
_BEARER: Final = re.compile(r"(n|y),(?:a=((?:[^\0=,\x01]|=2C|=3D)+))?,\x01((?:[^\x01]+\x01)*)\x01")
_XOAUTH2: Final = re.compile(r"user=([^\0\x01]*)\x01((?:[^\x01]+\x01)*)\x01")
#: kvpair = key "=" value kvsep; value = *(VCHAR / SP / HTAB / CR / LF)
_PAIR: Final = re.compile(r"([A-Za-z]+)=([\x20-\x7E\t\r\n]*)")
#: credentials = "Bearer" 1*SP b64token (RFC 6750 2.1)
_CREDENTIALS: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


class IInspector(Protocol):
    """Knows what tokens are worth; ``hints``: for clients whose tokens are not."""

    hints: Hints

    def inspect(self, token: str) -> Awaitable[Grant | Denied]:
        """What a token grants; NotNow where that cannot be found out."""


@attrs.frozen
class _Said:
    """What the client has said; an empty ``token`` asks what would be needed."""

    authzid: str
    token: str = attrs.field(repr=False)


def _token(pairs: str) -> str:
    """The token of an auth pair, empty where that is no bearer's; ProtocolError."""
    found = [_PAIR.fullmatch(pair) for pair in pairs.split("\1")[:-1]]
    values = [pair[2] for pair in found if pair is not None and pair[1].lower() == "auth"]
    if None in found or len(values) != 1 or len(values[0]) > LONGEST:
        raise ProtocolError("the message wants KEY=VALUE pairs, one of them auth")
    credentials = _CREDENTIALS.fullmatch(values[0].strip())
    return credentials[1] if credentials is not None else ""


def parse_bearer(message: str) -> _Said:
    """RFC 7628 3.1; ProtocolError."""
    found = _BEARER.fullmatch(message)
    if found is None:
        raise ProtocolError("OAUTHBEARER wants a gs2-header without channel binding, and pairs")
    return _Said((found[2] or "").replace("=2C", ",").replace("=3D", "="), _token(found[3]))


def parse_xoauth2(message: str) -> _Said:
    """The form that Google has published; ProtocolError."""
    found = _XOAUTH2.fullmatch(message)
    if found is None:
        raise ProtocolError("XOAUTH2 wants user=NAME and auth=Bearer TOKEN")
    return _Said(found[1], _token(found[2]))


@implementer(IMechanism)
class OAuthBearer:
    """One exchange."""

    name = b"OAUTHBEARER"

    def __init__(self, channel: Channel) -> None:
        self._hints = channel.hints
        self._said = _Said("", "")

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self.step(initial)

    def step(self, response: bytes) -> Step:
        self._said = self._parse(utf8(response, "the message"))
        if not self._said.token:
            return self._refused(Denied("invalid_token", "no bearer token"))
        return Inspect(self._said.authzid, self._said.token, self._inspected)

    def _parse(self, message: str) -> _Said:
        return parse_bearer(message)

    def _inspected(self, answer: Grant | Denied) -> Step:
        if isinstance(answer, Denied):
            return self._refused(answer)
        login = answer.login
        return Check(login, lambda who: self._judge(who, login))

    def _judge(self, who: Authenticator, login: str) -> Done | Refused:
        try:
            record = who.granted(login)
            who.same_account(record, self._said.authzid)
        except AuthenticationFailed as error:
            return Refused(self._error("invalid_token"), error)
        return Done(login, record)

    def _refused(self, denied: Denied) -> Refused:
        error = AuthenticationFailed(denied.reason, told="this token is not good here")
        return Refused(self._error(denied.status), error)

    def _error(self, status: str) -> bytes:
        """RFC 7628 3.2.2."""
        facts = {"status": status, "scope": self._hints.scope,
                 "openid-configuration": self._hints.discovery}
        return json.dumps({name: value for name, value in facts.items() if value}).encode()


class XOAuth2(OAuthBearer):
    """The same in the words of Google, which some programs speak alone."""

    name = b"XOAUTH2"

    def _parse(self, message: str) -> _Said:
        return parse_xoauth2(message)

    def _error(self, status: str) -> bytes:
        code = "403" if status == "insufficient_scope" else "401"
        return json.dumps({"status": code, "schemes": "Bearer", "scope": self._hints.scope}).encode()
