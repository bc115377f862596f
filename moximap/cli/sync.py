"""`moximap sync`: how mail comes over from another server."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import attrs
import click

from moximap.cli.accounts import as_json
from moximap.cli.context import Data, pass_data
from moximap.imap.mailboxname import matcher

if TYPE_CHECKING:
    from moximap.delivery.syncing_fetching import Summary

PORTS: Final = {"imaps": 993, "imap": 143}


@attrs.frozen
class Origin:
    """Where mail comes from.  ``tls``: from the start, else by STARTTLS."""

    user: str
    host: str
    port: int
    tls: bool

    @classmethod
    def parse(cls, url: str) -> Origin:
        """From ``imaps://user@host[:port]``; BadParameter."""
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS[parts.scheme]
        except (ValueError, KeyError):
            raise click.BadParameter("such as imaps://user@host or imap://user@host:port") from None
        if parts.password is not None:
            raise click.BadParameter("without the password: everybody on this machine could see it")
        if not parts.username or not parts.hostname or parts.path.strip("/") or parts.query:
            raise click.BadParameter("a user and a host, such as imaps://user@host")
        return cls(unquote(parts.username), parts.hostname, port, parts.scheme == "imaps")

    def __str__(self) -> str:
        """The same for the same mail, by TLS or STARTTLS."""
        return f"{self.user}@{self.host}" + ("" if self.port in PORTS.values() else f":{self.port}")


def _origin(context: click.Context, parameter: click.Parameter, value: str) -> Origin:
    return Origin.parse(value)


@attrs.frozen
class Proof:
    """How we know the other server, and it knows us: what the options say."""

    ca: Path | None
    fingerprint: str | None
    anybody: bool
    plain: bool
    key: Path | None
    password_file: Path | None

    def check(self, origin: Origin) -> None:
        """UsageError where the options contradict each other."""
        if bool(self.ca) + bool(self.fingerprint) + self.anybody > 1:
            raise click.UsageError("--ca, --tls-fingerprint and --insecure exclude each other")
        if self.plain and (origin.tls or self.key is not None):
            raise click.UsageError("--no-tls is for imap:// and a password")

    def password(self) -> str | None:
        """A file's first line, standard input's, or who sits there is asked; None: the key must do."""
        if self.password_file is not None:
            return _first_line(self.password_file.read_bytes())
        if self.key is not None:
            return None
        if not sys.stdin.isatty():
            return _first_line(sys.stdin.buffer.readline())
        typed: str = click.prompt("Password there", hide_input=True, err=True)
        return typed


def _first_line(raw: bytes) -> str:
    try:
        text = raw.split(b"\n", 1)[0].rstrip(b"\r").decode()
    except UnicodeDecodeError:
        raise click.UsageError("the password is not UTF-8") from None
    if not text:
        raise click.UsageError("there is no password: it is the first line of standard input, or of the file")
    return text


def _chosen(only: tuple[str, ...], without: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a mailbox is wanted, by its name here; "*" matches anything, "%" all but "/"."""
    wanted, unwanted = [matcher(each) for each in only], [matcher(each) for each in without]
    return lambda name: ((not wanted or any(matches(name) for matches in wanted))
                         and not any(matches(name) for matches in unwanted))


@click.command()
@click.argument("address")
@click.option("--from", "origin", required=True, metavar="URL", callback=_origin,
              help="imaps://user@host[:port], or imap://... with STARTTLS.")
@click.option("--password-file", type=click.Path(path_type=Path), metavar="FILE",
              help="The password there is the first line of FILE; else of standard input, or asked for.")
@click.option("--key", type=click.Path(path_type=Path), metavar="PEM",
              help="Log in there with a key: a file with it and its certificate.")
@click.option("--mailbox", "only", multiple=True, metavar="PATTERN",
              help="Only these mailboxes, by their names here: * is anything, % all but /.  May be repeated.")
@click.option("--exclude", "without", multiple=True, metavar="PATTERN",
              help="Without these.  May be repeated.")
@click.option("--ca", type=click.Path(path_type=Path), metavar="PEM",
              help="Trust these certificates in place of the system's.")
@click.option("--tls-fingerprint", "fingerprint", metavar="SHA256",
              help="Trust the server's certificate with this fingerprint.")
@click.option("--insecure", "anybody", is_flag=True, help="Trust whoever answers.")
@click.option("--no-tls", "plain", is_flag=True,
              help="imap:// without STARTTLS: everybody on the way can read.")
@click.option("--quiet", is_flag=True, help="No progress bar, no summary.")
@as_json
@click.pass_context
@pass_data
def sync(data: Data, context: click.Context, /, address: str, origin: Origin, only: tuple[str, ...],
         without: tuple[str, ...], quiet: bool, as_json: bool, **proof: Any) -> None:
    """Bring over the mail of another IMAP server into ADDRESS's account.  The server may be running.

    What was brought is remembered: cut off and started again, or run again later, it brings what is
    missing, and what became of flags.  There nothing is changed, and here nothing removed.
    """
    from moximap.cli.syncing import bring    # a client, SASL and more: other commands start without
    done = bring(data, address, origin, Proof(**proof), _chosen(only, without), quiet)
    _report(done, quiet, as_json)
    if done.problems:
        context.exit(1)


def _report(done: Summary, quiet: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(attrs.asdict(done), indent=2, ensure_ascii=False))
    elif not quiet:
        for note in done.notes:
            click.echo(note)
        click.echo(f"mailboxes {done.mailboxes}, of these with the UIDs of there {done.kept}; "
                   f"messages brought {done.messages}, here already {done.present}, "
                   f"of these with new flags {done.flags}; annotations {done.annotations}")
    for problem in done.problems:
        click.echo(f"moximap: {problem}", err=True)
