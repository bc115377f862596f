"""SCRAM-SHA-256 and SCRAM-SHA-1, with and without channel binding (RFC 5802, RFC 7677, RFC 9266).

    C: n,,n=ada,r=CLIENT                          or  p=tls-exporter,,n=ada,r=CLIENT
    S: r=CLIENTSERVER,s=SALT,i=ITERATIONS
    C: c=BINDING,r=CLIENTSERVER,p=PROOF
    S: v=SIGNATURE
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from typing import Final

import attrs
from zope.interface import implementer

from moximap.identity.authenticator import Authenticator, enabled, failure
from moximap.identity.errors import AuthenticationFailed, ProtocolError
from moximap.identity.passwords import HASHES
from moximap.identity.sasl import Challenge, Channel, Check, Done, IMechanism, Step, utf8
from moximap.store.interfaces import AccountRecord, Verifier

#: Octets of our part of the nonce, before they are made printable.
NONCE_SIZE: Final = 18

#: gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
_FLAG: Final = re.compile(r"n|y|p=([A-Za-z0-9.-]+)")
#: saslname = 1*(value-safe-char / "=2C" / "=3D"): all but NUL, "=" and ","
_SASLNAME: Final = re.compile(r"(?:[^\0=,]|=2C|=3D)+")
#: printable = %x21-2B / %x2D-7E
_NONCE: Final = re.compile(r"r=([!-+\--~]+)")
#: attr-val = ALPHA "=" value
_EXTENSION: Final = re.compile(r"[A-Za-z]=[^\0,]+")


@attrs.frozen
class First:
    """client-first-message: ``header`` is its gs2-header, ``bare`` what is behind it."""

    header: str
    bare: str
    binding: str | None
    authzid: str
    login: str
    nonce: str


def parse_first(message: str) -> First:
    """gs2-header [reserved-mext ","] username "," nonce ["," extensions]; ProtocolError."""
    parts = message.split(",", 2)
    flag = _FLAG.fullmatch(parts[0])
    if len(parts) != 3 or flag is None:
        raise ProtocolError("the first message of SCRAM has no gs2-header")
    _, authzid, bare = parts
    username, nonce, *extensions = [*bare.split(","), ""]
    found = _NONCE.fullmatch(nonce)
    if username.startswith("m="):
        raise ProtocolError("no mandatory extension of SCRAM is known here")
    if not username.startswith("n=") or found is None or not _are_extensions(extensions[:-1]):
        raise ProtocolError("the first message of SCRAM has a name, a nonce, and extensions")
    return First(f"{parts[0]},{authzid},", bare, flag[1], _authzid(authzid), _saslname(username[2:]),
                 found[1])


def _are_extensions(fields: list[str]) -> bool:
    return all(map(_EXTENSION.fullmatch, fields))


def _authzid(field: str) -> str:
    if field and not field.startswith("a="):
        raise ProtocolError("an authorization identity starts with a=")
    return _saslname(field[2:]) if field else ""


def _saslname(text: str) -> str:
    if not _SASLNAME.fullmatch(text):
        raise ProtocolError("a name of SCRAM is not empty, and has = and , as =3D and =2C only")
    return text.replace("=2C", ",").replace("=3D", "=")


@attrs.frozen
class Last:
    """client-final-message: ``without_proof`` is what the proof is of."""

    without_proof: str
    binding: bytes
    nonce: str
    proof: bytes


def parse_last(message: str) -> Last:
    """channel-binding "," nonce ["," extensions] "," proof; ProtocolError."""
    without_proof, has_proof, proof = message.rpartition(",p=")
    binding, nonce, *extensions = [*without_proof.split(","), ""]
    found = _NONCE.fullmatch(nonce)
    if not has_proof or not binding.startswith("c=") or found is None or not _are_extensions(extensions[:-1]):
        raise ProtocolError("the last message of SCRAM has a channel binding, a nonce and a proof")
    return Last(without_proof, _base64(binding[2:]), found[1], _base64(proof))


def _base64(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise ProtocolError("invalid base64 in a message of SCRAM") from None


@implementer(IMechanism)
class Scram:
    """One exchange.  ``name``: of the mechanism, with -PLUS where the channel must be bound to."""

    def __init__(self, name: bytes, channel: Channel) -> None:
        self.name = name
        self._plus = name.endswith(b"-PLUS")
        self._mechanism = name.removesuffix(b"-PLUS").decode()
        self._digest = HASHES[self._mechanism]
        self._channel = channel
        self._next: Callable[[bytes], Step] = self._first

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self.step(initial)

    def step(self, response: bytes) -> Step:
        return self._next(response)

    def _first(self, response: bytes) -> Step:
        first = parse_first(utf8(response, "the first message of SCRAM"))
        bound = self._bound(first)
        return Check(first.login, lambda who: self._challenge(who, first, bound))

    def _bound(self, first: First) -> bytes:
        """What the client's c= must be, by its gs2-header and our channel."""
        if (first.binding is not None) != self._plus:
            raise ProtocolError("a channel is bound to in -PLUS mechanisms, and only there")
        if first.header.startswith("y") and self._channel.binds:
            # RFC 5802 section 6: it has not seen our -PLUS.  Who took it away?
            raise AuthenticationFailed(
                "the client was not told of channel binding", "badchanbind",
                told="channel binding is supported here: was the connection tampered with?")
        if first.binding is None:
            return first.header.encode()
        data = self._channel.binding(first.binding)
        if data is None:
            raise AuthenticationFailed(f"no channel binding {first.binding}", "badchanbind",
                                       told="this type of channel binding is not supported here")
        return first.header.encode() + data

    def _challenge(self, who: Authenticator, first: First, bound: bytes) -> Challenge:
        record, verifier = who.verifier(first.login, self._mechanism)
        nonce = first.nonce + secrets.token_urlsafe(NONCE_SIZE)
        salt = binascii.b2a_base64(verifier.salt, newline=False).decode()
        message = f"r={nonce},s={salt},i={verifier.iterations}"
        proof = _Proof(self._digest, first, record, verifier, message, nonce, bound)
        self._next = lambda response: self._final(proof, response)
        return Challenge(message.encode())

    def _final(self, proof: _Proof, response: bytes) -> Step:
        record, signature = proof.check(parse_last(utf8(response, "the last message of SCRAM")))
        enabled(record)
        self._next = lambda response: _done(proof.first.login, record, response)
        answer = Challenge(b"v=" + binascii.b2a_base64(signature, newline=False))
        authzid = proof.first.authzid
        if not authzid:
            return answer

        def same(who: Authenticator) -> Challenge:
            who.same_account(record, authzid)
            return answer

        return Check(proof.first.login, same)


