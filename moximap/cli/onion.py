"""`moximap onion`: the onion service's address, state and clients, and the lines for a torrc."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import click
import segno

from moximap.cli.accounts import as_json
from moximap.cli.context import Data, Failure, Group, pass_data
from moximap.cli.keys import when
from moximap.net import onionclients, onionkeys
from moximap.net.onionlaunch import service_lines
from moximap.net.onionlisten import OnionListen
from moximap.net.onionplace import TORRC, USUAL, BadOnion, OnionSettings, Place

sockets = click.option("--sockets", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
                       help="Where the server's sockets are, if the settings say so.")


@contextmanager
def place(data: Data, sockets: Path | None = None) -> Iterator[Place]:
    """The files of the data directory; what is wrong with them is told in one line."""
    if data.path is None:
        raise click.UsageError("say with --data DIR, or in MOXIMAP_DATA, where the mail is")
    try:
        yield Place(data.path.absolute(), sockets.absolute() if sockets else None)
    except BadOnion as error:
        raise Failure(str(error), 2) from None


def show_code(text: str) -> None:
    """As a QR code, for people."""
    if sys.stdout.isatty():
        segno.make(text).terminal(compact=True)


@click.group(cls=Group)
def onion() -> None:
    """The server's onion service: its mail through Tor (docs/onion.md)."""


@onion.command()
@pass_data
def address(data: Data) -> None:
    """Print the address.  It follows from a key in the data directory, which is made where there is none."""
    with place(data) as files:
        found = onionkeys.ensure(files).address
    click.echo(found)
    show_code(found)


@onion.command()
@sockets
@click.option("--proof-of-work", is_flag=True, help="Clients prove work when the service is flooded.")
@click.option("--limit-introductions", is_flag=True, help="Introduction points hold back floods.")
@click.option("--streams", type=click.IntRange(1), default=OnionSettings().streams, show_default=True,
              help="Connections of one circuit at once.")
@click.option("--directory", default="/var/lib/tor/moximap", show_default=True, metavar="DIR",
              help="The service's directory in tor's own.")
@pass_data
def torrc(data: Data, sockets: Path | None, proof_of_work: bool, limit_introductions: bool, streams: int,
          directory: str) -> None:
    """Print the lines of the service for the torrc of a tor of yours.

    Run the server with `--tor torrc` then: tor tells it which circuit a connection comes from.
    """
    settings = OnionSettings(TORRC, proof_of_work=proof_of_work, limit_introductions=limit_introductions,
                             streams=streams)
    with place(data, sockets) as files:
        onionkeys.ensure(files)
        ports = [OnionListen(kind, int(where.partition(":")[2]), files, True)
                 for kind, _, where in (usual.partition("=") for usual in USUAL)]
        for line in (f"# Copy {files.service} to {directory}, as tor's user with mode 700, clients included.",
                     *service_lines(directory, ports, settings)):
            click.echo(line)


@onion.command()
@as_json
@pass_data
def status(data: Data, as_json: bool) -> None:
    """Print the address, whether the service is published, its clients, and when it was last used."""
    with place(data) as files:
        key = onionkeys.load(files)
        facts: dict[str, Any] = {"address": key.address if key is not None else None} | _state(files)
        facts["clients"] = [client.name for client in onionclients.clients(files)]
    facts["last_login"] = _last_login(data)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    shown = facts | {"clients": ", ".join(facts["clients"]) or "everybody who has the address"}
    for name, value in shown.items():
        click.echo(f"{name.replace('_', ' ') + ':':12} {value or '-'}")
    if facts["address"]:
        show_code(facts["address"])


def _state(files: Place) -> dict[str, Any]:
    """What a running server has noted last."""
    try:
        noted = json.loads(files.state.read_text())
        running = _is_there(noted["pid"])
    except (OSError, ValueError, KeyError):
        running = False
    if not running:
        return {"state": "no server keeps it published", "detail": None, "since": None, "tor": None}
    return {"state": noted.get("state"), "detail": noted.get("detail"), "since": when(noted.get("since")),
            "tor": noted.get("tor")}


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:                        # another user's
        return True
    except OSError:
        return False
    return True


def _last_login(data: Data) -> dict[str, Any] | None:
    with data.directory() as directory:
        for found in directory.attempts.of():
            if found.attempt.remote.partition("/")[0] == "onion" and found.attempt.result == "ok":
                return {"when": when(found.last), "account": found.attempt.account}
    return None


@onion.group()
def client() -> None:
    """Client authorization: while there are clients here, nobody else can even find the service."""


@client.command()
@click.argument("name")
@click.option("--public", metavar="KEY", help="The client's own public key, in base32.")
@pass_data
def add(data: Data, name: str, public: str | None) -> None:
    """Let a client called NAME find the service, and print what goes into its tor.

    The private key is not kept.  A running server hears of it within seconds.
    """
    with place(data) as files:
        key = onionkeys.ensure(files)
        private, made = onionclients.new_pair() if public is None else ("", onionclients.checked(public))
        onionclients.add(files, name, made)
    click.echo(f"address:      {key.address}")
    click.echo(f"public key:   {made}")
    if private:
        line = onionclients.private_line(key.service_id, private)
        click.echo(f"private key:  {private}        (Orbot: Onion Services, Client Authorization)")
        click.echo(f"for a file {name}.auth_private in the directory that the client's torrc names by "
                   f"ClientOnionAuthDir:\n{line}")
        show_code(line)


@client.command("list")
@as_json
@pass_data
def list_(data: Data, as_json: bool) -> None:
    """Print the clients, a line each; none: everybody who has the address may connect."""
    with place(data) as files:
        found = onionclients.clients(files)
    if as_json:
        click.echo(json.dumps([attrs.asdict(one) for one in found], indent=2))
        return
    for one in found:
        click.echo(f"{one.name:20} {one.public}")


@client.command()
@click.argument("name")
@click.option("--open", "to_everybody", is_flag=True,
              help="Also the last client, after whom everybody who has the address may connect.")
@pass_data
def rm(data: Data, name: str, to_everybody: bool) -> None:
    """Take a client away: it cannot find the service any more.

    What is connected stays so, and passwords and keys of accounts are not touched: `moximap key rm` ends
    a device's logins, here and elsewhere.
    """
    with place(data) as files:
        onionclients.remove(files, name, to_everybody)
    click.echo("It may still be connected.  Its key ends with: moximap key rm FINGERPRINT", err=True)
