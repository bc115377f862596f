"""`moximap check`: whether all mail is as it should be."""

from __future__ import annotations

import click

from moximap.cli.context import Data, pass_data


@click.command()
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.pass_context
@pass_data
def check(data: Data, context: click.Context, addresses: tuple[str, ...]) -> None:
    """Check accounts, all of them where none is named.

    Prints what is wrong, a line each, and ends with exit code 1 then; says nothing where all is well.
    """
    bad = False
    with data.directory() as directory:
        names = [directory.account(address).name for address in addresses] or \
            [record.name for record in directory.accounts()]
    for name in names:
        with data.account(name) as account:
            for problem in account.check():
                click.echo(f"{name}: {problem}")
                bad = True
    if bad:
        context.exit(1)
