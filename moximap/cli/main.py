"""The `moximap` command: accounts and mail, with the server running or not."""

from __future__ import annotations

from pathlib import Path

import click

import moximap
from moximap.cli import (accounts, attempts, backups, checks, controls, imapserve, keygen,
                         keys, mail, metadata, onion, quotas, sync)
from moximap.cli.context import Data, Program

#: The commands, in the order of the help.
COMMANDS = (accounts.account, controls.address, controls.domain, keys.key, attempts.attempts,
            mail.import_, sync.sync, mail.deliver, checks.check, backups.backup,
            backups.restore, quotas.quota, metadata.metadata, imapserve.imapserve, onion.onion)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", "path", type=click.Path(path_type=Path), envvar="MOXIMAP_DATA", show_envvar=True,
              metavar="DIR", help="Directory of all accounts and their mail.")
@click.version_option(moximap.__version__, prog_name="moximap", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context, path: Path | None) -> None:
    """Accounts and mail of a moximap server, whether it is running or not."""
    context.obj = Data(path)


keys.key.add_command(keygen.gen)
for _command in (controls.disable, controls.enable, controls.capabilities):
    accounts.account.add_command(_command)
for _command in COMMANDS:
    main.add_command(_command)
