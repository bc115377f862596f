"""`moximap check`: whether all mail is as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import click

from moximap.cli.context import Data, pass_data
from moximap.store.errors import NoSuchAccount, StoreError, in_full


@click.command()
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--repair", is_flag=True, help="Mend what can be mended without guessing, and say so.")
@click.pass_context
@pass_data
def check(data: Data, context: click.Context, addresses: tuple[str, ...], repair: bool) -> None:
    """Check accounts; where none is named all of them, and the directory of accounts.

    Prints what is wrong, a line each, and ends with exit code 1 then; says nothing where all is well.
    With --repair it prints what it did, and what is still wrong.  The server may be running.
    """
    bad = 0
    with data.directory() as directory:
        names = [directory.account(address).name for address in addresses] or \
            [record.name for record in directory.accounts()]
        if not addresses:
            if repair:
                _print("mended: {}", directory.repair)
            bad += _print("{}", directory.check)
    for name in names:
        if repair:
            _print(f"{name}: mended: {{}}", lambda name=name: _repair(data, name))  # type: ignore[misc]
        bad += _print(f"{name}: {{}}", lambda name=name: _check(data, name))  # type: ignore[misc]
    if bad:
        context.exit(1)


def _print(form: str, find: Callable[[], Iterable[str]]) -> int:
    """Print lines as they are found; a failure to look is one of them."""
    count = 0
    try:
        for line in find():
            click.echo(form.format(line))
            count += 1
    except NoSuchAccount:
        pass                                   # removed since
    except StoreError as error:
        click.echo(form.format(in_full(error)))
        count += 1
    return count


def _check(data: Data, name: str) -> Iterator[str]:
    with data.account(name) as account:
        yield from account.check()


def _repair(data: Data, name: str) -> Iterator[str]:
    """Those who have the account open hear of it, as of any change."""
    with data.account(name) as account:
        try:
            yield from account.repair()
        finally:
            data.ring(name, account.mailboxes().modseq)
