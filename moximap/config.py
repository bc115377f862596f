"""Settings: the administrator's TOML file and the command line, as one frozen value.

The file is read once, at the start, and never written.  A key that nobody knows is an error: a
misspelt limit must not be silently the default.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from moximap.imap.site import Limits
from moximap.net.onionplace import USUAL, OnionSettings

_T = TypeVar("_T")

#: What `twistd moximap` listens on where nothing is said: the registered ports, on all addresses.
DEFAULT_LISTEN: Final = ("imap=tcp:143", "imaps=tcp:993")


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
    threads: int = 8
    workers: int = 1
    trace: tuple[str, ...] = ()
    trace_messages: bool = False
    limits: Limits = Limits()
    onion: OnionSettings = OnionSettings()


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
    "plaintext_login": _switch, "threads": _whole, "workers": _whole, "trace": _names,
    "trace_messages": _switch}


def _lines(value: object, _: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and "\n" not in one for one in value):
        raise BadConfig("must be a list of lines")
    return tuple(value)


def _word(value: object, _: Path) -> str:
    if not isinstance(value, str) or not value:
        raise BadConfig("must be a text")
    return value


#: Keys of the table [onion].
_ONION: Final[dict[str, Callable[[object, Path], Any]]] = {
    "tor": _word, "sockets": _path, "plaintext_login": _switch, "proof_of_work": _switch,
    "limit_introductions": _switch, "streams": _whole, "torrc": _lines}


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
        _known(key, _KEYS | {"limits": None, "onion": None})
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
    return config
