"""`moximap key gen`: a new key, in the forms that mail programs want."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from socket import getfqdn
from time import time
from urllib.parse import quote

import click
import segno

from moximap.cli.context import Data, pass_data
from moximap.cli.keys import address, no_preauth, read_only, until
from moximap.identity import clientkeys
from moximap.identity.clientkeys import Bundle
from moximap.identity.mobileconfig import MailServer, mobileconfig


def _server(context: click.Context, parameter: click.Parameter, value: str | None) -> MailServer:
    """HOST or HOST:PORT, with an IPv6 address in brackets."""
    if value is None:
        return MailServer(getfqdn())
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", value)
    if found is None or not 0 < int(found[2] or 993) < 65536:
        raise click.BadParameter(f"{value!r} is not HOST or HOST:PORT")
    return MailServer(found[1], int(found[2] or 993))


@click.command()
@address
@click.argument("name")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=".", show_default=True,
              metavar="DIR", help="Where the files go; made if it is not there.")
@click.option("--type", "type_", type=click.Choice([*clientkeys.KINDS]), default="ecdsa-p256",
              show_default=True, help="ECDSA is what all programs know.")
@click.option("--server", callback=_server, metavar="HOST[:PORT]",
              help="Where clients connect, for the profile and the QR code.  [default: this host, 993]")
@click.option("--passphrase-stdin", is_flag=True,
              help="Read the passphrase of the .p12 files from a line of standard input.")
@no_preauth
@read_only
@until
@pass_data
def gen(data: Data, address: str, name: str, out: Path, type_: str, server: MailServer,
        passphrase_stdin: bool, no_preauth: bool, read_only: bool, until: float | None) -> None:
    """Make a key called NAME that logs in to ADDRESS's account, and print its fingerprint.

    Writes the key (PKCS#8), a minimal certificate, both in one PEM file, two PKCS#12 files of which the
    legacy one is for Apple's and older systems, and a profile for iOS and macOS.
    """
    passphrase = _passphrase() if passphrase_stdin else None
    with data.directory() as directory:
        account = directory.account(address).name
        bundle = clientkeys.make(type_, name, passphrase)
        new = clientkeys.record(bundle.certificate, account, name, time(), no_preauth=no_preauth,
                                read_only=read_only, until=until)
        written = write(out, name, address, server, bundle)
        directory.keys.add(new)
    click.echo(new.fingerprint)
    for path in written:
        click.echo(path)
    if passphrase is None:
        click.echo(f"passphrase of the .p12 files: {bundle.passphrase}")
    if sys.stdout.isatty():
        url = f"imaps://{quote(address, safe='')}@{server.host}:{server.port}"
        click.echo(url)
        segno.make(url).terminal(compact=True)


def _passphrase() -> str:
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise click.UsageError("the passphrase is empty")
    return text


def write(out: Path, name: str, address: str, server: MailServer, bundle: Bundle) -> list[Path]:
    """Write the files of a key, none over another; OSError."""
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.@+-]+", "-", name).strip(".-") or "key"
    contents = {
        ".key": bundle.key_pem, ".crt": bundle.certificate_pem,
        ".pem": bundle.key_pem + bundle.certificate_pem,
        ".p12": bundle.p12, "-legacy.p12": bundle.p12_legacy,
        ".mobileconfig": mobileconfig(address, name, server, bundle.p12_legacy, bundle.passphrase)}
    paths = {out / f"{stem}{suffix}": content for suffix, content in contents.items()}
    for path, content in paths.items():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    return [*paths]
