"""`moximap sync` from a server that says what is not so, or what makes no sense."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from moximap.client import BadResponse, ConnectionEnded, protocol
from moximap.client.sasl import LoginImpossible, Scram
from moximap.delivery.syncing_fetching import Summary
from moximap.store.account import Account
from moximap.store.directory import Directory
from moximap.store.errors import OverQuota
from tests import beside
from tests.liar import Liar
from tests.memory import InMemory
from tests.test_delivery_syncing import state

BIG = b"9" * 5000
SEARCH, SIZES = b"UID SEARCH", b"UID FETCH 10,20 (UID RFC822.SIZE)"
BODIES = b"UID FETCH 10,20 (UID FLAGS INTERNALDATE"
OLD = b"* CAPABILITY IMAP4rev1\r\n"


def opened(uidvalidity: int = 9, uidnext: int = 30, exists: int = 2, modseq: int = 7) -> bytes:
    return b"".join((b"* FLAGS ()\r\n* %d EXISTS\r\n" % exists, b"* OK [UIDVALIDITY %d] is\r\n" % uidvalidity,
                     b"* OK [UIDNEXT %d] is\r\n" % uidnext, b"* OK [HIGHESTMODSEQ %d] is\r\n" % modseq))


def found(values: bytes) -> bytes:
    return b'* ESEARCH (TAG "x") UID' + values + b"\r\n"


def body(items: bytes) -> bytes:
    return b"* 1 FETCH (" + items + b" BODY[] {3}\r\nabc)\r\n"


#: What stops it, as it stands behind an honest beginning.
NONSENSE: tuple[Mapping[bytes, bytes], ...] = (
    {SEARCH: found(b" ALL")}, {SEARCH: found(b" ALL NIL")}, {SEARCH: found(b" ALL 0:2")},
    {SEARCH: found(b" ALL 1,4294967296")}, {SEARCH: found(b" ALL " + BIG)},
    {b"CAPABILITY": OLD, SEARCH: b"* SEARCH 10 " + BIG + b"\r\n"}, {b"CAPABILITY": OLD, SEARCH: b"* SEARCH 0 10\r\n"},
    {b"EXAMINE": b"* " + BIG + b" EXISTS\r\n"}, {b"EXAMINE": opened(modseq=1 << 63)},
    {b"EXAMINE": opened(uidvalidity=1 << 70)}, {b"EXAMINE": opened(uidnext=10 ** 30)},
    {b"EXAMINE": b"* OK [UIDVALIDITY NIL] is\r\n"}, {b"EXAMINE": b"* FLAGS\r\n"}, {b"EXAMINE": b"* FLAGS NIL\r\n"},
    {b"EXAMINE": b"* OK [PERMANENTFLAGS NIL] are\r\n"}, {b"EXAMINE": b"* VANISHED\r\n"},
    {b"STATUS": b"* STATUS\r\n"}, {b"STATUS": b"* STATUS INBOX (MESSAGES " + BIG + b")\r\n"},
    {b"NAMESPACE": b'* NAMESPACE "a" "b" "c"\r\n'}, {b"LIST": b"* LIST ()\r\n"}, {b"LIST": b"* LIST NIL NIL NIL\r\n"},
    {SIZES: b"* 1 FETCH (UID 10 RFC822.SIZE abc)\r\n"}, {SIZES: b"* 1 FETCH (UID 10 RFC822.SIZE NIL)\r\n"},
    {SIZES: b"* 1 FETCH (UID 10 RFC822.SIZE " + BIG + b")\r\n"}, {SIZES: b"* 1 FETCH (UID 0 RFC822.SIZE 3)\r\n"},
    {BODIES: body(b"UID NIL")}, {BODIES: body(b"UID 0 FLAGS ()")}, {BODIES: body(b"UID 99999999999999999999 FLAGS ()")}, {BODIES: body(b"UID 10")},
    {BODIES: body(b"UID 10 FLAGS NIL")}, {BODIES: b"* 1 FETCH (UID 10 BODY[] {99999999999}\r\n"},
    {BODIES: b"* 1 FETCH (UID 10 BODY[] {" + BIG + b"}\r\n"}, {b"GETMETADATA": b'* METADATA "" NIL\r\n'},
    {SEARCH: b"zz OK done\r\n"}, {SEARCH: b"+ go on\r\n"}, {SEARCH: b"* X " + b"(" * 1000 + b"\r\n"})

#: What one can live with: as many messages come as are said behind it.
STRANGE: tuple[tuple[Mapping[bytes, bytes], int], ...] = (
    ({}, 2), ({b"CAPABILITY": OLD, SEARCH: b"* SEARCH 20 10 10\r\n"}, 2), ({b"EXAMINE": b"* 2 EXISTS\r\n"}, 2),
    ({b"EXAMINE": opened(uidvalidity=1 << 40)}, 2), ({b"EXAMINE": opened(uidnext=15)}, 0),
    ({b"NAMESPACE": b"* NAMESPACE (()) NIL NIL\r\n"}, 2), ({b"NAMESPACE": b"* NAMESPACE ((NIL NIL)) NIL NIL\r\n"}, 2),
    ({b"STATUS": b"* STATUS INBOX NIL\r\n"}, 2), ({b"STATUS": b"* STATUS INBOX (MESSAGES 99999999999)\r\n"}, 2),
    ({BODIES: body(b"UID 11 FLAGS ()")}, 0), ({BODIES: body(b"UID 10 FLAGS ()") * 2}, 1),
    ({BODIES: b"* 1 FETCH ()\r\n* 2 FETCH\r\n"}, 0), ({SIZES: b"* 1 FETCH (UID 10)\r\n"}, 0),
    ({BODIES: body(b'UID 10 FLAGS () INTERNALDATE "01-Jan-0001 00:00:00 +2359"')}, 1),
    ({BODIES: body(b'UID 10 FLAGS () INTERNALDATE "30-Feb-2020 00:00:00 +23:59:59.9"')}, 1),
    ({BODIES: body(b'UID 10 FLAGS ("\x1b[2J" {2}\r\na\r (x) \\Recent \xff)')}, 1),
    ({b"ENABLE": b"* ENABLED\r\n"}, 2), ({b"GETMETADATA": b'* METADATA ""\r\n* METADATA\r\n'}, 2),
    ({b"GETMETADATA": b'* METADATA "" ("/private/\x1b" "x" /x y /private/a NIL (a) b)\r\n'}, 2))


class Lies(InMemory, SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Directory(Path(self.mktemp()))
        self.addCleanup(self.directory.close)
        self.count = 0

    def account(self) -> Account:
        self.count += 1
        self.directory.add(f"bob{self.count}")
        account = self.directory.open(f"bob{self.count}")
        self.addCleanup(account.close)
        return account

    def sync(self, lies: Mapping[bytes, bytes]) -> tuple[Summary, Account]:
        account = self.account()
        return Liar(lies).sync(account), account

    def test_nonsense_ends_it_and_harms_nothing(self) -> None:
        for lies in NONSENSE:
            account = self.account()
            self.assertRaises(BadResponse, Liar(lies).sync, account)
            self.assertEqual(list(account.check()), [], lies)
            self.assertEqual(Liar({}).sync(account).problems, [], lies)
            self.assertEqual(len(state(account)["INBOX"][-1]), 2, lies)

    def test_strange_answers_are_lived_with(self) -> None:
        for lies, messages in STRANGE:
            account = self.account()
            for wanted in (messages, 0):
                self.assertEqual(Liar(lies).sync(account).messages, wanted, lies)
            self.assertEqual(list(account.check()), [], lies)
            self.assertEqual(len(state(account)["INBOX"][-1]), messages, lies)

    def test_more_messages_than_can_be_are_not_believed(self) -> None:
        done, _ = self.sync({SEARCH: found(b" ALL 1:4294967295"), b"EXAMINE": opened(exists=1 << 32, uidnext=1 << 32)})
        self.assertEqual(done.problems, ["INBOX: the other server says that there are 4294967295 messages in it"])

    def test_names_that_lead_elsewhere_are_names_like_others(self) -> None:
        names = (b"../../etc/passwd", b"a/../b", b".", b"/", b"//", b"nul\0x", b"&", b"\xff\xfe", b"\xff\xff", b"#x",
                 b"~x", b"inbox/inbox", b"x" * 100_000, b"a/" * 2000 + b"a", b"\xc2\x9b2J")
        lines = b"".join(b'* LIST () "/" "%b"\r\n' % each for each in names)
        done, account = self.sync({b"LIST": lines, SEARCH: found(b"")})
        self.assertEqual([each.partition(": ")[2] for each in done.problems], ["the mailbox name is too long or too deep"] * 2)
        self.assertTrue({"__/__/etc/passwd", "a/__/b", "_", "ÿþ", "ÿÿ", "_x", "~x", "_2J"} <= state(account).keys())

    def test_what_it_says_moves_no_cursor(self) -> None:
        done, _ = self.sync({SEARCH: b"{tag} NO \x1b]0;evil\x07\x1b[2J \xc2\x9b2J \xe2\x80\xaeno\r\n"})
        self.assertEqual(len(done.problems), 1)
        self.assertTrue(done.problems[0].isprintable(), done.problems)
        liar = Liar({})
        waiting = Deferred.fromCoroutine(liar.connection.command(b"NOOP"))
        liar.connection.dataReceived(b"* BYE \x1bgo away\r\n")  # type: ignore[no-untyped-call]
        liar.connection.connectionLost()
        self.assertEqual(str(self.failureResultOf(waiting, ConnectionEnded).value), "\ufffdgo away")

    def test_too_many_keywords_are_told(self) -> None:
        many = b" ".join(b"k%d" % number for number in range(70_000))
        self.assertRaises(OverQuota, self.sync, {BODIES: body(b"UID 10 FLAGS (" + many + b")")})

    def test_a_message_without_end_is_left(self) -> None:
        self.patch(__import__("moximap.delivery.syncing_fetching", fromlist=["x"]), "PIECE", 10)
        lies = {SIZES: b"* 1 FETCH (UID 10 RFC822.SIZE 30)\r\n"}
        for start in range(0, 200, 10):
            lies[b"UID FETCH 10 (UID FLAGS INTERNALDATE BODY.PEEK[]<%d." % start] = (
                b"* 1 FETCH (UID 10 FLAGS () BODY[]<%d> {10}\r\n0123456789)\r\n" % start)
        done, account = self.sync(lies)
        self.assertEqual(done.problems, ["message 10 of INBOX: it does not end after twice its size"])
        self.assertEqual(list(account.check()), [])

    def test_an_answer_without_end_is_cut_off(self) -> None:
        self.patch(protocol, "MOST", 10_000)
        for lie in (b"* OK still here\r\n" * 1000, b'* LIST () "/" x\r\n' * 1000, b"* 1 FETCH (X {10000}\r\n"):
            self.assertRaises(BadResponse, self.sync, {SEARCH: lie})

    def test_ten_thousand_names(self) -> None:
        lines = b"".join(b'* LIST () "/" box%d\r\n' % number for number in range(10_000))
        done = Liar({b"LIST": lines}).sync(self.account(), wanted=lambda name: name == "box9999")
        self.assertEqual((done.mailboxes, done.messages, done.problems), (1, 2, []))


class Scrams(SynchronousTestCase):
    def test_the_server_does_not_say_how_long_we_work(self) -> None:
        mechanism = Scram("SCRAM-SHA-256", "ada", "secret")
        nonce = mechanism.first().split(b"r=")[1]
        with self.assertRaisesRegex(LoginImpossible, "too long"):
            mechanism.step(b"r=" + nonce + b"x,s=QUFBQQ==,i=999999999")


test_suite = beside.suite(__name__)
