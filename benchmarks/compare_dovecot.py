"""What FETCH says of every message of a corpus, beside what Dovecot says.

    python benchmarks/compare_dovecot.py DIRECTORY

appends the messages of all *.eml and *.mbox files below a directory to a Dovecot and to a moximap,
and compares their answers as values.  Prints the differences, and exits with 1 if
docs/dovecot-differences.md does not list all of them.
Both servers are started for it unless their ports are given; Dovecot is Debian's dovecot-imapd.
"""

from __future__ import annotations

import contextlib
import mailbox
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.imapvalues import Client  # noqa: E402
from tests import server  # noqa: E402
from tests.dovecot import Dovecot  # noqa: E402

LIST = ROOT / "docs" / "dovecot-differences.md"
MAILBOX = b"compared"
ENVELOPE = ("DATE", "SUBJECT", "FROM", "SENDER", "REPLY-TO", "TO", "CC", "BCC", "IN-REPLY-TO", "MESSAGE-ID")
FIELDS = ("HEADER.FIELDS (SUBJECT FROM TO CC DATE MESSAGE-ID)", "HEADER.FIELDS (RECEIVED)",
          "HEADER.FIELDS (CONTENT-TYPE CONTENT-TRANSFER-ENCODING CONTENT-DISPOSITION MIME-VERSION)",
          "HEADER.FIELDS (X-NOT-THERE)", "HEADER.FIELDS.NOT (RECEIVED SUBJECT)",
          "HEADER.FIELDS.NOT (X-NOT-THERE)")
WHOLE = ("RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "BODY[]", "BODY[HEADER]", "BODY[TEXT]",
         *(f"BODY[{fields}]" for fields in FIELDS))
NESTED = ("HEADER", "TEXT", *FIELDS[:1])
SHOWN = 300


@attrs.frozen
class Message:
    name: str
    content: bytes


@attrs.frozen
class Difference:
    """``item`` has no names of header fields: `BODY[1.HEADER.FIELDS]`, `ENVELOPE.FROM`."""

    message: str
    item: str
    ours: Any
    theirs: Any


def corpus(directory: Path) -> Iterator[Message]:
    """Every message below a directory, with CRLF; those of an mbox are numbered from 0."""
    for path in sorted(directory.rglob("*.eml")):
        yield Message(path.stem, with_crlf(path.read_bytes()))
    for path in sorted(directory.rglob("*.mbox")):
        for number, message in enumerate(mailbox.mbox(path, create=False)):
            yield Message(f"{path.stem}.{number}", with_crlf(bytes(message)))


def with_crlf(content: bytes) -> bytes:
    return re.sub(rb"\r?\n", b"\r\n", content)


def parts(structure: Any, above: str = "") -> Iterator[tuple[str, bool]]:
    """Numbers of all parts of a BODYSTRUCTURE (RFC 9051 6.4.5), and which are messages themselves."""
    if not isinstance(structure[0], list):
        number = above + "1"
        yield number, is_message(structure)
        if is_message(structure):
            yield from parts(structure[8], number + ".")
        return
    for index, part in enumerate(each for each in structure if isinstance(each, list) and is_part(each)):
        number = f"{above}{index + 1}"
        yield number, is_message(part)
        if isinstance(part[0], list):
            yield from parts(part, number + ".")
        elif is_message(part):
            yield from parts(part[8], number + ".")


def is_message(part: Any) -> bool:
    return (isinstance(part[0], bytes) and (part[0].lower(), part[1].lower()) == (b"message", b"rfc822")
            and len(part) > 8 and isinstance(part[8], list))


def is_part(value: list[Any]) -> bool:
    """Whether a list in a multipart is one of its parts and not its parameters."""
    return bool(value) and (isinstance(value[0], list) or len(value) >= 7)


def answers(client: Client, number: int, numbers: dict[str, bool]) -> dict[str, Any]:
    """What a server says of the parts of a message, by item; of a refusal the response code."""
    found: dict[str, Any] = {}
    for part, message in numbers.items():
        items = [f"BODY.PEEK[{part}]", f"BODY.PEEK[{part}.MIME]"]
        items += [f"BODY.PEEK[{part}.{name}]" for name in NESTED if message]
        for item in items:
            name = item.replace(".PEEK", "")
            said, values = client.fetch(number, item)
            found[name] = values.get(name, refusal(said))
        said, values = client.fetch(number, f"BINARY.SIZE[{part}]")
        found[f"BINARY.SIZE[{part}]"] = values.get(f"BINARY.SIZE[{part}]", refusal(said))
    return found


def refusal(said: bytes) -> str:
    code = re.match(rb"(?:OK|NO|BAD)(?: \[[\w-]+)?", said)
    return "refused: " + (code[0].decode() if code else "")


def whole(client: Client, number: int) -> dict[str, Any]:
    said, found = client.fetch(number, *(item.replace("BODY[", "BODY.PEEK[") for item in WHOLE))
    if missing := set(WHOLE) - set(found):
        raise SystemExit(f"no answer for {sorted(missing)} of message {number}: {said!r}")
    found.update({item: folded(found[item]) for item in ("BODY", "BODYSTRUCTURE")})
    envelope = zip(ENVELOPE, found["ENVELOPE"], strict=True)
    return {item: found[item] for item in WHOLE if item != "ENVELOPE"} | \
        {f"ENVELOPE.{name}": value for name, value in envelope}


def folded(part: Any) -> Any:
    """A BODYSTRUCTURE with media types and encodings in lower case (RFC 2045 5.1 and 6.1)."""
    if isinstance(part[0], list):
        count = sum(1 for each in part if isinstance(each, list) and is_part(each))
        return [*map(folded, part[:count]), part[count].lower(), *part[count + 1:]]
    part = [word.lower() if index in (0, 1, 5) else word for index, word in enumerate(part)]
    if is_message(part):
        part[8] = folded(part[8])
    return part


