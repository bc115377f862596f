"""`moximap backup` and `moximap restore`: that mail can be had again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from moximap.cli.accounts import as_json
from moximap.cli.context import Data, pass_data
from moximap.store.backup_snapshots import Snapshot
from moximap.store.backup_taking import Taken, take
from moximap.store.errors import StoreError
from moximap.store.restoring import Restored
from moximap.store.restoring_accounts import Restoration
from moximap.values import MAX_UID, NumSet

_RANGE = re.compile(r"(\d+)(?::(\d+|\*))?")


@attrs.define
class Meter:
    """Octets on a bar on standard error, if that is a terminal; the total may grow."""

    bar: Progress
    total: int = 0

    def expect(self, octets: int) -> None:
        self.total += octets
        self.bar.update(self.bar.task_ids[0], total=self.total)

    def advance(self, octets: int) -> None:
        self.bar.advance(self.bar.task_ids[0], octets)


@contextmanager
def _meter() -> Iterator[Meter]:
    console = Console(stderr=True)
    with Progress(BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=console,
                  disable=not console.is_terminal, transient=True) as bar:
        bar.add_task("", total=None)
        yield Meter(bar)


@click.command()
@click.argument("where", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--keep", type=click.IntRange(min=1), metavar="N",
              help="Afterwards remove snapshots that N younger ones stand for.")
@click.option("--verify", is_flag=True, help="Read the snapshot again and compare all hashes.")
@as_json
@click.pass_context
@pass_data
def backup(data: Data, context: click.Context, where: Path, addresses: tuple[str, ...], keep: int | None,
           verify: bool, as_json: bool) -> None:
    """Take a snapshot of all accounts, or of those named, into DIR, where each is a directory by its time.

    The server may be running.  Large messages that the last snapshot in DIR has are not copied again.
    Exit code 1 says that something is wrong with the snapshot, which is there nevertheless.
    """
    with data.directory() as directory, _meter() as meter:
        taken = take(directory, where, addresses, verify=verify, keep=keep, meter=meter)
    if as_json:
        click.echo(json.dumps(_facts(taken), indent=2, ensure_ascii=False))
    else:
        _tell(taken)
    for problem in taken.snapshot.problems:
        click.echo(f"moximap: {problem}", err=True)
    if taken.snapshot.problems:
        context.exit(1)


def _facts(taken: Taken) -> dict[str, Any]:
    return {"snapshot": str(taken.snapshot.path), "copied": taken.copied,
            "pruned": [str(path) for path in taken.pruned]} | taken.snapshot.facts()


def _tell(taken: Taken) -> None:
    messages = sum(saved.messages for saved in taken.snapshot.accounts)
    click.echo(f"{taken.snapshot.path}: accounts {len(taken.snapshot.accounts)}, messages {messages}, "
               f"octets copied {taken.copied:,}")
    for path in taken.pruned:
        click.echo(f"{path}: removed")


def _numbers(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> NumSet | None:
    """UIDs as IMAP writes them: 3,5:7,9:*"""
    ranges = []
    for text in ",".join(values).split(",") if values else ():
        found = _RANGE.fullmatch(text)
        if found is None or int(found[1]) < 1:
            raise click.BadParameter(f"{text!r} is no UID, nor a range of them such as 5:7")
        last = MAX_UID if found[2] == "*" else int(found[2] or found[1])
        ranges.append((int(found[1]), last))
    return NumSet.merge(ranges) if ranges else None


@click.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="SNAPSHOT")
@click.option("--account", "name", required=True, metavar="ADDRESS", help="Whose mail to restore.")
@click.option("--mailbox", metavar="NAME", help="Only this mailbox: its messages are added to what is there.")
@click.option("--uid", "uids", multiple=True, callback=_numbers, metavar="N",
              help="Only these messages of the mailbox, such as 7 or 3,5:7; may be repeated.")
@click.option("--as", "new_name", metavar="NEWADDRESS", help="Restore into another account.")
@click.option("--into", metavar="MAILBOX", help="Restore into another mailbox.")
@click.option("--replace", is_flag=True, help="Put the snapshot in the place of all mail that is there now.")
@click.option("--keep-uids", is_flag=True,
              help="Keep UIDVALIDITY: only if no client has seen anything newer than the snapshot.")
@as_json
@click.pass_context
@pass_data
def restore(data: Data, context: click.Context, path: Path, name: str, mailbox: str | None,
            uids: NumSet | None, new_name: str | None, into: str | None, replace: bool, keep_uids: bool,
            as_json: bool) -> None:
    """Restore an account, a mailbox or messages from a SNAPSHOT.  The server may be running.

    Messages that a mailbox has already are not added again, so that a restoration can be repeated.
    """
    if mailbox is None and (into is not None or uids is not None):
        raise click.UsageError("--into and --uid are for a mailbox: name one with --mailbox")
    if mailbox is not None and (replace or keep_uids):
        raise click.UsageError("--replace and --keep-uids are for whole accounts, not with --mailbox")
    if replace and keep_uids:
        raise click.UsageError("--keep-uids is for an account that is not there, not with --replace")
    snapshot = Snapshot.load(path)
    saved = snapshot.account(name)
    target = new_name or saved.name
    with data.directory(make=True) as directory, _meter() as meter:
        assert data.path is not None
        meter.expect(saved.size)
        work = Restoration(data.path, directory, snapshot, saved, meter.advance)
        try:
            if mailbox is None:
                done = work.account(target, replace=replace, keep_uids=keep_uids)
            else:
                done = work.mailbox(mailbox, target, into or mailbox, uids)
        finally:
            _ring(data, target)
    _report(done, as_json)
    if done.problems:
        context.exit(1)


def _ring(data: Data, name: str) -> None:
    """Those who have the account open hear of it, whatever came of it."""
    with suppress(StoreError), data.account(name) as account:
        data.ring(account.name, account.mailboxes().modseq)


def _report(done: Restored, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(attrs.asdict(done), indent=2, ensure_ascii=False))
    else:
        click.echo(f"mailboxes {done.mailboxes}, messages restored {done.messages}, "
                   f"there already {done.present}, of these mended {done.mended}")
    for problem in done.problems:
        click.echo(f"moximap: {problem}", err=True)
