"""`moximap import` and `moximap deliver`: how mail gets in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from moximap.cli.context import Data, Failure, pass_data
from moximap.delivery.delivering import deliver as deliver_message
from moximap.delivery.importing import Import, total_size
from moximap.store.errors import NoSuchAccount, in_full

#: What mail transfer agents understand (sysexits.h): give the mail back, or try again later.
EX_NOUSER: Final = 67
EX_TEMPFAIL: Final = 75


@click.command("import")
@click.argument("address")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--mailbox", metavar="NAME", help="Import into this mailbox, and folders below it.")
@pass_data
def import_(data: Data, address: str, path: Path, mailbox: str | None) -> None:
    """Import a Maildir with its folders, or an mbox file, with flags and dates, into ADDRESS's account.

    Importing the same twice adds the same messages twice.
    """
    with data.account(address) as account, _bar(total_size(path)) as bar:
        job = Import(account, mailbox, lambda octets: bar.advance(bar.task_ids[0], octets))
        try:
            job.run(path)
        finally:
            data.ring(account.name, account.mailboxes().modseq)
            bar.stop()
            if job.mailboxes:
                click.echo(f"imported {job.messages} {_plural('message', job.messages)} "
                           f"into {job.mailboxes} {_plural('mailbox', job.mailboxes)}")


def _plural(word: str, number: int) -> str:
    return word if number == 1 else word + ("es" if word.endswith("x") else "s")


@contextmanager
def _bar(total: int) -> Iterator[Progress]:
    """A progress bar on standard error, if that is a terminal."""
    console = Console(stderr=True)
    with Progress(BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=console,
                  disable=not console.is_terminal, transient=True) as bar:
        bar.add_task("", total=total)
        yield bar


@click.command()
@click.argument("address")
@click.option("--mailbox", default="INBOX", show_default=True, metavar="NAME", help="Where it goes.")
@pass_data
def deliver(data: Data, address: str, mailbox: str) -> None:
    """Deliver one message from standard input to ADDRESS's account.

    For mail transfer agents: exit code 67 says that there is no such account, 75 that it should be
    tried again later.  With 0 the message is safe on disk.
    """
    try:
        with data.recipient(address) as account:
            appended = deliver_message(account, sys.stdin.buffer, mailbox)
            name = account.name
    except NoSuchAccount as error:
        raise Failure(str(error), EX_NOUSER) from None
    except click.UsageError:
        raise
    except Exception as error:
        # Whatever it was, even a bug of ours, the mail must not be given back because of it.
        _try_again(error)
    with suppress(Exception):
        data.ring(name, appended.modseq)         # delivered it is, whether anybody hears of it now or later


def _try_again(error: Exception) -> NoReturn:
    text = in_full(error) or type(error).__name__
    raise Failure(" ".join(text.split()), EX_TEMPFAIL) from error
