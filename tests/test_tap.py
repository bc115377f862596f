"""`twistd moximap`: what its options make, and how it starts, serves and ends."""

import sys
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.basic import LineReceiver
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from moximap import tap
from moximap.config import Config
from moximap.identity.passwords import make_verifiers
from moximap.net.certificates import ensure
from moximap.net.listeners import Listeners
from moximap.store.bell import Bell
from moximap.store.directory import Directory
from moximap.tap import Options, Server, makeService
from tests import beside
from tests.server import run

LOOPBACK = ("imap=tcp:0:interface=127.0.0.1", "imaps=tcp:0:interface=127.0.0.1")


class OptionsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()
        self.stderr = StringIO()
        self.patch(sys, "stderr", self.stderr)

    def parse(self, *words: str) -> Options:
        options = Options()
        options.parseOptions(list(words))
        return options

    def refused(self, *words: str) -> str:
        """The one line that bad options end with."""
        stopped = self.assertRaises(SystemExit, lambda: makeService(self.parse(*words), MemoryReactorClock()))
        self.assertEqual(stopped.code, 2)
        self.assertRegex(self.stderr.getvalue(), r"\Atwistd moximap: [^\n]+\n\Z")
        return self.stderr.getvalue()

    def test_without_a_place_for_mail_the_ways_to_name_one_are_told(self) -> None:
        self.assertRegex(self.refused(), "--data DIR.*--demo")

    def test_a_directory_is_enough(self) -> None:
        self.assertEqual(self.parse("--data", str(self.path)).config, Config(data=self.path))

    def test_relative_paths_survive_a_change_of_directory(self) -> None:
        self.assertEqual(self.parse("--data", "mail").config.data, Path("mail").absolute())

    def test_the_command_line_goes_before_the_file(self) -> None:
        self.path.write_text('data = "/mail"\nthreads = 2\nlisten = ["imap=tcp:1", "imap=tcp:2"]\n'
                             "[limits]\nline = 9000\nappend = 5\n")
        settings = self.parse("--config", str(self.path), "--threads", "3", "--append-limit", "7",
                              "--listen", "imap=tcp:3", "--plaintext-login").config
        self.assertEqual((settings.data, settings.threads, settings.listen, settings.plaintext_login),
                         (Path("/mail"), 3, ("imap=tcp:3",), True))
        self.assertEqual((settings.limits.line, settings.limits.append), (9000, 7))

    def test_mistakes_are_one_line_and_exit_code_2(self) -> None:
        data = ("--data", str(self.path))
        for words, said in ((("--frob",), "--frob"), ((*data, "extra"), "'extra'"),
                            ((*data, "--threads", "no"), "--threads must be"),
                            ((*data, "--append-limit", "0"), "--append-limit must be"),
                            ((*data, "--tls-cert", "a"), "both or not at all"),
                            ((*data, "--tls-cert", "a", "--tls-key", "b"), "No such file"),
                            ((*data, "--listen", "pop3=tcp:110"), "imap, imaps"),
                            ((*data, "--listen", "imap=nonsense:1"), "imap=nonsense:1"),
                            (("--config", str(self.path)), "No such file")):
            self.stderr = StringIO()
            self.patch(sys, "stderr", self.stderr)
            self.assertIn(said, self.refused(*words))

    def test_nothing_is_made_before_the_server_starts(self) -> None:
        makeService(self.parse("--data", str(self.path), "--listen", LOOPBACK[0]), MemoryReactorClock())
        self.assertFalse(self.path.exists())

    def test_every_kind_of_listener_has_its_row(self) -> None:
        self.assertEqual(set(tap.KINDS), {"imap", "imaps", "https"})


class Client(LineReceiver):
    """Gives lines as they come."""

    def __init__(self) -> None:
        self.waiting: Deferred[bytes] | None = None
        self.lines: list[bytes] = []
        self.closed: Deferred[None] = Deferred()

    def lineReceived(self, line: bytes) -> None:
        self.lines.append(line)
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.callback(line)

    async def until(self, start: bytes) -> bytes:
        """The next line with that start; what comes before it is dropped."""
        while True:
            while self.lines:
                line = self.lines.pop(0)
                if line.startswith(start):
                    return line
            self.waiting = Deferred()
            await self.waiting

    async def ask(self, line: bytes) -> bytes:
        """The tagged answer to a command."""
        self.sendLine(line)
        return await self.until(line.split()[0] + b" ")

    def connectionLost(self, reason: object = None) -> None:
        self.closed.callback(None)


