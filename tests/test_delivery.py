"""One message from a stream into a mailbox, whatever its line ends and its size."""

from io import BytesIO
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.delivery import incoming
from moximap.delivery.delivering import deliver
from moximap.delivery.incoming import Incoming
from moximap.store.directory import Directory
from moximap.store.errors import NoSuchMailbox
from moximap.store.interfaces import IAccount
from moximap.values import NumSet


class AccountCase(SynchronousTestCase):
    def setUp(self) -> None:
        directory = Directory(Path(self.mktemp()))
        self.addCleanup(directory.close)
        directory.add("ada")
        self.account: IAccount = directory.open("ada")
        self.addCleanup(self.account.close)

    def stored(self, mailbox: str = "INBOX") -> list[bytes]:
        """The octets of a mailbox's messages."""
        id = self.account.mailbox(mailbox).id
        rows = self.account.fetch(id, NumSet.merge([(1, 1000)]), ["content", "size"])
        return [content.read(0, size) for content, size in rows]  # type: ignore[attr-defined, arg-type]


def no_spool() -> incoming.ISpool:
    raise AssertionError("small messages stay in memory")


class LineEnds(SynchronousTestCase):
    def taken(self, *chunks: bytes) -> object:
        message = Incoming(no_spool)
        for chunk in chunks:
            message.write(chunk)
        self.assertEqual(message.size, len(message.content()))  # type: ignore[arg-type]
        return message.content()

    def test_lf_becomes_crlf_and_crlf_stays(self) -> None:
        self.assertEqual(self.taken(b"a\nb\r\nc\rd\n\n"), b"a\r\nb\r\nc\rd\r\n\r\n")

    @given(st.lists(st.sampled_from([b"\r", b"\n", b"x", b"\r\n", b""])))
    def test_chunks_may_end_anywhere(self, chunks: list[bytes]) -> None:
        self.assertEqual(self.taken(*chunks), self.taken(b"".join(chunks)))


class Delivering(AccountCase):
    def test_a_message_is_in_the_inbox_with_crlf(self) -> None:
        appended = deliver(self.account, BytesIO(b"Subject: hi\n\nthere\n"))
        self.assertEqual(list(appended.uids), [1])
        self.assertEqual(self.stored(), [b"Subject: hi\r\n\r\nthere\r\n"])

    def test_the_from_line_of_an_mbox_is_dropped_however_long(self) -> None:
        line = b"From ada@example.org " + b"x" * 200000 + b"\n"
        deliver(self.account, BytesIO(line + b"Subject: hi\n\nFrom here\n"))
        self.assertEqual(self.stored(), [b"Subject: hi\r\n\r\nFrom here\r\n"])

    def test_a_header_field_from_is_not_dropped(self) -> None:
        deliver(self.account, BytesIO(b"From: ada@example.org\n\n"))
        self.assertEqual(self.stored(), [b"From: ada@example.org\r\n\r\n"])

    def test_another_mailbox_can_be_named(self) -> None:
        deliver(self.account, BytesIO(b"Subject: hi\n\n"), "Archive")
        self.assertEqual(len(self.stored("Archive")), 1)
        self.assertRaises(NoSuchMailbox, deliver, self.account, BytesIO(b""), "Nowhere")

    def test_a_large_message_goes_through_a_spool(self) -> None:
        self.patch(incoming, "IN_MEMORY", 1000)
        body = b"0123456789\n" * 50000
        deliver(self.account, BytesIO(b"Subject: large\n\n" + body))
        self.assertEqual(self.stored(), [b"Subject: large\r\n\r\n" + body.replace(b"\n", b"\r\n")])
