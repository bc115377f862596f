"""SASL mechanisms (RFC 4422), server side: step machines that know neither base64 nor sockets.

Here are PLAIN, LOGIN and EXTERNAL; each other family has a module of its own.

The law of this file: a mechanism does no I/O and never blocks.  What must ask the directory it
returns as a :class:`Check`, whose ``run`` the driver calls in a thread; that gives the next step.
So a new mechanism is one class, and one row in the table ``mechanisms`` of the protocol.

The driver: ``step = mechanism.start(initial)``; then until it is ``Done``: a ``Challenge`` is sent
and ``step = mechanism.step(response)``; a ``Check`` is ``step = await call(step.run, authenticator)``;
an ``Inspect`` is ``step = step.then(await tokens.inspect(step.token))``; a ``Refused`` is the end.
AuthenticationFailed, LoginDisabled and ProtocolError come out of all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Union

import attrs
from zope.interface import Attribute, Interface, implementer

from moximap.identity.authenticator import Authenticator
from moximap.identity.errors import AuthenticationFailed, LoginDisabled, ProtocolError
from moximap.store.interfaces import AccountRecord
from moximap.store.keys import KeyRecord


def _no_binding(name: str) -> bytes | None:
    return None


@attrs.frozen
class Hints:
    """What clients with a bad token are told: the scope that is wanted, where to learn more (a URL)."""

    scope: str = ""
    discovery: str = ""


@attrs.frozen
class Channel:
    """What a mechanism may know of its connection.

    ``key``: the fingerprint of the key that the client has proved, if it has.  ``binds``: whether this is
    a channel that can be bound to (RFC 5056); ``binding`` gives the data of a named type, if it has it.
    """

    key: str | None = None
    binds: bool = False
    binding: Callable[[str], bytes | None] = _no_binding
    hints: Hints = Hints()


@attrs.frozen
class Challenge:
    """Octets for the client, not yet in base64; its response goes to ``step``."""

    data: bytes


@attrs.frozen
class Done:
    """The client is ``account``, called ``login`` by itself.  ``key``: what proved it, if that was a key."""

    login: str
    account: AccountRecord
    key: KeyRecord | None = None


@attrs.frozen
class Check:
    """Call ``run`` where it may block; it returns the next step.  ``login``: who tries, for logs.

    ``recall`` is quick: it may give that step at once, or None.
    """

    login: str
    run: Callable[[Authenticator], Union[Challenge, Done, Refused]] = attrs.field(repr=False)
    recall: Callable[[Authenticator], Done | None] = attrs.field(default=lambda who: None, repr=False)


@attrs.frozen
class Refused:
    """It has failed, and the client is to be told by a challenge; what it answers is not looked at."""

    data: bytes
    error: AuthenticationFailed


@attrs.frozen
class Grant:
    """A good access token: ``login`` is the address that it stands for."""

    login: str


@attrs.frozen
class Denied:
    """A token that is not good.  ``status``: an error of OAuth (RFC 6750 3.1); ``reason``: for logs."""

    status: str
    reason: str


@attrs.frozen
class Inspect:
    """Find out what a token is worth; ``then`` makes the next step of it.  ``login``: who tries, for logs."""

    login: str
    token: str = attrs.field(repr=False)
    then: Callable[[Union[Grant, Denied]], Step] = attrs.field(repr=False)


Step = Union[Challenge, Check, Done, Inspect, Refused]


class IMechanism(Interface):
    """One exchange of one mechanism; made anew for each AUTHENTICATE."""

    name: bytes = Attribute("the name in upper case")

    def start(initial: bytes | None) -> Step:
        """The first step.  ``initial``: the initial response if the client sent one (maybe empty)."""

    def step(response: bytes) -> Step:
        """What follows the client's response to the last challenge; ProtocolError."""


def utf8(octets: bytes, what: str) -> str:
    """Text from a client; ProtocolError where ``what`` it sent is not UTF-8."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise ProtocolError(f"{what} is not UTF-8") from None


@implementer(IMechanism)
class Plain:
    """PLAIN (RFC 4616): ``message = [authzid] NUL authcid NUL passwd``."""

    name = b"PLAIN"

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self.step(initial)

    def step(self, response: bytes) -> Step:
        fields = utf8(response, "the PLAIN message").split("\0")
        if len(fields) != 3:
            raise ProtocolError("PLAIN wants authzid, authcid and password with NULs between")
        authzid, authcid, password = fields
        if not authcid or not password:
            raise ProtocolError("PLAIN wants an authcid and a password that are not empty")
        return Check(authcid, lambda who: _plain(who, authzid, authcid, who.password(authcid, password)),
                     lambda who: _recalled(who, authzid, authcid, who.remembered(authcid, password)))


def _plain(who: Authenticator, authzid: str, authcid: str, record: AccountRecord) -> Done:
    who.same_account(record, authzid)
    return Done(authcid, record)


def _recalled(who: Authenticator, authzid: str, authcid: str, record: AccountRecord | None) -> Done | None:
    return None if record is None else _plain(who, authzid, authcid, record)


@implementer(IMechanism)
class Login:
    """LOGIN (draft-murchison-sasl-login): never an RFC, and still what some programs speak."""

    name = b"LOGIN"

    def __init__(self) -> None:
        self._login: str | None = None

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"User Name\0") if initial is None else self.step(initial)

    def step(self, response: bytes) -> Step:
        text = utf8(response, "the response")
        if not text or "\0" in text:
            raise ProtocolError("LOGIN wants a name and a password that are not empty")
        if self._login is None:
            self._login = text
            return Challenge(b"Password\0")
        login = self._login
        return Check(login, lambda who: Done(login, who.password(login, text)))


@implementer(IMechanism)
class External:
    """EXTERNAL (RFC 4422 appendix A) by the key that TLS has proved; its account is the only one there is.

    The authorization identity, maybe empty, is compared with that account and never looked for.
    """

    name = b"EXTERNAL"

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def start(self, initial: bytes | None) -> Step:
        if self._channel.key is None:
            raise AuthenticationFailed("no key", told="no client certificate came with this connection")
        return Challenge(b"") if initial is None else self.step(initial)

    def step(self, response: bytes) -> Step:
        authzid, key = utf8(response, "the authorization identity"), self._channel.key
        if "\0" in authzid:
            raise ProtocolError("an authorization identity has no NUL")
        assert key is not None
        return Check(authzid, lambda who: _external(who, key, authzid))


def _external(who: Authenticator, fingerprint: str, authzid: str) -> Done:
    record, key = who.external(fingerprint, authzid)
    return Done(authzid or record.name, record, key)


__all__ = ["AuthenticationFailed", "Challenge", "Channel", "Check", "Denied", "Done", "External", "Grant",
           "Hints", "IMechanism", "Inspect", "Login", "LoginDisabled", "Plain", "ProtocolError", "Refused",
           "Step", "utf8"]
