"""UIDBATCHES (RFC 10022)."""

from __future__ import annotations

from array import array

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.imap.commands import uidbatches
from moximap.imap.commands.uidbatches import batches
from moximap.imap.dialect import standard
from moximap.values import MAX_UID, NumSet
from tests.dialogue import DialogueCase

UIDS = st.one_of(st.lists(st.integers(1, 60), unique=True), st.lists(st.integers(1, MAX_UID), unique=True)).map(
    lambda uids: array("I", sorted(uids)))


class BatchTests(SynchronousTestCase):
    """What any mailbox is divided into."""

    @given(UIDS, st.integers(1, 20))
    @settings(deadline=None, max_examples=200)
    def test_they_have_all_uids_and_so_many_messages_each(self, uids: array[int], size: int) -> None:
        ranges = batches(uids, size, 1, MAX_UID)
        found = [[uid for uid in uids if low <= uid <= high] for high, low in ranges]
        self.assertEqual([uid for some in reversed(found) for uid in some], list(uids))
        self.assertTrue(all(len(some) == size for some in found[:-1]))
        self.assertTrue(all(1 <= len(some) <= size for some in found[-1:]))
        self.assertEqual([high + 1 for high, _ in ranges[1:]], [low for _, low in ranges[:-1]])
        if uids:
            self.assertEqual((ranges[0][0], ranges[-1][1]), (uids[-1], 1))

    @given(UIDS, st.integers(1, 20), st.integers(1, 70), st.integers(1, 70))
    @settings(deadline=None, max_examples=200)
    def test_some_of_them_are_the_same(self, uids: array[int], size: int, one: int, other: int) -> None:
        low, high = sorted((one, other))
        self.assertEqual(batches(uids, size, low, high), batches(uids, size, 1, MAX_UID)[low - 1:high])

    def test_a_million_messages(self) -> None:
        ranges = batches(array("I", range(3, 3_000_003, 3)), 500, 1, MAX_UID)
        self.assertEqual(ranges[:2], [(3_000_000, 2_998_503), (2_998_502, 2_997_003)])
        self.assertEqual((len(ranges), ranges[-1]), (2000, (1502, 1)))


