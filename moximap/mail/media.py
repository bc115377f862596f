"""What the header of a part says of its content (RFC 2045, RFC 2183), and how that is told.

Parts within messages have mostly the same few headers: what short ones say is remembered.
"""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from json.encoder import encode_basestring_ascii as _in_json

import attrs

from moximap.mail import headers, mime
from moximap.mail.wire import nstring, params, string

# Headers of so many octets are remembered, so many of them: 1 MB at most, whatever they say.
_SHORT = 200
_MANY = 256


@attrs.define(eq=False)
class Media:
    """Never changed once it is made: parts share it."""

    type: str = "text"
    subtype: str = "plain"
    params: mime.Params = ()
    encoding: str = "7bit"
    id: bytes | None = None
    description: bytes | None = None
    disposition: tuple[bytes, mime.Params] | None = None
    md5: bytes | None = None
    language: tuple[bytes, ...] = ()
    location: bytes | None = None

    @cached_property
    def charset(self) -> bytes:
        return mime.get(self.params, b"charset") or b""

    @cached_property
    def basic(self) -> bytes:
        """Type, subtype and ``body-fields`` but for the size, as BODYSTRUCTURE has them."""
        return b"%b %b %b %b %b %b" % (
            string(self.type.encode("latin-1")),
            string(self.subtype.encode("latin-1")),
            params(self._with_charset()),
            nstring(self.id),
            nstring(self.description),
            string(self.encoding.encode("latin-1")),
        )

    def _with_charset(self) -> mime.Params:
        """Text without a charset is US-ASCII (RFC 2045 5.2); saying so spares clients guessing."""
        if self.type != "text" or mime.get(self.params, b"charset") is not None:
            return self.params
        return (*self.params, (b"charset", b"us-ascii"))

    @property
    def extension(self) -> bytes:
        """Disposition, language, location. A disposition without parameters is ``("inline" NIL)``."""
        if self.disposition is None and not self.language and self.location is None:
            return b"NIL NIL NIL"
        disposition = b"NIL"
        if self.disposition is not None:
            disposition = b"(%b %b)" % (string(self.disposition[0]), params(self.disposition[1]))
        language = b"NIL"
        if self.language:
            language = b"(%b)" % b" ".join([string(tag) for tag in self.language])
        return b"%b %b %b" % (disposition, language, nstring(self.location))

    @cached_property
    def single_extension(self) -> bytes:
        """The same after the MD5 that only a part without parts has."""
        return b"%b %b" % (nstring(self.md5), self.extension)

    @cached_property
    def dumped(self) -> str:
        """Type, subtype, encoding and charset in JSON, with commas between them."""
        said = [self.type, self.subtype, self.encoding, self.charset.decode("latin-1")]
        return ",".join(map(_in_json, said))


TEXT = Media()
MESSAGE = Media("message", "rfc822")


def of_header(header: bytes, default: Media) -> Media:
    """What a header says of a part that is like the default where it says nothing."""
    return _remembered(header, default) if len(header) <= _SHORT else _of_header(header, default)


def _of_header(header: bytes, default: Media) -> Media:
    return of_fields(headers.fields(header), default)


_remembered = lru_cache(maxsize=_MANY)(_of_header)


def of_fields(found: Mapping[bytes, bytes], default: Media) -> Media:
    """The same for a header's fields, as ``headers.fields`` gives them."""
    media = Media(default.type, default.subtype)
    if b"content-type" in found:
        kind = mime.content_type(found[b"content-type"])
        if kind is not None:
            media.type, media.subtype, media.params = kind
    if b"content-transfer-encoding" in found:
        media.encoding = mime.token(found[b"content-transfer-encoding"]) or "7bit"
    if b"content-disposition" in found:
        media.disposition = mime.disposition(found[b"content-disposition"])
    if b"content-id" in found:
        media.id = headers.unfold(found[b"content-id"])
    if b"content-description" in found:
        media.description = headers.unfold(found[b"content-description"])
    if b"content-md5" in found:
        media.md5 = headers.unfold(found[b"content-md5"])
    if b"content-language" in found:
        media.language = mime.languages(found[b"content-language"])
    if b"content-location" in found:
        media.location = b"".join(found[b"content-location"].split())
    return media
