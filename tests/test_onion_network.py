"""A real onion service, in a private Tor network on the loopback interface (tests.onionnet)."""

from __future__ import annotations

import contextlib
import imaplib
import os
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ClassVar

from cryptography import x509
from twisted.trial.runner import TestLoader, TestSuite
from twisted.trial.unittest import SynchronousTestCase

from tests.onioncase import OnionCase, OnionIMAP, prepare, tell, tls
from tests.onionnet import safe
from tests.server import Child, listen, moximap_command, twistd

MESSAGE = b"Subject: hello\r\nFrom: bob@example.org\r\n\r\nthrough the onion\r\n"
#: One of 10 MB, in lines that compress to nothing less.
LARGE = b"Subject: large\r\n\r\n" + b"".join(os.urandom(36).hex().encode() + b"\r\n" for _ in range(10_000_000 // 74))


def exists(client: OnionIMAP, seconds: float) -> float:
    """Wait for an EXISTS; how long that took."""
    client.sock.settimeout(seconds)
    began = time.monotonic()
    while b"EXISTS" not in client.readline():
        pass
    return time.monotonic() - began


class MailThroughTor(OnionCase):
    def play(self) -> None:
        child = self.serve()
        address_told = next(n for n, line in enumerate(child.lines) if f"onion service: {self.address}" in line)
        published = next(n for n, line in enumerate(child.lines) if "is published" in line)
        self.assertLess(address_told, published)
        client = self.client()
        self.assertIn(b"PREAUTH", client.welcome)
        self.assertEqual(client.select("INBOX")[0], "OK")
        self.certificate(client)
        self.idle(client)
        self.large(client)
        self.many()
        self.plaintext()
        self.assertIn("onion", moximap_command(self.data, "attempts").decode())
        self.assertIn("published", self.onion("status"))
        self.revoked(client)

    def certificate(self, client: OnionIMAP) -> None:
        """It names the service, and not this machine."""
        shown = x509.load_der_x509_certificate(client.sock.getpeercert(binary_form=True))
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.DNSName), [self.address])
        self.assertEqual(shown.subject, x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.address)]))

    def idle(self, client: OnionIMAP) -> None:
        client.send(b"i IDLE\r\n")
        self.assertEqual(client.readline()[:1], b"+")
        moximap_command(self.data, "deliver", "ada", given=MESSAGE)
        took = exists(client, 20)
        tell(f"IDLE heard of a delivery {took:.3f} s after `moximap deliver` had ended")
        self.assertLess(took, 1.0)
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"i OK"):
            pass

    def large(self, client: OnionIMAP) -> None:
        began = time.monotonic()
        self.assertEqual(client.append("INBOX", None, None, LARGE)[0], "OK")
        up = time.monotonic()
        got = client.fetch("2", "(BODY.PEEK[])")[1][0]
        assert isinstance(got, tuple)
        self.assertTrue(got[1] == LARGE)
        tell(f"10 MB up in {up - began:.1f} s, down in {time.monotonic() - up:.1f} s")

    def many(self) -> None:
        """At once, each on a circuit of its own."""
        with ThreadPoolExecutor(20) as pool:
            clients = list(pool.map(lambda number: self.client(circuit=f"many{number}"), range(20)))
            answers = list(pool.map(lambda client: client.select("INBOX")[1], clients))
        self.assertEqual(answers, [[b"2"]] * 20)

    def plaintext(self) -> None:
        """Passwords only where the operator says so; STARTTLS is there."""
        client = self.client(port=143, pem=False)
        self.assertIn("LOGINDISABLED", client.capabilities)
        self.assertIn("STARTTLS", client.capabilities)
        client.starttls(tls(self.pem))
        self.certificate(client)
        self.assertEqual(client.authenticate("EXTERNAL", lambda challenge: b"")[0], "OK")

    def revoked(self, client: OnionIMAP) -> None:
        """Whoever still reaches the port must not get in."""
        moximap_command(self.data, "key", "rm", self.fingerprint)
        with contextlib.suppress(imaplib.IMAP4.abort, OSError):
            while b"BYE" not in (line := client.readline()):
                self.assertTrue(line)
        again = self.client()
        self.assertNotIn(b"PREAUTH", again.welcome)
        self.assertRaises(imaplib.IMAP4.error, again.authenticate, "EXTERNAL", lambda challenge: b"")


