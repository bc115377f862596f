"""`moximap attempts`: who tried to log in, from where, and what became of it."""

from __future__ import annotations

import json
from typing import Any, Final

import attrs
import click

from moximap.cli.accounts import as_json
from moximap.cli.context import Data, pass_data
from moximap.cli.keys import when
from moximap.identity.attempts import printable
from moximap.store.attempts import Attempts

RECENT: Final = 10


@click.command()
@click.argument("address", required=False)
@click.option("--all", "everything", is_flag=True, help=f"All of the last 30 days, not the latest {RECENT}.")
@as_json
@pass_data
def attempts(data: Data, address: str | None, everything: bool, as_json: bool) -> None:
    """Print login attempts, good and bad, the latest first; those that are alike are one line.

    ADDRESS: only those of its account; "-" for those of which nobody knows whose they were.
    """
    with data.directory() as directory:
        account = address if address in (None, "-") else directory.account(address or "").name
        found = directory.attempts.of(account, None if everything else RECENT)
    if as_json:
        click.echo(json.dumps([_facts(each) for each in found], indent=2, ensure_ascii=False))
        return
    for each in found:
        one = each.attempt
        click.echo(f"{when(each.last)}  {each.count:>6}x  {one.result:13} {one.remote:15} {one.mechanism:18} "
                   f"{one.account}  login={printable(one.login)} agent={printable(one.agent)}"
                   + (f" key={one.key}" if one.key else ""))


def _facts(found: Attempts) -> dict[str, Any]:
    return attrs.asdict(found.attempt) | {"count": found.count, "first": when(found.first),
                                          "last": when(found.last)}
