"""Login by access token, as the configuration has it; what talks HTTP is only loaded where it is used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from moximap.identity.introspection import Introspector


@attrs.frozen
class OAuthSettings:
    """The table [oauth]; without ``introspection`` (a URL) there is no login by token.

    ``scope``: all of these a token must have.  ``audience``: what it must be meant for, if that is said.
    ``timeout`` and ``cache`` in seconds.  ``ca``: PEM file of who signs the endpoint's certificate.
    """

    introspection: str = ""
    client_id: str = ""
    client_secret: str = attrs.field(default="", repr=False)
    claim: str = "username"
    scope: tuple[str, ...] = ()
    audience: str = ""
    timeout: float = 5.0
    cache: float = 60.0
    discovery: str = ""
    ca: Path | None = None


def introspector(reactor: Any, settings: OAuthSettings) -> Introspector | None:
    """What checks tokens, if there is an endpoint that knows them."""
    if not settings.introspection:
        return None
    from moximap.identity.introspection import Introspector
    return Introspector(reactor, settings)
