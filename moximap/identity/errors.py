"""What proving an identity can fail with; the protocol gives each its answer."""

from __future__ import annotations

from typing import Final

#: What the client is told of most failures.
WRONG: Final = "wrong name or password"


class AuthenticationFailed(Exception):
    """Not who they say they are.  Its text is for logs; ``told`` and ``code`` are what the client hears.

    ``result`` and ``account`` go into the record of login attempts (moximap.store.attempts).  ``aborted``:
    the client was told by a challenge, and has aborted what had failed already.
    """

    def __init__(self, text: str, result: str = "badcreds", account: str = "-", told: str = WRONG,
                 code: bytes = b"AUTHENTICATIONFAILED") -> None:
        super().__init__(text)
        self.result = result
        self.account = account
        self.told = told
        self.code = code
        self.aborted = False


class LoginDisabled(Exception):
    """The right password, but this account may not log in; the text is the administrator's."""

    def __init__(self, text: str, account: str = "-") -> None:
        super().__init__(text)
        self.account = account


class NotNow(Exception):
    """It cannot be found out right now who that is; the text is for the client."""


class ProtocolError(Exception):
    """The client broke its mechanism's syntax: the answer is BAD with this text."""
