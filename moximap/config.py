"""Settings: the administrator's TOML file and the command line, as one frozen value.

The file is read once, at the start, and never written.  A key that nobody knows is an error: a
misspelt limit must not be silently the default.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import attrs

from moximap.identity.oauth import OAuthSettings
from moximap.imap.dialect import known_capabilities
from moximap.imap.site import Limits
from moximap.net import trust
from moximap.net.onionplace import USUAL, OnionSettings

_T = TypeVar("_T")

#: What `twistd moximap` listens on where nothing is said: the registered ports, on all addresses.
DEFAULT_LISTEN: Final = ("imap=tcp:143", "imaps=tcp:993")


#: In the table [capabilities_off]: all listeners.
EVERYWHERE: Final = "*"


class BadConfig(ValueError):
    """A setting that cannot be; one line that names the key and where it stands."""


@attrs.frozen
class Config:
    """How one server runs.  Paths are absolute."""

    data: Path | None = None
    listen: tuple[str, ...] = DEFAULT_LISTEN
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    plaintext_login: bool = False
    cram_md5: bool = False
    threads: int = 8
    workers: int = 1
    trace: tuple[str, ...] = ()
    trace_messages: bool = False
    limits: Limits = Limits()
    onion: OnionSettings = OnionSettings()
    oauth: OAuthSettings = OAuthSettings()
    capabilities_off: tuple[tuple[str, frozenset[str]], ...] = ()

    def hidden(self, setting: str) -> frozenset[bytes]:
        """The capabilities that are switched off for a listener, in upper case."""
        names = [names for where, names in self.capabilities_off if where in (setting, EVERYWHERE)]
        return frozenset(name.encode() for name in frozenset().union(*names))


_DEFAULT: Final = Config()


def _path(value: object, directory: Path) -> Path:
    if not isinstance(value, str) or not value:
        raise BadConfig("must be a path")
    return (directory / Path(value).expanduser()).absolute()


def _listen(value: object, _: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise BadConfig('must be a list of "KIND=ENDPOINT"')
    return tuple(value)


def _names(value: object, _: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadConfig("must be a list of accounts' names")
    return tuple(value)


def _switch(value: object, _: Path) -> bool:
    if not isinstance(value, bool):
        raise BadConfig("must be true or false")
    return value


def _whole(value: object, _: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadConfig("must be a whole number above 0")
    return value


def _seconds(value: object, _: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise BadConfig("must be a number of seconds above 0")
    return float(value)


#: Keys at the top of the file: what each is made of, and relative to which directory.
_KEYS: Final[dict[str, Callable[[object, Path], Any]]] = {
    "data": _path, "listen": _listen, "tls_certificate": _path, "tls_key": _path,
    "plaintext_login": _switch, "cram_md5": _switch, "threads": _whole, "workers": _whole, "trace": _names,
    "trace_messages": _switch}


def _lines(value: object, _: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and "\n" not in one for one in value):
        raise BadConfig("must be a list of lines")
    return tuple(value)


def _word(value: object, _: Path) -> str:
    if not isinstance(value, str) or not value:
        raise BadConfig("must be a text")
    return value


def _words(value: object, _: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one.split() == [one] for one in value):
        raise BadConfig("must be a list of words")
    return tuple(value)


#: Keys of the table [onion].
_ONION: Final[dict[str, Callable[[object, Path], Any]]] = {
    "tor": _word, "sockets": _path, "plaintext_login": _switch, "proof_of_work": _switch,
    "limit_introductions": _switch, "streams": _whole, "torrc": _lines}


def _endpoint(value: object, _: Path) -> str:
    """An https URL; in the clear on this host only, since tokens go there."""
    url = urlsplit(_word(value, _))
    if url.scheme == "https" and url.hostname or url.scheme == "http" and url.hostname in _LOOPBACK:
        return url.geturl()
    raise BadConfig("must be a URL with https, or with http on a loopback address")


def _age(value: object, _: Path) -> float:
    return 0.0 if value == 0 and not isinstance(value, bool) else _seconds(value, _)


def _secret(value: object, directory: Path) -> str:
    """The first line of a file; it is read now, while we may still be root."""
    path = _path(value, directory)
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"cannot be read: {path}: {getattr(error, 'strerror', 'not UTF-8')}") from None
    if not text or "\n" in text:
        raise BadConfig(f"is not one line: {path}")
    return text


def _authority(value: object, directory: Path) -> Path:
    path = _path(value, directory)
    try:
        trust.roots(trust.read(path))
    except trust.BadTrust as error:
        raise BadConfig(f"cannot be used: {error}") from None
    return path


_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
#: Keys of the table [oauth]; the secret has another name there than in OAuthSettings.
_OAUTH: Final[dict[str, Callable[[object, Path], Any]]] = {
    "introspection": _endpoint, "client_id": _word, "client_secret_file": _secret, "claim": _word,
    "scope": _words, "audience": _word, "timeout": _seconds, "cache": _age, "discovery": _word,
    "ca": _authority}


def _checked(key: str, check: Callable[..., _T], *args: object) -> _T:
    try:
        return check(*args)
    except BadConfig as error:
        raise BadConfig(f"{key} {error}") from None


def _known(key: str, keys: Mapping[str, object], table: str = "") -> None:
    if key not in keys:
        raise BadConfig(f"unknown key {key!r}{table}; there are: {', '.join(sorted(keys))}")


def limits_from(table: object, limits: Limits) -> Limits:
    """Limits with those of a table changed: whole numbers, and seconds of timeouts.  BadConfig."""
    if not isinstance(table, dict):
        raise BadConfig("limits must be a table")
    kinds: dict[str, Callable[[object, Path], float]] = {
        field.name: _seconds if field.name.endswith("timeout") else _whole for field in attrs.fields(Limits)}
    changed: dict[str, Any] = {}
    for key, value in table.items():
        _known(key, kinds, " in [limits]")
        changed[key] = _checked(f"limits.{key}", kinds[key], value, Path())
    return attrs.evolve(limits, **changed)


def onion_from(table: object, directory: Path, onion: OnionSettings) -> OnionSettings:
    """The onion service's settings with those of a table changed.  BadConfig."""
    if not isinstance(table, dict):
        raise BadConfig("onion must be a table")
    changed: dict[str, Any] = {}
    for key, value in table.items():
        _known(key, _ONION, " in [onion]")
        changed[key] = _checked(f"onion.{key}", _ONION[key], value, directory)
    return attrs.evolve(onion, **changed)


