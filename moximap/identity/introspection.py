"""Tokens checked where they come from: token introspection (RFC 7662) over HTTP.

The law of this file: no token is kept or logged, nothing waits without an end, and what cannot be
found out is never taken for yes.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hmac import digest
from io import BytesIO
from math import isnan
from time import time
from typing import Any, Final, NoReturn
from urllib.parse import quote_plus, urlencode

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers

from moximap.identity.errors import NotNow
from moximap.identity.oauth import OAuthSettings
from moximap.identity.sasl import Denied, Grant, Hints
from moximap.net.trust import Trust, WebTrust, read

log = Logger()

#: Octets of an answer that are read.
LONGEST_ANSWER: Final = 65536
#: Good tokens that are remembered; each takes about 300 octets.
CACHE_SIZE: Final = 4096
#: Questions that are open at once.
MOST_OPEN: Final = 64


class TooLong(Exception):
    """The endpoint answers without end."""


class _Body(Protocol):
    """Gathers an answer's body, up to a length."""

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._data = b""

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._data += data
        if len(self._data) > LONGEST_ANSWER:
            self.done.errback(TooLong(f"an answer of over {LONGEST_ANSWER} octets"))
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if isinstance(reason.value, (ResponseDone, PotentialDataLoss)):
            self.done.callback(self._data)
        else:
            self.done.errback(reason)

    def _abort(self) -> None:
        abort: Callable[[], None] | None = getattr(self.transport, "abortConnection", None)
        (abort or self.transport.loseConnection)()  # type: ignore[union-attr]


class Introspector:
    """An IInspector.  ``now``: Unix seconds, for tokens that end."""

    def __init__(self, reactor: Any, settings: OAuthSettings, agent: Any = None,
                 now: Callable[[], float] = time) -> None:
        self.hints = Hints(" ".join(settings.scope), settings.discovery)
        self._reactor = reactor
        self._settings = settings
        trust = Trust(None if settings.ca is None else read(settings.ca))
        # A connection for each question: one that was kept may be closed as it is used, and fail a login.
        self._agent = agent or Agent(  # type: ignore[no-untyped-call]
            reactor, WebTrust(trust), settings.timeout)
        self._now = now
        self._key = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, tuple[Grant, float]] = OrderedDict()
        self._open = 0

    async def inspect(self, token: str) -> Grant | Denied:
        name = digest(self._key, token.encode(), "sha256")
        known = self._good.pop(name, None)
        if known is not None and self._now() < known[1]:
            self._good[name] = known
            return known[0]
        claims = await self._claims(token)
        answer = self._judge(claims)
        if isinstance(answer, Grant):
            until = min(self._now() + self._settings.cache, _number(claims.get("exp"), float("inf")))
            self._good[name] = answer, until
            while len(self._good) > CACHE_SIZE:
                self._good.popitem(last=False)
        return answer

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """What the endpoint says of a token; NotNow."""
        if self._open >= MOST_OPEN:
            log.error("too many tokens wait for the introspection endpoint")
            raise NotNow("tokens cannot be checked right now")
        self._open += 1
        try:
            asked = Deferred.fromCoroutine(self._ask(token))
            return _object(await asked.addTimeout(self._settings.timeout, self._reactor, _too_late))
        except Exception as error:            # whatever it is, the token is not proved
            log.error("the introspection endpoint does not answer as it should: {kind} {reason}",
                      kind=type(error).__name__, reason=error)
            raise NotNow("tokens cannot be checked right now") from error
        finally:
            self._open -= 1

    async def _ask(self, token: str) -> bytes:
        body = urlencode({"token": token, "token_type_hint": "access_token"}).encode()
        headers = Headers({b"Content-Type": [b"application/x-www-form-urlencoded"],
                           b"Accept": [b"application/json"], b"User-Agent": [b"moximap"]})
        if self._settings.client_id:
            headers.addRawHeader(b"Authorization", _basic(self._settings))
        producer = FileBodyProducer(BytesIO(body))  # type: ignore[no-untyped-call]
        response = await self._agent.request(
            b"POST", self._settings.introspection.encode(), headers, producer)
        receiver = _Body()
        response.deliverBody(receiver)
        data = await receiver.done
        if response.code != 200:
            raise ValueError(f"HTTP status {response.code}")
        return data

    def _judge(self, claims: Mapping[str, Any]) -> Grant | Denied:
        """RFC 7662 2.2: a token is good if it is active, and all that we were told to want is there."""
        settings, login = self._settings, claims.get(self._settings.claim)
        if claims.get("active") is not True or _number(claims.get("exp"), float("inf")) <= self._now():
            return Denied("invalid_token", "the token is not active")
        if claims.get("cnf"):
            return Denied("invalid_token", "the token is bound to a key (RFC 8705), and not for bearers")
        if settings.audience and settings.audience not in _texts(claims.get("aud")):
            return Denied("invalid_token", "the token is meant for others")
        if not set(settings.scope) <= set(str(claims.get("scope", "")).split()):
            return Denied("insufficient_scope", "the token lacks a scope")
        if not isinstance(login, str) or not login or not login.isprintable() or \
                settings.claim == "email" and claims.get("email_verified") is False:
            return Denied("invalid_token", f"the token names nobody by its claim {settings.claim}")
        return Grant(login)


def _too_late(_: object, seconds: float) -> NoReturn:
    raise TimeoutError(f"nothing came in {seconds} s")


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        claims = json.loads(data)
    except RecursionError:
        raise ValueError("JSON nested too deep") from None
    if not isinstance(claims, dict):
        raise ValueError("not a JSON object")
    return claims


def _number(value: object, otherwise: float) -> float:
    """A claim that is a time; one that is there and is none has long been over."""
    if value is None:
        return otherwise
    try:
        seconds = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
    except OverflowError:
        return 0.0
    return 0.0 if isnan(seconds) else seconds


def _texts(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _basic(settings: OAuthSettings) -> bytes:
    """RFC 6749 2.3.1: both are form-encoded first."""
    words = ":".join(map(quote_plus, (settings.client_id, settings.client_secret)))
    return b"Basic " + b64encode(words.encode())
