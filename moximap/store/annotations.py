"""Annotations: named values of mailboxes, of an account, and of the server (RFC 5464).

The names of entries are those of the RFC: "/private/..." and "/shared/...", in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

import attrs
from zope.interface import Interface

from moximap.store.errors import Cannot, StoreError
from moximap.values import Written

#: What an account may have in all: entries, and octets of names and values.
MOST: Final = 1000
LARGEST: Final = 1_000_000

#: Printable ASCII without "*" and "%", no component of which is empty.
_ENTRY: Final = re.compile(r"(/[ -$&-)+-.0-~]+)+")
_SCOPES: Final = ("private", "shared")


class TooManyAnnotations(StoreError):
    """The account would have too many annotations."""


class AnnotationsTooLarge(StoreError):
    """The account's annotations would be too large."""


@attrs.frozen
class Annotated:
    """What changed up to ``modseq``, oldest first: name of a mailbox ("" is the account itself), entry,
    and the modseq of its last change."""

    modseq: int
    entries: tuple[tuple[str, str, int], ...] = ()


def clean(entry: str, part: bool = False) -> str:
    """The canonical name of an entry; Cannot where it can't be one.

    ``part``: also the beginning of such a name will do.
    """
    entry = entry.lower()
    if part and entry == "/":
        return entry
    if not _ENTRY.fullmatch(entry):
        raise Cannot("an annotation has a name such as /private/comment, of printable ASCII without * and %")
    components = entry.split("/")[1:]
    if components[0] not in _SCOPES:
        raise Cannot("an annotation's name begins with /private/ or /shared/")
    least = 4 if components[1:2] == ["vendor"] else 2
    if len(components) < least and not part:
        raise Cannot(f"such a name of an annotation has at least {least} components")
    return entry


class IAnnotations(Interface):
    """The annotations of one account; each method is one transaction."""

    def of(mailbox: str) -> Mapping[str, bytes]:
        """All entries of a mailbox, or of the account ("") itself; NoSuchMailbox."""

    def named(entries: Collection[str]) -> Mapping[int, Mapping[str, bytes]]:
        """Some entries of all mailboxes, by the id of the mailbox."""

    def change(mailbox: str, values: Mapping[str, bytes | None]) -> Written:
        """Set entries, all or none; None removes.  What is as wished already keeps its modseq.

        NoSuchMailbox, Cannot, TooManyAnnotations, AnnotationsTooLarge.
        """

    def since(modseq: int | None) -> Annotated:
        """What changed after ``modseq``, removed entries too; None: nothing but the modseq of now."""


class ISharedAnnotations(Interface):
    """Annotations of the server, which all accounts may read: "/shared/..." without a mailbox."""

    def of() -> Mapping[str, bytes]:
        """All entries."""

    def change(values: Mapping[str, bytes | None]) -> None:
        """Set entries; None removes.  Cannot."""

    def since(modseq: int | None) -> Annotated:
        """What changed after ``modseq``, which counts the changes of these entries only."""


__all__ = ["Annotated", "AnnotationsTooLarge", "IAnnotations", "ISharedAnnotations", "TooManyAnnotations",
           "clean"]