class ServerCase(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor
        self.reactor: Any = reactor
        self.data = Path(self.mktemp()).absolute()
        with closing(Directory(self.data)) as directory:
            directory.add("ada", make_verifiers("sesame", 4096))
        # Made once, it is kept: what making takes is no part of these tests.
        ensure(self.data / "tls", ["localhost"])

    def start(self, **settings: Any) -> dict[str, Any]:
        """A running server's address by kind of listener."""
        found: list[IAddress] = []
        self.patch(Server, "_ready", lambda server, ports: found.extend(port.getHost() for port in ports))
        self.server = Server(Config(data=self.data, listen=LOOPBACK, **settings), self.reactor)
        self.server.privilegedStartService()
        self.server.startService()
        self.addCleanup(self.server.stopService)
        return dict(zip(("imap", "imaps"), found, strict=True))

    async def connect(self, address: Any, tls: bool = False) -> Client:
        factory: Any = Factory.forProtocol(Client)
        if tls:
            factory = TLSMemoryBIOFactory(CertificateOptions(), True, factory)
        protocol: Any = await TCP4ClientEndpoint(self.reactor, "127.0.0.1", address.port).connect(factory)
        client: Client = protocol.wrappedProtocol if tls else protocol
        self.addCleanup(self.hang_up, client)
        return client

    def hang_up(self, client: Client) -> Deferred[None]:
        assert client.transport is not None
        client.transport.abortConnection()
        return client.closed


class Serving(ServerCase):
    async def test_imap_greets_in_the_clear_and_refuses_passwords(self) -> None:
        client = await self.connect(self.start()["imap"])
        greeting = await client.until(b"* OK ")
        self.assertIn(b"STARTTLS", greeting)
        self.assertIn(b"LOGINDISABLED", greeting)
        self.assertIn(b"a NO [PRIVACYREQUIRED]", await client.ask(b"a LOGIN ada sesame"))

    async def test_imaps_logs_in(self) -> None:
        client = await self.connect(self.start()["imaps"], tls=True)
        await client.until(b"* OK ")
        self.assertIn(b"[AUTHENTICATIONFAILED]", await client.ask(b"a LOGIN ada wrong"))
        self.assertTrue((await client.ask(b"b LOGIN ada sesame")).startswith(b"b OK"))

    async def test_plaintext_login_is_an_option_that_warns(self) -> None:
        logged: list[Any] = []
        self.patch(tap._log, "observer", logged.append)
        client = await self.connect(self.start(plaintext_login=True)["imap"])
        self.assertTrue((await client.ask(b"a LOGIN ada sesame")).startswith(b"a OK"))
        self.assertEqual([event["log_level"].name for event in logged], ["warn"])

    async def test_what_another_process_writes_is_seen(self) -> None:
        client = await self.connect(self.start(plaintext_login=True)["imap"])
        await client.ask(b"a LOGIN ada sesame")
        await client.ask(b"b SELECT INBOX")
        run(sys.executable, "-c", "from moximap.cli.main import main; main()", "--data", self.data,
            "deliver", "ada", given=b"Subject: hi\n\n")
        client.sendLine(b"c NOOP")
        await client.until(b"* 1 EXISTS")

    async def test_other_processes_hear_what_is_written_here(self) -> None:
        client = await self.connect(self.start(plaintext_login=True)["imap"])
        with closing(Bell(self.data / "bell")) as bell:
            await client.ask(b"a LOGIN ada sesame")
            await client.ask(b"b CREATE Projects")
            self.assertEqual([name for name, _ in bell.drain() or ()], ["ada"])

    async def test_a_stopped_server_leaves_nothing_open(self) -> None:
        client = await self.connect(self.start(plaintext_login=True)["imap"])
        await client.ask(b"a LOGIN ada sesame")
        await client.ask(b"b SELECT INBOX")
        await self.hang_up(client)
        await self.server.stopService()
        self.assertIsNone(self.server.site)
        self.assertEqual([path.name for path in (self.data / "bell").glob("*.sock")], [])


class Failing(ServerCase):
    def gives_up(self, server: Server) -> str:
        said = StringIO()
        self.patch(sys, "__stderr__", said)

        def start() -> None:
            server.privilegedStartService()
            server.startService()

        stopped = self.assertRaises(SystemExit, start)
        self.assertEqual(stopped.code, 1)
        self.assertRegex(said.getvalue(), r"\Atwistd moximap: [^\n]+\n\Z")
        return said.getvalue()

    def test_a_taken_port_is_one_line_and_exit_code_1(self) -> None:
        taken = self.start()["imap"].port
        other = Server(Config(data=self.data, listen=(f"imap=tcp:{taken}:interface=127.0.0.1",)), self.reactor)
        self.assertIn("Address already in use", self.gives_up(other))

    def test_a_directory_that_is_none_is_named(self) -> None:
        path = Path(self.mktemp()).absolute()
        path.write_text("")
        server = Server(Config(data=path, listen=LOOPBACK), self.reactor)
        self.addCleanup(server.listeners.stopService)
        said = self.gives_up(server)
        self.assertIn(str(path), said)
        self.assertRegex(said, r"\(.+\)$")                     # what the system says

    def test_as_a_daemon_it_raises_what_twistd_tells_its_parent(self) -> None:
        server = Server(Config(data=self.data, listen=LOOPBACK), self.reactor)
        self.patch(server, "_made_by", -1)

        def fail(listeners: Listeners) -> None:
            raise tap.CannotListen("no")

        self.patch(Listeners, "privilegedStartService", fail)
        self.assertRaises(tap.CannotStart, server.privilegedStartService)


class Twistd(SynchronousTestCase):
    def test_the_plugin_is_found(self) -> None:
        said = run(sys.executable, Path(sys.executable).parent / "twistd", "moximap", "--help")
        self.assertIn(b"--demo", said)


test_suite = beside.suite(__name__)
