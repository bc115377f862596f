"""`moximap address`, `moximap domain`, and what `moximap account` switches on and off."""

from __future__ import annotations

import json
from collections.abc import Iterable

import attrs
import click

from moximap.cli.accounts import as_json
from moximap.cli.context import Data, Group, pass_data
from moximap.imap.dialect import known_capabilities


@click.command()
@click.argument("address")
@click.argument("message")
@pass_data
def disable(data: Data, address: str, message: str) -> None:
    """Refuse logins to an account, and end its sessions; its users are told MESSAGE.  Mail still comes in."""
    with data.directory() as directory:
        directory.set_disabled(address, message)
    data.ring_directory()


@click.command()
@click.argument("address")
@pass_data
def enable(data: Data, address: str) -> None:
    """Allow logins to an account again."""
    with data.directory() as directory:
        directory.set_disabled(address, None)


@click.command()
@click.argument("address")
@click.option("--disable", "off", metavar="NAME", multiple=True, help="No longer tell clients of NAME.")
@click.option("--enable", "on", metavar="NAME", multiple=True, help="Tell them of it again.")
@pass_data
def capabilities(data: Data, address: str, off: tuple[str, ...], on: tuple[str, ...]) -> None:
    """Hide capabilities from the clients of one account, for programs that trip over them.

    Prints those that are hidden then, a line each.  It holds from the next login on.
    """
    for name in off:
        if name.upper() not in known_capabilities():
            raise click.BadParameter(f"{name!r} is no capability of this server")
    with data.directory() as directory:
        hidden = {*directory.account(address).capabilities_off} | _upper(off)
        hidden -= _upper(on)
        if off or on:
            directory.set_capabilities_off(address, hidden)
    for name in sorted(hidden):
        click.echo(name)


def _upper(names: Iterable[str]) -> set[str]:
    return {name.upper() for name in names}


@click.group(cls=Group)
def address() -> None:
    """Further addresses of accounts."""


@address.command("add")
@click.argument("account")
@click.argument("address")
@pass_data
def add_address(data: Data, account: str, address: str) -> None:
    """Give an account an address, to log in with and to get mail at.

    "@example.org" is a catch-all: mail for all addresses of the domain that are nobody's.
    """
    with data.directory() as directory:
        directory.addresses.add(account, address)


@address.command("list")
@click.argument("account")
@as_json
@pass_data
def list_addresses(data: Data, account: str, as_json: bool) -> None:
    """Print the addresses of an account, a line each; its name is one too, and not among them."""
    with data.directory() as directory:
        found = directory.addresses.of(account)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for one in found:
            click.echo(one)


@address.command("rm")
@click.argument("address")
@pass_data
def rm_address(data: Data, address: str) -> None:
    """Take an address away from the account that has it."""
    with data.directory() as directory:
        directory.addresses.remove(address)


@click.group(cls=Group)
def domain() -> None:
    """Domains of accounts and addresses."""


@domain.command("list")
@as_json
@pass_data
def list_domains(data: Data, as_json: bool) -> None:
    """Print all domains, a line each."""
    with data.directory() as directory:
        found = directory.addresses.domains()
    if as_json:
        click.echo(json.dumps([attrs.asdict(one) for one in found], indent=2, ensure_ascii=False))
    else:
        for one in found:
            click.echo(one.name + "  (disabled)" * one.disabled)


@domain.command("disable")
@click.argument("name")
@pass_data
def disable_domain(data: Data, name: str) -> None:
    """Take no mail for a domain, for now: who sends it tries again later.  Logins go on."""
    with data.directory() as directory:
        directory.addresses.disable_domain(name, True)


@domain.command("enable")
@click.argument("name")
@pass_data
def enable_domain(data: Data, name: str) -> None:
    """Take mail for a domain again."""
    with data.directory() as directory:
        directory.addresses.disable_domain(name, False)
