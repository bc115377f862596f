"""`moximap metadata`: what the server tells its users of itself (RFC 5464)."""

from __future__ import annotations

import json

import click

from moximap.cli.context import Data, Group, pass_data


@click.group(cls=Group)
def metadata() -> None:
    """Annotations of the server, which every account can read: whom to ask, what there is to know.

    /shared/admin is a way to reach the administrator, a mailto: or tel: URL; /shared/comment is a text;
    /shared/vendor/NAME/... is what programs look for.
    """


@metadata.command("set")
@click.argument("entry")
@click.argument("value")
@pass_data
def set_(data: Data, entry: str, value: str) -> None:
    """Set ENTRY to VALUE."""
    _change(data, entry, value.encode())


@metadata.command()
@click.argument("entry")
@pass_data
def rm(data: Data, entry: str) -> None:
    """Remove ENTRY; harmless where it is not there."""
    _change(data, entry, None)


@metadata.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_data
def list_(data: Data, as_json: bool) -> None:
    """Print all entries with their values, a line each."""
    with data.directory() as directory:
        values = {entry: value.decode(errors="backslashreplace")
                  for entry, value in directory.annotations.of().items()}
    if as_json:
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
        return
    for entry, text in values.items():
        click.echo(f"{entry}: {text}")


def _change(data: Data, entry: str, value: bytes | None) -> None:
    with data.directory() as directory:
        directory.annotations.change({entry: value})
    data.ring_all()
