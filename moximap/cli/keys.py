"""`moximap key`: the keys by which devices log in."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any, Final

import click

from moximap.cli.accounts import as_json
from moximap.cli.context import Data, Group, pass_data
from moximap.identity import clientkeys
from moximap.identity.clientkeys import BadKey
from moximap.store.keys import KeyRecord

#: Octets of a certificate that are read, with whatever stands around it.
MAX_INPUT = 1 << 20

address = click.argument("address")
no_preauth = click.option("--no-preauth", is_flag=True,
                          help="For programs that do not understand PREAUTH: they say AUTHENTICATE EXTERNAL.")
read_only = click.option("--read-only", is_flag=True, help="The key can look, and change nothing.")


#: A fingerprint may begin with "-".
AS_ARGUMENT: Final[dict[str, Any]] = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


def end_date(value: str) -> float:
    """A day, at whose end (UTC) the key ends too, or a moment; as Unix seconds."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no date such as 2031-12-31, nor 2031-12-31T12:00:00+01:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        seconds = (moment + timedelta(days="T" not in value and " " not in value)).timestamp()
    except OverflowError:
        raise click.BadParameter(f"{value} is too far away") from None
    if seconds <= time():
        raise click.BadParameter(f"{value} is over")
    return seconds


def _until(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    return None if value is None else end_date(value)


until = click.option("--until", callback=_until, metavar="DATE", help="The last day on which the key works.")


@click.group(cls=Group)
def key() -> None:
    """Keys of devices: each is a login of its own, and can be taken away alone."""


@key.command()
@address
@click.argument("name", required=False)
@no_preauth
@read_only
@until
@pass_data
def add(data: Data, address: str, name: str | None, no_preauth: bool, read_only: bool,
        until: float | None) -> None:
    """Let the key of a certificate log in to ADDRESS's account: `key add ADDRESS NAME < cert.pem`.

    Of the certificate only the public key counts, not its dates, names or issuer.  NAME defaults to
    its common name.
    """
    given = sys.stdin.buffer.read(MAX_INPUT)
    with data.directory() as directory:
        account = directory.account(address).name
        new = clientkeys.record(clientkeys.load(given), account, name, time(), no_preauth=no_preauth,
                                read_only=read_only, until=until)
        click.echo(directory.keys.add(new).fingerprint)


@key.command("list")
@click.argument("address", required=False)
@as_json
@pass_data
def list_(data: Data, address: str | None, as_json: bool) -> None:
    """Print all keys, or those of one account, a line each that begins with the fingerprint."""
    with data.directory() as directory:
        keys = directory.keys.of(address)
    if as_json:
        _print([_facts(one) for one in keys])
    else:
        for one in keys:
            click.echo(f"{one.fingerprint}  {one.type:10}  {one.account}  {one.name}{_remarks(one)}")


@key.command(context_settings=AS_ARGUMENT)
@click.argument("fingerprint")
@as_json
@pass_data
def show(data: Data, fingerprint: str, as_json: bool) -> None:
    """Print what is known of a key, and its certificate."""
    with data.directory() as directory:
        found = directory.keys.find(fingerprint)
    if as_json:
        _print(_facts(found) | {"certificate": _pem(found)})
        return
    for name, value in _facts(found).items():
        shown = {None: "-", True: "yes", False: "no"}.get(value, value)
        click.echo(f"{name.replace('_', ' ') + ':':12} {shown}")
    click.echo(_pem(found), nl=False)


@key.command(context_settings=AS_ARGUMENT)
@click.argument("fingerprint")
@pass_data
def rm(data: Data, fingerprint: str) -> None:
    """Revoke a key: it logs in no more, and its sessions end within a second."""
    with data.directory() as directory:
        directory.keys.remove(fingerprint)
    data.ring_directory()


def _pem(record: KeyRecord) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding
    try:
        return clientkeys.load(record.certificate).public_bytes(Encoding.PEM).decode()
    except BadKey:                                # it was readable when it was added
        return ""


def _facts(record: KeyRecord) -> dict[str, Any]:
    return {"fingerprint": record.fingerprint, "account": record.account, "name": record.name,
            "type": record.type, "created": when(record.created), "no_preauth": record.no_preauth,
            "read_only": record.read_only, "until": when(record.until), "used": when(record.used)}


def when(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC).isoformat()


def _remarks(record: KeyRecord) -> str:
    words = ["no preauth"] * record.no_preauth + ["read-only"] * record.read_only
    if record.until is not None:
        words.append(f"until {when(record.until)}" if record.until > time() else "over")
    words.append(f"used {when(record.used)}" if record.used is not None else "never used")
    return f"  ({', '.join(words)})"


def _print(value: object) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    click.echo()
