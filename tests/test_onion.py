"""The onion service without a tor: its key and clients, its command line, and a control port of our own making."""

from __future__ import annotations

import json
import re
from base64 import b32decode, b64decode
from hashlib import sha512
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import SynchronousTestCase

from moximap import config
from moximap.config import BadConfig, Config
from moximap.net import onionclients, onionkeys
from moximap.net.listeners import BadListen, Listen
from moximap.net.onionlaunch import torrc
from moximap.net.onionlisten import onion_ports, parse_all
from moximap.net.onionplace import USUAL, BadOnion, OnionSettings, Place, control_address
from moximap.net.oniontor import add_onion, phase
from tests.onionnet import CLIENTS, RELAYS, SAFE, Tors, safe
from tests.test_cli import CommandCase

KINDS = {"imap": None, "imaps": None}


class Files(SynchronousTestCase):
    def setUp(self) -> None:
        self.place = Place(Path(self.mktemp()).absolute())


class Keys(Files):
    def test_the_address_has_its_public_key_and_checksum_in_it(self) -> None:
        """The example of Tor's rend-spec-v3, section 6."""
        for known in ("pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion",
                      "sp3k262uwy4r2k3ycr5awluarykdpag6a7y33jxop4cs2lu5uz5sseqd.onion",
                      "xa4r2iadxm55fbnqgwwi5mymqdcofiu3w6rpbtqn7b2dyn7mgwj64jyd.onion"):
            self.assertEqual(onionkeys.service_id(b32decode(known[:56].upper())[:32]) + ".onion", known)
            self.assertTrue(onionkeys.is_address(known))
        for bad in ("pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscrya.onion", "a.onion", "", "1"):
            self.assertFalse(onionkeys.is_address(bad), bad)

    def test_a_key_is_made_once_and_readable_by_us_only(self) -> None:
        key = onionkeys.ensure(self.place)
        self.assertEqual(onionkeys.ensure(self.place), key)
        self.assertEqual((self.place.service / "hostname").read_text(), key.address + "\n")
        for path in (self.place.service / onionkeys.SECRET, self.place.service / onionkeys.PUBLIC):
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.place.service.stat().st_mode & 0o777, 0o700)

    def test_the_key_is_that_of_rfc_8032(self) -> None:
        made = Ed25519PrivateKey.generate()
        self.patch(Ed25519PrivateKey, "generate", lambda: made)
        key = onionkeys.new_key()
        digest = sha512(made.private_bytes_raw()).digest()
        self.assertEqual(key.secret[32:], digest[32:])
        self.assertEqual((key.secret[0] & 7, key.secret[31] & 0xC0), (0, 0x40))
        self.assertEqual(key.public, made.public_key().public_bytes_raw())

    def test_half_a_key_and_no_key_are_told(self) -> None:
        onionkeys.ensure(self.place)
        (self.place.service / onionkeys.PUBLIC).unlink()
        self.assertIn("missing", str(self.assertRaises(BadOnion, onionkeys.ensure, self.place)))
        (self.place.service / onionkeys.SECRET).write_bytes(b"no key")
        self.assertIn("not a key", str(self.assertRaises(BadOnion, onionkeys.ensure, self.place)))

    def test_a_key_does_not_show_its_secret(self) -> None:
        key = onionkeys.ensure(self.place)
        self.assertNotIn(repr(key.secret)[2:20], repr(key))


