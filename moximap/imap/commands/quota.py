"""QUOTA: GETQUOTA and GETQUOTAROOT, and what STATUS says of what an EXPUNGE would free (RFC 9208).

An account has one quota root, named "": a name tells clients nothing, some show it to people, and the
account's own may have characters that no astring has.  Limits are set by `moximap quota`, so SETQUOTA
is refused, and QUOTASET not announced.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from moximap.imap import encoding
from moximap.imap.commands.status import counter
from moximap.imap.dialect import LOGGED_IN, Capability, Extension, Spec
from moximap.imap.errors import No
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session
from moximap.values import Quota

ROOT = b""
_KIB = 1024


def quota_line(quota: Quota) -> bytes:
    """QUOTA: the resources that are limited.  Of mailboxes there is always a limit."""
    return b"* QUOTA %b (%b)\r\n" % (encoding.quoted(ROOT), b" ".join(_resources(quota)))


def _resources(quota: Quota) -> Iterator[bytes]:
    if quota.storage_limit is not None:
        yield b"STORAGE %d %d" % (-(-quota.storage // _KIB), quota.storage_limit // _KIB)
    if quota.messages_limit is not None:
        yield b"MESSAGE %d %d" % (quota.messages, quota.messages_limit)
    yield b"MAILBOX %d %d" % (quota.mailboxes, quota.mailboxes_limit)


@attrs.frozen
class GetQuota:
    root: bytes

    async def run(self, session: Session) -> None:
        if self.root != ROOT:
            raise No("there is no such quota root", b"NONEXISTENT")
        session.write(quota_line(await session.call(session.account.quota)))


@attrs.frozen
class GetQuotaRoot:
    """The mailbox need not exist."""

    mailbox: str

    async def run(self, session: Session) -> None:
        quota = await session.call(session.account.quota)
        name = encoding.mailbox(self.mailbox, session.utf8)
        session.write(b"* QUOTAROOT %b %b\r\n%b" % (name, encoding.quoted(ROOT), quota_line(quota)))


@attrs.frozen
class SetQuota:
    def run(self, session: Session) -> None:
        raise No("limits are set by the administrator", b"NOPERM")


def parse_getquota(p: Cursor) -> GetQuota:
    p.sp()
    return GetQuota(p.astring())


def parse_getquotaroot(p: Cursor) -> GetQuotaRoot:
    p.sp()
    return GetQuotaRoot(p.mailbox())


def parse_setquota(p: Cursor) -> SetQuota:
    """ "SETQUOTA" SP quota-root-name SP "(" [resource-name SP number64 ...] ")" """
    p.sp()
    p.astring()
    p.sp()
    p.list_of(lambda: _resource_limit(p), least=0)
    return SetQuota()


def _resource_limit(p: Cursor) -> None:
    p.atom()
    p.sp()
    p.number64()


EXTENSION = Extension(
    name="QUOTA", rfcs=(9208,),
    capabilities=(Capability(b"QUOTA"), Capability(b"QUOTA=RES-STORAGE"), Capability(b"QUOTA=RES-MESSAGE"),
                  Capability(b"QUOTA=RES-MAILBOX")),
    commands={b"GETQUOTA": Spec(parse_getquota, LOGGED_IN, capability=b"QUOTA"),
              b"GETQUOTAROOT": Spec(parse_getquotaroot, LOGGED_IN, capability=b"QUOTA"),
              b"SETQUOTA": Spec(parse_setquota, LOGGED_IN, capability=b"QUOTA")},
    status={b"DELETED-STORAGE": counter("deleted_size")},
)
