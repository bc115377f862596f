"""Charset names of messages to Python codecs, and decoding that never fails (RFC 2046 4.1.2).

Names come from strangers. codecs.lookup() would import a module per unknown name, remember each
for ever, and find codecs that are not charsets; so only names of one fixed table are looked up.
"""

import codecs
import re
from encodings.aliases import aliases
from functools import cache, lru_cache

# Codecs that are not charsets of text, or do more than map octets to characters.
_REFUSED = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}
_REFUSED |= {"mbcs", "oem", "charmap", "unicode_internal"}

# Labels that mail uses for more than their standard holds: the superset decodes both.
_SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932"}
_MORE_NAMES = {"x_sjis": "cp932", "ks_c_5601_1987": "cp949", "ks_c_5601": "cp949", "x_gbk": "gb18030"}
_MORE_NAMES |= {"x_big5": "big5", "x_euc_jp": "euc_jp", "iso_8859_8_i": "iso8859_8"}
_MORE_NAMES |= {"unicode_1_1_utf_7": "utf_7", "x_mac_roman": "mac_roman", "iso_8859_8_e": "iso8859_8"}

_squash = re.compile(r"[^0-9a-z]+").sub
_GUESSED = frozenset(["", "ascii", "unknown_8bit", "x_unknown", "8bit", "default", "utf_8"])


def _table() -> dict[str, str]:
    names = {**aliases, **{codec: codec for codec in aliases.values()}, **_MORE_NAMES}
    table = {_squash("_", name.lower()): _SUPERSETS.get(codec, codec)
             for name, codec in names.items() if codec not in _REFUSED}
    return {**{name.replace("_", ""): codec for name, codec in table.items()}, **table}


_CODECS = _table()


@cache
def _is_text(codec: str) -> bool:
    """Whether a codec of the table is there and makes text; a module is imported for it the first time."""
    try:
        return codecs.lookup(codec)._is_text_encoding
    except LookupError:
        return False


def codec_name(charset: bytes | str) -> str | None:
    """The codec for a charset name of any spelling; None if there is none that is text."""
    return _known(charset) if len(charset) <= 64 else None


@lru_cache(maxsize=256)
def _known(charset: bytes | str) -> str | None:
    if isinstance(charset, bytes):
        charset = charset.decode("latin-1")
    name = _squash("_", charset.lower()).strip("_")
    codec = _CODECS.get(name) or _CODECS.get(name.replace("_", ""))
    return codec if codec is not None and _is_text(codec) else None


def decode_bytes(data: bytes, charset: bytes | str = b"") -> str:
    """Text in a charset; without one that is known, UTF-8 if it is that, else latin-1."""
    codec = codec_name(charset) if charset else None
    if codec is None or codec in _GUESSED:
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace") if codec == "utf_8" else data.decode("latin-1")
    try:
        return data.decode(codec, "replace")
    except (ValueError, LookupError):
        return data.decode("latin-1")
