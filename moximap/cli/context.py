"""What every command works with: the data directory, the doorbell, and how failures are told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import attrs
import click

from moximap.delivery.importing import BadSource
from moximap.identity.clientkeys import BadKey
from moximap.identity.passwords import PasswordRefused
from moximap.store.account import Account
from moximap.store.bell import DIRECTORY, Bell
from moximap.store.directory import DATABASE, Directory
from moximap.store.errors import (AccountExists, Cannot, MailboxExists, NoSuchAccount, NoSuchMailbox,
                                  StoreError, in_full)
from moximap.store.keys import KeyExists, NoSuchKey

#: Failures that other input would not have had.
_BAD_INPUT = (NoSuchAccount, AccountExists, NoSuchMailbox, MailboxExists, Cannot, PasswordRefused, BadSource,
              BadKey, KeyExists, NoSuchKey)


class Failure(click.ClickException):
    """One line for standard error, and the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def failure(error: Exception) -> Failure:
    """How an error of our own, or of the system, is told.  Others are bugs, and raised as they are."""
    if isinstance(error, OSError):
        return Failure(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
    return Failure(in_full(error), 2 if isinstance(error, _BAD_INPUT) else 1)


EXPECTED = (StoreError, PasswordRefused, BadSource, BadKey, OSError)


def _tell(error: click.ClickException) -> int:
    click.echo(f"moximap: {error.format_message()}", err=True)
    return error.code if isinstance(error, Failure) else error.exit_code


class Group(click.Group):
    """Commands; who names none is told in one line where they are listed."""

    group_class = type                             # of groups below, too

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            ctx.fail(f"a command is missing: {ctx.command_path} --help lists them")
        return super().parse_args(ctx, args)


class Program(Group):
    """A group of commands whose failures are one line on standard error: `moximap: ...`."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        options |= {"standalone_mode": False, "prog_name": "moximap"}
        try:
            # The code of ctx.exit(), such as --help's; None from a command that just ends.
            code = super().main(*args, **options) or 0
        except (click.Abort, KeyboardInterrupt):
            click.echo("\nmoximap: stopped", err=True)
            code = 130
        except click.ClickException as error:
            code = _tell(error)
        except BrokenPipeError:
            # Whoever read our output has seen enough; nothing more can be said to it, at exit either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            code = 1
        except EXPECTED as error:
            code = _tell(failure(error))
        raise SystemExit(code)


@attrs.define
class Data:
    """The data directory that the command line names."""

    path: Path | None

    def directory(self, make: bool = False) -> closing[Directory]:
        """All accounts, for a `with`.  Only a command that adds makes what is not there."""
        if self.path is None:
            raise click.UsageError("say with --data DIR, or in MOXIMAP_DATA, where the mail is")
        if not make and not (self.path / DATABASE).exists():
            raise click.UsageError(f"{self.path} holds no accounts")
        return closing(Directory(self.path))

    @contextmanager
    def account(self, name: str) -> Iterator[Account]:
        """One account, by its name or an address."""
        with self.directory() as directory, closing(directory.open(name)) as account:
            yield account

    def ring_all(self) -> None:
        """Tell running servers of what concerns every account."""
        assert self.path is not None
        with closing(Bell(self.path / "bell")) as bell:
            bell.ring_all()

    @contextmanager
    def recipient(self, address: str) -> Iterator[Account]:
        """The account that mail for an address goes to, which may be a catch-all's."""
        with self.directory() as directory, \
                closing(directory.open(directory.addresses.recipient(address))) as account:
            yield account

    def ring(self, account: str, modseq: int) -> None:
        """Tell running servers that an account changed."""
        assert self.path is not None
        with closing(Bell(self.path / "bell")) as bell:
            bell.ring(account, modseq)

    def ring_directory(self) -> None:
        """Tell running servers that keys or accounts changed: sessions of what is gone end."""
        self.ring(DIRECTORY, 0)


pass_data = click.make_pass_decorator(Data)
