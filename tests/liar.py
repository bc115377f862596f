"""A mail server that says what it likes, without a socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from moximap.client import Client
from moximap.client.protocol import Connection
from moximap.delivery.syncing import Sync
from moximap.delivery.syncing_fetching import Summary
from moximap.store.account import Account
from tests.test_delivery_syncing import Silent

#: What an honest one says, by the words that a command begins with; {tag} is the command's tag.
HONEST: Mapping[bytes, bytes] = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1 ENABLE CONDSTORE NAMESPACE METADATA ESEARCH\r\n",
    b"ENABLE": b"* ENABLED CONDSTORE\r\n",
    b"NAMESPACE": b'* NAMESPACE (("" "/")) NIL NIL\r\n',
    b"LIST": b'* LIST () "/" INBOX\r\n',
    b"LSUB": b'* LSUB () "/" INBOX\r\n',
    b"STATUS": b"* STATUS INBOX (MESSAGES 2)\r\n",
    b"EXAMINE": b"* FLAGS (\\Seen)\r\n* 2 EXISTS\r\n* OK [UIDVALIDITY 9] is\r\n* OK [UIDNEXT 30] is\r\n"
                b"* OK [HIGHESTMODSEQ 7] is\r\n",
    b"UID SEARCH": b'* ESEARCH (TAG "x") UID ALL 10,20\r\n',
    b"UID FETCH 10,20 (UID RFC822.SIZE)": b"* 1 FETCH (UID 10 RFC822.SIZE 3)\r\n"
                                          b"* 2 FETCH (UID 20 RFC822.SIZE 3)\r\n",
    b"UID FETCH 10,20 (UID FLAGS INTERNALDATE": b"* 1 FETCH (UID 10 FLAGS () BODY[] {3}\r\nabc)\r\n"
                                                b"* 2 FETCH (UID 20 FLAGS (\\Seen) BODY[] {3}\r\ndef)\r\n",
    b"GETMETADATA": b'* METADATA INBOX (/private/comment "x")\r\n',
    b"": b"",
}


class Liar:
    """The server's end of one connection; ``lies`` in place of what an honest one says."""

    def __init__(self, lies: Mapping[bytes, bytes]) -> None:
        self._says = dict(HONEST) | dict(lies)
        self._left: list[bytes] = []
        self.commands: list[bytes] = []
        self.connection = Connection()
        self.transport = StringTransport()
        self.transport.write = self._heard  # type: ignore[method-assign]
        self.connection.makeConnection(self.transport)  # type: ignore[no-untyped-call]
        self.connection.dataReceived(b"* PREAUTH hello\r\n")  # type: ignore[no-untyped-call]

    def _heard(self, data: bytes) -> None:
        tag, command = data.removesuffix(b"\r\n").split(b" ", 1)
        self.commands.append(command)
        found = max((each for each in self._says if command.startswith(each)), key=len)
        answer = self._says[found].replace(b"{tag}", tag)
        self._left.append(answer + (b"" if b"%b " % tag in answer else tag + b" OK done\r\n"))

    def sync(self, account: Account, wanted: Callable[[str], bool] = lambda name: True) -> Summary:
        """Bring all of it, or some mailboxes, to an account."""
        async def call(function: Any, *arguments: Any) -> Any:
            return function(*arguments)

        async def run() -> Summary:
            client = Client(self.connection, await self.connection.greeted)
            return await Sync(client, account, "ada@there", call, Silent(), wanted=wanted).run()

        outcome: list[Any] = []
        Deferred.fromCoroutine(run()).addBoth(outcome.append)
        while self._left and not outcome:
            self.connection.dataReceived(self._left.pop(0))  # type: ignore[no-untyped-call]
        if not outcome:
            raise AssertionError(f"it waits for an answer to {self.commands[-1]!r}")
        if not isinstance(outcome[0], Summary):
            outcome[0].raiseException()
        found: Summary = outcome[0]
        return found
