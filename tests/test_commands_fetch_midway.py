"""What ends in the midst of a FETCH response: nothing is said there that a client could take for mail.

A literal's octets are what is counted, whatever they are (RFC 9051 4.3): of a message whose last octets are missing
a BYE would be the end.
"""

from __future__ import annotations

from typing import Any

from moximap.imap.commands import fetch
from moximap.imap.fetching import PIECE
from moximap.store.errors import Unavailable
from tests.dialogue import DialogueCase
from tests.test_commands_notify import NotifyCase

LAST = 10
MAIL = b"Subject: x\r\n\r\n".ljust(PIECE + LAST, b"x")


class MidwayTests(DialogueCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(content=MAIL)
        self.client().send(b"s SELECT INBOX\r\n")
        self.client().received()

    def break_off(self, end: Any) -> bytes:
        """What came after the response began, where ``end`` is called before its last octets are sent."""
        session = self.client().protocol.session
        call = session.call

        def calling(function: Any, /, *args: Any, **named: Any) -> Any:
            if args == (PIECE, PIECE + LAST):
                return end()
            return call(function, *args, **named)
        self.patch(session, "call", calling)
        self.client().send(b"a FETCH 1 BODY.PEEK[]\r\n")
        received = self.client().received()
        self.assertTrue(self.client().transport.disconnecting)
        return received

    def assert_broken_off(self, received: bytes) -> None:
        self.assertEqual(received, b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b" % (len(MAIL), MAIL[:PIECE]))

    def test_a_file_that_cannot_be_read_to_its_end(self) -> None:
        def unreadable() -> None:
            raise Unavailable("the message cannot be read")
        self.assert_broken_off(self.break_off(unreadable))

    def test_a_mistake_of_the_server(self) -> None:
        def mistake() -> None:
            raise ZeroDivisionError
        self.assert_broken_off(self.break_off(mistake))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_server_that_stops(self) -> None:
        protocol = self.client().protocol

        def stopped() -> None:
            protocol.dismiss("the server is stopping")
            protocol.session.out.ready()
        self.assert_broken_off(self.break_off(stopped))

    def test_behind_a_whole_response_the_reason_is_told(self) -> None:
        self.client().send(b"a FETCH 1 BODY.PEEK[]\r\n")
        self.client().received()
        self.client().protocol.dismiss("the server is stopping")
        self.assertEqual(self.client().received(), b"* BYE the server is stopping\r\n")


class UnaskedTests(NotifyCase):
    def test_a_new_message_that_breaks_off(self) -> None:
        async def mistake(*_: object) -> None:
            raise ZeroDivisionError

        self.select()
        self.notify("SET (SELECTED (MessageNew (BODY.PEEK[]) MessageExpunge))")
        self.patch(fetch, "_send_streamed", mistake)
        self.deliver(content=MAIL)
        self.clock.advance(1)
        self.assertEqual(self.client().received(), b"* 1 EXISTS\r\n* 1 FETCH (UID 1 BODY[] {%d}\r\n" % len(MAIL))
        self.assertTrue(self.client().transport.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
