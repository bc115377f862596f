"""`moximap quota`: what an account uses, and may use."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import click

from moximap.cli.accounts import as_json
from moximap.cli.context import Data, pass_data
from moximap.values import Quota, Resource

_SIZE: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([KMGTP]?)(?:I?B)?")
_KIB: Final = 1024
_MOST: Final = 1 << 62
#: What the options give for "none"; None is an option that was not given.
_NONE: Final = -1


class Amount(click.ParamType[int]):
    """A number from 0, or "none"."""

    name = "N"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int:
        if value == "none":
            return _NONE
        number = self.number(str(value).upper())
        if number is None or number > _MOST:
            self.fail(f"{value!r} is no {self.name}, nor none", param, context)
        return number

    def number(self, text: str) -> int | None:
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


class Size(Amount):
    """Octets, with K, M, G, T or P in powers of 1024; rounded up to what the protocol counts, 1024."""

    name = "SIZE"

    def number(self, text: str) -> int | None:
        found = _SIZE.fullmatch(text)
        if found is None:
            return None
        octets = float(found[1]) * _KIB ** "_KMGTP".index(found[2] or "_")
        return -(-int(octets) // _KIB) * _KIB


@click.command()
@click.argument("address")
@click.option("--storage", type=Size(), help="Most octets of all messages, such as 500M; or none.")
@click.option("--messages", type=Amount(), help="Most messages; or none.")
@click.option("--mailboxes", type=Amount(), help="Most mailboxes; or none.")
@click.option("--none", "unlimited", is_flag=True, help="Remove all limits that are not named beside it.")
@as_json
@pass_data
def quota(data: Data, address: str, storage: int | None, messages: int | None, mailboxes: int | None,
          unlimited: bool, as_json: bool) -> None:
    """Show what ADDRESS's account uses and may use, or change what it may.

    What is there already stays when a limit is set below it.  Running servers know at once.
    """
    named: dict[Resource, int | None] = {"storage": storage, "messages": messages, "mailboxes": mailboxes}
    limits = {resource: None if amount == _NONE else amount
              for resource, amount in named.items() if unlimited or amount is not None}
    with data.account(address) as account:
        if limits:
            account.set_quota(limits)
        facts = _facts(account.quota())
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for resource, (used, limit) in ((name, fact.values()) for name, fact in facts.items()):
        click.echo(f"{resource + ':':10} {_amount(resource, used)}, "
                   + ("no limit" if limit is None else f"at most {_amount(resource, limit)}"))


def _facts(quota: Quota) -> dict[str, dict[str, int | None]]:
    return {"storage": {"used": quota.storage, "limit": quota.storage_limit},
            "messages": {"used": quota.messages, "limit": quota.messages_limit},
            "mailboxes": {"used": quota.mailboxes, "limit": quota.mailboxes_limit}}


def _amount(resource: str, number: int | None) -> str:
    return f"{number:,} bytes" if resource == "storage" else f"{number:,}"
