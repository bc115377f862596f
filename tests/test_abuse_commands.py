"""Commands that ask for more than anybody needs: each is answered, and costs nobody else anything."""

from __future__ import annotations

from tests import beside
from tests.abusing import MB, USER, AbuseCase
from tests.wire import Ended

ODD = b",".join(b"%d" % number for number in range(1, 12_000, 2))
LONG = b"m" * 60_000

SEARCHES = (
    b"(" * 49 + b"ALL" + b")" * 49, b"(" * 30_000 + b"ALL" + b")" * 30_000, b"NOT " * 49 + b"ALL", b"NOT " * 15_000 + b"ALL",
    b"OR ALL " * 9000 + b"ALL", b"OR SUBJECT x " * 4900 + b"ALL", b"OR NOT SUBJECT x " * 3700 + b"ALL", b"TEXT " + LONG,
    b"(OR " * 40 + b"SEEN UNSEEN" + b" SEEN)" * 40, b"SUBJECT x " * 6000 + b"ALL", b"TEXT x " * 1000 + b"ALL",
    b"HEADER f v " * 5000 + b"ALL", b"OR KEYWORD abcd " * 4000 + b"ALL", b"OR 1,3,5 " * 7000 + b"ALL", b"UID " + ODD,
    b"UID " + b"1:*," * 15_000 + b"1", b"LARGER " + b"9" * 60_000, b"RETURN (" + b"ALL " * 15_000 + b"ALL) ALL")

LISTS = (
    b'"" ' + b"%*" * 30_000, b'"" ' + b"%*" * 1000, b'"" ' + b"a%*b" * 500, b'"" ' + b"*a%" * 600,
    b'"" (' + b" ".join([b"%*%*x"] * 9000) + b")", b'"" (' + b" ".join(b"%%*a%%*%d" % i for i in range(5000)) + b")",
    b'"" {60000+}\r\n' + b"m/" * 30_000, b'"" {60000+}\r\n' + b"%/" * 30_000, b"(SUBSCRIBED " * 5000 + b') "" *',
    b'"" * RETURN (STATUS (' + b"MESSAGES " * 5000 + b"UNSEEN))")

SETS = (
    b"FETCH " + ODD + b" FLAGS", b"UID FETCH " + ODD + b" FLAGS", b"UID FETCH 1:4294967295 FLAGS",
    b"UID FETCH " + b"1:4294967295," * 4500 + b"7 FLAGS", b"UID FETCH " + b"1:*," * 15_000 + b"1 FLAGS",
    b"FETCH 1:99999999999999999999999 FLAGS", b"FETCH " + b"9" * 60_000 + b" FLAGS", b"UID STORE " + ODD + b" FLAGS ()",
    b"UID COPY 1:4294967295 Nowhere", b"UID MOVE " + ODD + b" Archive", b"UID EXPUNGE " + ODD)

NAMES = tuple(command % argument for command in (
    b"CREATE %b", b"DELETE %b", b"RENAME INBOX %b", b"RENAME %b x", b"SUBSCRIBE %b", b"UNSUBSCRIBE %b", b"SELECT %b",
    b"STATUS %b (MESSAGES)", b"UID COPY 1 %b", b'LSUB "" %b', b"APPEND %b {1+}\r\nx")
    for argument in (b"{60000+}\r\n" + LONG, b"{60000+}\r\n" + b"m/" * 30_000, b"{60000+}\r\n" + b"&AOQ-" * 12_000,
                     b"{60000+}\r\n" + b"\xc3\xa4" * 30_000, b"{60000+}\r\n" + b"\xff\x00" * 30_000, b"a/" * 49 + b"a"))

OTHERS = (
    b"STORE 1 +FLAGS (" + b" ".join(b"f%d" % i for i in range(9000)) + b")", b"STORE 1 FLAGS (" + b"f " * 30_000 + b"f)",
    b"STORE 1 +FLAGS (" + LONG + b")", b"APPEND INBOX (" + b" ".join(b"f%d" % i for i in range(9000)) + b") {1+}\r\nx",
    b"ID (" + b" ".join(b'"k%d" "v"' % i for i in range(5000)) + b")", b"ENABLE" + b" X" * 30_000, LONG, b"UID " + LONG,
    b"STATUS INBOX (" + b"MESSAGES " * 6000 + b"UNSEEN)", b"FETCH 1 (" + b"FLAGS " * 10_000 + b"UID)",
    b"FETCH 1 (" + b" ".join(b"BODY.PEEK[HEADER.FIELDS (F%d)]" % i for i in range(2000)) + b")",
    b"FETCH 1 BODY[" + b"1." * 30_000 + b"1]", b"FETCH 1 BODY[HEADER.FIELDS (" + b"f " * 30_000 + b"f)]",
    b"FETCH 1 BODY[]<99999999999999999999.1>", b"FETCH 1 BODY[]<0.9223372036854775807>", b"AUTHENTICATE " + LONG)


class CommandTests(AbuseCase):
    """One client after the other says what it should not."""

    growth = 60 * MB

    def prepare(self) -> None:
        super().prepare()
        self.deliver(USER, *[b"Subject: %d\r\n\r\nx\r\n" % number for number in range(200)])

    def test_each_command_gets_one_answer(self) -> None:
        wire = self.client()
        wire.must(b"SELECT INBOX")
        commands = [b"SEARCH " + search for search in SEARCHES] + [b"LIST " + pattern for pattern in LISTS]
        for command in (*commands, *SETS, *OTHERS, *NAMES):
            tagged = wire.command(command)[1]
            self.assertRegex(tagged, rb"^w\d+ (OK|NO|BAD) ", command[:60])
            if command.startswith(b"SELECT"):
                wire.must(b"SELECT INBOX")
        self.all_is_well()

    def test_a_hundred_thousand_flags_are_more_than_a_line_holds(self) -> None:
        wire = self.client()
        wire.must(b"SELECT INBOX")
        flags = b" ".join(b"f%d" % i for i in range(100_000))
        with self.assertRaises(Ended):
            wire.command(b"STORE 1 +FLAGS (" + flags + b")")
        again = self.client()
        again.must(b"SELECT INBOX")
        self.assertEqual([b"* 1 FETCH (UID 1 FLAGS ())\r\n"], again.must(b"FETCH 1 FLAGS"))
        self.all_is_well()


test_suite = beside.suite(__name__)