class CommandCase(DialogueCase):
    """INBOX has UIDs 1 to 12 without 2, 5, 6 and 11, and the least batch is one of 2."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(uidbatches, "LEAST", 2)
        self.fill(12)
        self.expunge(2, 5, 6, 11)

    def expunge(self, *uids: int) -> None:
        """As another process does it."""
        account = self.directory.open("ada")
        inbox = account.mailbox("INBOX").id
        account.store(inbox, NumSet.of(uids), "+", ["\\Deleted"])
        account.expunge(inbox)
        account.close()
        self.site.accounts.bell("ada")

    def select(self, mailbox: str = "INBOX", name: str = "") -> None:
        client = self.client(name)
        client.send(b"x SELECT %b\r\n" % mailbox.encode())
        self.assertIn(b"x OK ", client.received())

    def asked(self, arguments: str, ranges: str) -> None:
        self.dialogue(f"""
            C: A143 UIDBATCHES {arguments}
            S: * UIDBATCHES (TAG "A143"){ranges and " " + ranges}
            S: A143 OK UIDBATCHES completed
        """)


class CommandTests(CommandCase):
    def test_all_batches(self) -> None:
        self.select()
        self.asked("3", "12:9,8:4,3:1")
        self.asked("2", "12:10,9:8,7:4,3:1")
        self.asked("7", "12:3,2:1")
        for size in ("8", "500", str(MAX_UID), "500 "):
            self.asked(size, "12:1")

    def test_some_batches(self) -> None:
        self.select()
        self.asked("2 1:1", "12:10")
        self.asked("2 2:3", "9:8,7:4")
        self.asked("2 3:100000", "7:4,3:1")
        self.asked(f"2 5:{MAX_UID}", "")

    def test_an_empty_mailbox_has_none(self) -> None:
        self.select("Drafts")
        self.asked("500", "")
        self.asked("500 1:10", "")
        self.fill(mailbox="Drafts")
        self.dialogue("""
            C: a UIDBATCHES 500
            S: * 1 EXISTS
            S: * UIDBATCHES (TAG "a") 1:1
            S: a OK UIDBATCHES completed
        """)

    def test_every_message_is_fetched_once(self) -> None:
        self.select()
        client, found = self.client(), b""
        client.send(b"a UIDBATCHES 3\r\n")
        ranges = client.received().split(b"\r\n")[0].split(b" ")[-1].split(b",")
        for uids in ranges:
            client.send(b"a UID FETCH %b FLAGS\r\n" % uids)
            found += client.received().replace(b"a OK UID FETCH completed\r\n", b"")
        client.send(b"a UID FETCH 1:* FLAGS\r\n")
        self.assertEqual(sorted(found.splitlines()), sorted(client.received().splitlines()[:-1]))

    def test_what_happened_is_told_first(self) -> None:
        self.select()
        self.expunge(4, 9)
        self.fill(2)
        self.dialogue("""
            C: a UIDBATCHES 3
            S: * 6 EXPUNGE
            S: * 3 EXPUNGE
            S: * 8 EXISTS
            S: * UIDBATCHES (TAG "a") 14:12,11:7,6:1
            S: a OK UIDBATCHES completed
        """)

    def test_messages_that_the_client_has_still_are_counted(self) -> None:
        """The selected mailbox stands still where NOTIFY has no group for it."""
        self.select()
        self.dialogue("""
            C: n NOTIFY SET (INBOXES (MessageNew MessageExpunge))
            S: n OK NOTIFY completed
        """)
        self.expunge(4, 9)
        self.asked("3", "12:9,8:4,3:1")
        self.dialogue("""
            C: a UID FETCH 8:4 UID
            S: * 3 FETCH (UID 4)
            S: * 4 FETCH (UID 7)
            S: * 5 FETCH (UID 8)
            S: a OK {*}
        """)

    def test_without_sequence_numbers(self) -> None:
        self.select()
        self.dialogue("""
            C: a ENABLE UIDONLY
            S: * ENABLED UIDONLY
            S: a OK ENABLE completed
        """)
        self.expunge(12)
        self.dialogue("""
            C: b UIDBATCHES 4
            S: * VANISHED 12
            S: * UIDBATCHES (TAG "b") 10:7,6:1
            S: b OK UIDBATCHES completed
        """)

    def test_what_highestmodseq_a_client_with_qresync_may_keep(self) -> None:
        self.dialogue("""
            C: a ENABLE QRESYNC
            S: * ENABLED {*}
            S: a OK ENABLE completed
        """)
        self.select()
        self.expunge(7)
        self.dialogue("""
            C: b UIDBATCHES 4
            S: * VANISHED 7
            S: * UIDBATCHES (TAG "b") 12:8,7:1
            S: b OK [HIGHESTMODSEQ {m}] UIDBATCHES completed
        """)

    def test_a_saved_result_stays(self) -> None:
        self.select()
        self.dialogue("""
            C: a UID SEARCH RETURN (SAVE) UID 3:4
            S: a OK UID SEARCH completed
            C: b UIDBATCHES 5
            S: * UIDBATCHES (TAG "b") 12:7,6:1
            S: b OK UIDBATCHES completed
            C: c UID SEARCH RETURN (ALL) $
            S: * ESEARCH (TAG "c") UID ALL 3:4
            S: c OK UID SEARCH completed
        """)

    def test_the_mailbox_is_read_only(self) -> None:
        client = self.client()
        client.send(b"x EXAMINE INBOX\r\n")
        client.received()
        self.asked("500", "12:1")


class ByteByByteTests(CommandTests):
    byte_by_byte = True


class RefusalTests(DialogueCase):
    def select(self) -> None:
        client = self.client()
        client.send(b"x SELECT INBOX\r\n")
        client.received()

    def test_small_batches(self) -> None:
        self.select()
        self.dialogue("""
            C: a UIDBATCHES 499
            S: a NO [TOOFEW] batches have 500 messages at least
            C: a UIDBATCHES 1 1:2
            S: a NO [TOOFEW] batches have 500 messages at least
            C: a uidbatches 500
            S: * UIDBATCHES (TAG "a")
            S: a OK UIDBATCHES completed
        """)

    def test_bad_arguments(self) -> None:
        self.select()
        for text in ("", " ", " 0", " -500", " x", " *", " 4294967296", " 500 1", " 500 0:1", " 500 2:1", " 500 1:0",
                     " 500 1:*", " 500 *:1", " 500 1:2,3", " 500 1:2 3", " 500 :2", " 500 1:", " 500  1:2", " (500)",
                     " 500 1:4294967296", " 500 (1:2)", " 500:600", " \"500\"", " 500,600"):
            self.dialogue(f"C: a UIDBATCHES{text}\nS: a BAD {{*}}")

    def test_only_where_a_mailbox_is_selected(self) -> None:
        self.dialogue("C: a UIDBATCHES 500\nS: a BAD no mailbox is selected")

    def test_there_is_no_uid_uidbatches(self) -> None:
        self.select()
        self.dialogue("C: a UID UIDBATCHES 500\nS: a BAD {*}")

    def test_announced(self) -> None:
        self.assertIn(b"UIDBATCHES", standard().capabilities(self.client().protocol.session).split())


class SwitchedOffTests(DialogueCase):
    def test_unknown_where_it_is_off(self) -> None:
        client = self.client()
        client.protocol.session.hidden |= {b"UIDBATCHES"}
        client.send(b"x SELECT INBOX\r\n")
        client.received()
        self.dialogue("C: a UIDBATCHES 500\nS: a BAD unknown command UIDBATCHES")
