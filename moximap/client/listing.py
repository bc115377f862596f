"""What mailboxes a server has: LIST, LSUB, NAMESPACE, SEARCH, METADATA (RFC 9051, 5258, 5464)."""

from __future__ import annotations

import attrs

from moximap.client.client import Client
from moximap.client.reading import BadResponse, Untagged, Value, items, numbers, uid
from moximap.imap import mailboxname
from moximap.values import NumSet


@attrs.frozen
class Listed:
    """A name that a server lists.  ``raw``: as it is on the wire; ``attributes`` in lower case."""

    raw: bytes
    name: str
    separator: str | None
    attributes: frozenset[str]

    @property
    def selectable(self) -> bool:
        return self.attributes.isdisjoint(("\\noselect", "\\nonexistent"))


@attrs.frozen
class Namespaces:
    """Prefixes (RFC 2342): of our own mailboxes, and of those of others."""

    personal: str = ""
    others: tuple[str, ...] = ()


def _listed(response: Untagged) -> Listed:
    if len(response.values) < 3:
        raise BadResponse("attributes, a separator and a name")
    attributes, separator, raw = response.values[:3]
    name = bytes(raw) if isinstance(raw, bytes) else b"NIL"
    level = separator.decode("ascii", "replace") if isinstance(separator, bytes) else ""
    return Listed(name, _name(name), level or None,
                  frozenset(each.decode("ascii", "replace").lower() for each in items(attributes)
                            if isinstance(each, bytes)))


def _name(raw: bytes) -> str:
    try:
        return mailboxname.from_wire(raw, False)
    except ValueError:
        return raw.decode("latin-1")         # each octet stays what it is: no two names become one


def _is_extended(capabilities: frozenset[bytes]) -> bool:
    return not capabilities.isdisjoint((b"LIST-EXTENDED", b"IMAP4REV2"))


async def mailboxes(client: Client) -> list[Listed]:
    """All of them, with their special uses where the server tells."""
    capabilities = await client.capability()
    uses = b"SPECIAL-USE" in capabilities and _is_extended(capabilities)
    result = await client.command(b'LIST "" "*"' + b" RETURN (SPECIAL-USE)" * uses)
    return [_listed(each) for each in result.named(b"LIST")]


async def subscribed(client: Client) -> list[Listed]:
    """All subscribed names, of mailboxes that exist or not."""
    if _is_extended(await client.capability()):
        result = await client.command(b'LIST (SUBSCRIBED) "" "*"')
        found = [_listed(each) for each in result.named(b"LIST")]
        return [each for each in found if "\\subscribed" in each.attributes]
    result = await client.command(b'LSUB "" "*"')
    found = [_listed(each) for each in result.named(b"LSUB")]
    return [each for each in found if "\\noselect" not in each.attributes]


async def namespaces(client: Client) -> Namespaces:
    """The prefixes; none where the server does not tell."""
    if (await client.capability()).isdisjoint((b"NAMESPACE", b"IMAP4REV2")):
        return Namespaces()
    found = (await client.command(b"NAMESPACE")).named(b"NAMESPACE")
    if not found or len(found[-1].values) < 3:
        return Namespaces()
    own, *others = (_prefixes(each) for each in found[-1].values[:3])
    return Namespaces(own[0] if own else "", tuple(prefix for each in others for prefix in each if prefix))


def _prefixes(value: Value) -> list[str]:
    found = [next(iter(items(each)), None) for each in (items(value) if value is not None else ())]
    return [_name(each) for each in found if isinstance(each, bytes)]


async def uids(client: Client) -> NumSet:
    """Of all messages of the selected mailbox."""
    if (await client.capability()).isdisjoint((b"ESEARCH", b"IMAP4REV2")):
        result = await client.command(b"UID SEARCH ALL")
        return NumSet.of(uid(each) for response in result.named(b"SEARCH") for each in response.values
                         if isinstance(each, bytes) and each.isdigit())
    result = await client.command(b"UID SEARCH RETURN (ALL) ALL")
    ranges: list[tuple[int, int]] = []
    for response in result.named(b"ESEARCH"):
        names = [each.upper() if isinstance(each, bytes) else b"" for each in response.values]
        if b"ALL" in names:
            ranges += numbers(response.value(names.index(b"ALL") + 1)).ranges
    return NumSet.merge(ranges)


async def metadata(client: Client, mailbox: str | bytes) -> dict[str, bytes]:
    """Those of a mailbox, or with "" of the account, by their names in lower case."""
    name = client.mailbox(mailbox) if mailbox else b'""'
    scopes = b"(/private /shared)" if mailbox else b"(/private)"
    result = await client.command(b"GETMETADATA (DEPTH infinity) %b %b" % (name, scopes))
    found: dict[str, bytes] = {}
    for response in result.named(b"METADATA"):
        pairs = items(response.values[-1]) if len(response.values) > 1 else ()
        found |= {entry.decode("ascii", "replace").lower(): value
                  for entry, value in zip(pairs[::2], pairs[1::2], strict=False)
                  if isinstance(entry, bytes) and isinstance(value, bytes)}
    return found
