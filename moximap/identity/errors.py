"""What proving an identity can fail with; the protocol gives each its answer."""

from __future__ import annotations


class AuthenticationFailed(Exception):
    """Not who they say they are.  Its text is for logs; the client is told no more than "no"."""


class LoginDisabled(Exception):
    """The right password, but this account may not log in; the text is the administrator's."""


class ProtocolError(Exception):
    """The client broke its mechanism's syntax: the answer is BAD with this text."""
