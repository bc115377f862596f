"""SCRAM over TLS, message by message: the answer to each that is wrong, and scramp's client with what it binds to."""

from __future__ import annotations

import base64
from collections.abc import Callable

from tests.secure import SecureCase, SecureClient
from tests.test_scram import proof_of
from tests.test_scram_channels import Channels
from tests.test_scram_witnesses import scramp

BAD, NO = "BAD", "NO [AUTHENTICATIONFAILED]"
FIRST = "p=tls-exporter,,n=ada,r=abc"
Change = Callable[[str], str]


def encoded(text: str | bytes) -> bytes:
    return base64.b64encode(text.encode() if isinstance(text, str) else text)


def decoded(line: bytes) -> str:
    """A challenge."""
    assert line.startswith(b"+ "), line
    return base64.b64decode(line[2:]).decode()


class AnswerCase(SecureCase):
    count = 0

    def begin(self, first: str = FIRST) -> tuple[SecureClient, str]:
        """A connection and the server's first message."""
        self.count += 1
        client = self.connect(str(self.count % 10))
        client.received()
        client.send(b"a AUTHENTICATE SCRAM-SHA-256-PLUS " + encoded(first) + b"\r\n")
        return client, decoded(client.received())

    def last(self, client: SecureClient, challenge: str, header: str = "p=tls-exporter,,", nonce: str = "") -> str:
        """The right last message, or one with a header or nonce that is not."""
        seen = client.connection.export_keying_material(b"EXPORTER-Channel-Binding", 32)
        binding = base64.b64encode(header.encode() + seen).decode()
        return proof_of("SCRAM-SHA-256", "secret", "n=ada,r=abc", challenge,
                        f"c={binding},{nonce or challenge.split(',')[0]}")

    def answer(self, client: SecureClient, response: bytes) -> str:
        client.send(response + b"\r\n")
        return client.received().decode()

    def judge(self, change: Change) -> str:
        client, challenge = self.begin()
        return self.answer(client, encoded(change(self.last(client, challenge))))


class Answers(AnswerCase):
    """NO where who it is was not proved, BAD where it is no message of SCRAM."""

    def expect(self, wanted: str, said: str) -> None:
        self.assertTrue(said.startswith(f"a {wanted}"), said)
        self.assertTrue(said.endswith("\r\n") and said.count("\r\n") == 1, said)

    def test_the_right_message_is_answered_by_the_servers_proof(self) -> None:
        self.assertTrue(decoded(self.judge(lambda message: message).encode()).startswith("v="))

    def test_a_table_of_last_messages(self) -> None:
        def part(index: int, text: str) -> Change:
            def change(message: str) -> str:
                parts = message.split(",")
                return ",".join([*parts[:index], text, *parts[index + 1:]])
            return change

        for wanted, change in (
                (BAD, lambda m: ""), (BAD, lambda m: m[:1]), (BAD, lambda m: m[:10]), (BAD, lambda m: m.split(",p=")[0]),
                (BAD, lambda m: m[:-1]), (BAD, lambda m: m[1:]), (BAD, lambda m: m + ","), (BAD, lambda m: m + "A"),
                (BAD, lambda m: ",".join(reversed(m.split(",")))), (BAD, lambda m: m.replace(",", ",,", 1)),
                (BAD, lambda m: ",".join(m.split(",")[i] for i in (1, 0, 2))), (NO, part(0, "c=")), (BAD, part(0, "c=?")),
                (BAD, part(1, "r=")), (BAD, part(1, "m=x")), (BAD, part(2, "p=?")), (BAD, lambda m: FIRST),
                (NO, lambda m: m[:-4]), (NO, part(2, "p=")), (NO, part(2, "p=AAAA")), (NO, part(0, "c=biws")),
                (NO, part(0, "c=" + encoded("p=tls-exporter,,").decode())), (NO, part(1, "r=abc")),
                (NO, lambda m: m.replace("r=abc", "r=abd")), (NO, part(2, "p=" + encoded(bytes(32)).decode())),
                (NO, lambda m: m.replace(",p=", ",x=y,p="))):
            self.expect(wanted, self.judge(change))

    def test_a_message_that_was_heard_elsewhere(self) -> None:
        client, challenge = self.begin()
        heard = self.last(client, challenge)
        other, second = self.begin()
        self.expect(NO, self.answer(other, encoded(heard)))
        other, second = self.begin()
        stolen = self.last(client, second)                      # the other channel's binding, and the right nonce
        self.expect(NO, self.answer(other, encoded(stolen)))
        self.assertIn("v=", decoded(self.answer(client, encoded(heard)).encode()))

    def test_messages_in_another_order_or_twice(self) -> None:
        client, challenge = self.begin()
        right = encoded(self.last(client, challenge))
        self.expect(BAD, self.answer(client, encoded(FIRST)))
        self.expect(BAD, self.answer(client, b"a AUTHENTICATE SCRAM-SHA-256-PLUS " + right))
        client, challenge = self.begin()
        right = encoded(self.last(client, challenge))
        self.answer(client, right)
        self.expect(BAD, self.answer(client, right))

    def test_an_exchange_that_was_broken_off_cannot_be_taken_up_again(self) -> None:
        client, challenge = self.begin()
        right = encoded(self.last(client, challenge))
        self.expect(BAD, self.answer(client, b"*"))
        client.send(b"a AUTHENTICATE SCRAM-SHA-256-PLUS " + encoded(FIRST) + b"\r\n")
        client.received()
        self.expect(NO, self.answer(client, right))


class ScrampOverTLS(Channels):
    """scramp's client binds by tls-unique and tls-server-end-point; tls-exporter it refuses, gsasl has it."""

    def login(self, version: str, name: str, mechanism: str) -> None:
        if scramp is None:
            self.skipTest("scramp is not installed")  # type: ignore[no-untyped-call]
        if name == "tls-exporter":
            return
        client = self.connect(version=version)
        client.received()
        theirs = scramp.ScramClient([mechanism], "ada", "secret",
                                    channel_binding=(name, self.seen(client.connection, name)))
        client.send(b"a AUTHENTICATE %b " % mechanism.encode() + encoded(theirs.get_client_first()) + b"\r\n")
        theirs.set_server_first(decoded(client.received()))
        client.send(encoded(theirs.get_client_final()) + b"\r\n")
        theirs.set_server_final(decoded(client.received()))
        client.send(b"\r\n")
        self.assertEqual(client.received()[:4], b"a OK")
