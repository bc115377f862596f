"""Capabilities that are switched off for a listener or an account (rule 32 of docs/contract.md, client 7)."""

from __future__ import annotations

from moximap.imap.protocol import IMAPFactory
from tests.dialogue import Client, DialogueCase
from tests.test_tap import ServerCase

IMAP = "imap=tcp:0:interface=127.0.0.1"


class ListenerTests(DialogueCase):
    def listener(self, *names: bytes) -> None:
        self.factory = IMAPFactory(self.site, hidden=frozenset(names))

    def test_32_the_greeting_capability_and_the_login_say_the_same(self) -> None:
        self.listener(b"UIDONLY", b"IDLE", b"AUTH=PLAIN", b"APPENDLIMIT")
        self.directory.set_capabilities_off("ada", ["NOTIFY"])
        client = Client(self.factory)
        self.addCleanup(client.lose)
        told = {}
        for number, line in enumerate((b"", b"a CAPABILITY\r\n", b"b LOGIN ada secret\r\n", b"c CAPABILITY\r\n")):
            client.send(line)
            told[number] = client.received()
            for name in (b"IDLE", b"UIDONLY", b"AUTH=PLAIN", b"APPENDLIMIT"):
                self.assertNotIn(b" " + name, told[number])
            self.assertIn(b" SASL-IR", told[number])
        self.assertIn(b"AUTH=LOGIN", told[0])
        for number in (2, 3):
            self.assertIn(b"QRESYNC", told[number])
            self.assertNotIn(b"NOTIFY", told[number])

    def test_32_what_is_off_cannot_be_enabled_and_its_commands_are_unknown(self) -> None:
        self.listener(b"UIDONLY", b"NOTIFY", b"COMPRESS=DEFLATE", b"MOVE")
        self.dialogue("""
            C: a ENABLE UIDONLY CONDSTORE
            S: * ENABLED CONDSTORE
            S: a OK ENABLE completed
            C: b NOTIFY SET (PERSONAL (MessageNew MessageExpunge))
            S: b BAD unknown command NOTIFY
            C: c COMPRESS DEFLATE
            S: c BAD unknown command COMPRESS
            C: d SELECT INBOX
            S: {*}
            S: {*}
            S: {*}
            S: {*}
            S: {*}
            S: {*}
            S: {*}
            S: {*}
            S: d OK {*}
            C: e MOVE 1 Junk
            S: e BAD unknown command MOVE
            C: f UID MOVE 1 Junk
            S: f BAD unknown command UID MOVE
            C: g UID COPY 1 Junk
            S: g OK {*}
        """)

    def test_32_a_mechanism_that_is_off_is_none(self) -> None:
        self.listener(b"AUTH=PLAIN")
        self.dialogue("""
            S: * OK {*}
            C: a AUTHENTICATE PLAIN AGFkYQBzZWNyZXQ=
            S: a NO [CANNOT] there is no such mechanism here
        """, login=None)

    def test_7_an_account_whose_program_trips_over_uidonly(self) -> None:
        """Client 7: it is neither told nor enabled, and sequence numbers go on working."""
        self.fill(1)
        self.directory.set_capabilities_off("ada", ["UIDONLY", "REPLACE"])
        self.client().send(b"a ENABLE UIDONLY\r\nb SELECT INBOX\r\nc REPLACE 1 INBOX {1+}\r\nx\r\nd FETCH 1 UID\r\n")
        said = self.client().received()
        self.assertTrue(said.startswith(b"* ENABLED\r\na OK"), said)
        self.assertTrue(said.endswith(b"c BAD unknown command REPLACE\r\n* 1 FETCH (UID 1)\r\n"
                                      b"d OK FETCH completed\r\n"), said)

    def test_every_command_that_can_be_off_names_a_capability_of_its_own_module(self) -> None:
        for extension in self.site.dialect.extensions:
            mine = {capability.name.upper() for capability in extension.capabilities}
            for name, spec in extension.commands.items():
                self.assertIn(spec.capability, {b"", *mine}, name)


class ServerTests(ServerCase):
    async def test_32_each_listener_has_its_own(self) -> None:
        places = self.start(capabilities_off=((IMAP, frozenset({"UIDONLY", "STARTTLS"})), ("*", frozenset({"ID"}))))
        plain = await (await self.connect(places["imap"])).until(b"* OK ")
        secret = await (await self.connect(places["imaps"], tls=True)).until(b"* OK ")
        self.assertNotIn(b"STARTTLS", plain)
        self.assertNotIn(b" ID ", plain + secret)
        self.assertIn(b"AUTH=SCRAM", secret)
