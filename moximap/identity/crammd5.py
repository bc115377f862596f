"""CRAM-MD5 (RFC 2195): off unless it is switched on, for programs that know nothing better.

    S: <4211973.1700000000@moximap>
    C: ada b913a602c7eda7a495b4e6e7334d3890
"""

from __future__ import annotations

import hmac
import re
import secrets
from time import time
from typing import Final

from zope.interface import implementer

from moximap.identity.authenticator import Authenticator, enabled, failure
from moximap.identity.errors import ProtocolError
from moximap.identity.md5 import hmac_md5
from moximap.identity.passwords import CRAM_MD5
from moximap.identity.sasl import Challenge, Check, Done, IMechanism, Step, utf8

#: "a string consisting of the user name, a space, and a digest"; a name may have spaces too.
_RESPONSE: Final = re.compile(r"([^\0]+) ([0-9a-f]{32})", re.DOTALL)


@implementer(IMechanism)
class CramMD5:
    """One exchange, which the server begins."""

    name = CRAM_MD5.encode()

    def __init__(self) -> None:
        self._challenge = b"<%d.%d@moximap>" % (secrets.randbits(64), time())

    def start(self, initial: bytes | None) -> Step:
        """RFC 4959 section 3: an initial response to a mechanism without one is an error."""
        if initial is not None:
            raise ProtocolError("CRAM-MD5 begins with the server's challenge")
        return Challenge(self._challenge)

    def step(self, response: bytes) -> Step:
        found = _RESPONSE.fullmatch(utf8(response, "the response"))
        if found is None:
            raise ProtocolError("CRAM-MD5 wants a name, a space, and 32 hexadecimal digits in lower case")
        login, digest = found[1], bytes.fromhex(found[2])
        return Check(login, lambda who: self._check(who, login, digest))

    def _check(self, who: Authenticator, login: str, digest: bytes) -> Done:
        """Who is unknown, or has no such form of a password, costs what a wrong digest costs."""
        record, kept = who.verifier(login, CRAM_MD5)
        right = hmac_md5(kept.stored_key, kept.server_key, self._challenge)
        if not hmac.compare_digest(right, digest) or record is None:
            raise failure(record)
        return Done(login, enabled(record))