def differences(name: str, number: int, ours: Client, theirs: Client) -> Iterator[Difference]:
    mine, other = whole(ours, number), whole(theirs, number)
    numbers = {**dict(parts(other["BODYSTRUCTURE"])), **dict(parts(mine["BODYSTRUCTURE"]))}
    mine |= answers(ours, number, numbers)
    other |= answers(theirs, number, numbers)
    for item, value in mine.items():
        if value != other[item]:
            short = re.sub(r" \([^)]*\)\]$", "]", item)
            yield Difference(name, short, value, other[item])


def first_difference(ours: Any, theirs: Any, path: str = "") -> str:
    """Where two values begin to differ, for a reader."""
    if isinstance(ours, list) and isinstance(theirs, list):
        for index, (left, right) in enumerate(zip(ours, theirs)):
            if left != right:
                return first_difference(left, right, f"{path}/{index}")
    if isinstance(ours, bytes) and isinstance(theirs, bytes) and len(ours) > SHOWN:
        start = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        start = max(0, start - 20)
        path += f" at {start} of {len(ours)} and {len(theirs)}"
        ours, theirs = ours[start:], theirs[start:]
    return f"{path}\n      here    {shorten(ours)}\n      Dovecot {shorten(theirs)}"


def shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def listed(document: str) -> list[tuple[str, re.Pattern[str]]]:
    """Names of messages and patterns of items: what is in backquotes in a table's first two columns."""
    rows = []
    for line in document.splitlines():
        cells = line.split(" | ")
        if line.startswith("| `") and len(cells) > 2:
            items = [re.escape(item).replace(r"\*", ".*") for item in re.findall(r"`([^`]+)`", cells[1])]
            rows += [(name, re.compile("|".join(items))) for name in re.findall(r"`([^`]+)`", cells[0])]
    return rows


def known(difference: Difference, rows: list[tuple[str, re.Pattern[str]]]) -> bool:
    return any(name == difference.message and items.fullmatch(difference.item) for name, items in rows)


@contextlib.contextmanager
def our_client(address: str | None, user: str, password: str) -> Iterator[Client]:
    """A client of the moximap that was named, or of one that ends with it."""
    if address is not None:
        host, _, port = address.rpartition(":")
        yield Client.on_port(host, int(port), user, password)
        return
    with tempfile.TemporaryDirectory(prefix="moximap-compare-") as name:
        directory = Path(name)
        certificate, key = server.make_certificate(directory)
        server.add_account(directory / "data", user, password)
        child = server.twistd("--data", directory / "data", "--plaintext-login", "--tls-cert", certificate,
                              "--tls-key", key, *server.listen("imap"), directory=directory)
        try:
            child.wait_until(lambda lines: bool(server.ports_in(lines)))
            yield Client.on_port("127.0.0.1", server.ports_in(child.lines)["imap"], user, password)
        finally:
            child.stop()


@contextlib.contextmanager
def their_client(address: str | None, user: str, password: str) -> Iterator[Client]:
    if address is not None:
        host, _, port = address.rpartition(":")
        yield Client.on_port(host, int(port), user, password)
        return
    with tempfile.TemporaryDirectory(prefix="moximap-compare-") as name:
        yield Client.on_pipe(Dovecot.make(Path(name)).command)


def fill(client: Client, messages: list[Message]) -> None:
    client.command(b"DELETE " + MAILBOX)
    client.command(b"CREATE " + MAILBOX)
    for message in messages:
        said = client.append(MAILBOX, message.content)
        if not said.startswith(b"OK"):
            raise SystemExit(f"{message.name} is refused: {said!r}")
    client.command(b"SELECT " + MAILBOX)


def report(found: list[Difference], rows: list[tuple[str, re.Pattern[str]]], names: set[str]) -> int:
    """Print all, those that are not listed last; how many are not listed."""
    fresh = [each for each in found if not known(each, rows)]
    groups = defaultdict(list)
    for each in found:
        if each not in fresh:
            groups[each.message].append(each.item)
    for message, items in groups.items():
        click.echo(f"listed: {message}: {', '.join(dict.fromkeys(items))}")
    for name, items in rows:
        if name in names and not any(each.message == name and items.fullmatch(each.item) for each in found):
            click.echo(f"listed, but the same by now: {name}: {items.pattern}")
    for each in fresh:
        click.echo(f"NOT LISTED: {each.message}: {each.item} {first_difference(each.ours, each.theirs)}")
    return len(fresh)


@click.command(help=__doc__)
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--dovecot", metavar="HOST:PORT", help="a Dovecot that runs already")
@click.option("--moximap", metavar="HOST:PORT", help="a moximap that runs already")
@click.option("--user", default="ada", show_default=True)
@click.option("--password", default="secret", show_default=True)
def main(directory: Path, dovecot: str | None, moximap: str | None, user: str, password: str) -> None:
    messages = list(corpus(directory))
    with our_client(moximap, user, password) as ours, their_client(dovecot, user, password) as theirs:
        for client in (ours, theirs):
            fill(client, messages)
        found = [difference for number, message in enumerate(messages, 1)
                 for difference in differences(message.name, number, ours, theirs)]
    fresh = report(found, listed(LIST.read_text(encoding="utf-8")), {message.name for message in messages})
    click.echo(f"{len(messages)} messages, {len(found)} differences, {fresh} of them not listed")
    sys.exit(1 if fresh else 0)


if __name__ == "__main__":
    main()
