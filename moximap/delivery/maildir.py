"""Maildirs to import: folders in either layout, flags from the name, dates from the file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from moximap.delivery.incoming import Incoming
from moximap.store.interfaces import ISpool, NewMessage
from moximap.values import InternalDate

#: Letters after ":2,".  P, passed on, is $Forwarded as Dovecot and isync have it.
FLAGS: Final = {"D": "\\Draft", "F": "\\Flagged", "P": "$Forwarded", "R": "\\Answered", "S": "\\Seen",
                "T": "\\Deleted"}
_CHUNK: Final = 1 << 16
_ENCODED: Final = re.compile(r"&([A-Za-z0-9+,]*)-")


@attrs.frozen
class Folder:
    """A Maildir and the mailbox that it is: "" for the one at the top."""

    name: str
    path: Path

    def files(self) -> list[Path]:
        """Its messages, oldest first: UIDs are given in this order.

        What has no ":2," in new/ has not been seen by any client, but is as much a message.
        """
        found = []
        for directory in (self.path / "cur", self.path / "new"):
            with suppress(FileNotFoundError):
                found += [Path(entry) for entry in os.scandir(directory)
                          if entry.is_file() and not entry.name.startswith(".")]
        return sorted(found, key=lambda file: (file.stat().st_mtime_ns, file.name))


def is_maildir(path: Path) -> bool:
    return (path / "cur").is_dir() or (path / "new").is_dir()


def decode_name(name: str) -> str:
    """A folder's name from modified UTF-7 (RFC 3501 5.1.3), in which Maildir++ has them, if it is that."""
    def plain(match: re.Match[str]) -> str:
        if not match[1]:
            return "&"
        return ("+" + match[1].replace(",", "/") + "-").encode().decode("utf-7")

    try:
        return _ENCODED.sub(plain, name)
    except UnicodeDecodeError:
        return name


def folders(top: Path) -> Iterator[Folder]:
    """The Maildir at ``top`` and all below: `.Sent.2023` (Maildir++) and `Sent/2023` alike."""
    if is_maildir(top):
        yield Folder("", top)
    yield from _below(top, "")


def _below(directory: Path, prefix: str) -> Iterator[Folder]:
    for path in sorted(directory.iterdir()):
        if path.name in ("cur", "new", "tmp") or path.is_symlink() or not path.is_dir():
            continue
        name = path.name[1:].replace(".", "/") if path.name.startswith(".") else path.name
        if not name.strip("/"):
            continue
        name = prefix + decode_name(name)
        if is_maildir(path):
            yield Folder(name, path)
        yield from _below(path, name + "/")


def keywords(folder: Path) -> dict[str, str]:
    """Dovecot's names for the letters a to z in flags: lines `0 $Forwarded`."""
    try:
        lines = (folder / "dovecot-keywords").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split(" ", 1) for line in lines)
    return {chr(ord("a") + int(pair[0])): pair[1] for pair in pairs
            if len(pair) == 2 and pair[0].isdigit() and int(pair[0]) < 26}


def flags_of(name: str, names: dict[str, str]) -> tuple[str, ...]:
    """Flags from a file's name: what follows ":2," (";2," and "!2," where ":" cannot be)."""
    match = re.search(r"[:;!]2,([A-Za-z]*)[^/]*$", name)
    letters = match[1] if match else ""
    return tuple(names[letter] for letter in letters if letter in names)


def messages(folder: Folder, spool: Callable[[], ISpool]) -> Iterator[tuple[NewMessage, int]]:
    """Messages of a folder, each with its size on disk.  What vanishes meanwhile is left out."""
    names = FLAGS | keywords(folder.path)
    for path in folder.files():
        incoming = Incoming(spool)
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                while chunk := file.read(_CHUNK):
                    incoming.write(chunk)
        except FileNotFoundError:
            continue
        yield NewMessage(incoming.content(), flags_of(path.name, names),
                         InternalDate(int(status.st_mtime))), status.st_size
