"""Too much at once: endless lines, huge literals, floods of commands, and answers that nobody reads."""

from __future__ import annotations

import contextlib
import random
import select
import zlib
from threading import Thread

from tests import beside
from tests.abusing import MB, USER, AbuseCase
from tests.wire import Ended, Wire

FOUR_GB = 4 << 30
LARGE = b"From: ada@example.org\r\nSubject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 134_000
#: Octets of input that are sent where the server should have had enough long before.
FLOOD = 30 * MB


class LiteralTests(AbuseCase):
    growth = 20 * MB

    def test_a_literal_of_4_gb_is_refused_before_it_comes_or_ends_the_connection(self) -> None:
        wire, stranger = self.client(), self.client(login=False)
        for command, answer in ((b"APPEND INBOX {%d}", b"NO [TOOBIG]"), (b"SELECT {%d}", b"BAD [TOOBIG]"),
                                (b"SEARCH TEXT {%d}", b"BAD"), (b"APPEND INBOX (\\Seen) ~{%d}", b"NO [TOOBIG]")):
            self.assertIn(answer, wire.command(command % FOUR_GB)[1])
        self.assertIn(b"BAD", stranger.command(b"LOGIN {%d}" % FOUR_GB)[1])
        for login in (True, False):
            for command in (b"APPEND INBOX {%d+}", b"SELECT {%d+}", b"LOGIN {%d+}"):
                self._flood(self.client(login), b"a " + command % FOUR_GB + b"\r\n", b"x" * MB)
        self.all_is_well()

    def test_a_line_without_end_ends_the_connection(self) -> None:
        for login in (True, False):
            self._flood(self.client(login), b"a NOOP ", b"x" * MB)
        waiting = self.client()
        waiting.send(b"a IDLE\r\n")
        waiting.response()
        self._flood(waiting, b"", b"x" * MB)
        self.all_is_well()

    def test_the_literals_of_a_command_are_counted(self) -> None:
        wire = self.client()
        wire.must(b"SELECT INBOX")
        many = b"SEARCH " + b" ".join([b"SUBJECT {1+}\r\nx"] * 900)
        wire.must(many)
        self.assertIn(b"BAD [TOOBIG]", wire.command(many + b" " + many)[1])
        self.assertIn(b"BAD [TOOBIG]", wire.command(b"SEARCH" + b" TEXT {100000+}\r\n%b" % (b"x" * 100_000) * 11)[1])
        self.all_is_well()

    def _flood(self, wire: Wire, begin: bytes, more: bytes) -> None:
        """Send until the server has had enough."""
        with contextlib.suppress(Ended):
            wire.send(begin)
            for _ in range(FLOOD // len(more)):
                wire.send(more)
        said = wire.rest()
        self.assertLessEqual(said.count(b"* BYE"), 1)
        wire.close()


class PipelineTests(AbuseCase):
    limits = {"write_timeout": 0.5}
    growth = 20 * MB

    def test_ten_thousand_commands_at_once_are_answered_in_order(self) -> None:
        wire = self.client()
        wire.must(b"SELECT INBOX")
        lines = [(b"NOOP", b"SEARCH ALL", b"STATUS INBOX (MESSAGES)", b"XYZZY")[i % 4] for i in range(10_000)]
        sender = Thread(target=wire.send, daemon=True, args=(
            b"".join(b"t%d %b\r\n" % (i, line) for i, line in enumerate(lines)),))
        sender.start()
        for i, line in enumerate(lines):
            self.assertTrue(wire.answer(b"t%d" % i)[1].startswith(b"t%d BAD" % i if line == b"XYZZY" else b"t%d OK" % i))
        sender.join()
        self.all_is_well()

    def test_commands_whose_answers_are_not_read_are_not_answered_without_end(self) -> None:
        for line in (b"a CAPABILITY\r\n", b"t" * 1000 + b" SELECT {9999999}\r\n"):
            wire = self.client(buffer=4096)
            with contextlib.suppress(Ended):
                wire.must(b"NOOP")
                for _ in range(FLOOD // 65536):
                    wire.send(line * (65536 // len(line)))
                self.fail(f"all of a flood of {line!r} was taken")
            wire.close()
        self.all_is_well()


class UnreadTests(AbuseCase):
    """Answers of 1 GB, from 100 messages that share one content."""

    kinds = ("imap", "imaps")
    limits = {"write_timeout": 0.5}
    growth = 60 * MB

    def setUp(self) -> None:
        super().setUp()
        wire = self.client()
        wire.must(b"APPEND INBOX {%d+}\r\n%b" % (len(LARGE), LARGE))
        wire.must(b"SELECT INBOX")
        for _ in range(7):
            wire.must(b"UID COPY 1:* INBOX")
            wire.must(b"NOOP")
        wire.close()

    def test_a_client_that_reads_nothing_of_1_gb_costs_little_and_is_cut_off(self) -> None:
        unread = []
        for tls in (False, True):
            for item in (b"BODY.PEEK[]", b"(BODY.PEEK[1] BODY.PEEK[TEXT] BODY.PEEK[]<1.99999999>)", b"BINARY.PEEK[]"):
                wire = self.client(tls=tls, buffer=65536)
                wire.must(b"SELECT INBOX")
                wire.send(b"a FETCH 1:100 " + item + b"\r\n")
                unread.append(wire)
        self.all_is_well()
        for wire in unread:
            poll = select.poll()
            poll.register(wire.socket, select.POLLHUP | select.POLLERR | select.POLLRDHUP)
            self.wait_until(lambda poll=poll: bool(poll.poll(0)), "a client that does not read is still there")
        self.all_is_well()

    def test_thousands_of_large_items_of_one_message_are_not_all_in_memory(self) -> None:
        wire = self.client()
        wire.must(b"SELECT INBOX")
        items = b" ".join(b"BODY.PEEK[]<%d.262144>" % i for i in range(2000))
        wire.send(b"a FETCH 1 (" + items + b")\r\n")
        self.all_is_well()
        fetched = self.client()
        fetched.must(b"SELECT INBOX")
        some = b" ".join(b"BODY.PEEK[]<%d.200000>" % i for i in range(40))
        response, = fetched.must(b"FETCH 1 (" + some + b")")
        for i in range(40):
            self.assertIn(b" BODY[]<%d> {200000}\r\n%b" % (i, LARGE[i:i + 200_000]), response)
        self.all_is_well()


class CompressedTests(AbuseCase):
    """The same behind COMPRESS=DEFLATE, where a few octets become many."""

    limits = {"write_timeout": 0.5}
    growth = 60 * MB

    def compressed(self, *pieces: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> Wire:
        """A client that reads nothing, after it has sent all that."""
        wire = self.client(buffer=4096)
        wire.must(b"SELECT INBOX")
        wire.must(b"COMPRESS DEFLATE")
        deflate = zlib.compressobj(wbits=-15)
        with contextlib.suppress(Ended):
            for piece in pieces:
                wire.send(deflate.compress(piece))
            wire.send(deflate.flush(flush))
        return wire

    def test_a_little_that_inflates_to_much_is_taken_as_slowly_as_it_is_answered(self) -> None:
        self.deliver(USER, *[b"\r\n" + random.Random(1).randbytes(MB).hex().encode()] * 5)
        abusers = [
            self.compressed(*[b"a NOOP\r\n" * (MB // 8)] * 20),
            self.compressed(b"a NOOP ", *[b" " * MB] * 100),
            self.compressed(b"a APPEND INBOX {99000000+}\r\n", *[b"x" * MB] * 40),
            self.compressed(b"a NOOP\r\n" * 1000, flush=zlib.Z_FINISH),
            self.compressed(b"a CAPABILITY\r\n" * 100_000),
            self.compressed(b"a FETCH 1:5 BODY.PEEK[]\r\n" * 100)]
        self.all_is_well()
        for wire in abusers[1], abusers[-1]:
            poll = select.poll()
            poll.register(wire.socket, select.POLLHUP | select.POLLERR | select.POLLRDHUP)
            self.wait_until(lambda poll=poll: bool(poll.poll(0)), "a client that does not read is still there")
        self.all_is_well()


test_suite = beside.suite(__name__)