class Coming(OnionCase):
    tor = "restarted"

    def play(self) -> None:
        child = self.serve()
        self.client().logout()
        child.stop()
        self.assertIn("no server", self.onion("status"))
        child = self.serve("--workers", "2")
        child.wait_until(lambda lines: sum("listening: imaps on " in line for line in lines) == 3)
        self.assertIn(b"PREAUTH", self.client().welcome)
        self.network.restart(self.tor)
        self.published(child, 2)
        self.assertIn(b"PREAUTH", self.client().welcome)


class Authorized(OnionCase):
    def play(self) -> None:
        private = self.add("phone")
        self.add("other")
        child = self.serve()
        for _ in range(2):
            self.assertRaises(OSError, self.network.connect, self.address, 993, circuit=os.urandom(8).hex())
        service = self.address.removesuffix(".onion")
        self.network.ask_client(f"ONION_CLIENT_AUTH_ADD {service} x25519:{private}")
        self.assertIn(b"PREAUTH", self.client().welcome)
        self.onion("client", "rm", "phone")
        child.wait_until(lambda lines: any("other clients" in line for line in lines))
        self.published(child)
        time.sleep(1)
        self.network.ask_client("SIGNAL NEWNYM")
        self.assertRaises(OSError, self.network.connect, self.address, 993, circuit=os.urandom(8).hex())

    def add(self, name: str) -> str:
        """A private key, as the client's tor wants it over its control port."""
        from base64 import b32decode, b64encode
        found = re.search(r"private key: +(\w+)", self.onion("client", "add", name))
        assert found is not None
        return b64encode(b32decode(found[1] + "====")).decode()


class Launched(OnionCase):
    def play(self) -> None:
        config = self.directory / "moximap.toml"
        lines = [self.network.authority, "TestingTorNetwork 1", "UseDefaultFallbackDirs 0",
                 "PathsNeededToBuildCircuits 0.67"]
        config.write_text(f"[onion]\ntor = 'launch'\ntorrc = {lines!r}\n")
        torrc = self.directory / "torrc"
        torrc.write_text("\n".join(lines) + "\n")
        safe(torrc)
        child = self.launch("--config", str(config))
        self.published(child)
        safe(self.data / "onion" / "tor" / "torrc")
        self.assertIn(b"PREAUTH", self.client().welcome)
        child.wait_until(lambda lines: any(re.search(r"address=onion/\d+ result=ok", line) for line in lines))

    def launch(self, *options: str) -> Child:
        ordinary = twistd("--version", directory=self.directory)
        self.addCleanup(ordinary.stop)
        command = [str(word) for word in ordinary.process.args][:-1]  # type: ignore[union-attr]
        child = Child.start(*self.network.inside(), *command, "--data", self.data, "--onion", *listen("imap"),
                            *options, directory=self.directory)
        self.look_after(child)
        return child


class OnionTests(SynchronousTestCase):
    """The first that is run plays all of them; each tells what became of its own."""

    played: ClassVar[dict[type[OnionCase], Future[None]]] = {}

    def result(self, case: type[OnionCase]) -> None:
        if not self.played:
            self.played.update(OnionCase.run_all())
        self.played[case].result()

    def test_mail_by_key_alone(self) -> None:
        self.result(MailThroughTor)

    def test_the_service_is_back_after_moximap_and_after_tor(self) -> None:
        self.result(Coming)

    def test_only_clients_with_a_key_find_the_service(self) -> None:
        self.result(Authorized)

    def test_a_tor_of_our_own_tells_circuits(self) -> None:
        self.result(Launched)


def test_suite() -> TestSuite:
    """For trial, which asks for it before it runs anything."""
    prepare()
    return TestLoader().loadClass(OnionTests)