def _done(login: str, record: AccountRecord, response: bytes) -> Done:
    if response:
        raise ProtocolError("after the server's signature SCRAM has nothing more to say")
    return Done(login, record)


@attrs.frozen
class _Proof:
    """All that the client's last message is judged by."""

    digest: str
    first: First
    record: AccountRecord | None
    verifier: Verifier = attrs.field(repr=False)
    message: str
    nonce: str
    bound: bytes = attrs.field(repr=False)

    def check(self, final: Last) -> tuple[AccountRecord, bytes]:
        """The account, and the server's signature; AuthenticationFailed."""
        account = self.record.name if self.record else "-"
        if final.nonce != self.nonce:
            raise AuthenticationFailed("the nonce is another exchange's", account=account)
        if not hmac.compare_digest(final.binding, self.bound):
            raise AuthenticationFailed("the channel binding is another channel's", "badchanbind", account)
        text = f"{self.first.bare},{self.message},{final.without_proof}".encode()
        signature = hmac.digest(self.verifier.stored_key, text, self.digest)
        right = len(final.proof) == len(signature)
        key = bytes(a ^ b for a, b in zip(final.proof, signature))
        stored = hashlib.new(self.digest, key).digest()
        if not (hmac.compare_digest(stored, self.verifier.stored_key) and right) or self.record is None:
            raise failure(self.record)
        return self.record, hmac.digest(self.verifier.server_key, text, self.digest)
