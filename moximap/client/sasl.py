"""Logging in: SASL's PLAIN, SCRAM and EXTERNAL (RFC 4616, 5802, 7677, 4422), else LOGIN."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from typing import Final, Protocol

from scramp import ScramClient, ScramException  # type: ignore[import-untyped]

from moximap.client.client import Client
from moximap.client.protocol import CommandFailed

#: Best first.
SCRAM: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1")
#: Digits of an iteration count that is not worked off: ten million take seconds, and have eight.
TOO_LONG: Final = 9
_ITERATIONS: Final = re.compile(r"(?:^|,)i=(\d+)")


class LoginImpossible(Exception):
    """The server and we know no common way; or it did not prove that it knows the password."""


class Mechanism(Protocol):
    """The client's side of one exchange."""

    name: str

    def first(self) -> bytes:
        """The initial response."""

    def step(self, challenge: bytes) -> bytes:
        """What is answered to a challenge; LoginImpossible."""

    def finished(self) -> bool:
        """Whether the server has said all that it must have said before its OK counts."""


class Plain:
    """RFC 4616; for connections that nobody can read on the way."""

    name = "PLAIN"

    def __init__(self, user: str, password: str) -> None:
        self._message = f"\0{user}\0{password}".encode()

    def first(self) -> bytes:
        return self._message

    def step(self, challenge: bytes) -> bytes:
        raise LoginImpossible("the server wants more than PLAIN has")

    def finished(self) -> bool:
        return True


class Scram:
    """The password is not sent, and the server proves that it knows it."""

    def __init__(self, name: str, user: str, password: str) -> None:
        self.name = name
        try:
            self._client = ScramClient([name], user, password)
        except (ScramException, ValueError) as error:
            raise LoginImpossible(f"SCRAM takes no such name or password: {error}") from None
        self._steps: list[Callable[[str], str]] = [self._final, self._last]

    def first(self) -> bytes:
        return str(self._client.get_client_first()).encode()

    def step(self, challenge: bytes) -> bytes:
        if not self._steps:
            raise LoginImpossible("the server says more than SCRAM has")
        try:
            return self._steps.pop(0)(challenge.decode()).encode()
        except (ScramException, ValueError) as error:
            raise LoginImpossible(f"the server does not keep to SCRAM, or does not know the password: "
                                  f"{error}") from None

    def _final(self, challenge: str) -> str:
        found = _ITERATIONS.search(challenge)
        if found is not None and len(found[1]) >= TOO_LONG:
            raise LoginImpossible("the server wants SCRAM to hash the password for too long")
        self._client.set_server_first(challenge)
        return str(self._client.get_client_final())

    def _last(self, challenge: str) -> str:
        self._client.set_server_final(challenge)
        return ""

    def finished(self) -> bool:
        return not self._steps


async def authenticate(client: Client, mechanism: Mechanism) -> None:
    """AUTHENTICATE (RFC 9051 6.2.2), with its initial response where the server takes one (RFC 4959).

    CommandFailed, LoginImpossible.
    """
    capabilities = await client.capability()
    at_once = not capabilities.isdisjoint((b"SASL-IR", b"IMAP4REV2"))
    waiting = [] if at_once else [mechanism.first()]

    def answer(text: bytes) -> bytes:
        challenge = _decoded(text)
        return _encoded(waiting.pop() if waiting else mechanism.step(challenge))

    words = b"AUTHENTICATE " + mechanism.name.encode()
    if at_once:
        words += b" " + (_encoded(mechanism.first()) or b"=")
    client.connection.capabilities = frozenset()
    try:
        await client.connection.command(words, answers=answer)
    except CommandFailed:
        client.connection.capabilities = capabilities
        raise
    if not mechanism.finished():
        raise LoginImpossible("the server did not prove that it knows the password")
    await client.capability()


def _encoded(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)


def _decoded(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text)
    except ValueError:
        raise LoginImpossible("the server's challenge is no base64") from None


async def log_in(client: Client, user: str, password: Callable[[], str] | None) -> str:
    """Log in in the best way that there is; its name.  CommandFailed, LoginImpossible.

    ``password`` is asked only if it is needed; None: with the key that TLS has proved, only.
    """
    if client.preauth:
        return "PREAUTH"
    capabilities = await client.capability()
    if password is None:
        if b"AUTH=EXTERNAL" not in capabilities:
            raise LoginImpossible("the server knows no account for this key")
        await client.authenticate_external()
        return "EXTERNAL"
    offered = {each.removeprefix(b"AUTH=").decode() for each in capabilities if each.startswith(b"AUTH=")}
    best = next((name for name in SCRAM if name in offered), None)
    if best is not None:
        try:
            await authenticate(client, Scram(best, user, password()))
            return best
        except CommandFailed:
            # Servers offer it to all, and know some by a hash that serves for PLAIN only.
            if "PLAIN" not in offered:
                raise
    if "PLAIN" in offered:
        await authenticate(client, Plain(user, password()))
        return "PLAIN"
    if b"LOGINDISABLED" in capabilities:
        raise LoginImpossible("the server takes no password here")
    await client.login(user, password())
    return "LOGIN"