def oauth_from(table: object, directory: Path, oauth: OAuthSettings) -> OAuthSettings:
    """The settings of login by token with those of a table changed.  BadConfig."""
    if not isinstance(table, dict):
        raise BadConfig("oauth must be a table")
    changed: dict[str, Any] = {}
    for key, value in table.items():
        _known(key, _OAUTH, " in [oauth]")
        changed[key.removesuffix("_file")] = _checked(f"oauth.{key}", _OAUTH[key], value, directory)
    return attrs.evolve(oauth, **changed)


def of_site(config: Config) -> dict[str, Any]:
    """What connections are to know of the settings, by the names that it has in a Site."""
    return {"limits": config.limits, "plaintext_login": config.plaintext_login, "cram_md5": config.cram_md5,
            "onion_plaintext_login": config.onion.plaintext_login, "traced": frozenset(config.trace),
            "trace_messages": config.trace_messages, "searches": max(1, config.threads - 2)}


def capabilities_off_from(table: object) -> tuple[tuple[str, frozenset[str]], ...]:
    """What is switched off, by listener.  BadConfig."""
    if not isinstance(table, dict):
        raise BadConfig("capabilities_off must be a table")
    known = known_capabilities()
    off = []
    for setting, value in table.items():
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise BadConfig(f"capabilities_off.{setting!r} must be a list of capabilities")
        names = frozenset(name.upper() for name in value)
        if unknown := sorted(names - known):
            raise BadConfig(f"capabilities_off.{setting!r}: {unknown[0]!r} is no capability of this server")
        off.append((setting, names))
    return tuple(off)


def with_onion(config: Config, usual: bool, tor: str | None) -> Config:
    """The same with another ``tor``, and with the ``usual`` ports of an onion service beside the others."""
    more = [one for one in USUAL if usual and one not in config.listen]
    onion = attrs.evolve(config.onion, tor=tor or config.onion.tor)
    return attrs.evolve(config, listen=(*config.listen, *more), onion=onion)


def from_table(table: Mapping[str, object], directory: Path, base: Config) -> Config:
    """``base`` with what TOML says; paths are relative to ``directory``.  BadConfig."""
    settings: dict[str, Any] = {}
    for key, value in table.items():
        if key == "limits":
            settings["limits"] = limits_from(value, base.limits)
            continue
        if key == "onion":
            settings["onion"] = onion_from(value, directory, base.onion)
            continue
        if key == "oauth":
            settings["oauth"] = oauth_from(value, directory, base.oauth)
            continue
        if key == "capabilities_off":
            settings[key] = capabilities_off_from(value)
            continue
        _known(key, _KEYS | {"limits": None, "onion": None, "oauth": None, "capabilities_off": None})
        settings[key] = _checked(key, _KEYS[key], value, directory)
    return attrs.evolve(base, **settings)


def read(path: Path, base: Config = _DEFAULT) -> Config:
    """``base`` with the settings of a file; BadConfig names it."""
    try:
        with path.open("rb") as file:
            return from_table(tomllib.load(file), path.absolute().parent, base)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path}: not TOML: {error}") from error
    except BadConfig as error:
        raise BadConfig(f"{path}: {error}") from None


def validate(config: Config) -> Config:
    """The same settings if they go together; BadConfig."""
    if (config.tls_certificate is None) != (config.tls_key is None):
        raise BadConfig("a TLS certificate and its key are needed both or not at all")
    if config.oauth != OAuthSettings() and not config.oauth.introspection:
        raise BadConfig("[oauth] is nothing without its introspection")
    for where, _ in config.capabilities_off:
        if where not in (EVERYWHERE, *config.listen):
            there = ", ".join(config.listen)
            raise BadConfig(f"capabilities_off.{where!r} is none of the listeners: {there}")
    return config