class Clients(Files):
    def test_pairs_are_x25519(self) -> None:
        private, public = onionclients.new_pair()
        key = X25519PrivateKey.from_private_bytes(b32decode(private + "===="))
        self.assertEqual(b32decode(public + "===="),
                         key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def add(self, *names: str) -> None:
        self.place.make()
        for name in names:
            onionclients.add(self.place, name, onionclients.new_pair()[1])

    def test_the_last_one_goes_only_if_everybody_may_come(self) -> None:
        self.add("phone", "laptop")
        onionclients.remove(self.place, "phone")
        self.assertIn("last client", str(self.assertRaises(BadOnion, onionclients.remove, self.place, "laptop")))
        onionclients.remove(self.place, "laptop", to_everybody=True)
        self.assertEqual(onionclients.clients(self.place), ())

    def test_what_cannot_be_is_refused(self) -> None:
        self.add("phone")
        public = onionclients.clients(self.place)[0].public
        for name, key in (("phone", onionclients.new_pair()[1]), ("other", public), ("../x", public), ("", public)):
            self.assertRaises(BadOnion, onionclients.add, self.place, name, key)
        self.assertRaises(BadOnion, onionclients.remove, self.place, "nobody")
        for text in ("", "AAAA", "1" * 52, public + "A"):
            self.assertRaises(BadOnion, onionclients.checked, text)
        self.assertEqual(onionclients.checked(f"descriptor:x25519:{public.lower()}====\n"), public)

    def test_a_file_that_cannot_be_read_does_not_open_the_service(self) -> None:
        self.add("phone")
        (self.place.clients / "phone.auth").write_text("descriptor:x25519:")
        self.assertRaises(BadOnion, onionclients.clients, self.place)


class Settings(SynchronousTestCase):
    def listens(self, *texts: str, **settings: Any) -> Any:
        return parse_all(texts, KINDS, Path("/mail"), OnionSettings(**settings))

    def test_onion_ports_are_listeners_beside_others(self) -> None:
        first, second = self.listens("imap=tcp:143", "imaps=onion:993")
        self.assertEqual((str(first), str(second)), ("imap=tcp:143", "imaps=onion:993"))
        self.assertEqual(str(second.path), "/mail/onion/sockets/imaps-993.sock")
        self.assertEqual(onion_ports([first, second]), (second,))
        self.assertEqual([listen.proxied for tor in ("launch", "torrc", "tcp:127.0.0.1:9051")
                          for listen in self.listens("imap=onion:1", tor=tor)], [True, True, False])

    def test_what_cannot_be_is_told_before_anything_starts(self) -> None:
        for texts in (("imap=onion:0",), ("imap=onion:",), ("imap=onion",), ("imap=onion:1:version=3",),
                      ("imap=onion:1", "imaps=onion:1")):
            self.assertRaises(BadListen, self.listens, *texts)
        self.assertIn("none of", str(self.assertRaises(BadListen, self.listens, "imap=onion:1", tor="9051")))
        long = self.listens("imap=onion:1", sockets=Path("/" + "x" * 100))
        self.assertRaises(BadListen, long[0].on, None)
        spaced = self.listens("imap=onion:1", sockets=Path("/my mail"))
        self.assertIn("sockets", str(self.assertRaises(BadListen, spaced[0].on, None)))

    def test_the_endpoint_of_another_program_is_never_used(self) -> None:
        """It would start a tor on the public network."""
        for endpoint in ("onion:143", "haproxy:onion:143", "tls:onion:143"):
            self.assertRaises(BadListen, Listen("imap", endpoint).on, None)

    def test_control_ports(self) -> None:
        self.assertEqual(control_address("unix:/run/tor/control"), Path("/run/tor/control"))
        self.assertEqual(control_address("tcp:127.0.0.1:9051"), ("127.0.0.1", 9051))
        self.assertEqual(control_address("tcp:[::1]:9051"), ("::1", 9051))
        for bad in ("", "unix:", "unix:run", "tcp:9051", "tcp:a:b", "tcp:a:0", "9051"):
            self.assertRaises(BadOnion, control_address, bad)

    def test_the_file_has_a_table(self) -> None:
        table = {"tor": "launch", "sockets": "run", "plaintext_login": True, "streams": 3, "torrc": ["UseBridges 1"]}
        made = config.from_table({"onion": table}, Path("/etc"), Config()).onion
        self.assertEqual(made, OnionSettings("launch", Path("/etc/run"), True, False, False, 3, ("UseBridges 1",)))
        for bad in ({"frob": 1}, {"streams": 0}, {"torrc": ["a\nb"]}, {"tor": 9051}):
            self.assertRaises(BadConfig, config.from_table, {"onion": bad}, Path("/etc"), Config())
        both = config.with_onion(Config(listen=("imap=tcp:1",)), True, "launch")
        self.assertEqual((both.listen, both.onion.tor), (("imap=tcp:1", *USUAL), "launch"))
        self.assertEqual(config.with_onion(Config(), False, None), Config())


class Saying(Files):
    """What is said to tor."""

    def ports(self, **settings: Any) -> tuple[Any, OnionSettings]:
        made = OnionSettings(**settings)
        return onion_ports(parse_all(USUAL, KINDS, Path("/mail"), made)), made

    def test_add_onion(self) -> None:
        key = onionkeys.ensure(self.place)
        ports, settings = self.ports(proof_of_work=True, streams=9)
        words = add_onion(key, ports, (), settings).split(" ")
        self.assertEqual(words[0], "ADD_ONION")
        self.assertEqual(b64decode(words[1].removeprefix("ED25519-V3:")), key.secret)
        self.assertEqual(words[2:], ["Flags=DiscardPK", "MaxStreams=9", "PoWDefensesEnabled=1",
                                     "Port=993,unix:/mail/onion/sockets/imaps-993.sock",
                                     "Port=143,unix:/mail/onion/sockets/imap-143.sock"])
        said = add_onion(key, ports, (onionclients.OnionClient("a", "KEY"),), settings)
        self.assertIn(" Flags=DiscardPK,V3Auth ", said)
        self.assertTrue(said.endswith(" ClientAuthV3=KEY"))

    def test_the_torrc_of_a_tor_of_our_own(self) -> None:
        ports, settings = self.ports(tor="launch", torrc=("DisableNetwork 1",), limit_introductions=True)
        lines = torrc(self.place, ports, settings).splitlines()
        for line in ("SocksPort 0", "CookieAuthentication 1", "HiddenServiceExportCircuitID haproxy",
                     f"HiddenServiceDir {self.place.service}", "HiddenServiceMaxStreams 64",
                     "HiddenServicePort 993 unix:/mail/onion/sockets/imaps-993.sock",
                     "HiddenServiceEnableIntroDoSDefense 1", "DisableNetwork 1"):
            self.assertIn(line, lines)

    def test_how_far_tor_is(self) -> None:
        self.assertEqual(phase('NOTICE BOOTSTRAP PROGRESS=45 TAG=x SUMMARY="Asking for relays"'),
                         (45, "Asking for relays"))
        self.assertIsNone(phase("NOTICE CIRCUIT_ESTABLISHED"))


class NoPublicNetwork(Files):
    """No tor of the tests can go anywhere but to the tests' own authority."""

    def test_every_torrc_that_tests_write_names_our_authority_or_no_network(self) -> None:
        root = self.place.data
        written: list[Path] = []
        tors = Tors.make_without_keys(root)
        for tor in tors.tors.values():
            tor.fingerprint, tor.identity = "A" * 40, "B" * 40
            tor.directory.mkdir(parents=True)
            written += [tor.write("torrc", tors.torrc(tor, 10, 3)), tor.write("torrc.keys", tor.first())]
        self.assertEqual(len(written), 2 * len((*RELAYS, *CLIENTS)))
        for path in written:
            self.assertRegex(path.read_text(), SAFE)

    def test_what_names_neither_is_not_started(self) -> None:
        self.place.make()
        path = self.place.root / "torrc"
        for text in ("", "SocksPort 0\n", "DisableNetwork 0\n", "#DirAuthority a orport=1 127.0.0.1:9 A\n",
                     "DirAuthority moria1 orport=9101 128.31.0.39:9131 A\n", "DisableNetwork 1\nDisableNetwork 0\n"):
            path.write_text(text)
            self.assertRaises(AssertionError, safe, path)

    def test_tests_start_tors_in_one_place(self) -> None:
        here = Path(__file__).parent
        starting = {path.name for path in here.glob("*.py")
                    if re.search(r"""\[["'](/usr/s?bin/)?tor["']""", path.read_text())}
        self.assertEqual(starting, {"onionnet.py"})


class Commands(CommandCase):
    def said(self, *words: str, code: int = 0) -> str:
        result = self.run_command("onion", *words, code=code)
        return result.stdout or result.stderr

    def test_the_address_is_known_before_any_server_runs(self) -> None:
        address = self.said("address").strip()
        self.assertTrue(onionkeys.is_address(address))
        self.assertEqual(self.said("address").strip(), address)

    def test_clients_come_and_go(self) -> None:
        said = self.said("client", "add", "phone")
        address = self.said("address").strip()
        self.assertRegex(said, rf"(?m)^{address[:56]}:descriptor:x25519:[A-Z2-7]{{52}}$")
        public = onionclients.new_pair()[1]
        self.assertNotIn("private", self.said("client", "add", "laptop", "--public", public))
        self.assertEqual([one["name"] for one in json.loads(self.said("client", "list", "--json"))],
                         ["laptop", "phone"])
        self.said("client", "rm", "phone")
        self.assertIn("last client", self.said("client", "rm", "laptop", code=2))
        self.assertIn("no client phone", self.said("client", "rm", "phone", code=2))

    def test_status_without_a_server(self) -> None:
        self.add("ada")
        facts = json.loads(self.said("status", "--json"))
        self.assertEqual((facts["address"], facts["clients"], facts["last_login"]), (None, [], None))
        self.assertIn("everybody", self.said("status"))

    def test_lines_for_a_torrc(self) -> None:
        said = self.said("torrc", "--proof-of-work", "--sockets", "/run/moximap")
        for line in ("HiddenServiceDir /var/lib/tor/moximap", "HiddenServiceExportCircuitID haproxy",
                     "HiddenServicePort 143 unix:/run/moximap/imap-143.sock", "HiddenServicePoWDefensesEnabled 1"):
            self.assertIn(line + "\n", said)
