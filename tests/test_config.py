"""The administrator's file: what it may say, and how each mistake is told."""

from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from moximap import config
from moximap.config import BadConfig, Config
from moximap.imap.site import Limits

DOCUMENTATION = Path(__file__).parent.parent / "docs" / "configuration.md"

WHOLE = """\
data = "mail"
listen = ["imap=tcp:143", "imaps=systemd:domain=INET:index=0"]
tls_certificate = "/etc/tls/chain.pem"
tls_key = "tls/key.pem"
plaintext_login = true
threads = 3

[limits]
append = 1000
login_timeout = 7.5
idle_timeout = 60
"""


class ConfigFiles(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()

    def read(self, text: str | bytes) -> Config:
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return config.read(self.path)

    def bad(self, text: str | bytes) -> str:
        said = str(self.assertRaises(BadConfig, self.read, text))
        self.assertTrue(said.startswith(f"{self.path}: "), said)
        self.assertNotIn("\n", said)
        return said

    def test_an_empty_file_changes_nothing(self) -> None:
        self.assertEqual(self.read(""), Config())

    def test_everything_can_be_said(self) -> None:
        there = self.path.parent
        self.assertEqual(self.read(WHOLE), Config(
            data=there / "mail", listen=("imap=tcp:143", "imaps=systemd:domain=INET:index=0"),
            tls_certificate=Path("/etc/tls/chain.pem"), tls_key=there / "tls/key.pem",
            plaintext_login=True, threads=3,
            limits=Limits(append=1000, login_timeout=7.5, idle_timeout=60)))

    def test_what_the_file_does_not_say_stays(self) -> None:
        self.path.write_text("threads = 2\n[limits]\nline = 9000\n")
        base = Config(data=Path("/mail"), limits=Limits(append=5))
        self.assertEqual(config.read(self.path, base),
                         Config(data=Path("/mail"), threads=2, limits=Limits(append=5, line=9000)))

    def test_unknown_keys_are_named_with_the_known_ones(self) -> None:
        said = self.bad('dta = "mail"')
        self.assertIn("unknown key 'dta'", said)
        self.assertIn("data, limits, listen", said)
        self.assertIn("unknown key 'lines' in [limits]", self.bad("[limits]\nlines = 5\n"))

    def test_values_of_the_wrong_kind_are_named(self) -> None:
        for text, key in (("data = 5", "data"), ('data = ""', "data"), ('listen = "imap=tcp:1"', "listen"),
                          ("listen = []", "listen"), ("listen = [5]", "listen"),
                          ("plaintext_login = 1", "plaintext_login"), ("threads = 0", "threads"),
                          ("threads = true", "threads"), ("threads = 2.5", "threads"),
                          ("limits = 5", "limits"), ("[limits]\nappend = -1", "limits.append"),
                          ('[limits]\nline = "long"', "limits.line"),
                          ("[limits]\nidle_timeout = 0", "limits.idle_timeout"),
                          ("[limits]\nidle_timeout = nan", "limits.idle_timeout")):
            self.assertIn(f": {key} must be", self.bad(text))

    def test_capabilities_are_switched_off_by_listener(self) -> None:
        self.assertEqual(
            self.read('[capabilities_off]\n"imaps=tcp:993" = ["uidonly", "NOTIFY"]\n"*" = []').hidden("imaps=tcp:993"),
            {b"UIDONLY", b"NOTIFY"})
        self.assertEqual(self.read('[capabilities_off]\n"*" = ["NOTIFY"]').hidden("imap=tcp:143"), {b"NOTIFY"})
        for text, said in (("capabilities_off = 5", "must be a table"), ('[capabilities_off]\n"*" = 5', "a list"),
                           ('[capabilities_off]\n"*" = ["IMAP4rev1"]', "is no capability")):
            self.assertIn(said, self.bad(text))
        nowhere = Config(capabilities_off=(("imap=tcp:14", frozenset()),))
        self.assertIn("none of the listeners: imap=tcp:143",
                      str(self.assertRaises(BadConfig, config.validate, nowhere)))

    def test_what_is_not_toml_is_told(self) -> None:
        self.assertIn("not TOML", self.bad("data = mail"))
        self.assertIn("not TOML", self.bad(b"\xff\xfe"))

    def test_a_missing_file_is_told(self) -> None:
        self.assertIn("No such file", str(self.assertRaises(BadConfig, config.read, self.path)))

    def test_certificate_and_key_go_together(self) -> None:
        self.assertRaises(BadConfig, config.validate, Config(tls_key=Path("/key")))
        config.validate(Config(tls_key=Path("/key"), tls_certificate=Path("/certificate")))

    def test_every_setting_and_limit_is_documented_with_its_default(self) -> None:
        text = DOCUMENTATION.read_text()
        for field in attrs.fields(Config):
            self.assertIn(f"`{field.name}`", text)
        for field in attrs.fields(Limits):
            self.assertIn(f"| `{field.name}` | {field.default} |", text)
