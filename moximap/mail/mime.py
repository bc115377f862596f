"""Contents of the MIME header fields: types, parameters, tokens (RFC 2045 5, 2183, 2231)."""

import re
import urllib.parse

from moximap.mail.headers import unfold

Params = tuple[tuple[bytes, bytes], ...]

# A field that is longer is cut before it is parsed: it bounds what a part may cost in memory.
LONGEST = 1 << 16

_TYPE = re.compile(rb'[ \t]*+([^\s/;=",<>@]++)[ \t]*+(?:/[ \t]*+([^\s/;=",<>@]++))?')
_PARAM = re.compile(
    rb';[ \t]*+([^\s;="]++)[ \t]*+=[ \t]*+(?:"((?:[^"\\]|\\.)*+)(?:"|\Z)|([^\s;"]*+))', re.DOTALL
)
_TOKEN = re.compile(rb'[^\s()<>@,;:\\"/\[\]?=]++(?=[ \t]*+(?:;|\Z))')
_COMMENT = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[()]|\\.|[^"()\\]++', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_CONTINUED = re.compile(rb"(.+?)(?:\*(0|[1-9][0-9]{0,3}))?(\*)?\Z", re.DOTALL)


def content_type(content: bytes) -> tuple[str, str, Params] | None:
    """Type and subtype in lower case and the parameters; None if there is no type at all.

    A type without subtype is completed: what RFC 2045 5.2 recommends for text, and what does the
    least harm for others.
    """
    content = clean(content)
    match = _TYPE.match(content)
    if match is None:
        return None
    main = match[1].lower().decode("latin-1")
    sub = match[2].lower().decode("latin-1") if match[2] else _DEFAULTS.get(main)
    if sub is None:
        main, sub = "application", "octet-stream"
    return main, sub, params(content, match.end())


_DEFAULTS = {"text": "plain", "multipart": "mixed", "message": "rfc822"}


def disposition(content: bytes) -> tuple[bytes, Params]:
    """Disposition type and parameters."""
    content = clean(content)
    match = _TOKEN.match(content)
    if match is None:
        return b"", params(content, max(content.find(b";"), 0))
    return match[0], params(content, match.end())


def token(content: bytes) -> str:
    """A token in lower case, such as a transfer encoding; empty if it is none, as ``text/html``."""
    match = _TOKEN.match(clean(content))
    return match[0].lower().decode("latin-1") if match else ""


def languages(content: bytes) -> tuple[bytes, ...]:
    """The tags of a Content-Language field."""
    return tuple(tag for tag in (part.strip() for part in clean(content).split(b",")) if tag)


def clean(content: bytes) -> bytes:
    """Content in one line without comments."""
    content = unfold(content[:LONGEST])
    return _without_comments(content) if b"(" in content else content


def _without_comments(content: bytes) -> bytes:
    out = []
    depth = 0
    for match in _COMMENT.finditer(content):
        piece = match[0]
        if piece == b"(":
            depth += 1
        elif piece == b")":
            depth -= depth > 0
        elif depth == 0:
            out.append(piece)
    return b"".join(out).strip()


def params(content: bytes, start: int) -> Params:
    """``; name=value`` from an offset on, RFC 2231 continuations joined."""
    found: list[tuple[bytes, bytes]] = []
    continued = False
    for name, quoted, bare in _PARAM.findall(content, start):
        if b"\\" in quoted:
            quoted = _ESCAPED.sub(rb"\1", quoted)
        found.append((name, quoted or bare))
        continued = continued or b"*" in name
    return _joined(found) if continued else tuple(found)


def _joined(found: list[tuple[bytes, bytes]]) -> Params:
    """Pieces ``name*0*=...; name*1=...`` become one ``name*``, still percent-encoded.

    Decoding it to UTF-8, as RFC 9051 7.5.2 suggests, would make the value something else than
    what every client expects under a name that ends in an asterisk.
    """
    whole: list[tuple[bytes, bytes]] = []
    pieces: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    for name, content in found:
        match = _CONTINUED.match(name)
        if match is None or match[2] is None:
            whole.append((name, content))
        else:
            pieces.setdefault(match[1], {}).setdefault(int(match[2]), (content, bool(match[3])))
    for name, numbered in pieces.items():
        run = [numbered[n] for n in range(len(numbered)) if n in numbered]
        if any(encoded for _, encoded in run):
            quoted = [text if encoded else _quote(text) for text, encoded in run]
            whole.append((name + b"*", b"".join(quoted)))
        else:
            whole.append((name, b"".join(text for text, _ in run)))
    return tuple(whole)


def _quote(text: bytes) -> bytes:
    return urllib.parse.quote_from_bytes(text, safe=" !#$&+-.^_`|~").encode()


def get(pairs: Params, name: bytes) -> bytes | None:
    """The value of the first parameter of this lower-case name."""
    for key, content in pairs:
        if key.lower() == name:
            return content
    return None
