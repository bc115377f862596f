"""`moximap account`: who has mail here."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

import click

from moximap.cli.context import Data, Group, pass_data
from moximap.identity.passwords import CRAM_MD5, cram_md5_verifier, make_verifiers
from moximap.store.errors import AccountExists, NoSuchAccount
from moximap.store.interfaces import AccountRecord, Verifier
from moximap.values import Listing

password_stdin = click.option("--password-stdin", is_flag=True,
                              help="Read the password from one line of standard input.")
cram_md5 = click.option("--cram-md5", is_flag=True,
                        help="Keep what CRAM-MD5 needs too; the server's settings must switch it on.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=Group)
def account() -> None:
    """Add, show and remove accounts."""


def _password(from_stdin: bool) -> str:
    """The password that is asked for; it is never an argument, which others could see."""
    if from_stdin:
        line = sys.stdin.buffer.readline()
        try:
            return line.rstrip(b"\r\n").decode()
        except UnicodeDecodeError:
            raise click.UsageError("the password is not UTF-8") from None
    if not _on_terminal():
        raise click.UsageError("there is no terminal to ask for the password: use --password-stdin")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt="And again", err=True)
    return password


def _on_terminal() -> bool:
    return sys.stdin.isatty()


def _verifiers(from_stdin: bool, cram_md5: bool) -> tuple[Verifier, ...]:
    """What is kept of the password that is asked for."""
    password = _password(from_stdin)
    return make_verifiers(password) + ((cram_md5_verifier(password),) if cram_md5 else ())


@account.command()
@click.argument("name")
@password_stdin
@cram_md5
@pass_data
def add(data: Data, name: str, password_stdin: bool, cram_md5: bool) -> None:
    """Add an account, with or without a domain in its NAME, and its mailboxes."""
    with data.directory(make=True) as directory:
        try:
            directory.account(name)
        except NoSuchAccount:
            directory.add(name, _verifiers(password_stdin, cram_md5))
        else:                              # said before anybody has typed a password twice
            raise AccountExists("an account of that name exists already")


@account.command()
@click.argument("name")
@password_stdin
@cram_md5
@pass_data
def passwd(data: Data, name: str, password_stdin: bool, cram_md5: bool) -> None:
    """Change the password of an account."""
    with data.directory() as directory:
        record = directory.account(name)
        directory.set_verifiers(record.name, _verifiers(password_stdin, cram_md5))


@account.command("list")
@as_json
@pass_data
def list_(data: Data, as_json: bool) -> None:
    """Print the names of all accounts, a line each."""
    with data.directory() as directory:
        records = directory.accounts()
    if as_json:
        click.echo(json.dumps([_facts(record) for record in records], indent=2, ensure_ascii=False))
    else:
        for record in records:
            click.echo(record.name)


@account.command()
@click.argument("name")
@as_json
@pass_data
def show(data: Data, name: str, as_json: bool) -> None:
    """Print what is known of an account, and how full its mailboxes are."""
    with data.directory() as directory:
        record = directory.account(name)
    with data.account(record.name) as opened:
        facts = _facts(record) | _mailboxes(opened.mailboxes())
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    for key in ("name", "created", "disabled", "password", "cram_md5"):
        click.echo(f"{key.replace('_', '-') + ':':10} {_plain(facts[key])}")
    if facts["capabilities_off"]:
        click.echo(f"hidden:    {' '.join(facts['capabilities_off'])}")
    for mailbox in facts["mailboxes"]:
        click.echo("{messages:>10} messages {size:>14,} bytes  {name}".format(**mailbox))


@account.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_data
def rm(data: Data, name: str, yes: bool) -> None:
    """Remove an account with all its mail."""
    with data.directory() as directory:
        record = directory.account(name)
        if not yes:
            click.confirm(f"Remove {record.name} with all its mail, for ever?", abort=True, err=True)
        directory.remove(record.name)
    data.ring_directory()


def _facts(record: AccountRecord) -> dict[str, Any]:
    created = datetime.fromtimestamp(int(record.created), UTC)
    return {"name": record.name, "created": created.isoformat(), "disabled": record.disabled,
            "password": bool(record.verifiers),
            "cram_md5": any(verifier.mechanism == CRAM_MD5 for verifier in record.verifiers),
            "capabilities_off": list(record.capabilities_off)}


def _mailboxes(listing: Listing) -> dict[str, Any]:
    return {"mailboxes": [{"name": box.name, "messages": box.messages, "unseen": box.unseen,
                           "size": box.size} for box in listing.mailboxes]}


def _plain(value: object) -> str:
    return {None: "no", True: "yes", False: "no"}.get(value, str(value))  # type: ignore[call-overload, no-any-return]
