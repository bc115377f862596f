"""SASL mechanisms (RFC 4422), server side: step machines that know neither base64 nor sockets.

The law of this file: a mechanism does no I/O and never blocks.  What must ask the directory it
returns as a :class:`Check`, whose ``run`` the driver calls in a thread; that gives the next step.
So a new mechanism is one class here and one row in MECHANISMS.

The driver: ``step = mechanism.start(initial)``; then until it is ``Done``: a ``Challenge`` is sent
and ``step = mechanism.step(response)``; a ``Check`` is ``step = await call(step.run, authenticator)``.
AuthenticationFailed and LoginDisabled come out of ``run``, ProtocolError out of all three.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Union

import attrs
from zope.interface import Attribute, Interface, implementer

from moximap.identity.authenticator import Authenticator
from moximap.identity.errors import AuthenticationFailed, LoginDisabled, ProtocolError
from moximap.store.interfaces import AccountRecord


@attrs.frozen
class Challenge:
    """Octets for the client, not yet in base64; its response goes to ``step``."""

    data: bytes


@attrs.frozen
class Done:
    """The client is ``account``, and used the name ``login`` for it."""

    login: str
    account: AccountRecord


@attrs.frozen
class Check:
    """Call ``run`` where it may block; it returns the next step.  ``login``: who tries, for logs."""

    login: str
    run: Callable[[Authenticator], Union[Challenge, Done]] = attrs.field(repr=False)


Step = Union[Challenge, Check, Done]


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
        return Check(authcid, lambda who: _plain(who, authzid, authcid, password))


def _plain(who: Authenticator, authzid: str, authcid: str, password: str) -> Done:
    record = who.password(authcid, password)
    who.same_account(record, authzid)
    return Done(authcid, record)


#: The mechanisms of this server by name, in upper case.
MECHANISMS: Final[dict[bytes, Callable[[], IMechanism]]] = {Plain.name: Plain}


__all__ = ["MECHANISMS", "AuthenticationFailed", "Challenge", "Check", "Done", "IMechanism",
           "LoginDisabled", "Plain", "ProtocolError", "Step", "utf8"]
