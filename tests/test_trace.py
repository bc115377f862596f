"""Traces of one account's connections (client 37): no credentials, and no message unless it is asked for."""

from __future__ import annotations

from twisted.logger import LogLevel, globalLogPublisher

from moximap.imap.site import Site
from tests.dialogue import DialogueCase


class TraceTests(DialogueCase):
    messages = False

    def make_site(self) -> Site:
        site = super().make_site()
        site.traced = frozenset({"ada"})
        site.trace_messages = self.messages
        return site

    def setUp(self) -> None:
        super().setUp()
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: dict[str, object]) -> None:
        if event.get("log_namespace") == "moximap.trace":
            self.assertEqual(event["log_level"], LogLevel.debug)
            self.lines.append(f"{event['side']}: {event['line']}")

    def talk(self) -> None:
        client = self.client(login=None)
        client.send(b"a LOGIN ada secret\r\nb APPEND INBOX {12+}\r\nHello there!\r\nc SELECT INBOX\r\n"
                    b"d FETCH 1 (BODY.PEEK[] UID)\r\n")
        self.assertIn(b"Hello there! UID 1)", client.received().replace(b"(UID 1 BODY[] {12}\r\nHello there!)",
                                                                        b"Hello there! UID 1)"))

    def test_client_37_a_trace_has_everything_but_secrets(self) -> None:
        self.talk()
        text = "\n".join(self.lines)
        self.assertNotIn("secret", text)
        self.assertNotIn("Hello", text)
        self.assertIn("C: b APPEND INBOX {12+}", self.lines)
        self.assertIn("S: * 1 FETCH (UID 1 BODY[] {12}", self.lines)
        self.assertIn("S: d OK FETCH completed", self.lines)

    def test_other_accounts_are_not_traced(self) -> None:
        self.client("2", login="bob").send(b"a NOOP\r\n")
        self.assertEqual(self.lines, [])


class MessageTraceTests(TraceTests):
    messages = True

    def test_client_37_a_trace_has_everything_but_secrets(self) -> None:
        self.talk()
        self.assertNotIn("secret", "\n".join(self.lines))
        self.assertIn("S: Hello there!)", self.lines)


class GoodbyeTests(DialogueCase):
    def test_client_26_a_server_that_stops_says_bye_once(self) -> None:
        self.client("1")
        idle = self.client("2")
        idle.send(b"a IDLE\r\n")
        idle.received()
        self.site.say_goodbye()
        self.site.say_goodbye()
        for name in "12":
            self.assertEqual(self.client(name).received(), b"* BYE [UNAVAILABLE] the server is stopping\r\n")
            self.assertTrue(self.client(name).transport.disconnecting)
