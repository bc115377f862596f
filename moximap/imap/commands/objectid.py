"""OBJECTID: MAILBOXID, EMAILID and THREADID (RFC 8474).

A MAILBOXID is made of the UIDVALIDITY, which no two mailboxes of an account ever have in common and
which RENAME leaves alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal

from moximap.imap.commands.mailboxes import CreateParameter
from moximap.imap.commands.search_program import IKey, KeyReader, Plain
from moximap.imap.commands.status import StatusItem
from moximap.imap.dialect import Capability, Extension
from moximap.imap.fetching import Field
from moximap.searchtree import IdIs
from moximap.values import Mailbox

#: objectid = 1*255(ALPHA / DIGIT / "_" / "-"), in which case counts
_OBJECTID: Final = re.compile(rb"[A-Za-z0-9_-]{1,255}")


def mailboxid(mailbox: Mailbox) -> bytes:
    """ "(" objectid ")" """
    return b"(F%d)" % mailbox.uidvalidity


def objectid(text: str | None) -> bytes:
    """ "(" objectid ")" / nil; of messages."""
    return b"NIL" if text is None else b"(%b)" % text.encode()


def identified(which: Literal["email", "thread"]) -> Callable[[KeyReader], IKey]:
    """SP objectid."""
    def row(reader: KeyReader) -> IKey:
        reader.p.sp()
        return Plain(IdIs(which, reader.p.match(_OBJECTID, "objectid")[0].decode()))
    return row


EMAILID = Field(b"EMAILID %b", ("emailid",), objectid)
THREADID = Field(b"THREADID %b", ("threadid",), objectid)

EXTENSION = Extension(
    name="OBJECTID", rfcs=(8474,),
    capabilities=(Capability(b"OBJECTID"),),
    fetch={b"EMAILID": lambda p: EMAILID, b"THREADID": lambda p: THREADID},
    search={b"EMAILID": identified("email"), b"THREADID": identified("thread")},
    status={b"MAILBOXID": StatusItem(lambda session, mailbox: mailboxid(mailbox))},
    select_codes={b"MAILBOXID": mailboxid},
    create={b"MAILBOXID": CreateParameter(code=lambda mailbox: b"MAILBOXID " + mailboxid(mailbox))},
)
