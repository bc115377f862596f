"""The `moximap` command: accounts and mail, with the server running or not.

A command is imported when it is called: a mail transfer agent waits for `deliver` with each message.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

import click

import moximap
from moximap.cli.context import Data, Program

#: Where the commands are, in the order of the help.
COMMANDS: Final = {
    "account": "accounts.account", "address": "controls.address", "domain": "controls.domain",
    "key": "keys.key", "attempts": "attempts.attempts", "import": "mail.import_", "sync": "sync.sync",
    "deliver": "mail.deliver", "check": "checks.check", "backup": "backups.backup",
    "restore": "backups.restore", "quota": "quotas.quota", "metadata": "metadata.metadata",
    "imapserve": "imapserve.imapserve", "onion": "onion.onion"}
#: Those of other modules that a group has, too.
_BELOW: Final = {"account": ("controls.disable", "controls.enable", "controls.capabilities"),
                 "key": ("keygen.gen",)}


def _load(place: str) -> click.Command:
    module, _, name = place.partition(".")
    command: click.Command = getattr(import_module(f"moximap.cli.{module}"), name)
    return command


class Commands(Program):
    """The commands of the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = _load(COMMANDS[cmd_name])
        for place in _BELOW.get(cmd_name, ()):
            assert isinstance(command, click.Group)
            command.add_command(_load(place))
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", "path", type=click.Path(path_type=Path), envvar="MOXIMAP_DATA", show_envvar=True,
              metavar="DIR", help="Directory of all accounts and their mail.")
@click.version_option(moximap.__version__, prog_name="moximap", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context, path: Path | None) -> None:
    """Accounts and mail of a moximap server, whether it is running or not."""
    context.obj = Data(path)
